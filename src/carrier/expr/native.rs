//! Expressions without the engine: the simple ones run straight on the parsed JSON.
//!
//! An expression has a native form when all of it is understood here. The form either gives exactly what the engine
//! would give, or says that it is not sure (a float, an object written as text, a list of thousands, whatever the
//! engine would fail at), and then the engine decides. `tests` compares both over generated expressions and values.

mod filters;
mod parse;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use self::filters::Filter;
pub(super) use self::parse::parse;
use super::Scope;

/// Longer texts and lists are left to the engine, which counts its steps and gives up.
const MAX_TEXT: usize = 2_000;
const MAX_ITEMS: usize = 300;

/// The engine has to decide.
#[derive(Debug)]
pub(super) struct Unsure;

/// The native form of an expression.
#[derive(Debug)]
pub(super) enum Tree {
    /// Undefined.
    Missing,
    /// `none`.
    Nothing,
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<Tree>),
    /// An object of texts, by key; it has no value of its own, see [`Tree::Pick`].
    Words(Vec<(String, String)>),
    Name(String),
    Attr(Box<Tree>, String),
    At(Box<Tree>, i64),
    /// One of an object of texts.
    Pick(Vec<(String, String)>, Box<Tree>),
    Not(Box<Tree>),
    And(Box<[Tree; 2]>),
    Or(Box<[Tree; 2]>),
    /// Condition, then, else.
    If(Box<[Tree; 3]>),
    Compare(Comparison, Box<[Tree; 2]>),
    /// `in` a list of texts that stands in the definition.
    OneOf(Texts, Box<Tree>),
    Concat(Box<[Tree; 2]>),
    Defined(Box<Tree>),
    Filter(Filter, Box<Tree>),
}

/// A list of texts, in order, for `in`.
#[derive(Debug)]
pub(super) struct Texts(Vec<String>);

impl Texts {
    /// Of a list that holds texts and nothing else.
    fn of(list: &Tree) -> Option<Self> {
        let Tree::List(items) = list else { return None };
        let text = |item: &Tree| if let Tree::Text(text) = item { Some(text.clone()) } else { None };
        let mut texts: Vec<String> = items.iter().map(text).collect::<Option<_>>()?;
        texts.sort_unstable();
        (!texts.is_empty()).then_some(Self(texts))
    }

    /// Whether the value is one of them.
    fn hold(&self, value: &Val<'_>) -> Result<bool, Unsure> {
        match value {
            Val::Text(text) => Ok(self.0.binary_search_by(|known| known.as_str().cmp(text)).is_ok()),
            Val::Json(Value::Number(_) | Value::String(_)) => Err(Unsure),
            _ => Ok(false),
        }
    }
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Less,
    AtMost,
    More,
    AtLeast,
    In,
}

/// A value while an expression runs.
#[derive(Debug, Clone)]
pub(super) enum Val<'v> {
    Undefined,
    Nothing,
    Bool(bool),
    Int(i64),
    Text(Cow<'v, str>),
    List(Vec<Val<'v>>),
    /// A list or an object of the answer; also numbers and texts that only the engine may judge.
    Json(&'v Value),
}

impl<'v> Val<'v> {
    /// `null` is undefined, as it is to the engine.
    pub(super) fn of(value: &'v Value) -> Self {
        match value {
            Value::Null => Self::Undefined,
            Value::Bool(yes) => Self::Bool(*yes),
            Value::Number(number) => number.as_i64().map_or(Self::Json(value), Self::Int),
            Value::String(text) if text.len() <= MAX_TEXT => Self::Text(Cow::Borrowed(text)),
            other => Self::Json(other),
        }
    }

    /// What an attribute of it is: undefined for everything but objects.
    fn attribute(&self, name: &str) -> Self {
        match self {
            Self::Json(Value::Object(fields)) => fields.get(name).map_or(Self::Undefined, Self::of),
            _ => Self::Undefined,
        }
    }

    fn item(self, index: i64) -> Result<Self, Unsure> {
        let place = |len: usize| {
            let back = usize::try_from(index.unsigned_abs()).ok()?;
            if index < 0 { len.checked_sub(back) } else { Some(back) }
        };
        Ok(match self {
            Self::Undefined | Self::Json(Value::Object(_)) => Self::Undefined,
            Self::Json(Value::Array(items)) => {
                place(items.len()).and_then(|at| items.get(at)).map_or(Self::Undefined, Self::of)
            }
            Self::List(mut items) => match place(items.len()).filter(|at| *at < items.len()) {
                Some(at) => items.swap_remove(at),
                None => Self::Undefined,
            },
            _ => return Err(Unsure),
        })
    }

    pub(super) fn is_true(&self) -> Result<bool, Unsure> {
        Ok(match self {
            Self::Undefined | Self::Nothing => false,
            Self::Bool(yes) => *yes,
            Self::Int(n) => *n != 0,
            Self::Text(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Json(Value::Array(items)) => !items.is_empty(),
            Self::Json(Value::Object(fields)) => !fields.is_empty(),
            Self::Json(_) => return Err(Unsure),
        })
    }

    /// As the engine writes it into a text.
    pub(super) fn written(&self) -> Result<Cow<'_, str>, Unsure> {
        Ok(match self {
            Self::Undefined => Cow::Borrowed(""),
            Self::Nothing => Cow::Borrowed("None"),
            Self::Bool(yes) => Cow::Borrowed(if *yes { "True" } else { "False" }),
            Self::Int(n) => Cow::Owned(n.to_string()),
            Self::Text(text) => Cow::Borrowed(text),
            Self::List(_) | Self::Json(_) => return Err(Unsure),
        })
    }
}

/// Whether the engine would hand this value on as it is: it turns whole floats into integers, and caps what is deep
/// or wide.
pub(super) fn is_plain(value: &Value, depth: u32) -> bool {
    depth < 60
        && match value {
            Value::Number(number) => !number.is_f64(),
            Value::Array(items) => items.len() < 10_000 && items.iter().all(|item| is_plain(item, depth + 1)),
            Value::Object(fields) => fields.len() < 10_000 && fields.values().all(|field| is_plain(field, depth + 1)),
            _ => true,
        }
}

impl Tree {
    /// What it gives.
    pub(super) fn eval<'v>(&'v self, scope: &'v Scope<'_>) -> Result<Val<'v>, Unsure> {
        Ok(match self {
            Self::Missing => Val::Undefined,
            Self::Nothing => Val::Nothing,
            Self::Bool(yes) => Val::Bool(*yes),
            Self::Int(n) => Val::Int(*n),
            Self::Text(text) => Val::Text(Cow::Borrowed(text)),
            Self::List(items) => Val::List(items.iter().map(|item| item.eval(scope)).collect::<Result<_, _>>()?),
            Self::Words(_) => return Err(Unsure),
            Self::Name(name) => scope.look(name)?.map_or(Val::Undefined, Val::of),
            Self::Attr(of, name) => of.eval(scope)?.attribute(name),
            Self::At(of, index) => of.eval(scope)?.item(*index)?,
            Self::Pick(words, key) => pick(words, &key.eval(scope)?)?,
            Self::Not(of) => Val::Bool(!of.eval(scope)?.is_true()?),
            Self::And(both) => {
                let left = both[0].eval(scope)?;
                if left.is_true()? { both[1].eval(scope)? } else { left }
            }
            Self::Or(both) => {
                let left = both[0].eval(scope)?;
                if left.is_true()? { left } else { both[1].eval(scope)? }
            }
            Self::If(parts) => {
                let [test, yes, no] = &**parts;
                if test.eval(scope)?.is_true()? { yes.eval(scope)? } else { no.eval(scope)? }
            }
            Self::Compare(how, both) => Val::Bool(compare(*how, both, scope)?),
            Self::OneOf(texts, of) => Val::Bool(texts.hold(&of.eval(scope)?)?),
            Self::Concat(both) => concat(&both[0].eval(scope)?, &both[1].eval(scope)?)?,
            Self::Defined(of) => Val::Bool(!matches!(of.eval(scope)?, Val::Undefined)),
            Self::Filter(filter, of) => filter.apply(of.eval(scope)?, scope)?,
        })
    }
}

fn concat<'v>(left: &Val<'v>, right: &Val<'v>) -> Result<Val<'v>, Unsure> {
    let (left, right) = (left.written()?, right.written()?);
    if left.len() + right.len() > MAX_TEXT {
        return Err(Unsure);
    }
    let mut both = String::with_capacity(left.len() + right.len());
    both.push_str(&left);
    both.push_str(&right);
    Ok(Val::Text(Cow::Owned(both)))
}

fn pick<'v>(words: &'v [(String, String)], key: &Val<'_>) -> Result<Val<'v>, Unsure> {
    match key {
        Val::Text(key) => {
            let found = words.binary_search_by(|(known, _)| known.as_str().cmp(key));
            Ok(found.map_or(Val::Undefined, |at| Val::Text(Cow::Borrowed(&words[at].1))))
        }
        Val::Undefined => Ok(Val::Undefined),
        _ => Err(Unsure),
    }
}

fn compare(how: Comparison, both: &[Tree; 2], scope: &Scope<'_>) -> Result<bool, Unsure> {
    if let (Comparison::In, Tree::List(items)) = (how, &both[1])
        && items.iter().all(|item| matches!(item, Tree::Text(_) | Tree::Int(_)))
    {
        // No list is made of what stands in the definition.
        let left = both[0].eval(scope)?;
        return any(items.iter().map(|item| equal(&item.eval(scope)?, &left)));
    }
    let (left, right) = (both[0].eval(scope)?, both[1].eval(scope)?);
    let order = || match (&left, &right) {
        (Val::Int(a), Val::Int(b)) => Ok(a.cmp(b)),
        (Val::Text(a), Val::Text(b)) => Ok(a.cmp(b)),
        (Val::Undefined, Val::Undefined) => Ok(Ordering::Equal),
        // Nothing is less than anything.
        (Val::Undefined, Val::Int(_) | Val::Text(_)) => Ok(Ordering::Less),
        (Val::Int(_) | Val::Text(_), Val::Undefined) => Ok(Ordering::Greater),
        _ => Err(Unsure),
    };
    match how {
        Comparison::Equal => equal(&left, &right),
        Comparison::In => contains(&right, &left),
        Comparison::Less => order().map(Ordering::is_lt),
        Comparison::AtMost => order().map(Ordering::is_le),
        Comparison::More => order().map(Ordering::is_gt),
        Comparison::AtLeast => order().map(Ordering::is_ge),
    }
}

fn equal(a: &Val<'_>, b: &Val<'_>) -> Result<bool, Unsure> {
    let nested = |value: &Val<'_>| matches!(value, Val::List(_) | Val::Json(Value::Array(_) | Value::Object(_)));
    Ok(match (a, b) {
        (Val::Undefined, Val::Undefined) | (Val::Nothing, Val::Nothing) => true,
        (Val::Text(a), Val::Text(b)) => a == b,
        (Val::Int(a), Val::Int(b)) => a == b,
        (Val::Bool(a), Val::Bool(b)) => a == b,
        (Val::Bool(_), Val::Int(_)) | (Val::Int(_), Val::Bool(_)) => return Err(Unsure),
        (Val::List(_) | Val::Json(_), _) | (_, Val::List(_) | Val::Json(_)) => {
            if nested(a) == nested(b)
                || matches!(
                    (a, b),
                    (Val::Json(Value::Number(_) | Value::String(_)), _)
                        | (_, Val::Json(Value::Number(_) | Value::String(_)))
                )
            {
                return Err(Unsure);
            }
            false
        }
        _ => false,
    })
}

fn contains(container: &Val<'_>, value: &Val<'_>) -> Result<bool, Unsure> {
    match container {
        Val::Undefined => Ok(false),
        Val::Text(text) => Ok(text.contains(&*value.written()?)),
        Val::List(items) => any(items.iter().map(|item| equal(item, value))),
        Val::Json(Value::Array(items)) if items.len() <= MAX_ITEMS => {
            any(items.iter().map(|item| equal(&Val::of(item), value)))
        }
        _ => Err(Unsure),
    }
}

/// Whether one of them is, as long as those before it are sure.
fn any(mut all: impl Iterator<Item = Result<bool, Unsure>>) -> Result<bool, Unsure> {
    all.find_map(|one| match one {
        Ok(false) => None,
        found => Some(found),
    })
    .unwrap_or(Ok(false))
}
