//! The ledger of a receiver: each delivery as it came in.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::simulator::time::Moment;

/// Deliveries kept before the oldest are forgotten.
const KEPT: usize = 500_000;

/// One event in a delivery: as much of it as is needed to find its scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArrivedEvent {
    /// The carrier's code, if it has one.
    pub code: Option<String>,
    /// The words.
    pub text: Option<String>,
    /// The time as the carrier wrote it.
    pub raw_time: Option<String>,
    /// Everything that is said of the place, in one line.
    pub place: String,
}

/// One delivery.
#[derive(Debug, Clone, Serialize)]
pub struct Arrival {
    /// When it came in.
    pub at: Moment,
    /// Which endpoint of the receiver.
    pub endpoint: String,
    /// `webhook-id`.
    pub id: String,
    /// Type of the change.
    pub kind: String,
    /// Tracker, or empty.
    pub subject: String,
    /// Carrier code.
    pub carrier: String,
    /// Tracking number.
    pub number: String,
    /// Place of the change in its tracker's order.
    pub sequence: Option<u64>,
    /// Status before the change.
    pub before: Option<String>,
    /// Status after it.
    pub status: Option<String>,
    /// Substatus after it.
    pub substatus: Option<String>,
    /// Kind of the delay, for changes about one.
    pub delay: Option<String>,
    /// The events that it is about.
    pub events: Vec<ArrivedEvent>,
    /// Why the delivery cannot be trusted; `None` when it is verified.
    pub problem: Option<&'static str>,
    /// True when the id had not come to this endpoint before.
    pub first: bool,
    /// False when the id came before with other bytes.
    pub same_bytes: bool,
    /// The status it was answered with; 0 when it got no whole answer.
    pub answered: u16,
    #[serde(skip)]
    hash: [u8; 32],
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Envelope {
    id: String,
    r#type: String,
    data: Data,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Data {
    sequence: Option<u64>,
    tracker: Option<Tracker>,
    before: Option<Status>,
    delay: Option<Delay>,
    parcel: Option<Parcel>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Tracker {
    id: String,
    carrier: Option<String>,
    number: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    status: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Delay {
    kind: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Parcel {
    number: Option<String>,
    carrier: Option<String>,
    status: Option<String>,
    substatus: Option<String>,
    events: Vec<Event>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Event {
    code: Option<String>,
    description: Option<String>,
    time: Option<Time>,
    place: Option<std::collections::BTreeMap<String, serde_json::Value>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Time {
    raw: Option<String>,
}

impl Arrival {
    /// Reads a delivery. A body that cannot be read is one that cannot be trusted.
    pub(in crate::simulator) fn read(
        at: Moment,
        endpoint: &str,
        headers: &HeaderMap,
        body: &[u8],
        verdict: Result<(), &'static str>,
        answered: u16,
    ) -> Self {
        let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        let parsed = serde_json::from_slice::<Envelope>(body);
        let problem = match (&verdict, &parsed) {
            (Err(problem), _) => Some(*problem),
            (Ok(()), Err(_)) => Some("the body is not the documented JSON"),
            (Ok(()), Ok(envelope)) if !envelope.id.is_empty() && envelope.id != id => Some("the body names another id"),
            (Ok(()), Ok(_)) => None,
        };
        let Envelope { r#type: kind, data, .. } = parsed.unwrap_or_default();
        let Data { sequence, tracker, before, delay, parcel } = data;
        let (tracker, parcel) = (tracker.unwrap_or_default(), parcel.unwrap_or_default());
        let events = parcel.events.into_iter().map(|event| ArrivedEvent {
            code: event.code,
            text: event.description,
            raw_time: event.time.and_then(|time| time.raw),
            place: event
                .place
                .iter()
                .flat_map(|place| place.values())
                .filter_map(|part| part.as_str())
                .collect::<Vec<_>>()
                .join(" "),
        });
        Self {
            at,
            endpoint: endpoint.to_owned(),
            id: id.to_owned(),
            kind,
            subject: tracker.id,
            carrier: tracker.carrier.or(parcel.carrier).unwrap_or_default(),
            number: tracker.number.or(parcel.number).unwrap_or_default(),
            sequence,
            before: before.and_then(|before| before.status),
            status: parcel.status,
            substatus: parcel.substatus,
            delay: delay.and_then(|delay| delay.kind),
            events: events.collect(),
            problem,
            first: true,
            same_bytes: true,
            answered,
            hash: Sha256::digest(body).into(),
        }
    }

    /// True when its signature and shape are right.
    pub fn verified(&self) -> bool {
        self.problem.is_none()
    }

    /// True when the shop took it: a later repeat would be a duplicate.
    pub fn accepted(&self) -> bool {
        (200..300).contains(&self.answered)
    }

    /// True for the changes whose events are told there for the first time.
    pub fn brings_events(&self) -> bool {
        matches!(self.kind.as_str(), "tracker.first_seen" | "tracker.event_added")
    }
}

#[derive(Debug, Default)]
struct Pages {
    arrivals: VecDeque<Arrival>,
    forgotten: u64,
    bytes: HashMap<(String, String), [u8; 32]>,
}

/// All deliveries. Cheap to share.
#[derive(Debug, Clone, Default)]
pub struct Arrivals(Arc<Mutex<Pages>>);

impl Arrivals {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a delivery, and whether it is a repeat.
    pub(in crate::simulator) fn add(&self, mut arrival: Arrival) -> Arrival {
        let mut pages = self.pages();
        let key = (arrival.endpoint.clone(), arrival.id.clone());
        match pages.bytes.get(&key) {
            Some(known) => {
                arrival.first = false;
                arrival.same_bytes = *known == arrival.hash;
            }
            None if pages.bytes.len() < KEPT => {
                pages.bytes.insert(key, arrival.hash);
            }
            None => {}
        }
        if pages.arrivals.len() >= KEPT {
            pages.arrivals.pop_front();
            pages.forgotten += 1;
        }
        pages.arrivals.push_back(arrival.clone());
        arrival
    }

    /// A copy of all that is kept, in the order of arrival.
    pub fn all(&self) -> Vec<Arrival> {
        self.pages().arrivals.iter().cloned().collect()
    }

    /// How many deliveries came in, repeats included.
    pub fn count(&self) -> u64 {
        let pages = self.pages();
        pages.forgotten + pages.arrivals.len() as u64
    }

    /// True when nothing was forgotten for lack of room.
    pub fn is_whole(&self) -> bool {
        self.pages().forgotten == 0
    }

    /// Copies of the deliveries that satisfy a condition.
    pub fn matching(&self, condition: impl Fn(&Arrival) -> bool) -> Vec<Arrival> {
        self.pages().arrivals.iter().filter(|arrival| condition(arrival)).cloned().collect()
    }
}
