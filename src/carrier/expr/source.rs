//! Sources: where an answer's field comes from.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use minijinja::{Expression, Value as Engine};
use serde::Deserialize;
use serde::de::{self, SeqAccess, Visitor};
use serde_json::Value;

use super::got::Got;
use super::native::{self, Val};
use super::path::Path;
use super::scope::Walked;
use super::{ExprProblem, Scope, engine, values, watch};

/// A compiled expression with the names that it needs.
#[derive(Clone)]
pub(super) struct Compiled {
    text: Arc<str>,
    names: Arc<[String]>,
    dotted: Arc<[String]>,
    expression: Arc<Expression<'static, 'static>>,
    native: Option<Arc<native::Tree>>,
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Compiled({:?})", self.text)
    }
}

impl Compiled {
    pub(super) fn new(text: &str) -> Result<Self, ExprProblem> {
        let environment = engine::environment();
        let expression = environment
            .compile_expression_owned(text.to_owned())
            .map_err(|error| ExprProblem::compiling(text, &error))?;
        engine::check_names(text)?;
        refuse_backspaces(text)?;
        let mut names: Vec<String> = expression.undeclared_variables(false).into_iter().collect();
        names.sort();
        let dotted = expression.undeclared_variables(true).into_iter().collect();
        let native = native::parse(text).map(Arc::new);
        Ok(Self { text: text.into(), names: names.into(), dotted, expression: Arc::new(expression), native })
    }

    /// Whether this name is needed.
    pub(super) fn mentions(&self, name: &str) -> bool {
        self.names.iter().any(|needed| needed == name)
    }

    /// The names that it needs, with their fields: `credentials.key`.
    pub(super) fn dotted(&self) -> &[String] {
        &self.dotted
    }

    /// What it gives, without the engine where that is sure.
    fn get<'s>(&'s self, scope: &'s Scope<'_>) -> Result<Got<'s>, ExprProblem> {
        if let Some(got) = self.native.as_ref().and_then(|tree| Got::of(tree.eval(scope).ok()?)) {
            return Ok(got);
        }
        Ok(values::to_json(&self.run(scope)?).map_or(Got::Val(Val::Undefined), |json| Got::Json(Cow::Owned(json))))
    }

    /// What it gives, written into a text.
    pub(super) fn write(&self, scope: &Scope<'_>, out: &mut String) -> Result<(), ExprProblem> {
        let val = self.native.as_ref().and_then(|tree| tree.eval(scope).ok());
        match val.as_ref().map(Val::written) {
            // Absent is nothing; in a concatenation it would be a word.
            Some(Ok(_)) if matches!(val, Some(Val::Nothing)) => {}
            Some(Ok(text)) => out.push_str(&text),
            _ => out.push_str(&values::text(&self.run(scope)?)),
        }
        Ok(())
    }

    /// Whether what it gives counts as yes.
    pub(super) fn holds(&self, scope: &Scope<'_>) -> Result<bool, ExprProblem> {
        match self.native.as_ref().and_then(|tree| tree.eval(scope).ok()?.is_true().ok()) {
            Some(yes) => Ok(yes),
            None => Ok(self.run(scope)?.is_true()),
        }
    }

    /// What the engine gives.
    pub(super) fn run(&self, scope: &Scope<'_>) -> Result<Engine, ExprProblem> {
        let known = self.names.iter().filter_map(|name| Some((name.as_str(), scope.engine(name)?)));
        self.expression.eval(Engine::from_pairs(known)).map_err(|error| {
            let problem = ExprProblem::running(&self.text, &error);
            watch::note(&problem);
            problem
        })
    }
}

/// `\b` in a text is a backspace, which no answer holds; whoever writes it means the end of a word in a pattern.
fn refuse_backspaces(text: &str) -> Result<(), ExprProblem> {
    let mut slashes = 0;
    for c in text.chars() {
        if c == 'b' && slashes % 2 == 1 {
            let problem = r"`\b` in a text is a backspace: the end of a word in a pattern is written `\\b`".to_owned();
            return Err(ExprProblem { text: text.to_owned(), problem });
        }
        slashes = if c == '\\' { slashes + 1 } else { 0 };
    }
    Ok(())
}

/// Where a field comes from: a plain path, an expression, or several of them of which the first that gives
/// something wins.
#[derive(Debug, Clone)]
pub struct Source(Form);

#[derive(Debug, Clone)]
enum Form {
    Path(String, Path),
    Expression(Compiled),
    First(Vec<Source>),
}

impl Source {
    /// Compiles a path or an expression.
    pub fn compile(text: &str) -> Result<Self, ExprProblem> {
        if text.trim().is_empty() {
            return Err(ExprProblem { text: text.to_owned(), problem: "an empty expression".to_owned() });
        }
        if let Some(path) = Path::parse(text) {
            return Ok(Self(Form::Path(text.trim().to_owned(), path)));
        }
        Compiled::new(text).map(|compiled| Self(Form::Expression(compiled)))
    }

    /// Several sources: the first that gives something wins.
    #[must_use]
    pub fn first_of(sources: Vec<Self>) -> Self {
        Self(Form::First(sources))
    }

    /// Compiles what stands in a definition: a text, or a list of texts.
    pub fn from_toml(value: &toml::Value) -> Result<Self, ExprProblem> {
        match value {
            toml::Value::String(text) => Self::compile(text),
            toml::Value::Array(items) if !items.is_empty() => {
                items.iter().map(Self::from_toml).collect::<Result<_, _>>().map(Self::first_of)
            }
            other => Err(ExprProblem {
                text: other.to_string(),
                problem: "a source is a path, an expression, or a list of them; another value stands".to_owned(),
            }),
        }
    }

    /// What it gives; nothing when that is absent, or when the expression failed.
    #[must_use]
    pub fn eval<'s>(&'s self, scope: &'s Scope<'_>) -> Option<Cow<'s, Value>> {
        self.try_eval(scope).ok().flatten()
    }

    /// What it gives, and the failure of an expression as one.
    pub fn try_eval<'s>(&'s self, scope: &'s Scope<'_>) -> Result<Option<Cow<'s, Value>>, ExprProblem> {
        Ok(self.get(scope)?.and_then(Got::json))
    }

    fn get<'s>(&'s self, scope: &'s Scope<'_>) -> Result<Option<Got<'s>>, ExprProblem> {
        let found = match &self.0 {
            Form::Path(text, path) => match scope.walk(path) {
                Walked::At(found) => found.map(|value| Got::Json(Cow::Borrowed(value))),
                Walked::EngineOnly => {
                    values::to_json(&Compiled::new(text)?.run(scope)?).map(|json| Got::Json(Cow::Owned(json)))
                }
            },
            Form::Expression(compiled) => Some(compiled.get(scope)?),
            Form::First(sources) => {
                // One that fails gives nothing: the next one may know.
                return Ok(sources
                    .iter()
                    .find_map(|source| source.get(scope).ok().flatten().filter(|got| !got.is_hollow())));
            }
        };
        Ok(found.filter(|got| !got.is_absent()))
    }

    /// What it gives as text: numbers and truth values as they are written, anything else is no text.
    #[must_use]
    pub fn text<'s>(&'s self, scope: &'s Scope<'_>) -> Option<Cow<'s, str>> {
        self.get(scope).ok().flatten()?.text()
    }

    /// Whether it gives the same whatever the answer says: nothing of an answer is named in it.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        match &self.0 {
            Form::Path(..) => false,
            Form::Expression(compiled) => compiled.names.is_empty(),
            Form::First(sources) => sources.iter().any(Self::is_constant),
        }
    }

    /// Whether what it gives counts as yes: not absent, not false, not 0, not an empty list.
    #[must_use]
    pub fn is_true(&self, scope: &Scope<'_>) -> bool {
        self.get(scope).ok().flatten().is_some_and(|got| got.is_true())
    }

    /// The objects of the list that it gives: an object is a list of one, a list in a list is laid flat, and empty
    /// objects (which some carriers write for "nothing") are left out. Nothing when it gives nothing.
    #[must_use]
    pub fn objects<'s>(&'s self, scope: &'s Scope<'_>) -> Option<Vec<Cow<'s, Value>>> {
        Some(self.get(scope).ok().flatten()?.objects())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Path(text, _) => f.write_str(text),
            Form::Expression(compiled) => f.write_str(&compiled.text),
            Form::First(sources) => {
                for (at, source) in sources.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    write!(f, "{comma}{source}")?;
                }
                Ok(())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: de::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Source;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, an expression, or a list of them")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Source, E> {
                Source::compile(text).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Source, A::Error> {
                let mut sources = Vec::new();
                while let Some(source) = seq.next_element()? {
                    sources.push(source);
                }
                if sources.is_empty() {
                    return Err(de::Error::custom("an empty list of sources can never give anything"));
                }
                Ok(Source::first_of(sources))
            }
        }
        d.deserialize_any(Read)
    }
}

/// An expression that is asked for yes or no.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Condition(Source);

impl Condition {
    /// Whether it holds always or never.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.0.is_constant()
    }

    /// Compiles it.
    pub fn compile(text: &str) -> Result<Self, ExprProblem> {
        Source::compile(text).map(Self)
    }

    /// Whether it holds. An expression that fails does not hold.
    #[must_use]
    pub fn holds(&self, scope: &Scope<'_>) -> bool {
        self.0.is_true(scope)
    }
}
