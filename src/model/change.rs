//! One fact worth telling, produced by comparing before and after.

use std::fmt;

use jiff::Timestamp;

use super::ids::{ChangeId, ShopId};
use super::status::Status;

/// Version of the change entry and of the webhook body made from it.
pub const FORMAT_VERSION: u8 = 1;

/// What sort of fact. The names are the types that shops subscribe to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// Registered.
    Created,
    /// The carrier knows it for the first time.
    FirstSeen,
    /// The status changed to this one.
    Status(Status),
    /// A life that had ended goes on.
    Resumed,
    /// New events.
    EventAdded,
    /// The carrier's estimate appeared or moved.
    EtaChanged,
    /// A delay opened.
    Delayed,
    /// A delay ended.
    DelayCleared,
    /// The shop changed something.
    Updated,
    /// A mended definition reads what the carrier said otherwise.
    Reclassified,
    /// Erased on request.
    Deleted,
    /// The shop asked for a test.
    EndpointTest,
    /// An endpoint was disabled.
    EndpointDisabled,
}

impl ChangeKind {
    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        let status = Status::ALL.iter().copied().map(Self::Status);
        [
            Self::Created,
            Self::FirstSeen,
            Self::Resumed,
            Self::EventAdded,
            Self::EtaChanged,
            Self::Delayed,
            Self::DelayCleared,
            Self::Updated,
            Self::Reclassified,
            Self::Deleted,
            Self::EndpointTest,
            Self::EndpointDisabled,
        ]
        .into_iter()
        .chain(status)
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|kind| kind.to_string() == name)
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "tracker.created",
            Self::FirstSeen => "tracker.first_seen",
            Self::Status(status) => return write!(f, "tracker.{status}"),
            Self::Resumed => "tracker.resumed",
            Self::EventAdded => "tracker.event_added",
            Self::EtaChanged => "tracker.eta_changed",
            Self::Delayed => "tracker.delayed",
            Self::DelayCleared => "tracker.delay_cleared",
            Self::Updated => "tracker.updated",
            Self::Reclassified => "tracker.reclassified",
            Self::Deleted => "tracker.deleted",
            Self::EndpointTest => "endpoint.test",
            Self::EndpointDisabled => "endpoint.disabled",
        })
    }
}

/// A change before it is stored: the commit gives it its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChange {
    /// What sort of fact.
    pub kind: ChangeKind,
    /// Its number in the life of its tracker.
    pub sequence: u64,
    /// The exact bytes of the body's `data`, a JSON object. Every attempt and replay sends these bytes.
    pub data: String,
}

/// A change as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Names it and finds it.
    pub id: ChangeId,
    /// Version of the entry: [`FORMAT_VERSION`] when written by this build.
    pub version: u8,
    /// The type's name; a newer build may have written one that this build does not know.
    pub kind: String,
    /// Whose.
    pub shop: ShopId,
    /// Id of the tracker, or of the endpoint where it is about one.
    pub subject: String,
    /// Its number in the life of its subject.
    pub sequence: u64,
    /// When it was stored.
    pub at: Timestamp,
    /// The exact bytes of the body's `data`.
    pub data: String,
}

impl Change {
    /// The webhook's body, made from the entry alone, so that every attempt and replay has the same bytes.
    #[must_use]
    pub fn body(&self) -> String {
        format!(r#"{{"id":"{}","type":"{}","timestamp":"{}","data":{}}}"#, self.id, self.kind, self.at, self.data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_unique_names() {
        let names: std::collections::HashSet<_> = ChangeKind::all().map(|kind| kind.to_string()).collect();
        assert_eq!(names.len(), ChangeKind::all().count());
        assert_eq!(ChangeKind::from_name("tracker.delivered"), Some(ChangeKind::Status(Status::Delivered)));
        assert_eq!(ChangeKind::from_name("tracker.nonsense"), None);
    }
}
