//! What a source gave, borrowed from the answer wherever that is possible.

use std::borrow::Cow;

use serde_json::Value;

use super::native::{Val, is_plain};
use super::values;

/// What a source gave.
pub(super) enum Got<'s> {
    /// JSON, of the answer or made by the engine.
    Json(Cow<'s, Value>),
    /// What a native expression gave that is no JSON yet.
    Val(Val<'s>),
}

impl<'s> Got<'s> {
    /// What a native expression gave; nothing where the engine would change it on its way out.
    pub fn of(val: Val<'s>) -> Option<Self> {
        match val {
            Val::Json(json) if is_plain(json, 0) => Some(Self::Json(Cow::Borrowed(json))),
            Val::Json(json) => {
                let json = values::to_json(&values::from_json(json))?;
                Some(Self::Json(Cow::Owned(json)))
            }
            Val::List(items) => items.iter().all(is_plain_item).then_some(Self::Val(Val::List(items))),
            other => Some(Self::Val(other)),
        }
    }

    /// As JSON; nothing when it is absent.
    pub fn json(self) -> Option<Cow<'s, Value>> {
        match self {
            Self::Json(json) => Some(json),
            Self::Val(val) => to_json(val),
        }
    }

    /// As text: numbers and truth values as they are written, anything else is no text.
    pub fn text(self) -> Option<Cow<'s, str>> {
        let json = match self {
            Self::Val(Val::Text(Cow::Borrowed(text))) => return Some(Cow::Borrowed(text.trim())),
            Self::Val(Val::Text(Cow::Owned(text))) => return Some(Cow::Owned(trimmed(text))),
            Self::Val(Val::Int(n)) => return Some(Cow::Owned(n.to_string())),
            Self::Val(Val::Bool(yes)) => return Some(Cow::Borrowed(if yes { "true" } else { "false" })),
            Self::Val(_) => return None,
            Self::Json(json) => json,
        };
        match json {
            Cow::Borrowed(Value::String(text)) => Some(Cow::Borrowed(text.trim())),
            Cow::Owned(Value::String(text)) => Some(Cow::Owned(trimmed(text))),
            other => match other.as_ref() {
                Value::Number(number) => Some(Cow::Owned(number.to_string())),
                Value::Bool(yes) => Some(Cow::Borrowed(if *yes { "true" } else { "false" })),
                _ => None,
            },
        }
    }

    /// Whether it counts as yes.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Json(json) => match json.as_ref() {
                Value::Bool(yes) => *yes,
                Value::Number(number) => number.as_f64() != Some(0.0),
                other => !is_hollow(other),
            },
            Self::Val(Val::Bool(yes)) => *yes,
            Self::Val(Val::Int(n)) => *n != 0,
            Self::Val(_) => !self.is_hollow(),
        }
    }

    /// `null` and blank text.
    pub fn is_absent(&self) -> bool {
        match self {
            Self::Json(json) => is_absent(json),
            Self::Val(Val::Undefined | Val::Nothing) => true,
            Self::Val(Val::Text(text)) => text.trim().is_empty(),
            Self::Val(_) => false,
        }
    }

    /// Absent, or a list or object without anything in it.
    pub fn is_hollow(&self) -> bool {
        match self {
            Self::Json(json) => is_hollow(json),
            Self::Val(Val::List(items)) => items.is_empty(),
            Self::Val(_) => self.is_absent(),
        }
    }

    /// The objects of a list; an object is a list of one.
    pub fn objects(self) -> Vec<Cow<'s, Value>> {
        match self {
            Self::Json(Cow::Borrowed(json)) => objects_of(json).into_iter().map(Cow::Borrowed).collect(),
            Self::Json(Cow::Owned(json)) => objects_of(&json).into_iter().cloned().map(Cow::Owned).collect(),
            Self::Val(Val::List(items)) => items.into_iter().flat_map(inner_objects).collect(),
            Self::Val(_) => Vec::new(),
        }
    }
}

/// An object, or the objects of a list that stands in the list.
fn inner_objects(item: Val<'_>) -> Vec<Cow<'_, Value>> {
    let full = |item: &&Value| item.as_object().is_some_and(|fields| !fields.is_empty());
    match item {
        Val::Json(Value::Array(inner)) => inner.iter().filter(full).map(Cow::Borrowed).collect(),
        Val::Json(json) if full(&json) => vec![Cow::Borrowed(json)],
        Val::List(inner) => inner
            .into_iter()
            .filter_map(|item| match item {
                Val::Json(json) if full(&json) => Some(Cow::Borrowed(json)),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The objects of a list: an object is a list of one, a list in a list is laid flat, empty objects (which some
/// carriers write for "nothing") are left out.
pub fn objects_of(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items
            .iter()
            .flat_map(|item| match item {
                Value::Array(inner) => inner.as_slice(),
                other => std::slice::from_ref(other),
            })
            .filter(|item| item.as_object().is_some_and(|fields| !fields.is_empty()))
            .collect(),
        Value::Object(fields) if !fields.is_empty() => vec![value],
        _ => Vec::new(),
    }
}

fn is_plain_item(item: &Val<'_>) -> bool {
    match item {
        Val::Json(json) => is_plain(json, 1),
        Val::List(inner) => inner.iter().all(is_plain_item),
        _ => true,
    }
}

fn to_json(val: Val<'_>) -> Option<Cow<'_, Value>> {
    Some(match val {
        Val::Undefined | Val::Nothing => return None,
        Val::Json(json) => Cow::Borrowed(json),
        Val::Bool(yes) => Cow::Owned(Value::Bool(yes)),
        Val::Int(n) => Cow::Owned(Value::from(n)),
        Val::Text(text) => Cow::Owned(Value::String(text.into_owned())),
        Val::List(items) => {
            let items = items.into_iter().map(|item| to_json(item).map_or(Value::Null, Cow::into_owned));
            Cow::Owned(Value::Array(items.collect()))
        }
    })
}

fn trimmed(text: String) -> String {
    if text.trim().len() == text.len() { text } else { text.trim().to_owned() }
}

fn is_absent(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        other => is_absent(other),
    }
}
