//! Where in a TOML text something stands.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// A place in a document: keys and indexes from the top.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Spot(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

impl Spot {
    pub(super) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The list that this is an item of.
    pub(super) fn list(&self) -> Option<Self> {
        let (last, before) = self.0.split_last()?;
        matches!(last, Step::Index(_)).then(|| Self(before.to_vec()))
    }

    /// An item of the list that this is.
    pub(super) fn item(&self, index: usize) -> Self {
        Self(self.0.iter().cloned().chain([Step::Index(index)]).collect())
    }

    /// Whether that place lies in this one.
    pub(super) fn holds(&self, inner: &str) -> bool {
        inner.strip_prefix(&self.to_string()).is_some_and(|rest| rest.starts_with(['.', '[']))
    }

    /// How the place of a key below this one is written.
    pub(super) fn child(&self, key: &str) -> String {
        if self.is_root() { key.to_owned() } else { format!("{self}.{key}") }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if at == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// The line of a byte, from 1.
pub(super) fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|b| *b == b'\n').count() + 1
}

/// The place that this span is about: the key that it is, else the smallest value that holds it.
pub(super) fn find(table: &DeTable<'_>, span: &Range<usize>) -> Option<Spot> {
    let mut best: Option<(usize, Spot)> = None;
    walk(table, &mut Vec::new(), &mut |path, key, value| {
        let size = if key == Some(span) {
            0
        } else if value.start <= span.start && span.end <= value.end {
            1 + value.len()
        } else {
            return;
        };
        if best.as_ref().is_none_or(|(smallest, _)| size <= *smallest) {
            best = Some((size, Spot(path.to_vec())));
        }
    });
    best.map(|(_, spot)| spot)
}

type Visit<'v> = dyn FnMut(&[Step], Option<&Range<usize>>, &Range<usize>) + 'v;

fn walk(table: &DeTable<'_>, path: &mut Vec<Step>, visit: &mut Visit<'_>) {
    for (key, value) in table {
        path.push(Step::Key(key.get_ref().to_string()));
        visit(path, Some(&key.span()), &value.span());
        walk_value(value, path, visit);
        path.pop();
    }
}

fn walk_value(value: &Spanned<DeValue<'_>>, path: &mut Vec<Step>, visit: &mut Visit<'_>) {
    match value.get_ref() {
        DeValue::Table(table) => walk(table, path, visit),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(Step::Index(index));
                visit(path, None, &item.span());
                walk_value(item, path, visit);
                path.pop();
            }
        }
        _ => {}
    }
}

/// Cuts out what stands there; of a list, all of it. False when nothing was there.
pub(super) fn remove(table: &mut DeTable<'_>, spot: &Spot) -> bool {
    let keys = spot.0.iter().rposition(|step| matches!(step, Step::Key(_)));
    let Some((Step::Key(last), before)) = keys.and_then(|at| spot.0[..=at].split_last()) else { return false };
    let parent = if before.is_empty() { Some(table) } else { reach(table, before).and_then(as_table) };
    parent.is_some_and(|parent| parent.remove(last.as_str()).is_some())
}

/// Leaves of a list one item alone. False when it is no list that holds so many.
pub(super) fn keep_only(table: &mut DeTable<'_>, list: &Spot, index: usize) -> bool {
    let Some(DeValue::Array(items)) = reach(table, &list.0) else { return false };
    let Some(kept) = items.get(index).cloned() else { return false };
    *items = DeArray::new();
    items.push(kept);
    true
}

fn as_table<'t, 'd>(value: &'t mut DeValue<'d>) -> Option<&'t mut DeTable<'d>> {
    if let DeValue::Table(table) = value { Some(table) } else { None }
}

fn reach<'t, 'd>(table: &'t mut DeTable<'d>, steps: &[Step]) -> Option<&'t mut DeValue<'d>> {
    let (first, rest) = steps.split_first()?;
    let Step::Key(key) = first else { return None };
    let mut at = table.get_mut(key.as_str())?.get_mut();
    for step in rest {
        at = match (step, at) {
            (Step::Key(key), DeValue::Table(table)) => table.get_mut(key.as_str())?.get_mut(),
            (Step::Index(index), DeValue::Array(items)) => items.get_mut(*index)?.get_mut(),
            _ => return None,
        };
    }
    Some(at)
}

/// The line of a key such as `numbers[2].regex`; that of its nearest parent when it is absent.
pub(super) fn line_of_key(text: &str, table: &DeTable<'_>, key: &str) -> Option<usize> {
    let mut best: Option<(usize, usize)> = None;
    walk(table, &mut Vec::new(), &mut |path, name, value| {
        let written = Spot(path.to_vec()).to_string();
        let rest = key.strip_prefix(written.as_str());
        let fits = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        if fits && best.is_none_or(|(len, _)| len < written.len()) {
            best = Some((written.len(), line(text, name.unwrap_or(value).start)));
        }
    });
    best.map(|(_, line)| line)
}
