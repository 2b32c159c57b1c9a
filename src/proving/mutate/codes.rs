//! What can be altered in tables and text rules.

use toml::{Table, Value};

use super::document::{Change, Place};
use super::{Mutants, What, answer};

/// A word that no carrier writes.
const NONSENSE: &str = "zzqx";

/// Alters every look-up of a document.
pub fn mutants(document: &Table, all: &mut Mutants) {
    for (at, lookup) in document.get("codes").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let place = Place::of("codes").at(at);
        if let Some(on) = lookup.get("on") {
            answer::source(on, &place.key("on"), What::Path, all);
        }
        if let Some(when) = lookup.get("when") {
            answer::condition(when, &place.key("when"), What::Path, all);
        }
        let integers = lookup.get("as").is_some();
        for (code, meaning) in lookup.get("table").and_then(Value::as_table).into_iter().flatten() {
            let place = place.key("table").key(code);
            let other = if integers { "987654321".to_owned() } else { format!("{code}~{NONSENSE}") };
            all.add(What::Code, &place, Change::Rename(other));
            entry(meaning, &place, all);
        }
        for (n, rule) in lookup.get("text").and_then(Value::as_array).into_iter().flatten().enumerate() {
            text_rule(rule, &place.key("text").at(n), all);
        }
    }
}

fn text_rule(rule: &Value, place: &Place, all: &mut Mutants) {
    for list in ["contains", "all", "without"] {
        let words = rule.get(list).and_then(Value::as_array).map_or(0, Vec::len);
        for at in 0..words {
            all.set(What::Code, &place.key(list).at(at), NONSENSE);
        }
    }
    if let Some(meaning) = rule.get("is") {
        entry(meaning, &place.key("is"), all);
    }
}

/// What a code means: a word, a table with conditions and rules, or a list of such.
fn entry(meaning: &Value, place: &Place, all: &mut Mutants) {
    match meaning {
        Value::String(word) => {
            all.set(What::Meaning, place, other(word));
            if word == "revoke" {
                all.set(What::Meaning, place, "in_transit");
            }
        }
        Value::Array(cases) => {
            for (at, case) in cases.iter().enumerate() {
                entry(case, &place.at(at), all);
            }
        }
        Value::Table(case) => {
            for key in ["to", "is"] {
                if let Some(word) = case.get(key).and_then(Value::as_str) {
                    all.set(What::Meaning, &place.key(key), other(word));
                }
            }
            for key in ["revoke", "advance_only"] {
                if case.get(key).and_then(Value::as_bool) == Some(true) {
                    all.set(What::Meaning, &place.key(key), false);
                }
            }
            if let Some(when) = case.get("when") {
                answer::condition(when, &place.key("when"), What::Path, all);
            }
        }
        _ => {}
    }
}

/// Another meaning, which no reader would take for the first.
fn other(word: &str) -> &'static str {
    if word == "damaged" { "lost" } else { "damaged" }
}
