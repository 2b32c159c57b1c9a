//! The parcel as everybody outside sees it, and the exact bytes of a change's `data`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::change::{ChangeKind, NewChange};
use crate::model::event::{Event, Meaning};
use crate::model::ids::{CarrierCode, TrackerId};
use crate::model::observation::Observation;
use crate::model::parcel::{Eta, Facts, Parcel};
use crate::model::status::{Direction, Status, Substatus};
use crate::model::time::Moment;
use crate::model::tracker::{Cause, Condition, DelayKind, Destination, KeptEvent, OrderRef, Promise, Tracker};
use crate::model::{Registration, WhoMustAct};

use super::delays::Reason;
use super::status::{Basis, standing};

/// The parcel with its whole history.
#[must_use]
pub fn parcel(tracker: &Tracker) -> Parcel {
    with_events(tracker, tracker.events.iter().map(event).collect())
}

/// What one answer alone would make of a parcel, for a look at a carrier's answer without a store.
#[must_use]
pub fn preview(carrier: &CarrierCode, number: &str, observation: &Observation) -> Parcel {
    let mut alone = Tracker::new(
        TrackerId::from_bytes([0; 16]),
        nobody(),
        carrier.clone(),
        number.to_owned(),
        nobody(),
        Registration::default(),
        observation.observed_at,
    );
    super::merge::merge(&mut alone, observation);
    if let Some(substatus) = standing(&alone.events, alone.headline.as_ref()).substatus {
        alone.substatus = substatus;
    }
    parcel(&alone)
}

/// A name for a preview, which belongs to nobody.
fn nobody<N: std::str::FromStr>() -> N
where
    N::Err: std::fmt::Debug,
{
    "preview".parse().expect("seven lower-case letters are a good name")
}

fn with_events(tracker: &Tracker, events: Vec<Event>) -> Parcel {
    let facts = tracker.facts.clone();
    let attempts: Vec<&KeptEvent> = tracker.events.iter().filter(|e| is_status(e, Status::AttemptFailed)).collect();
    let counted = u32::try_from(attempts.len()).unwrap_or(u32::MAX);
    Parcel {
        number: tracker.number.clone(),
        carrier: tracker.carrier.clone(),
        status: tracker.substatus.status(),
        substatus: tracker.substatus,
        who_must_act: tracker.substatus.who_must_act(tracker.registration.direction),
        service: facts.service.clone(),
        eta: eta(tracker),
        delivered_at: facts.delivered_at.or_else(|| delivered_at(tracker)),
        delivered_to: facts.delivered_to,
        attempts: facts.attempts.unwrap_or(counted),
        first_attempt_at: attempts.first().and_then(|event| event.time.moment()),
        pickup: facts.pickup,
        partner: facts.partner,
        pieces: facts.pieces,
        charges: facts.charges,
        weight: facts.weight,
        origin: facts.origin,
        destination: facts.destination,
        proof: facts.proof,
        public_url: facts.public_url,
        events,
    }
}

fn is_status(event: &KeptEvent, status: Status) -> bool {
    event.meaning.substatus().is_some_and(|s| s.status() == status)
}

fn eta(tracker: &Tracker) -> Option<Eta> {
    let Facts { eta_from: from, eta_to: to, .. } = tracker.facts;
    let original = tracker.eta_original.map(|(_, moment)| moment);
    (from.is_some() || to.is_some() || original.is_some()).then_some(Eta { from, to, original })
}

/// The first event of the run of deliveries that the status rests on: a later one only tells more of it.
fn delivered_at(tracker: &Tracker) -> Option<Moment> {
    if tracker.substatus.status() != Status::Delivered {
        return None;
    }
    let path = standing(&tracker.events, tracker.headline.as_ref());
    let run = path.path.iter().rev().map(|index| &tracker.events[*index]);
    let first = run.take_while(|event| is_status(event, Status::Delivered)).last();
    match (first, path.basis) {
        (Some(event), _) => event.time.moment(),
        (None, Basis::Headline) => tracker.headline.as_ref()?.time.as_ref()?.moment(),
        (None, _) => None,
    }
}

/// An event in the public shape.
fn event(kept: &KeptEvent) -> Event {
    let substatus = kept.meaning.substatus();
    Event {
        code: (!kept.code.is_empty()).then(|| kept.code.clone()),
        description: kept.description.clone(),
        status: substatus.map(Substatus::status),
        substatus,
        effect: Meaning::effect(kept.meaning),
        time: kept.time.clone(),
        place: kept.place.clone(),
        observed_at: kept.observed_at,
        retracted_at: kept.retracted_at,
    }
}

/// A change before it is written: what is particular to it.
#[derive(Debug)]
pub(super) struct Draft {
    pub kind: ChangeKind,
    /// When it happened, as far as known.
    pub occurred_at: Option<Moment>,
    /// When we saw it.
    pub observed_at: Timestamp,
    pub before: Option<Substatus>,
    pub passed: Vec<Status>,
    pub delay: Option<(Condition, Option<Reason>)>,
    /// Start and end of the estimate that was.
    pub eta_before: Option<(Option<Moment>, Option<Moment>)>,
    /// Who set it by hand, and why.
    pub by_hand: Option<(String, String)>,
    /// The places of the events it is about.
    pub events: Vec<usize>,
}

impl Draft {
    pub(super) fn new(kind: ChangeKind, occurred_at: Option<Moment>, observed_at: Timestamp) -> Self {
        Self {
            kind,
            occurred_at,
            observed_at,
            before: None,
            passed: Vec::new(),
            delay: None,
            eta_before: None,
            by_hand: None,
            events: Vec::new(),
        }
    }
}

#[derive(Serialize)]
struct Data<'a> {
    sequence: u64,
    occurred_at: Option<Moment>,
    observed_at: Timestamp,
    backfill: bool,
    tracker: TrackerData<'a>,
    before: Option<StatusData>,
    passed: &'a [Status],
    delay: Option<DelayData>,
    eta_before: Option<WindowData>,
    by_hand: Option<HandData<'a>>,
    parcel: Option<Parcel>,
}

#[derive(Serialize)]
struct TrackerData<'a> {
    id: &'a TrackerId,
    carrier: &'a CarrierCode,
    number: &'a str,
    orders: &'a [OrderRef],
    customer_ref: Option<&'a str>,
    direction: Direction,
    promised: Option<&'a Promise>,
    destination: Option<&'a Destination>,
    tags: &'a [String],
    metadata: &'a BTreeMap<String, String>,
    locale: Option<&'a str>,
    registered_at: Timestamp,
}

#[derive(Serialize)]
struct StatusData {
    status: Status,
    substatus: Substatus,
}

#[derive(Serialize)]
struct DelayData {
    kind: DelayKind,
    cause: Cause,
    since: Timestamp,
    expected: Option<Moment>,
    seen: Option<Moment>,
    who_must_act: WhoMustAct,
    /// How it ended; nothing while it is open.
    reason: Option<Reason>,
}

#[derive(Serialize)]
struct WindowData {
    from: Option<Moment>,
    to: Option<Moment>,
}

#[derive(Serialize)]
struct HandData<'a> {
    who: &'a str,
    why: &'a str,
}

/// Writes the change. `tracker` is the state after the commit, and its `sequence` that of this change.
pub(super) fn change(tracker: &Tracker, draft: &Draft) -> NewChange {
    let erased = draft.kind == ChangeKind::Deleted;
    let about = draft.events.iter().filter_map(|index| tracker.events.get(*index)).map(event).collect();
    let data = Data {
        sequence: tracker.sequence,
        occurred_at: draft.occurred_at,
        observed_at: draft.observed_at,
        backfill: draft.occurred_at.is_some_and(|at| at.passed_at(None) < tracker.registered_at),
        tracker: tracker_data(tracker),
        before: draft.before.map(|substatus| StatusData { status: substatus.status(), substatus }),
        passed: &draft.passed,
        delay: draft.delay.as_ref().map(|(condition, reason)| delay_data(condition, *reason)),
        eta_before: draft.eta_before.map(|(from, to)| WindowData { from, to }),
        by_hand: draft.by_hand.as_ref().map(|(who, why)| HandData { who, why }),
        parcel: (!erased).then(|| with_events(tracker, about)),
    };
    let data = serde_json::to_string(&data).expect("plain fields and text keys are always writable as JSON");
    NewChange { kind: draft.kind, sequence: tracker.sequence, data }
}

fn tracker_data(tracker: &Tracker) -> TrackerData<'_> {
    let told = &tracker.registration;
    TrackerData {
        id: &tracker.id,
        carrier: &tracker.carrier,
        number: &tracker.number,
        orders: &told.orders,
        customer_ref: told.customer_ref.as_deref(),
        direction: told.direction,
        promised: told.promised.as_ref(),
        destination: told.destination.as_ref(),
        tags: &told.tags,
        metadata: &told.metadata,
        locale: told.locale.as_deref(),
        registered_at: tracker.registered_at,
    }
}

fn delay_data(condition: &Condition, reason: Option<Reason>) -> DelayData {
    DelayData {
        kind: condition.kind,
        cause: condition.cause,
        since: condition.since,
        expected: condition.expected,
        seen: condition.seen,
        who_must_act: condition.who_must_act,
        reason,
    }
}
