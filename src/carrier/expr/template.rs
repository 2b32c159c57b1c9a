//! Templates: text of requests with `{{ expressions }}` in it.

use std::fmt;

use minijinja::Value as Engine;
use serde::Deserialize;
use serde_json::Value;

use super::source::Compiled;
use super::{ExprProblem, Scope, engine};

/// Text with `{{ expressions }}`; `{% if %}` and `{% for %}` work, too, and cost a compilation each time.
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
}

impl Template {
    /// Compiles it.
    pub fn compile(text: &str) -> Result<Self, ExprProblem> {
        let problem = |what: &str| ExprProblem { text: text.to_owned(), problem: what.to_owned() };
        if text.contains("{%") || text.contains("{#") {
            return Self::with_statements(text);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let end = closing(after).ok_or_else(|| problem("a {{ without its }}"))?;
            parts.push(Part::Expression(Compiled::new(after[..end].trim())?));
            rest = &after[end + 2..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        let dotted = parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Expression(compiled) => Some(compiled.dotted()),
        });
        let names = dotted.flatten().cloned().collect();
        Ok(Self { text: text.to_owned(), form: Form::Parts(parts), names })
    }

    fn with_statements(text: &str) -> Result<Self, ExprProblem> {
        let environment = engine::environment();
        let template = environment.template_from_str(text).map_err(|error| ExprProblem::compiling(text, &error))?;
        super::filters::check_names(text)?;
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
        for part in parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Expression(compiled) => compiled.write(scope, &mut out)?,
            }
        }
        Ok(out)
    }

    /// The same as a JSON value: one expression alone keeps its type, anything else is text.
    pub fn json(&self, scope: &Scope<'_>) -> Result<Value, ExprProblem> {
        match &self.form {
            Form::Parts(parts) if let [Part::Expression(compiled)] = parts.as_slice() => {
                Ok(engine::to_json(&compiled.run(scope)?).unwrap_or(Value::Null))
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
