//! Which fields of a definition give anything in the samples: a misspelt path and a format that fits no time give
//! nothing, and are no error of any single answer.

use std::collections::BTreeMap;

use serde_json::Value;

use super::report::{Kind, Report};
use crate::carrier::Normalized;

/// What the samples gave for each field that was read.
#[derive(Debug, Default)]
pub struct Reads {
    fields: BTreeMap<String, Read>,
}

/// What one field gave so far.
#[derive(Debug, Default)]
struct Read {
    given: bool,
    source: Option<String>,
    /// A time that no form reads.
    unread: Option<String>,
}

impl Reads {
    /// Notes what one sample gave.
    pub fn note(&mut self, read: &Normalized) {
        for line in &read.explain {
            let Some(key) = key_of(&line.field) else { continue };
            let field = self.fields.entry(key).or_default();
            let raw = line.value.get("unread").or_else(|| line.value.get("raw"));
            let unread = raw.and_then(Value::as_str).filter(|raw| !raw.is_empty() && line.value["local"].is_null());
            field.given |= unread.is_none() && is_something(&line.value);
            field.source = line.source.clone().or(field.source.take());
            field.unread = field.unread.take().or_else(|| unread.map(str::to_owned));
        }
    }

    /// Tells the fields that never gave anything.
    pub fn tell(&self, report: &mut Report) {
        for (key, field) in self.fields.iter().filter(|(_, field)| !field.given) {
            let message = match (&field.unread, &field.source) {
                (Some(text), _) => format!("{text:?} fits none of the formats"),
                (None, Some(source)) => format!("`{source}` gives nothing in any sample"),
                (None, None) => "gives nothing in any sample".to_owned(),
            };
            report.warning(Kind::Unread, "carrier.toml", Some(key.clone()), &message);
        }
    }
}

/// A time of an event is an object, be it read or not.
fn is_something(value: &Value) -> bool {
    !value.is_null() && value.get("raw").is_none_or(|_| !value["local"].is_null())
}

/// The key of the definition that a step is about; nothing for steps that are about no field of its own.
fn key_of(field: &str) -> Option<String> {
    let (_, field) = field.strip_prefix("parcels[")?.split_once("].")?;
    let of_event = field.strip_prefix("events[").or_else(|| field.strip_prefix("left_out["));
    let key = match of_event.and_then(|rest| rest.split_once("].")) {
        Some((_, "meaning" | "place")) => return None,
        Some((_, field)) => format!("map.events.{field}"),
        None if matches!(field, "headline" | "outcome" | "number") || field.starts_with("item_") => return None,
        None => format!("map.parcel.{}", field.replace("eta.", "eta_")),
    };
    Some(key)
}
