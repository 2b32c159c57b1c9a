//! The engine, built once: minijinja with fuel, our filters, and nothing that reaches outside.

use std::sync::OnceLock;

use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value as Engine};

use super::ExprProblem;

/// Steps that one evaluation may take.
const FUEL: u64 = 200_000;
pub(super) fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Chainable);
        env.set_auto_escape_callback(|_| AutoEscape::None);
        env.set_fuel(Some(FUEL));
        env.set_unknown_method_callback(unknown_method);
        super::filters::add_to(&mut env);
        env
    })
}

/// `.get('x')` on objects, which definitions use for names that may be absent; no other method exists.
fn unknown_method(
    _: &mut minijinja::State<'_, '_>,
    value: &Engine,
    method: &str,
    args: &[Engine],
) -> Result<Engine, Error> {
    match (method, args) {
        ("get", [key]) => Ok(value.get_item(key).unwrap_or(Engine::UNDEFINED)),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

/// Refuses filters that do not exist when a definition is loaded; the engine alone would tell only when it runs.
pub(super) fn check_names(expression: &str) -> Result<(), ExprProblem> {
    let environment = environment();
    for name in names_after_bar(expression) {
        let outcome = environment.empty_state().apply_filter(&name, &[Engine::UNDEFINED]);
        if outcome.is_err_and(|error| error.kind() == ErrorKind::UnknownFilter) {
            return Err(ExprProblem { text: expression.to_owned(), problem: format!("there is no filter {name:?}") });
        }
    }
    Ok(())
}

fn names_after_bar(expression: &str) -> Vec<String> {
    let (mut names, mut quote, mut chars) = (Vec::new(), None, expression.chars().peekable());
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => drop(chars.next()),
            (Some(open), _) => quote = quote.filter(|_| c != open),
            (None, '\'' | '"') => quote = Some(c),
            (None, '|') => {
                while chars.next_if(|c| c.is_whitespace()).is_some() {}
                let mut name = String::new();
                while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    name.push(c);
                }
                names.push(name);
            }
            _ => {}
        }
    }
    names
}
