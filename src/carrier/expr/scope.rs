//! The names that an expression can see.
//!
//! Values are borrowed. The engine's form of a value is made when an expression first needs it and kept, so that
//! ten expressions over one event convert it once; a scope made with [`Scope::inside`] shares what its parent has
//! already converted, so the whole answer is converted at most once, however many events ask for it.

use std::cell::OnceCell;

use minijinja::Value as Engine;
use serde_json::Value;

use super::native::Unsure;
use super::path::Path;
use super::values;

/// A set of named values, and perhaps one value in focus whose fields can be named without it.
#[derive(Debug, Default)]
pub struct Scope<'a> {
    parent: Option<&'a Scope<'a>>,
    names: Vec<Named<'a>>,
    focus: Option<(&'a Value, OnceCell<Engine>)>,
}

/// Where a plain path led.
pub(super) enum Walked<'s> {
    /// To this, or to nothing.
    At(Option<&'s Value>),
    /// The name is known to the engine alone.
    EngineOnly,
}

#[derive(Debug)]
struct Named<'a> {
    name: &'a str,
    json: Option<&'a Value>,
    engine: OnceCell<Engine>,
}

impl<'a> Scope<'a> {
    /// An empty scope.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A scope that sees all of this one and what is added to it.
    #[must_use]
    pub fn inside<'b>(&'b self) -> Scope<'b>
    where
        'a: 'b,
    {
        Scope { parent: Some(self), names: Vec::new(), focus: None }
    }

    /// Adds a name.
    #[must_use]
    pub fn with(mut self, name: &'a str, value: &'a Value) -> Self {
        self.names.push(Named { name, json: Some(value), engine: OnceCell::new() });
        self
    }

    /// Adds a name with a value that only the engine knows (text that is secret, bytes of a digest).
    pub(in crate::carrier) fn set(&mut self, name: &'a str, value: Engine) {
        self.names.push(Named { name, json: None, engine: OnceCell::from(value) });
    }

    /// Fields of this value can be named without it, unless something else has that name.
    #[must_use]
    pub fn focus(mut self, value: &'a Value) -> Self {
        self.focus = Some((value, OnceCell::new()));
        self
    }

    fn chain(&self) -> impl Iterator<Item = &Scope<'a>> {
        std::iter::successors(Some(self), |scope| scope.parent)
    }

    fn named(&self, name: &str) -> Option<&Named<'a>> {
        self.chain().find_map(|scope| scope.names.iter().rev().find(|n| n.name == name))
    }

    /// What a plain path names.
    pub(super) fn walk(&self, path: &Path) -> Walked<'_> {
        if let Some(named) = self.named(path.head()) {
            return named.json.map_or(Walked::EngineOnly, |json| Walked::At(path.follow(json)));
        }
        let from = self.chain().find_map(|scope| scope.focus.as_ref()).map(|(value, _)| *value);
        Walked::At(from.and_then(|value| value.get(path.head())).and_then(|value| path.follow(value)))
    }

    /// What this name means, where it is no secret of the engine's.
    pub(super) fn look(&self, name: &str) -> Result<Option<&Value>, Unsure> {
        if let Some(named) = self.named(name) {
            return named.json.map(Some).ok_or(Unsure);
        }
        let from = self.chain().find_map(|scope| scope.focus.as_ref()).map(|(value, _)| *value);
        Ok(from.and_then(|value| value.get(name)))
    }

    /// The engine's form of what this name means.
    pub(super) fn engine(&self, name: &str) -> Option<Engine> {
        if let Some(named) = self.named(name) {
            let made = named.engine.get_or_init(|| named.json.map_or(Engine::UNDEFINED, values::from_json));
            return Some(made.clone());
        }
        let (value, cell) = self.chain().find_map(|scope| scope.focus.as_ref())?;
        value.get(name)?;
        let whole = cell.get_or_init(|| values::from_json(value));
        whole.get_attr(name).ok().filter(|found| !found.is_undefined())
    }
}
