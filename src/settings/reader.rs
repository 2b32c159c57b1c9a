//! Reads a tree of values, collects every problem, and knows which keys nobody asked for.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use config::{Value, ValueKind};

use super::units;
use crate::spelling::nearest;

/// What values of the environment have as their origin.
pub(super) const ENVIRONMENT: &str = "the environment";

/// One thing wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// File or other origin of the value; empty where only the key is known, until its place was looked up.
    pub origin: String,
    /// Line in the file, from 1.
    pub line: Option<usize>,
    /// Dotted key.
    pub key: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Problem {
    /// A problem with a key, wherever that is given.
    #[must_use]
    pub fn with_key(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { origin: String::new(), line: None, key: key.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// What a read came upon; shared by a tree's readers.
pub(super) type Problems = RefCell<Vec<Problem>>;

/// Reads one table. Unknown keys are reported by [`Reader::finish`].
pub(super) struct Reader<'a> {
    table: Option<&'a config::Map<String, Value>>,
    path: String,
    problems: &'a Problems,
    asked: RefCell<BTreeSet<String>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(value: &'a Value, path: &str, problems: &'a Problems) -> Self {
        let table = if let ValueKind::Table(table) = &value.kind { Some(table) } else { None };
        let reader = Self { table, path: path.to_owned(), problems, asked: RefCell::default() };
        if table.is_none() && value.kind != ValueKind::Nil {
            reader.report(value.origin(), path.to_owned(), "a table of keys belongs here".to_owned());
        }
        reader
    }

    fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn report(&self, origin: Option<&str>, key: String, message: String) {
        let origin = origin.unwrap_or_default().to_owned();
        self.problems.borrow_mut().push(Problem { origin, line: None, key, message });
    }

    /// Reports a problem with a key of this table.
    pub(super) fn wrong(&self, name: &str, message: impl Into<String>) {
        let origin = self.table.and_then(|table| table.get(name)).and_then(Value::origin);
        self.report(origin, self.key(name), message.into());
    }

    /// Whether a key has its default, because no source gives it.
    pub(super) fn is_default(&self, name: &str) -> bool {
        self.table.and_then(|table| table.get(name)).and_then(Value::origin).is_none()
    }

    /// The value of a key, where it is given.
    pub(super) fn value(&self, name: &str) -> Option<&'a Value> {
        self.asked.borrow_mut().insert(name.to_owned());
        self.table?.get(name).filter(|value| value.kind != ValueKind::Nil)
    }

    /// A table below this one.
    pub(super) fn section(&self, name: &str) -> Reader<'a> {
        static NIL: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| Value::new(None, ValueKind::Nil));
        let value = self.value(name);
        Reader::new(value.unwrap_or(&NIL), &self.key(name), self.problems)
    }

    /// The names in this table, all taken as known.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.table.into_iter().flat_map(|table| table.keys().cloned()).collect();
        names.sort();
        self.asked.borrow_mut().extend(names.iter().cloned());
        names
    }

    fn read<T>(&self, name: &str, read: impl FnOnce(&Value) -> Result<T, String>) -> Option<T> {
        let value = self.value(name)?;
        match read(value) {
            Ok(good) => Some(good),
            Err(message) => {
                self.report(value.origin(), self.key(name), message);
                None
            }
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.read(name, text_of)
    }

    /// A text that is not empty.
    pub(super) fn given(&self, name: &str) -> Option<String> {
        self.text(name).filter(|text| !text.is_empty())
    }

    /// An address to listen at.
    pub(super) fn listen(&self, name: &str) -> Option<SocketAddr> {
        self.read(name, |value| {
            let text = text_of(value)?;
            text.parse().map_err(|_| format!("{text:?} is no address with a port: write 127.0.0.1:8787 or [::1]:8787"))
        })
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.read(name, |value| match &value.kind {
            ValueKind::Boolean(flag) => Ok(*flag),
            ValueKind::String(text) if text == "true" => Ok(true),
            ValueKind::String(text) if text == "false" => Ok(false),
            other => Err(format!("{} is neither true nor false", shown(other))),
        })
    }

    /// A whole number within bounds.
    pub(super) fn number(&self, name: &str, bounds: std::ops::RangeInclusive<u64>) -> Option<u64> {
        self.read(name, |value| {
            let (low, high) = (bounds.start(), bounds.end());
            let wanted = || format!("{} is no whole number from {low} to {high}", shown(&value.kind));
            let number = match &value.kind {
                ValueKind::I64(number) => u64::try_from(*number).map_err(|_| wanted())?,
                ValueKind::U64(number) => *number,
                ValueKind::String(text) => text.parse().map_err(|_| wanted())?,
                _ => return Err(wanted()),
            };
            if bounds.contains(&number) { Ok(number) } else { Err(wanted()) }
        })
    }

    /// A fraction within bounds.
    pub(super) fn fraction(&self, name: &str, low: f64, high: f64) -> Option<f64> {
        self.read(name, |value| {
            let wanted = || format!("{} is no number from {low} to {high}", shown(&value.kind));
            let number = value.clone().into_float().map_err(|_| wanted())?;
            if (low..=high).contains(&number) { Ok(number) } else { Err(wanted()) }
        })
    }

    /// A duration within bounds.
    pub(super) fn duration(&self, name: &str, low: Duration, high: Duration) -> Option<Duration> {
        self.read(name, |value| {
            let duration = units::duration(&text_of(value)?)?;
            if duration < low || duration > high {
                return Err(format!("{duration:?} is out of range: from {low:?} to {high:?}"));
            }
            Ok(duration)
        })
    }

    /// A list whose items are read one by one; text with commas counts as a list (environment variables).
    pub(super) fn list<T>(&self, name: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<Vec<T>> {
        self.read(name, |value| {
            let items: Vec<String> = match &value.kind {
                ValueKind::Array(items) => items.iter().map(text_of).collect::<Result<_, _>>()?,
                ValueKind::String(text) if text.is_empty() => Vec::new(),
                ValueKind::String(text) => text.split(',').map(|item| item.trim().to_owned()).collect(),
                other => return Err(format!("{} is no list", shown(other))),
            };
            let (mut good, mut bad) = (Vec::new(), Vec::new());
            for item in &items {
                match read(item) {
                    Ok(item) => good.push(item),
                    Err(message) => bad.push(message),
                }
            }
            if bad.is_empty() { Ok(good) } else { Err(bad.join("; ")) }
        })
    }

    /// A table that stands in a list below this one.
    pub(super) fn item(&self, value: &'a Value, name: &str, index: usize) -> Reader<'a> {
        Reader::new(value, &self.key(&format!("{name}[{index}]")), self.problems)
    }

    /// Reports every key that nobody asked for, with the nearest known one.
    pub(super) fn finish(&self) {
        let asked = self.asked.borrow();
        for (name, value) in self.table.into_iter().flatten() {
            if asked.contains(name) {
                continue;
            }
            let known: Vec<&str> = asked.iter().map(String::as_str).collect();
            let hint = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("known here: {}", known.join(", ")),
            };
            self.report(origin_of(value), self.key(name), format!("unknown key; {hint}"));
        }
    }
}

/// Where a value comes from; for a table, where anything in it does.
fn origin_of(value: &Value) -> Option<&str> {
    value.origin().or_else(|| match &value.kind {
        ValueKind::Table(table) => table.values().find_map(origin_of),
        ValueKind::Array(items) => items.iter().find_map(origin_of),
        _ => None,
    })
}

pub(super) fn text_of(value: &Value) -> Result<String, String> {
    match &value.kind {
        ValueKind::String(text) => Ok(text.clone()),
        ValueKind::I64(number) => Ok(number.to_string()),
        ValueKind::U64(number) => Ok(number.to_string()),
        ValueKind::Boolean(flag) => Ok(flag.to_string()),
        other => Err(format!("{} is no text", shown(other))),
    }
}

fn shown(kind: &ValueKind) -> String {
    match kind {
        ValueKind::Table(_) => "a table".to_owned(),
        ValueKind::Array(_) => "a list".to_owned(),
        ValueKind::String(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}
