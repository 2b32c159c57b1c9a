//! The nodes of an answer that are parcels: which count, what is taken out of them.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::Value;

use super::ParcelAnswer;
use super::body::Body;
use crate::carrier::call::RawAnswer;
use crate::carrier::expr::{Scope, Source};

/// The names that a pick of each node sees.
pub fn scopes<'s>(nodes: &[&'s Value], number: &'s Value, call: &'s Call<'_>) -> Vec<Scope<'s>> {
    nodes.iter().map(|node| call.scope.inside().with("number", number).with("p", node).focus(node)).collect()
}

/// What the definition picks of each node; a node of which it picks nothing stays as it is.
pub fn picked<'s>(pick: &'s Source, nodes: &[&'s Value], scopes: &'s [Scope<'s>]) -> Vec<Cow<'s, Value>> {
    let of = |(node, scope): (&&'s Value, &'s Scope<'s>)| {
        let several = pick.objects(scope).unwrap_or_default();
        if several.is_empty() { vec![Cow::Borrowed(*node)] } else { several }
    };
    nodes.iter().zip(scopes).flat_map(of).collect()
}

/// What the parcels of one answer share.
pub struct Call<'a> {
    /// As it came.
    pub response: &'a RawAnswer,
    /// Its body, read.
    pub body: &'a Body,
    /// Names of the call.
    pub scope: &'a Scope<'a>,
    /// The whole answer, without what is dropped.
    pub root: &'a Value,
}

/// Whether a parcel is read, and has a newer event than another under the same number.
pub fn is_better(next: &ParcelAnswer, best: &ParcelAnswer) -> bool {
    let newest = |parcel: &ParcelAnswer| -> Option<(Option<Timestamp>, Option<jiff::civil::Date>)> {
        let last = parcel.observation.as_ref()?.events.iter().rev().find(|event| event.time.local.is_some());
        Some(last.map_or((None, None), |event| (event.time.utc, event.time.local.map(crate::model::Local::date))))
    };
    match (newest(next), newest(best)) {
        (Some(_), None) => true,
        (Some((Some(a), _)), Some((Some(b), _))) => a > b,
        (Some((_, a)), Some((_, b))) => a > b,
        (None, _) => false,
    }
}

/// The value without what stands at these paths; nothing where nothing stands there.
pub fn without<'p>(value: &Value, paths: impl Iterator<Item = &'p str> + Clone) -> Option<Value> {
    if !paths.clone().any(|path| stands(value, path)) {
        return None;
    }
    let mut copy = value.clone();
    paths.for_each(|path| drop_path(&mut copy, path));
    Some(copy)
}

fn stands(value: &Value, path: &str) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| stands(item, path)),
        Value::Object(fields) => match path.split_once('.') {
            Some((key, rest)) => fields.get(key).is_some_and(|inner| stands(inner, rest)),
            None => fields.contains_key(path),
        },
        _ => false,
    }
}

/// Takes what stands at a dotted path out; lists on the way are walked through.
fn drop_path(value: &mut Value, path: &str) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| drop_path(item, path)),
        Value::Object(fields) => match path.split_once('.') {
            Some((key, rest)) => {
                if let Some(inner) = fields.get_mut(key) {
                    drop_path(inner, rest);
                }
            }
            None => {
                fields.remove(path);
            }
        },
        _ => {}
    }
}
