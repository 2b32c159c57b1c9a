//! TOML documents of the language: every problem at once, each with file, line, key and what would be right.

mod spans;

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, Deserializer};

use crate::spelling::nearest;
use spans::Spot;

/// Tables that several carriers use: name and text.
pub type Shared = BTreeMap<String, String>;

/// So many problems of one file are told.
const MAX_PROBLEMS: usize = 50;

/// One thing that is wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// Its line, from 1.
    pub line: Option<usize>,
    /// The key, from the top: `limits.default.per_second`.
    pub key: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Reads any document of the language. Serde stops at the first problem, so each one found is cut out of the
/// document, which is then read again, until nothing more is wrong.
pub(super) fn read<T: for<'de> Deserialize<'de>>(file: &str, text: &str) -> Result<T, Vec<Problem>> {
    let whole = DeTable::parse(text).map_err(|error| vec![of_syntax(file, text, &error)])?;
    let mut document = whole.clone();
    let mut problems: Vec<Problem> = Vec::new();
    // Places as they were when they were cut out, and as they are written in the file.
    let (mut cut, mut written): (Vec<Spot>, Vec<Spot>) = (Vec::new(), Vec::new());
    loop {
        let error = match T::deserialize(Deserializer::from(document.clone())) {
            Ok(value) if problems.is_empty() => return Ok(value),
            Ok(_) => break,
            Err(error) => error,
        };
        let spot = error.span().and_then(|span| spans::find(document.get_ref(), &span)).unwrap_or_default();
        let spot = item_at_fault::<T>(&document, spot, &error);
        let place = spot.clone().before_cuts(&cut);
        if !follows(&error, &place, &written) {
            let key = place.to_string();
            let line = spans::line_of_key(text, whole.get_ref(), &key).filter(|_| !place.is_root());
            let line = line.or_else(|| error.span().map(|span| spans::line(text, span.start)));
            problems.push(Problem { file: file.to_owned(), line, key, message: explain(error.message()) });
        }
        if spot.is_root() || problems.len() >= MAX_PROBLEMS || !spans::remove(document.get_mut(), &spot) {
            break;
        }
        cut.push(spot);
        written.push(place);
    }
    Err(problems)
}

/// The item that an error about a list is about: the span of such an error is that of the list, or of its first
/// item. It is the first one with which the list is refused in the same words.
fn item_at_fault<T: for<'de> Deserialize<'de>>(
    document: &Spanned<DeTable<'_>>,
    spot: Spot,
    error: &toml::de::Error,
) -> Spot {
    let list = spot.list();
    let Some(items) = spans::items(document.clone().get_mut(), &list) else { return spot };
    let refused_by = |count: usize| {
        let mut shorter = document.clone();
        spans::shorten(shorter.get_mut(), &list, count);
        T::deserialize(Deserializer::from(shorter)).is_err_and(|other| other.message() == error.message())
    };
    // Refused without any item, it is about the list itself.
    (0..=items).find(|count| refused_by(*count)).and_then(|count| count.checked_sub(1)).map_or(spot, |at| list.item(at))
}

/// Whether an error only says that something is not there which was cut out because it was wrong.
fn follows(error: &toml::de::Error, place: &Spot, cut: &[Spot]) -> bool {
    if !error.message().starts_with("missing field") {
        return !place.is_root() && cut.iter().any(|gone| place.holds(gone));
    }
    let Some(field) = quoted(error.message()).next() else { return false };
    let meant = |gone: &Spot| place.key_of(gone).is_some_and(|key| nearest(key, [field]).is_some());
    cut.iter().any(|gone| meant(gone) || gone.list() == place.child(field))
}

fn of_syntax(file: &str, text: &str, error: &toml::de::Error) -> Problem {
    let line = error.span().map(|span| spans::line(text, span.start));
    let mut message = first_line(error.message());
    let key = error.span().and_then(|span| text.get(span)).filter(|_| message == "duplicate key");
    if let Some(key) = key {
        message = format!("the key {key} stands twice in this table");
    }
    if message.contains("escape") {
        message.push_str("; in '...' a backslash stands for itself");
    }
    Problem { file: file.to_owned(), line, key: String::new(), message }
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

/// Serde's message in a sentence that says what would be right.
fn explain(message: &str) -> String {
    let mut names = quoted(message);
    let Some(given) = names.next() else { return in_plain_words(&first_line(message)) };
    let known: Vec<&str> = names.collect();
    let what = if message.starts_with("unknown field") {
        format!("there is no key {given:?} here")
    } else if message.starts_with("unknown variant") {
        format!("{given:?} is not known here")
    } else if message.starts_with("missing field") {
        return format!("the key {given:?} is missing");
    } else {
        return in_plain_words(&first_line(message));
    };
    match nearest(given, known.iter().copied()) {
        Some(near) => format!("{what}: did you mean {near:?}? (known: {})", known.join(", ")),
        None if known.is_empty() => what,
        None => format!("{what}; known: {}", known.join(", ")),
    }
}

/// The names of the program's types mean nothing to whoever writes a definition.
fn in_plain_words(message: &str) -> String {
    let Some((given, wanted)) = message.split_once("expected ") else { return message.to_owned() };
    let wanted = match wanted {
        "f64" | "f32" => "a number",
        "u16" | "u32" | "u64" | "usize" | "i64" => "a whole number, not negative",
        "a sequence" => "a list",
        "a map" => "a table",
        _ if wanted.starts_with("struct ") => "a table",
        other => other,
    };
    format!("{given}expected {wanted}")
}

/// What stands between backticks.
fn quoted(message: &str) -> impl Iterator<Item = &str> {
    message.split('`').skip(1).step_by(2)
}

/// Problems of a text that can be read, with the lines on which their keys stand.
pub(super) fn located(file: &str, text: &str, problems: Vec<(String, String)>) -> Vec<Problem> {
    let document = match DeTable::parse(text) {
        Ok(document) => document,
        Err(error) => return vec![of_syntax(file, text, &error)],
    };
    let at = |(key, message): (String, String)| {
        let line = spans::line_of_key(text, document.get_ref(), &key);
        Problem { file: file.to_owned(), line, key, message }
    };
    problems.into_iter().map(at).collect()
}

/// The line on which a key such as `outcome[2]` stands.
#[must_use]
pub fn line_of(text: &str, key: &str) -> Option<usize> {
    spans::line_of_key(text, DeTable::parse(text).ok()?.get_ref(), key)
}
