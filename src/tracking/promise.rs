//! Was the promise kept? For people who ask about one parcel; the alarm itself is `delays`.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::time::Moment;
use crate::model::tracker::{KeptEvent, Tracker};

use super::delays;
use super::merge::bounds;

/// How a promise stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It can still be kept.
    Open,
    /// Delivered, attempted or ready in time.
    Kept,
    /// The same, but too late.
    KeptLate,
    /// It has passed, and nothing of that has happened.
    Broken,
}

/// What was expected, and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Promised {
    /// By when, as it was given.
    pub expected: Moment,
    /// By the shop (true) or, where it promised nothing, by the carrier's estimate.
    pub by_shop: bool,
    /// When it has passed: in the recipient's zone, or everywhere where that is unknown.
    pub passes_at: Timestamp,
    /// How it stands.
    pub verdict: Verdict,
}

/// How what was promised for this parcel stands at this moment; nothing where nothing was.
#[must_use]
pub fn promised(tracker: &Tracker, now: Timestamp) -> Option<Promised> {
    let (expected, passes_at) = delays::expectation(tracker)?;
    let verdict = if delays::kept_promise(tracker) {
        let first = tracker.events.iter().filter(|event| event.retracted_at.is_none()).find(|event| serves(event));
        let at = first.map_or(tracker.status_since, |event| {
            bounds(&event.time).map_or(event.observed_at, |(earliest, _)| earliest.min(event.observed_at))
        });
        if at < passes_at { Verdict::Kept } else { Verdict::KeptLate }
    } else if now < passes_at {
        Verdict::Open
    } else {
        Verdict::Broken
    };
    Some(Promised { expected, by_shop: tracker.registration.promised.is_some(), passes_at, verdict })
}

fn serves(event: &KeptEvent) -> bool {
    event.meaning.substatus().is_some_and(crate::model::Substatus::attempted_or_ready)
}
