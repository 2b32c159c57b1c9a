//! One scan as the carrier reported it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::status::{Status, Substatus};
use super::time::EventTime;

/// Where something is or happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    /// Name of the site: a hub, a shop.
    pub name: Option<String>,
    /// Town.
    pub city: Option<String>,
    /// State, province or region, as the carrier writes it.
    pub region: Option<String>,
    /// Post code.
    pub postcode: Option<String>,
    /// ISO 3166-1 alpha-2, upper case.
    pub country: Option<String>,
}

impl Place {
    /// The place, or nothing when it says nothing.
    #[must_use]
    pub fn or_none(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }
}

/// What a code does to the status, as a carrier's table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The usual: the newest event gives the status.
    #[default]
    Plain,
    /// The carrier corrects itself: it may even leave an end.
    Revoke,
    /// It counts only when it brings the parcel further than it was.
    AdvanceOnly,
}

/// What a table makes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// It moves the status to this substatus.
    Moves(Substatus, Rule),
    /// Told, but no progress (SMS sent).
    Note,
    /// The table does not know the code. It never moves the status.
    Unmapped,
}

/// What an event does, in the public shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It moves the status.
    Moves,
    /// Told, but no progress.
    Note,
    /// The table does not know the code.
    Unmapped,
}

impl Meaning {
    /// What it does.
    #[must_use]
    pub const fn effect(self) -> Effect {
        match self {
            Self::Moves(..) => Effect::Moves,
            Self::Note => Effect::Note,
            Self::Unmapped => Effect::Unmapped,
        }
    }

    /// The substatus it moves to.
    #[must_use]
    pub const fn substatus(self) -> Option<Substatus> {
        match self {
            Self::Moves(substatus, _) => Some(substatus),
            _ => None,
        }
    }
}

/// One event of one answer, before it meets what we knew.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObservedEvent {
    /// The carrier's code, empty where it gives none.
    pub code: String,
    /// The carrier's words.
    pub description: Option<String>,
    /// What our table makes of it.
    pub meaning: Meaning,
    /// When it happened.
    pub time: EventTime,
    /// Where it happened.
    pub place: Option<Place>,
}

/// One event of a parcel, in the shape that the API, webhooks and `wismo normalize` share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The carrier's code; nothing where it gives none.
    pub code: Option<String>,
    /// The carrier's words.
    pub description: Option<String>,
    /// Coarse meaning; nothing when it does not move the status.
    pub status: Option<Status>,
    /// Fine meaning; nothing when it does not move the status.
    pub substatus: Option<Substatus>,
    /// What it does.
    pub effect: Effect,
    /// When it happened.
    pub time: EventTime,
    /// Where it happened.
    pub place: Option<Place>,
    /// When we first saw it: always exact.
    pub observed_at: Timestamp,
    /// When a newer answer first lacked it; nothing while the carrier still tells it.
    pub retracted_at: Option<Timestamp>,
}
