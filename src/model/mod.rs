//! The words of the house as types. Pure: no I/O, no clock.

pub mod change;
pub mod endpoint;
pub mod event;
pub mod ids;
pub mod observation;
pub mod parcel;
pub mod status;
pub mod time;
pub mod tracker;

pub use change::{Change, ChangeKind, NewChange};
pub use endpoint::{Endpoint, EndpointState};
pub use event::{Effect, Event, Meaning, ObservedEvent, Place, Rule};
pub use ids::{AccountName, CarrierCode, ChangeId, EndpointId, Shard, ShopId, TrackerId};
pub use observation::{Headline, Observation};
pub use parcel::{Facts, Parcel};
pub use status::{Direction, End, Status, Substatus, WhoMustAct};
pub use time::{EventTime, Local, Moment, Precision, ZoneSource};
pub use tracker::{
    ByHand, Cause, Condition, DelayKind, History, KeptEvent, PollOutcome, PollState, Registration, TimerKind, Tracker,
};
