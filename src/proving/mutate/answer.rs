//! What can be altered on the answer's side beside its codes.

use toml::{Table, Value};

use super::document::{Change, Place, get};
use super::expression::{Part, parts};
use super::{Mutants, What};

/// A zone in which it is another day than elsewhere.
const FAR_AWAY: &str = "Pacific/Kiritimati";
/// A format that nothing fits.
const NEVER: &str = "%Y never";

/// Alters paths, zones, formats and outcome rules.
pub fn mutants(document: &Table, all: &mut Mutants) {
    if document.contains_key("zone") {
        all.set(What::Zone, &Place::of("zone"), FAR_AWAY);
    }
    for key in ["answer.parcels", "answer.number", "answer.pick"] {
        if let Some(found) = get(document, key) {
            source(found, &Place::of(key), What::Path, all);
        }
    }
    for key in ["answer.embedded", "answer.lists"] {
        let names = get(document, key).and_then(Value::as_array).map_or(0, Vec::len);
        for at in 0..names {
            all.set(What::Path, &Place::of(key).at(at), "zzqx");
        }
    }
    if let Some(Value::String(text)) = document.get("public_url") {
        all.set(What::Path, &Place::of("public_url"), format!("{text}zz"));
    }
    if let Some(Value::Table(map)) = document.get("map") {
        mapped(map, &Place::of("map"), all);
    }
    for list in ["outcome", "item_outcome"] {
        if let Some(rules) = document.get(list).and_then(Value::as_array) {
            let batch_splits = get(document, "batch.split").and_then(Value::as_bool) == Some(true);
            outcomes(rules, &Place::of(list), What::Outcome, batch_splits, all);
        }
    }
}

/// Alters each path and each literal of a source: a text, or a list of texts.
pub fn source(value: &Value, place: &Place, what: What, all: &mut Mutants) {
    match value {
        Value::String(text) => {
            for part in parts(text) {
                let what = if what == What::Path && !matches!(part, Part::Path(..)) { What::Literal } else { what };
                all.set(what, place, part.altered(text));
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                source(item, &place.at(at), what, all);
            }
        }
        _ => {}
    }
}

/// A condition is altered like a source, and is once simply not there.
pub fn condition(value: &Value, place: &Place, what: What, all: &mut Mutants) {
    source(value, place, what, all);
    all.add(what, place, Change::Remove);
}

/// Everything under `[map]`, by the meaning of its keys.
fn mapped(table: &Table, place: &Place, all: &mut Mutants) {
    for (key, value) in table {
        let place = place.key(key);
        match (key.as_str(), value) {
            ("zone", Value::String(zone)) => self::zone(zone, &place, all),
            ("utc" | "ignore_offset", Value::Boolean(true)) => all.set(What::Zone, &place, false),
            ("as", _) if !days_only(table) => all.add(What::Format, &place, Change::Remove),
            ("as", _) | ("order" | "headline", Value::String(_) | Value::Boolean(_)) => {}
            ("formats", Value::Array(formats)) => self::formats(formats, &place, all),
            ("when" | "where", value) => condition(value, &place, What::Path, all),
            (_, Value::String(word)) if fixed(key, word).is_some() => {
                all.set(What::Literal, &place, fixed(key, word).unwrap_or_default());
            }
            (_, Value::Table(inner)) => mapped(inner, &place, all),
            (_, Value::Array(items)) if items.iter().any(Value::is_table) => {
                for (at, item) in items.iter().enumerate() {
                    match item {
                        Value::Table(inner) => mapped(inner, &place.at(at), all),
                        other => source(other, &place.at(at), What::Path, all),
                    }
                }
            }
            (_, value) => source(value, &place, What::Path, all),
        }
    }
}

/// Whether the formats beside `as = "date"` know no time of day: it changes nothing then.
fn days_only(form: &Table) -> bool {
    const TIMES: &[&str] = &["%H", "%I", "%k", "%l", "%T", "%R", "%c", "%s"];
    let formats = form.get("formats").and_then(Value::as_array);
    let timeless =
        |format: &Value| format.as_str().is_some_and(|format| !TIMES.iter().any(|time| format.contains(time)));
    formats.is_some_and(|formats| !formats.is_empty() && formats.iter().all(timeless))
}

/// Another word of a known set, where a fixed word stands in the place of a source.
fn fixed(key: &str, word: &str) -> Option<&'static str> {
    match (key, word) {
        ("type", "depot") => Some("locker"),
        ("type", "pickup_point" | "locker" | "post_office") => Some("depot"),
        ("kind", "signature") => Some("photo"),
        ("kind", "photo" | "document") => Some("signature"),
        ("unit", _) => {
            let unit = word.trim().to_ascii_lowercase();
            let known = ["kg", "kgs", "kgm", "g", "gr", "grm", "lb", "lbs", "lbr", "oz", "ozs", "onz"];
            known.contains(&unit.as_str()).then_some(if unit.starts_with("lb") { "kg" } else { "lb" })
        }
        _ => None,
    }
}

fn zone(zone: &str, place: &Place, all: &mut Mutants) {
    if zone == "place" || jiff::tz::TimeZone::get(zone).is_ok() {
        all.set(What::Zone, place, FAR_AWAY);
    } else {
        source(&Value::from(zone), place, What::Zone, all);
    }
}

/// A format that fits no longer, and one that takes the month for the day.
fn formats(formats: &[Value], place: &Place, all: &mut Mutants) {
    for (at, format) in formats.iter().enumerate() {
        let Some(format) = format.as_str() else { continue };
        all.set(What::Format, &place.at(at), NEVER);
        if format.contains("%d") && format.contains("%m") {
            let swapped = format.replace("%d", "\u{1}").replace("%m", "%d").replace('\u{1}', "%m");
            all.set(What::Format, &place.at(at), swapped);
        }
    }
}

/// Every rule: it says something else, is not there, holds for fewer statuses, looks elsewhere.
///
/// `split` is left alone where it changes nothing: an invalid number always splits a batch, and where `[batch]` says
/// so, an unknown one does, too.
pub fn outcomes(rules: &[Value], place: &Place, what: What, batch_splits: bool, all: &mut Mutants) {
    for (at, rule) in rules.iter().enumerate() {
        let place = place.at(at);
        all.add(what, &place, Change::Remove);
        if let Some(is) = rule.get("is").and_then(Value::as_str) {
            let other = if is == "carrier_fault" { "throttled" } else { "carrier_fault" };
            all.set(what, &place.key("is"), other);
        }
        let statuses = rule.get("http").and_then(Value::as_array).map_or(0, Vec::len);
        for at in (0..statuses).filter(|_| statuses > 1) {
            all.add(what, &place.key("http").at(at), Change::Remove);
        }
        let is = rule.get("is").and_then(Value::as_str);
        let splits_anyway = is == Some("invalid_number") || (is == Some("not_found") && batch_splits);
        for key in ["refresh", "split"] {
            let idle = key == "split" && splits_anyway;
            if rule.get(key).and_then(Value::as_bool) == Some(true) && !idle {
                all.set(what, &place.key(key), false);
            }
        }
        for key in ["when", "message"] {
            if let Some(found) = rule.get(key) {
                source(found, &place.key(key), if what == What::Outcome { What::Path } else { what }, all);
            }
        }
    }
}
