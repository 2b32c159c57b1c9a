//! Printing for people and for machines.

use std::io::{IsTerminal, Write};

use serde_json::Value;

/// Prints JSON: indented on a terminal, one line otherwise. A closed pipe is no error.
pub fn json(value: &Value) {
    let mut out = std::io::stdout().lock();
    let text = if out.is_terminal() { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    let _ = writeln!(out, "{}", text.unwrap_or_default());
}

/// Prints a line. A closed pipe is no error.
pub fn line(text: impl AsRef<str>) {
    let _ = writeln!(std::io::stdout().lock(), "{}", text.as_ref());
}

/// `1 problem`, `3 problems`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
