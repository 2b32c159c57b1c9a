//! A tracker: what a shop told us of a parcel, what the carrier told us, and where its life stands.
//!
//! [`Tracker`] is the whole state of one parcel. The `tracking` room derives the next state from it and never
//! touches a clock or the store; the `store` room writes it down and never judges it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::{Meaning, Place};
use super::ids::{AccountName, CarrierCode, ShopId, TrackerId};
use super::parcel::Facts;
use super::status::{Direction, Substatus, WhoMustAct};
use super::time::{EventTime, Moment};

/// An order that the parcel belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderRef {
    /// The shop's reference of it.
    pub reference: String,
    /// When it was placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_at: Option<Moment>,
}

/// What the shop promised its customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    /// Start of the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Moment>,
    /// Last day or moment that keeps the promise.
    pub to: Moment,
    /// IANA zone in which a date is meant; the recipient's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// Where the shop says that it goes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Destination {
    /// ISO 3166-1 alpha-2, upper case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Post code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postcode: Option<String>,
    /// IANA zone of the recipient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// What the first poll's findings become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum History {
    /// One `tracker.first_seen` with all events.
    #[default]
    Collapse,
    /// The usual changes.
    Send,
}

/// Everything the shop told us. Given fields replace older ones, lists whole; absent ones stay.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Registration {
    /// Orders that it belongs to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<OrderRef>,
    /// The shop's opaque name of the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_ref: Option<String>,
    /// Which way it travels.
    pub direction: Direction,
    /// Other trackers or numbers that belong to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<String>,
    /// What was promised to the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promised: Option<Promise>,
    /// When the shop has to hand it over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ship_by: Option<Moment>,
    /// Where it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<Destination>,
    /// BCP 47 language of the recipient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// The shop's labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The shop's own fields, handed back as they are.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// How much it matters beside the shop's other parcels, 1 to 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub importance: Option<u8>,
    /// What the first poll's findings become.
    pub history: History,
    /// What the carrier asks for beside the number (postcode, contract), by the names of its definition.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, String>,
}

/// One event as we keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptEvent {
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
    /// The first answer that held it.
    pub observed_at: Timestamp,
    /// The newest answer that held it.
    pub last_seen: Timestamp,
    /// Its place in that answer, oldest first from 0.
    pub position: u32,
    /// The first newer answer that lacked it.
    pub retracted_at: Option<Timestamp>,
}

/// Kinds of delay that the clock or the carrier can open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DelayKind {
    /// The promise passed.
    Late,
    /// A label without a scan.
    NotHandedOver,
    /// Silence on the way.
    Stalled,
    /// The carrier says so.
    Carrier,
}

impl DelayKind {
    /// Every kind, in the order in which changes tell them.
    pub const ALL: [Self; 4] = [Self::Late, Self::NotHandedOver, Self::Stalled, Self::Carrier];

    /// Its name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::NotHandedOver => "not_handed_over",
            Self::Stalled => "stalled",
            Self::Carrier => "carrier",
        }
    }
}

/// Who noticed a delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A timer of ours.
    Clock,
    /// The carrier's word.
    Carrier,
}

/// A delay that is open. Each opening has exactly one end: it clears, or its tracker ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Which.
    pub kind: DelayKind,
    /// Who noticed.
    pub cause: Cause,
    /// Since when it is so.
    pub since: Timestamp,
    /// What was expected by when.
    pub expected: Option<Moment>,
    /// What was last seen: the time of the newest scan.
    pub seen: Option<Moment>,
    /// Who must act.
    pub who_must_act: WhoMustAct,
}

/// How the last poll ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PollOutcome {
    /// The carrier knows the parcel.
    Ok,
    /// Not yet, or no more.
    NotFound,
    /// The number cannot be one of this carrier.
    InvalidNumber,
    /// Credentials were refused.
    AuthFailed,
    /// Too many calls.
    Throttled,
    /// The carrier or the way to it failed.
    CarrierFault,
    /// The answer is not of the documented shape.
    Drifted,
}

impl PollOutcome {
    /// Its name in logs, metrics and the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotFound => "not_found",
            Self::InvalidNumber => "invalid_number",
            Self::AuthFailed => "auth_failed",
            Self::Throttled => "throttled",
            Self::CarrierFault => "carrier_fault",
            Self::Drifted => "drifted",
        }
    }
}

/// The shop's own word on where a parcel stands. It holds until something else moves the status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByHand {
    /// Who set it.
    pub who: String,
    /// And why.
    pub why: String,
    /// When, by our clock.
    pub at: Timestamp,
}

/// Where the polling of a tracker stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PollState {
    /// When to poll next; nothing: not polled any more.
    pub next_at: Option<Timestamp>,
    /// The last poll that was answered in any way.
    pub last_at: Option<Timestamp>,
    /// The last answer that told something of it.
    pub last_ok_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<PollOutcome>,
    /// Polls in a row that did not end `ok`.
    pub failures: u32,
    /// [`super::Observation::digest`] of the newest answer; 0 before the first.
    pub digest: u64,
    /// Hash of the bytes of an answer that has this digest; 0 where that is not known.
    pub bytes: u64,
    /// The shop asked to stop polling.
    pub paused: bool,
}

/// The whole state of one parcel.
#[derive(Debug, Clone, PartialEq)]
pub struct Tracker {
    /// Derived from shop, carrier and number.
    pub id: TrackerId,
    /// Whose it is.
    pub shop: ShopId,
    /// Which carrier has it.
    pub carrier: CarrierCode,
    /// The carrier's normalised form of its number.
    pub number: String,
    /// The account that polls it.
    pub account: AccountName,
    /// What the shop told us.
    pub registration: Registration,
    /// When this life was registered.
    pub registered_at: Timestamp,
    /// Guards the commit: rises with each.
    pub revision: u64,
    /// Of its newest change: rises with each.
    pub sequence: u64,
    /// Where it stands.
    pub substatus: Substatus,
    /// Since when, by our clock.
    pub status_since: Timestamp,
    /// When its life ended, by our clock.
    pub ended_at: Option<Timestamp>,
    /// Events not newer than this belong to an older life of the number and are ignored.
    pub floor: Option<Moment>,
    /// When the carrier first knew it.
    pub first_seen_at: Option<Timestamp>,
    /// Parcel-level fields of the newest answer.
    pub facts: Facts,
    /// The parcel-level status of the newest answer: meaning, time, and whether it may win over events.
    pub headline: Option<super::observation::Headline>,
    /// The first estimate ever given, and the answer that gave it.
    pub eta_original: Option<(Timestamp, Moment)>,
    /// All events in merged order, oldest first.
    pub events: Vec<KeptEvent>,
    /// Arrival times of the answers that told something new, oldest first, the last 64.
    pub answers: Vec<Timestamp>,
    /// Open delays.
    pub conditions: Vec<Condition>,
    /// Who set the status that it has, where the shop did.
    pub by_hand: Option<ByHand>,
    /// Polling.
    pub poll: PollState,
}

impl Tracker {
    /// A tracker as it is at the moment of its registration: no events, status `pending/registered`.
    /// Revision and sequence start at the registration's unix milliseconds, so that they never run backwards.
    #[must_use]
    pub fn new(
        id: TrackerId,
        shop: ShopId,
        carrier: CarrierCode,
        number: String,
        account: AccountName,
        registration: Registration,
        now: Timestamp,
    ) -> Self {
        let start = u64::try_from(now.as_millisecond()).unwrap_or(0);
        Self {
            id,
            shop,
            carrier,
            number,
            account,
            registration,
            registered_at: now,
            revision: start,
            sequence: start,
            substatus: Substatus::Registered,
            status_since: now,
            ended_at: None,
            floor: None,
            first_seen_at: None,
            facts: Facts::default(),
            headline: None,
            eta_original: None,
            events: Vec::new(),
            answers: Vec::new(),
            conditions: Vec::new(),
            by_hand: None,
            poll: PollState { next_at: Some(now), ..PollState::default() },
        }
    }
}

/// Why a tracker wants to be looked at again without a carrier call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerKind {
    /// The promise passes.
    Late,
    /// The label is old.
    NotHandedOver,
    /// Silence grows too long.
    Stalled,
    /// Given up for lack of news.
    Expire,
    /// Kept long enough after its end: delete.
    Retention,
}

impl TimerKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Late, Self::NotHandedOver, Self::Stalled, Self::Expire, Self::Retention];

    /// Its name in the `timers` key.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::NotHandedOver => "not_handed_over",
            Self::Stalled => "stalled",
            Self::Expire => "expire",
            Self::Retention => "retention",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
