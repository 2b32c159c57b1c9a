//! What one carrier answer says of one parcel, in our model, before it meets what we knew.

use jiff::Timestamp;

use super::event::ObservedEvent;
use super::parcel::Facts;
use super::status::Substatus;
use super::time::EventTime;

/// A parcel-level status that a carrier gives beside the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headline {
    /// Its meaning.
    pub substatus: Substatus,
    /// Its time, where one is given.
    pub time: Option<EventTime>,
    /// It may win over events when its time is newer (the definition says `headline = true`);
    /// otherwise it counts only when no event is mapped.
    pub authoritative: bool,
}

/// Everything one answer says of one parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// When the answer arrived.
    pub observed_at: Timestamp,
    /// Hash of what the answer says of this parcel and of the definition's version.
    pub digest: u64,
    /// Parcel-level fields.
    pub facts: Facts,
    /// Parcel-level status.
    pub headline: Option<Headline>,
    /// Oldest first, as the carrier orders them.
    pub events: Vec<ObservedEvent>,
}
