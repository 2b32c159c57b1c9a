//! What can be altered in requests, and in how tokens are read.

use toml::{Table, Value};

use super::document::{Place, get};
use super::expression::parts;
use super::{Mutants, What, answer};

/// Alters every template, and the sources of `[auth.token]`.
pub fn mutants(document: &Table, all: &mut Mutants) {
    for key in ["environments", "auth", "request"] {
        if let Some(Value::Table(table)) = document.get(key) {
            templates(table, &Place::of(key), all);
        }
    }
    for key in ["value", "expires_in", "expires_at"] {
        let key = format!("auth.token.{key}");
        if let Some(found) = get(document, &key) {
            answer::source(found, &Place::of(&key), What::Token, all);
        }
    }
    if let Some(rules) = get(document, "auth.token.outcome").and_then(Value::as_array) {
        answer::outcomes(rules, &Place::of("auth.token.outcome"), What::Token, true, all);
    }
}

/// Keys that hold no template: words of the language, and what is altered elsewhere.
const OTHERS: &[&str] = &[
    "kind",
    "format",
    "languages",
    "let",
    "value",
    "expires_in",
    "expires_at",
    "outcome",
    "life",
    "renew_before",
    "jwt",
];

fn templates(table: &Table, place: &Place, all: &mut Mutants) {
    for (key, value) in table {
        let place = place.key(key);
        match (key.as_str(), value) {
            ("let", Value::Table(lets)) => {
                for (name, one) in lets {
                    expression(one.as_str().unwrap_or_default(), &place.key(name), all);
                }
            }
            ("method", Value::String(method)) => {
                all.set(What::Request, &place, if method == "PUT" { "POST" } else { "PUT" });
            }
            ("for_each", value) => answer::source(value, &place, What::Request, all),
            (key, _) if OTHERS.contains(&key) => {}
            (_, value) => template(value, &place, all),
        }
    }
}

fn template(value: &Value, place: &Place, all: &mut Mutants) {
    match value {
        Value::String(text) => {
            all.set(What::Request, place, format!("{text}zz"));
            if !text.contains("{%") {
                for other in emptied(text) {
                    all.set(What::Request, place, other);
                }
            }
        }
        Value::Boolean(yes) => all.set(What::Request, place, !yes),
        Value::Integer(number) => all.set(What::Request, place, number + 1),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                template(item, &place.at(at), all);
            }
        }
        Value::Table(table) => templates(table, place, all),
        _ => {}
    }
}

/// The template with each of its paths giving nothing, in turn.
fn emptied(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = text[from..].find("{{").map(|at| from + at + 2) {
        let Some(close) = text[open..].find("}}").map(|at| open + at) else { break };
        let inside = &text[open..close];
        let others = parts(inside).into_iter().filter_map(|part| part.emptied(inside));
        found.extend(others.map(|other| format!("{}{other}{}", &text[..open], &text[close..])));
        from = close;
    }
    found
}

fn expression(text: &str, place: &Place, all: &mut Mutants) {
    for part in parts(text) {
        let other = part.emptied(text).unwrap_or_else(|| part.altered(text));
        all.set(What::Request, place, other);
    }
}
