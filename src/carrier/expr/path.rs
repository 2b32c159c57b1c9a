//! Plain paths: the fast way through parsed JSON.

use serde_json::Value;

/// One step of a plain path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// `.name` or `['name']`.
    Key(String),
    /// `[0]`, `[-1]`.
    Index(i64),
}

/// A plain path: a first name and the steps after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    head: String,
    steps: Vec<Step>,
}

/// Words that mean something else to the engine.
const RESERVED: &[&str] =
    &["true", "false", "none", "null", "True", "False", "None", "not", "and", "or", "in", "is", "if", "else"];

impl Path {
    /// The path that this text is, or nothing when it is more than a path.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let head_len = name_len(text);
        let head = text.get(..head_len).filter(|h| !h.is_empty() && !RESERVED.contains(h))?;
        let mut steps = Vec::new();
        let mut rest = &text[head_len..];
        while !rest.is_empty() {
            let (step, tail) = step(rest)?;
            steps.push(step);
            rest = tail;
        }
        Some(Self { head: head.to_owned(), steps })
    }

    /// The first name.
    #[must_use]
    pub fn head(&self) -> &str {
        &self.head
    }

    /// What stands at the steps after the head, seen from `value`, which is what the head names.
    #[must_use]
    pub fn follow<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.steps.iter().try_fold(value, |at, step| match step {
            Step::Key(key) => at.get(key.as_str()),
            Step::Index(index) => element(at, *index),
        })
    }
}

/// The element at this index; an object counts as a list of one.
fn element(value: &Value, index: i64) -> Option<&Value> {
    match value {
        Value::Array(items) => {
            let back = usize::try_from(index.unsigned_abs()).ok()?;
            if index < 0 { items.len().checked_sub(back).and_then(|at| items.get(at)) } else { items.get(back) }
        }
        Value::Object(_) if index == 0 || index == -1 => Some(value),
        _ => None,
    }
}

fn step(rest: &str) -> Option<(Step, &str)> {
    if let Some(after) = rest.strip_prefix('.') {
        let len = name_len(after);
        return (len > 0).then(|| (Step::Key(after[..len].to_owned()), &after[len..]));
    }
    let inner = rest.strip_prefix('[')?;
    if let Some(quote) = inner.chars().next().filter(|c| matches!(c, '\'' | '"')) {
        let (key, tail) = inner[1..].split_once(quote)?;
        if key.contains('\\') {
            return None;
        }
        return Some((Step::Key(key.to_owned()), tail.strip_prefix(']')?));
    }
    let (index, tail) = inner.split_once(']')?;
    Some((Step::Index(index.parse().ok()?), tail))
}

/// Length of the name at the start: letters, digits and `_`, not starting with a digit.
fn name_len(text: &str) -> usize {
    let good = |(at, c): (usize, char)| c.is_alphabetic() || c == '_' || (at > 0 && c.is_alphanumeric());
    text.char_indices().find(|&pair| !good(pair)).map_or(text.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_walk_and_expressions_are_left_alone() {
        let value = json!({"b": [{"c": 1}, {"c": 2}], "x-y": {"z": 3}, "one": {"k": 4}});
        let at = |text: &str| Path::parse(text).unwrap().follow(&value).cloned();
        assert_eq!(at("a.b[0].c"), Some(json!(1)));
        assert_eq!(at("a.b[-1].c"), Some(json!(2)));
        assert_eq!(at("a['x-y'].z"), Some(json!(3)));
        assert_eq!(at("a.one[0].k"), Some(json!(4)), "an object counts as a list of one");
        assert_eq!(at("a.b[9].c"), None);
        assert_eq!(at("a.b[-9].c"), None);
        for text in ["a | b", "a ~ b", "a.b-c", "1a", "", "a.", "a[b]", "a['x", "true", "a.b()", "'x'", "a[0", "not"] {
            assert_eq!(Path::parse(text), None, "{text}");
        }
    }
}
