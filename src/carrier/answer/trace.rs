//! Why a parcel was read as it was: `wismo normalize --explain`.

use serde::Serialize;
use serde_json::Value;

use super::codes::{Found, Hit, Tried};

/// One step: which field, from which source, which value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TraceLine {
    /// The field: `outcome`, `parcels[0].service`, `parcels[0].events[2].time` (events as the result orders them).
    /// What was read of events that are not in the result stands under `left_out[…]`, as the answer orders them.
    pub field: String,
    /// The source, the rule or the table that gave it; nothing where none did.
    pub source: Option<String>,
    /// What it gave.
    pub value: Value,
    /// For meanings: the look-ups that were tried, in order; the last one hit if `value` is not `unmapped`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<Tried>,
    /// For meanings: the entry that hit.
    #[serde(skip)]
    pub hit: Option<Hit>,
}

/// Collects steps, or does nothing at no cost.
#[derive(Debug, Default)]
pub struct Trace {
    lines: Option<Vec<TraceLine>>,
    prefix: String,
}

impl Trace {
    /// One that collects.
    pub fn on() -> Self {
        Self { lines: Some(Vec::new()), prefix: String::new() }
    }

    /// One that does not.
    pub fn off() -> Self {
        Self::default()
    }

    /// Whether it collects.
    pub fn is_on(&self) -> bool {
        self.lines.is_some()
    }

    /// What the fields that follow belong to, added to what they belonged to before, which is given back.
    pub fn nested(&mut self, prefix: impl FnOnce() -> String) -> usize {
        let before = self.prefix.len();
        if self.is_on() {
            self.prefix.push_str(&prefix());
        }
        before
    }

    /// Ends what [`Trace::nested`] began.
    pub fn restore(&mut self, before: usize) {
        self.prefix.truncate(before);
    }

    /// Adds a step.
    pub fn line(&mut self, field: &str, source: Option<&dyn std::fmt::Display>, value: impl FnOnce() -> Value) {
        self.push(field, || (source.map(ToString::to_string), value(), Vec::new(), None));
    }

    /// Adds the step that gave a meaning.
    pub fn meaning(&mut self, field: &str, found: Found, value: impl FnOnce() -> Value) {
        self.push(field, || (found.hit.as_ref().map(ToString::to_string), value(), found.tried, found.hit));
    }

    fn push(&mut self, field: &str, step: impl FnOnce() -> (Option<String>, Value, Vec<Tried>, Option<Hit>)) {
        if let Some(lines) = &mut self.lines {
            let (source, value, tried, hit) = step();
            lines.push(TraceLine { field: format!("{}{field}", self.prefix), source, value, tried, hit });
        }
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.lines.as_ref().map_or(0, Vec::len)
    }

    /// Names the events whose steps begin at `from` as the result has them: `order` is the place of each of its
    /// events among those of the answer.
    pub fn number_events(&mut self, from: usize, order: &[usize]) {
        let Some(lines) = self.lines.as_mut().and_then(|lines| lines.get_mut(from..)) else { return };
        let start = format!("{}events[", self.prefix);
        let split = |field: &str| -> Option<(usize, String)> {
            let (at, rest) = field.strip_prefix(&start)?.split_once(']')?;
            Some((at.parse().ok()?, rest.to_owned()))
        };
        let place = |field: &str| order.iter().position(|at| split(field).is_some_and(|(named, _)| named == *at));
        lines.sort_by_cached_key(|line| place(&line.field).unwrap_or(usize::MAX));
        for line in lines {
            let Some((at, rest)) = split(&line.field) else { continue };
            line.field = match place(&line.field) {
                Some(place) => format!("{start}{place}]{rest}"),
                None => format!("{}left_out[{at}]{rest}", self.prefix),
            };
        }
    }

    /// The steps.
    pub fn into_lines(self) -> Vec<TraceLine> {
        self.lines.unwrap_or_default()
    }
}
