//! Templates: text of requests with `{{ expressions }}` in it.

use std::fmt;

use minijinja::Value as Engine;
use serde::Deserialize;
use serde_json::Value;

use super::source::Compiled;
use super::{ExprProblem, Scope, engine, values};

/// Text with `{{ expressions }}` and `{% if %}`; other statements work, too, and cost a compilation each time.
#[derive(Debug, Clone)]
pub struct Template {
    text: String,
    form: Form,
    names: Vec<String>,
}

#[derive(Debug, Clone)]
enum Form {
    Parts(Vec<Part>),
    Statements,
}

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Expression(Compiled),
    /// The first whose condition holds; one without a condition always does.
    Either(Vec<(Option<Compiled>, Vec<Part>)>),
}

impl Template {
    /// Compiles it.
    pub fn compile(text: &str) -> Result<Self, ExprProblem> {
        let problem = |what: &str| ExprProblem { text: text.to_owned(), problem: what.to_owned() };
        let statements = text.contains("{%") || text.contains("{#");
        // The engine's own reading of white space around statements is left to it.
        if text.contains("{#") || text.contains("{%-") || text.contains("-%}") || (statements && text.ends_with('\n')) {
            return Self::with_statements(text);
        }
        let mut parser = Parser { rest: text };
        let parts = match parser.parts() {
            Ok(parts) if parser.rest.is_empty() => parts,
            Ok(_) | Err(Stop::Unknown) if statements => return Self::with_statements(text),
            Ok(_) | Err(Stop::Unknown) => return Err(problem("a {{ without its }}")),
            Err(Stop::Problem(problem)) => return Err(problem),
        };
        let mut names = Vec::new();
        each_expression(&parts, &mut |compiled| names.extend(compiled.dotted().iter().cloned()));
        Ok(Self { text: text.to_owned(), form: Form::Parts(parts), names })
    }

    fn with_statements(text: &str) -> Result<Self, ExprProblem> {
        let environment = engine::environment();
        let template = environment.template_from_str(text).map_err(|error| ExprProblem::compiling(text, &error))?;
        engine::check_names(text)?;
        let names = template.undeclared_variables(true).into_iter().collect();
        Ok(Self { text: text.to_owned(), form: Form::Statements, names })
    }

    fn run_statements(&self, scope: &Scope<'_>) -> Result<String, ExprProblem> {
        let known = self.names.iter().filter_map(|name| {
            let head = name.split('.').next().unwrap_or(name);
            Some((head, scope.engine(head)?))
        });
        let environment = engine::environment();
        let rendered = environment.render_str(&self.text, Engine::from_pairs(known));
        rendered.map_err(|error| ExprProblem::running(&self.text, &error))
    }

    /// The text with every expression replaced by what it gives; absent gives nothing.
    pub fn render(&self, scope: &Scope<'_>) -> Result<String, ExprProblem> {
        let Form::Parts(parts) = &self.form else { return self.run_statements(scope) };
        let mut out = String::with_capacity(self.text.len());
        write(parts, scope, &mut out)?;
        Ok(out)
    }

    /// The same as a JSON value: one expression alone keeps its type, anything else is text.
    pub fn json(&self, scope: &Scope<'_>) -> Result<Value, ExprProblem> {
        match &self.form {
            Form::Parts(parts) if let [Part::Expression(compiled)] = parts.as_slice() => {
                Ok(values::to_json(&compiled.run(scope)?).unwrap_or(Value::Null))
            }
            _ => self.render(scope).map(Value::String),
        }
    }

    /// The names that its expressions need, with their fields: `credentials.key`.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether it is text without expressions.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        matches!(&self.form, Form::Parts(parts) if parts.iter().all(|part| matches!(part, Part::Text(_))))
    }

    /// The template as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn write(parts: &[Part], scope: &Scope<'_>, out: &mut String) -> Result<(), ExprProblem> {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Expression(compiled) => compiled.write(scope, out)?,
            Part::Either(branches) => {
                for (condition, inner) in branches {
                    if condition.as_ref().map_or(Ok(true), |condition| condition.holds(scope))? {
                        write(inner, scope, out)?;
                        break;
                    }
                }
            }
        }
    }
    Ok(())
}

fn each_expression(parts: &[Part], visit: &mut dyn FnMut(&Compiled)) {
    for part in parts {
        match part {
            Part::Text(_) => {}
            Part::Expression(compiled) => visit(compiled),
            Part::Either(branches) => branches.iter().for_each(|(condition, inner)| {
                condition.iter().for_each(&mut *visit);
                each_expression(inner, visit);
            }),
        }
    }
}

/// Why a text has no parts.
enum Stop {
    /// It is more than texts, expressions and `{% if %}`.
    Unknown,
    Problem(ExprProblem),
}

struct Parser<'t> {
    rest: &'t str,
}

impl<'t> Parser<'t> {
    /// Everything up to the end, or to a statement that is no `if`.
    fn parts(&mut self) -> Result<Vec<Part>, Stop> {
        let mut parts = Vec::new();
        loop {
            let next = ["{{", "{%"].iter().filter_map(|mark| self.rest.find(mark)).min().unwrap_or(self.rest.len());
            let (text, rest) = self.rest.split_at(next);
            if !text.is_empty() {
                parts.push(Part::Text(text.to_owned()));
            }
            self.rest = rest;
            if let Some(after) = rest.strip_prefix("{{") {
                let end = closing(after).ok_or(Stop::Unknown)?;
                parts.push(Part::Expression(compiled(after[..end].trim())?));
                self.rest = &after[end + 2..];
            } else if self.word() == Some("if") {
                parts.push(self.either()?);
            } else {
                return Ok(parts);
            }
        }
    }

    /// `{% if a %}..{% elif b %}..{% else %}..{% endif %}`.
    fn either(&mut self) -> Result<Part, Stop> {
        let mut branches = Vec::new();
        loop {
            let (word, condition) = self.statement()?;
            let condition = match (word, condition.is_empty()) {
                ("if" | "elif", false) => Some(compiled(condition)?),
                ("else", true) => None,
                ("endif", true) => return Ok(Part::Either(branches)),
                _ => return Err(Stop::Unknown),
            };
            let ended = matches!(branches.last(), Some((None, _)));
            if ended || (word == "if") != branches.is_empty() {
                return Err(Stop::Unknown);
            }
            let inner = self.parts()?;
            branches.push((condition, inner));
        }
    }

    fn word(&self) -> Option<&'t str> {
        self.rest.strip_prefix("{%")?.split_whitespace().next()
    }

    /// The word of the statement that starts here, and what stands behind it.
    fn statement(&mut self) -> Result<(&'t str, &'t str), Stop> {
        let (inner, rest) = self.rest.strip_prefix("{%").and_then(|rest| rest.split_once("%}")).ok_or(Stop::Unknown)?;
        self.rest = rest;
        let inner = inner.trim();
        Ok(inner.split_once(char::is_whitespace).map_or((inner, ""), |(word, rest)| (word, rest.trim())))
    }
}

fn compiled(text: &str) -> Result<Compiled, Stop> {
    Compiled::new(text).map_err(Stop::Problem)
}

/// Where the `}}` of an expression starts: not one inside a quoted text or a literal object.
fn closing(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut quote, mut depth, mut at) = (None, 0_u32, 0);
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(_), b'\\') => at += 1,
            (Some(open), byte) => quote = quote.filter(|_| byte != open),
            (None, byte @ (b'\'' | b'"')) => quote = Some(byte),
            (None, b'{') => depth += 1,
            (None, b'}') if depth > 0 => depth -= 1,
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// An expression of a request that is evaluated once a call and keeps what the engine gave, bytes included.
#[derive(Debug, Clone)]
pub(in crate::carrier) struct Let(Compiled);

impl Let {
    pub(in crate::carrier) fn run(&self, scope: &Scope<'_>) -> Result<Engine, ExprProblem> {
        self.0.run(scope)
    }

    /// Whether this name occurs in it.
    pub(in crate::carrier) fn mentions(&self, name: &str) -> bool {
        self.0.mentions(name)
    }

    /// The names that it needs, with their fields.
    pub(in crate::carrier) fn names(&self) -> &[String] {
        self.0.dotted()
    }
}

impl<'de> Deserialize<'de> for Let {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Compiled::new(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::compile(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_give_what_the_engine_gives() {
        let (some, none, list) = (json!("x y"), json!(""), json!([1]));
        let scope = Scope::new().with("a", &some).with("b", &none).with("c", &list);
        for text in [
            "1{% if a %}2{{ a | urlencode }}{% endif %}3",
            "{% if b %}1{% elif c %}2{% else %}3{% endif %}",
            "{% if b %}1{% elif missing.deep %}2{% else %}3{% if a == 'x y' and not b %}4{% endif %}{% endif %} 5",
            "{%if a%}1{%else%}2{%endif%}",
            "{% if b %}1{% endif %}",
        ] {
            let template = Template::compile(text).unwrap();
            assert!(matches!(template.form, Form::Parts(_)), "{text}");
            let by_engine = Template::with_statements(text).unwrap();
            assert_eq!(template.render(&scope).unwrap(), by_engine.render(&scope).unwrap(), "{text}");
            let (mut own, mut engines) = (template.names().to_vec(), by_engine.names().to_vec());
            own.sort();
            own.dedup();
            engines.sort();
            assert_eq!(own, engines, "{text}");
        }
        for text in ["{% if a %}1", "{% else %}", "{% if %}1{% endif %}", "{% if a %}{% else %}{% elif b %}{% endif %}"]
        {
            assert!(Template::compile(text).is_err(), "{text}");
        }
    }
}
