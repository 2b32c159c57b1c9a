//! A tracker as Redis holds it: a hash of short fields that a support person can read, a compact string of its
//! events, and a string about whatever is longer.
//!
//! Each hash field is 64 bytes or less, so that Redis keeps the whole hash in one packed block. A field that would
//! be longer lives in the `about` string; some fields (`who_must_act`, `last_event`, …) are there for readers only and
//! are not read back. A field that would repeat another is left out: `substatus` named as the status is, `outcome` where
//! the last poll went well, when the first estimate was seen if that was with the first answer.

mod about;
mod events;
mod fields;
mod short;
mod time;

use std::collections::HashMap;

use crate::model::{Tracker, TrackerId};

use super::error::StoreError;
use super::keys;

pub(super) use fields::FIELDS;
#[cfg(test)]
use short::LONGEST_FIELD;

/// The parts of a tracker as they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    /// Fields of the hash.
    pub(super) fields: Vec<(&'static str, String)>,
    /// The events STRING; empty: no key.
    pub(super) events: String,
    /// The about STRING; empty: no key.
    pub(super) about: String,
}

/// What to write for a tracker.
pub(super) fn encode(tracker: &Tracker) -> Stored {
    let mut about = about::About::default();
    let fields = fields::encode(tracker, &mut about);
    about.fill(tracker);
    Stored { fields, events: events::encode(&tracker.events, &tracker.answers), about: about.to_text() }
}

/// The tracker of these parts.
pub(super) fn decode(
    id: &TrackerId,
    fields: &HashMap<String, String>,
    events: &str,
    about: &str,
) -> Result<Tracker, StoreError> {
    let damaged = |key: String| move |problem: String| StoreError::Damaged { key, problem };
    let about = about::About::from_text(about).map_err(damaged(keys::about(id)))?;
    let mut tracker = fields::decode(id, fields, &about).map_err(damaged(keys::tracker(id)))?;
    about.pour(&mut tracker).map_err(damaged(keys::about(id)))?;
    (tracker.events, tracker.answers) = events::decode(events).map_err(damaged(keys::events(id)))?;
    Ok(tracker)
}

#[cfg(test)]
mod tests;
