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

    /// The place of a key below this one.
    pub(super) fn child(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    /// The place of an item of the list here.
    pub(super) fn item(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// The list that this is an item of; itself where it is none.
    pub(super) fn list(&self) -> Self {
        match self.0.split_last() {
            Some((Step::Index(_), list)) => Self(list.to_vec()),
            _ => self.clone(),
        }
    }

    /// Whether the other place is inside this one.
    pub(super) fn holds(&self, other: &Self) -> bool {
        other.0.len() > self.0.len() && other.0.starts_with(&self.0)
    }

    /// The key that a place right below this one has.
    pub(super) fn key_of<'o>(&self, other: &'o Self) -> Option<&'o str> {
        match other.0.strip_prefix(self.0.as_slice()) {
            Some([Step::Key(key)]) => Some(key),
            _ => None,
        }
    }

    /// The place in the document before items were cut out of it, one after the other.
    pub(super) fn before_cuts(mut self, cut: &[Self]) -> Self {
        // What was cut later was counted in what was left then.
        for gone in cut.iter().rev() {
            let Some((Step::Index(index), list)) = gone.0.split_last() else { continue };
            if !self.0.starts_with(list) {
                continue;
            }
            match self.0.get_mut(list.len()) {
                Some(Step::Index(at)) if *at >= *index => *at += 1,
                _ => {}
            }
        }
        self
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

/// Cuts out what stands there: a key, or an item of a list. False when nothing was there.
pub(super) fn remove(table: &mut DeTable<'_>, spot: &Spot) -> bool {
    match spot.0.split_last() {
        Some((Step::Key(last), before)) => {
            table_at(table, before).is_some_and(|inner| inner.remove(last.as_str()).is_some())
        }
        Some((Step::Index(gone), before)) => list_at(table, before).is_some_and(|items| {
            let kept = items.iter().enumerate().filter(|(at, _)| at != gone).map(|(_, item)| item.clone());
            let before = items.len();
            *items = kept.collect();
            items.len() < before
        }),
        None => false,
    }
}

/// How many items the list there has; nothing where no list is.
pub(super) fn items(table: &mut DeTable<'_>, spot: &Spot) -> Option<usize> {
    list_at(table, &spot.0).map(|items| items.len())
}

/// Leaves the first items of the list there.
pub(super) fn shorten(table: &mut DeTable<'_>, spot: &Spot, len: usize) {
    if let Some(items) = list_at(table, &spot.0) {
        *items = items.iter().take(len).cloned().collect();
    }
}

fn value_at<'t, 'i>(table: &'t mut DeTable<'i>, steps: &[Step]) -> Option<&'t mut DeValue<'i>> {
    let (first, rest) = steps.split_first()?;
    let Step::Key(key) = first else { return None };
    let mut value = table.get_mut(key.as_str())?.get_mut();
    for step in rest {
        value = match (step, value) {
            (Step::Key(key), DeValue::Table(inner)) => inner.get_mut(key.as_str())?.get_mut(),
            (Step::Index(index), DeValue::Array(items)) => items.get_mut(*index)?.get_mut(),
            _ => return None,
        };
    }
    Some(value)
}

fn table_at<'t, 'i>(table: &'t mut DeTable<'i>, steps: &[Step]) -> Option<&'t mut DeTable<'i>> {
    if steps.is_empty() {
        return Some(table);
    }
    match value_at(table, steps)? {
        DeValue::Table(inner) => Some(inner),
        _ => None,
    }
}

fn list_at<'t, 'i>(table: &'t mut DeTable<'i>, steps: &[Step]) -> Option<&'t mut DeArray<'i>> {
    match value_at(table, steps)? {
        DeValue::Array(items) => Some(items),
        _ => None,
    }
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
