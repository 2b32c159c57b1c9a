//! What the tests of this room share: a parcel's life in a few words.

#![expect(clippy::unnecessary_wraps, reason = "helpers give what a field takes, and most fields are optional")]

mod docs;
mod examples;
mod lives;
mod properties;
mod tables;

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::model::event::{Meaning, ObservedEvent, Place, Rule};
use crate::model::ids::TrackerId;
use crate::model::observation::{Headline, Observation};
use crate::model::parcel::Facts;
use crate::model::status::Substatus;
use crate::model::time::{EventTime, Local, Moment, Precision, ZoneSource, from_millis};
use crate::model::tracker::{Promise, Registration, Tracker};

use super::{Advance, Input, Rules, advance};

/// Monday, 2026-11-23, 08:00 UTC: when the parcels of the tests are registered.
const START: i64 = 1_795_420_800_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// So long after the registration.
fn at(after: i64) -> Timestamp {
    from_millis(START + after)
}

fn time(at: Timestamp) -> EventTime {
    let wall = Offset::UTC.to_datetime(at);
    EventTime {
        raw: at.to_string(),
        local: Some(Local::DateTime(wall)),
        precision: Some(Precision::Second),
        offset: Some(Offset::UTC),
        utc: Some(at),
        zone_source: ZoneSource::Carrier,
    }
}

/// A time that is no more than a wall clock somewhere.
fn wall(text: &str) -> EventTime {
    EventTime { raw: text.to_owned(), local: text.parse().ok(), ..EventTime::default() }
}

fn event(code: &str, meaning: Meaning, time: EventTime) -> ObservedEvent {
    ObservedEvent { code: code.to_owned(), description: None, meaning, time, place: None }
}

fn scan(substatus: Substatus, happened: i64) -> ObservedEvent {
    event(substatus.name(), Meaning::Moves(substatus, Rule::Plain), time(at(happened)))
}

fn ruled(substatus: Substatus, rule: Rule, happened: i64) -> ObservedEvent {
    event(&format!("{substatus}/{rule:?}"), Meaning::Moves(substatus, rule), time(at(happened)))
}

fn unmapped(happened: i64) -> ObservedEvent {
    event("X99", Meaning::Unmapped, time(at(happened)))
}

fn note(happened: i64) -> ObservedEvent {
    event("SMS", Meaning::Note, time(at(happened)))
}

fn answer(arrived: i64, events: &[ObservedEvent]) -> Observation {
    Observation {
        observed_at: at(arrived),
        digest: u64::try_from(arrived).unwrap() + 1,
        facts: Facts::default(),
        headline: None,
        events: events.to_vec(),
    }
}

fn headline(substatus: Substatus, happened: Option<i64>, authoritative: bool) -> Option<Headline> {
    Some(Headline { substatus, time: happened.map(|h| time(at(h))), authoritative })
}

fn place(country: &str) -> Option<Place> {
    Some(Place { country: Some(country.to_owned()), ..Place::default() })
}

fn promise(to: &str, zone: Option<&str>) -> Option<Promise> {
    Some(Promise { from: None, to: to.parse().unwrap(), zone: zone.map(str::to_owned) })
}

fn rules() -> Rules {
    Rules::default()
}

fn tracker_with(registration: Registration) -> Tracker {
    Tracker::new(
        TrackerId::from_bytes([7; 16]),
        "shop".parse().unwrap(),
        "ups".parse().unwrap(),
        "1Z999".to_owned(),
        "ups-main".parse().unwrap(),
        registration,
        at(0),
    )
}

fn tracker() -> Tracker {
    tracker_with(Registration::default())
}

/// A parcel and all that was told of it.
struct Life {
    tracker: Tracker,
    last: Advance,
    told: Vec<(String, Value)>,
}

impl Life {
    fn new(registration: Registration) -> Self {
        let tracker = tracker_with(registration);
        let last = advance(&tracker, Input::Registered, at(0), &rules());
        let mut life = Self { tracker, last: last.clone(), told: Vec::new() };
        life.take(last);
        life
    }

    /// A parcel that the carrier told these events of when it was registered.
    fn seen(events: &[ObservedEvent]) -> Self {
        let mut life = Self::new(Registration::default());
        life.answer(MINUTE, events);
        life
    }

    fn take(&mut self, next: Advance) -> Vec<String> {
        let mut names = Vec::new();
        for change in &next.changes {
            assert!(change.sequence > self.tracker.sequence, "sequences rise");
            let data: Value = serde_json::from_str(&change.data).unwrap();
            assert_eq!(data["sequence"], change.sequence);
            names.push(change.kind.to_string());
            self.told.push((change.kind.to_string(), data));
        }
        self.tracker = next.tracker.clone();
        self.last = next;
        names
    }

    fn input(&mut self, input: Input<'_>, now: i64) -> Vec<String> {
        let next = advance(&self.tracker, input, at(now), &rules());
        self.take(next)
    }

    fn observe(&mut self, observation: &Observation) -> Vec<String> {
        let next = advance(&self.tracker, Input::Answer(observation), observation.observed_at, &rules());
        self.take(next)
    }

    fn answer(&mut self, arrived: i64, events: &[ObservedEvent]) -> Vec<String> {
        self.observe(&answer(arrived, events))
    }

    fn clock(&mut self, now: i64) -> Vec<String> {
        self.input(Input::Clock, now)
    }

    /// The newest change of this type.
    fn told(&self, kind: &str) -> &Value {
        self.told.iter().rev().find(|(name, _)| name == kind).map_or(&Value::Null, |(_, data)| data)
    }

    fn timer(&self, kind: crate::model::TimerKind) -> Option<Timestamp> {
        self.last.timers.iter().find(|(k, _)| *k == kind).map(|(_, at)| *at)
    }
}

fn moment(text: &str) -> Moment {
    text.parse().unwrap()
}

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}
