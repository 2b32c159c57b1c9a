//! The filters that have a native form.

use std::borrow::Cow;

use regex::Regex;
use serde_json::Value;

use super::{MAX_ITEMS, MAX_TEXT, Texts, Tree, Unsure, Val, contains, equal};
use crate::carrier::expr::Scope;
use crate::carrier::expr::filters::{self, Change};

/// A filter with its arguments.
#[derive(Debug)]
pub enum Filter {
    First,
    Last,
    List,
    /// The attribute of each.
    Map(Vec<String>),
    /// Those whose attribute passes, or those whose attribute does not.
    Select {
        path: Vec<String>,
        test: Box<TestOf>,
        passes: bool,
    },
    /// Those that count as yes themselves, or whose attribute does.
    Keep(Vec<String>),
    /// Their texts, with this between them.
    Join(String),
    /// Lists in the list laid flat, without what is absent.
    Flat,
    /// How many there are.
    Length,
    Default(Box<Tree>),
    String,
    UrlEncode,
    Zfill(usize),
    Slice(i64, Option<i64>),
    Find(Regex),
    Replace(String, String),
    /// From text to text.
    Text(Change),
}

/// What `selectattr` and `rejectattr` ask.
#[derive(Debug)]
pub enum TestOf {
    Equal(Tree),
    In(Tree),
    OneOf(Texts),
}

impl TestOf {
    /// Those of the items whose attribute passes, or does not.
    fn among<'v>(
        &'v self,
        items: Vec<Val<'v>>,
        path: &[String],
        passes: bool,
        scope: &'v Scope<'_>,
    ) -> Result<Vec<Val<'v>>, Unsure> {
        let other = match self {
            Self::Equal(other) | Self::In(other) => other.eval(scope)?,
            Self::OneOf(_) => Val::Undefined,
        };
        let mut kept = Vec::new();
        for item in items {
            let found = attribute(&item, path)?;
            let yes = match self {
                Self::Equal(_) => equal(&found, &other)?,
                Self::In(_) => contains(&other, &found)?,
                Self::OneOf(texts) => texts.hold(&found)?,
            };
            if yes == passes {
                kept.push(item);
            }
        }
        Ok(kept)
    }
}

/// The filter of this name that makes text of text.
pub fn text_filter(name: &str) -> Option<Change> {
    filters::OF_TEXT.iter().find(|(known, _)| *known == name).map(|(_, change)| *change)
}

impl Filter {
    pub fn apply<'v>(&'v self, value: Val<'v>, scope: &'v Scope<'_>) -> Result<Val<'v>, Unsure> {
        let of_text = |value: &Val<'v>, change: &dyn Fn(&str) -> Option<String>| {
            Ok(match known_text(value)? {
                Some(text) => change(&text).map_or(Val::Undefined, |text| Val::Text(Cow::Owned(text))),
                None => Val::Undefined,
            })
        };
        match self {
            Self::First => end(value, true),
            Self::Last => end(value, false),
            Self::List => Ok(Val::List(items(value)?)),
            Self::Map(path) => {
                let of = |item: &Val<'v>| attribute(item, path);
                Ok(Val::List(items(value)?.iter().map(of).collect::<Result<_, _>>()?))
            }
            Self::Select { path, test, passes } => Ok(Val::List(test.among(items(value)?, path, *passes, scope)?)),
            Self::Keep(path) => {
                let mut kept = Vec::new();
                for item in items(value)? {
                    let counts = if path.is_empty() { item.is_true()? } else { attribute(&item, path)?.is_true()? };
                    if counts {
                        kept.push(item);
                    }
                }
                Ok(Val::List(kept))
            }
            Self::Join(between) => joined(&items(value)?, between),
            Self::Flat => {
                let mut flat = Vec::new();
                for item in items(value)? {
                    match item {
                        Val::Undefined | Val::Nothing => {}
                        Val::List(_) | Val::Json(Value::Array(_)) => flat.extend(items(item)?),
                        one => flat.push(one),
                    }
                }
                flat.retain(|item| !matches!(item, Val::Undefined | Val::Nothing));
                Ok(Val::List(flat))
            }
            Self::Length => Ok(Val::Int(length(&value)?)),
            Self::Default(other) => {
                if matches!(value, Val::Undefined) {
                    other.eval(scope)
                } else {
                    Ok(value)
                }
            }
            Self::String => match value {
                Val::Text(_) => Ok(value),
                other => Ok(Val::Text(Cow::Owned(other.written()?.into_owned()))),
            },
            Self::UrlEncode => match value {
                Val::Undefined | Val::Nothing => Ok(Val::Undefined),
                Val::Text(text) => Ok(Val::Text(Cow::Owned(filters::percent_encode(&text)))),
                _ => Err(Unsure),
            },
            Self::Zfill(width) => of_text(&value, &|text| Some(filters::zfill(text, *width))),
            Self::Slice(from, to) => of_text(&value, &|text| Some(filters::slice(text, *from, *to))),
            Self::Find(regex) => of_text(&value, &|text| filters::found(regex, text).map(str::to_owned)),
            Self::Replace(from, to) => match value {
                Val::Text(text) => Ok(Val::Text(Cow::Owned(text.replace(from.as_str(), to)))),
                _ => Err(Unsure),
            },
            Self::Text(change) => of_text(&value, change),
        }
    }
}

/// The text of what a text filter takes; nothing for what is absent.
fn known_text<'t>(value: &'t Val<'_>) -> Result<Option<Cow<'t, str>>, Unsure> {
    match value {
        Val::Undefined | Val::Nothing => Ok(None),
        Val::Text(text) => Ok((!text.trim().is_empty()).then_some(Cow::Borrowed(&**text))),
        Val::Int(n) => Ok(Some(Cow::Owned(n.to_string()))),
        _ => Err(Unsure),
    }
}

fn end(value: Val<'_>, first: bool) -> Result<Val<'_>, Unsure> {
    let last = |len: usize| if first { 0 } else { len.saturating_sub(1) };
    match value {
        Val::List(mut items) if !items.is_empty() => Ok(items.swap_remove(last(items.len()))),
        Val::Undefined | Val::List(_) => Ok(Val::Undefined),
        Val::Json(Value::Array(items)) if items.len() <= MAX_ITEMS => {
            Ok(items.get(last(items.len())).map_or(Val::Undefined, Val::of))
        }
        _ => Err(Unsure),
    }
}

fn joined<'v>(items: &[Val<'_>], between: &str) -> Result<Val<'v>, Unsure> {
    let mut out = String::new();
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(between);
        }
        // Numbers beyond the usual, lists and objects: the engine writes them.
        out.push_str(&item.written()?);
    }
    if out.len() > MAX_TEXT { Err(Unsure) } else { Ok(Val::Text(Cow::Owned(out))) }
}

fn length(value: &Val<'_>) -> Result<i64, Unsure> {
    let count = match value {
        Val::Undefined => 0,
        Val::Text(text) => text.chars().count(),
        Val::List(items) => items.len(),
        Val::Json(Value::Array(items)) => items.len(),
        Val::Json(Value::Object(fields)) => fields.len(),
        _ => return Err(Unsure),
    };
    i64::try_from(count).map_err(|_| Unsure)
}

fn items(value: Val<'_>) -> Result<Vec<Val<'_>>, Unsure> {
    match value {
        Val::Undefined => Ok(Vec::new()),
        Val::List(items) => Ok(items),
        Val::Json(Value::Array(items)) if items.len() <= MAX_ITEMS => Ok(items.iter().map(Val::of).collect()),
        _ => Err(Unsure),
    }
}

/// What stands at this path of an item. The engine refuses to look into what is absent.
fn attribute<'v>(item: &Val<'v>, path: &[String]) -> Result<Val<'v>, Unsure> {
    let mut at = match item {
        Val::Json(object @ Value::Object(_)) => Val::Json(object),
        _ => return Err(Unsure),
    };
    for step in path {
        if matches!(at, Val::Undefined) {
            return Err(Unsure);
        }
        at = at.attribute(step);
    }
    Ok(at)
}
