//! One parcel node of an answer becomes an observation.

use std::cmp::Ordering;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::Value;

use super::codes::{Asked, look_up};
use super::fields::Fields;
use super::text::{DESCRIPTION, SHORT};
use super::time::{self, Zones};
use super::trace::Trace;
use crate::carrier::definition::answer::codes::{CodeLookup, LookupOf};
use crate::carrier::definition::answer::{EventMap, MapSpec, Order};
use crate::carrier::expr::Scope;
use crate::model::{EventTime, Headline, Local, Meaning, Observation, ObservedEvent, Place};

/// Events kept of one answer: the newest.
const MAX_EVENTS: usize = 500;
/// Rows looked at: a hostile answer must not keep a daemon busy.
const MAX_ROWS: usize = 2_000;

/// What maps the parcels of one carrier.
#[derive(Debug, Clone, Copy)]
pub struct Mapper<'a> {
    /// Where the fields are.
    pub map: &'a MapSpec,
    /// What the codes mean.
    pub codes: &'a [CodeLookup],
    /// The carrier's zone.
    pub zone: Option<&'a TimeZone>,
}

impl Mapper<'_> {
    /// Maps a parcel. `scope` knows it as `p` and has it in focus.
    ///
    /// # Errors
    /// A sentence, when the node is not of the documented shape.
    pub fn observe(
        &self,
        scope: &Scope<'_>,
        observed_at: Timestamp,
        digest: u64,
        trace: &mut Trace,
    ) -> Result<Observation, String> {
        let zones = Zones { group: None, carrier: self.zone, country: None };
        let facts = Fields::new(scope, zones, trace).facts(&self.map.parcel);
        let headline = self.headline(scope, zones, trace);
        let events = match &self.map.events {
            Some(map) => self.events(map, scope, trace)?,
            None => Vec::new(),
        };
        Ok(Observation { observed_at, digest, facts, headline, events })
    }

    fn headline(&self, scope: &Scope<'_>, zones: Zones<'_>, trace: &mut Trace) -> Option<Headline> {
        let map = self.map.headline.as_ref();
        let own = self.codes.iter().any(|lookup| lookup.of.serves(LookupOf::Headline));
        if !own && map.is_none_or(|map| map.on.is_none()) {
            return None;
        }
        // A headline in the events' own codes needs no table of its own.
        let asked = Asked {
            what: if own { LookupOf::Headline } else { LookupOf::Event },
            usual: map.and_then(|map| map.on.as_ref()),
            usual_only: !own,
            explain: trace.is_on(),
        };
        let found = look_up(self.codes, asked, scope);
        let meaning = found.meaning.unwrap_or(Meaning::Unmapped);
        trace.meaning("headline", found, || meaning_value(meaning));
        let substatus = meaning.substatus()?;
        let time = map.and_then(|map| map.time.as_ref()).map(|spec| time::read(spec, scope, zones).0);
        let time = time.filter(|time| time.local.is_some());
        Some(Headline { substatus, time, authoritative: map.is_some_and(|map| map.headline) })
    }

    fn events(&self, map: &EventMap, scope: &Scope<'_>, trace: &mut Trace) -> Result<Vec<ObservedEvent>, String> {
        let Some(source) = &map.list else { return Ok(Vec::new()) };
        let Some(nodes) = source.objects(scope) else { return Ok(Vec::new()) };
        if nodes.is_empty() && !source.eval(scope).is_none_or(|list| is_hollow(&list)) {
            return Err("the list of events holds no objects".to_owned());
        }
        let mut events = Vec::with_capacity(nodes.len().min(MAX_EVENTS));
        let (mut kept, first_step) = (0, trace.len());
        let oldest_first = map.order == Order::OldestFirst;
        let skipped = if oldest_first { nodes.len().saturating_sub(MAX_ROWS) } else { 0 };
        for (at, node) in nodes.iter().enumerate().skip(skipped).take(MAX_ROWS) {
            let inner = scope.inside().with("e", node).focus(node);
            if map.r#where.as_ref().is_some_and(|keep| !keep.holds(&inner)) {
                continue;
            }
            kept += 1;
            events.extend(self.event(map, &inner, at, trace).map(|event| (at, event)));
        }
        if events.is_empty() && kept > 0 {
            return Err(format!("none of {kept} events has a code, a text or a time where we look for them"));
        }
        match map.order {
            Order::NewestFirst => events.reverse(),
            Order::OldestFirst => {}
            Order::Unordered => events.sort_by(|(_, a), (_, b)| by_time(&a.time, &b.time)),
        }
        if map.order != Order::Unordered && runs_backwards(&events) {
            events.reverse();
        }
        let surplus = events.len().saturating_sub(MAX_EVENTS);
        events.drain(..surplus);
        if trace.is_on() {
            trace.number_events(first_step, &events.iter().map(|(at, _)| *at).collect::<Vec<_>>());
        }
        Ok(events.into_iter().map(|(_, event)| event).collect())
    }

    fn event(&self, map: &EventMap, scope: &Scope<'_>, at: usize, trace: &mut Trace) -> Option<ObservedEvent> {
        let outer = trace.nested(|| format!("events[{at}]."));
        let mut fields = Fields::new(scope, Zones::default(), trace);
        let code = fields.text("code", map.code.as_ref(), SHORT);
        let description = fields.text("description", map.description.as_ref(), DESCRIPTION);
        let place = fields.place("place", &map.place);
        let time = self.event_time(map, scope, place.as_ref(), trace);
        let asked =
            Asked { what: LookupOf::Event, usual: map.code.as_ref(), usual_only: false, explain: trace.is_on() };
        let found = look_up(self.codes, asked, scope);
        let meaning = found.meaning.unwrap_or(Meaning::Unmapped);
        trace.meaning("meaning", found, || meaning_value(meaning));
        trace.restore(outer);
        if code.is_none() && description.is_none() && time.local.is_none() {
            return None;
        }
        Some(ObservedEvent { code: code.unwrap_or_default(), description, meaning, time, place })
    }

    fn event_time(&self, map: &EventMap, scope: &Scope<'_>, place: Option<&Place>, trace: &mut Trace) -> EventTime {
        let country = place.and_then(|place| place.country.as_deref());
        let zones = Zones { group: map.zone.as_ref(), carrier: self.zone, country };
        let (time, form) = time::read(&map.time, scope, zones);
        let source = form.map(|form| format!("form {form}"));
        let source = source.as_ref().map(|source| source as &dyn std::fmt::Display);
        trace.line("time", source, || serde_json::to_value(&time).unwrap_or(Value::Null));
        time
    }
}

fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.iter().all(is_hollow),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

fn meaning_value(meaning: Meaning) -> Value {
    match meaning {
        Meaning::Moves(substatus, _) => Value::from(substatus.name()),
        Meaning::Note => Value::from("note"),
        Meaning::Unmapped => Value::from("unmapped"),
    }
}

/// Whether every time says that a list came in the other order than the documented one: none is later than the one
/// before it. Wall clocks of several zones can deceive, so without instants the list has to span more than any two
/// zones are apart.
fn runs_backwards(events: &[(usize, ObservedEvent)]) -> bool {
    let times = || events.iter().map(|(_, event)| &event.time);
    let (Some(first), Some(last)) = (times().next().and_then(clock), times().next_back().and_then(clock)) else {
        return false;
    };
    let instants = times().filter(|time| time.utc.is_some()).count();
    let least = if instants == events.len() { Span::new() } else { Span::new().hours(26) };
    let falls = || times().map(clock).is_sorted_by(|before, after| after.is_some() && after <= before);
    (instants == 0 || instants == events.len()) && last.checked_add(least).is_ok_and(|bound| first > bound) && falls()
}

/// Order of events of a carrier that has none: one clock for all of them, so that the order is total. Instants
/// where both have one would not be: three events of which one has none could stand in a ring.
fn by_time(a: &EventTime, b: &EventTime) -> Ordering {
    clock(a).cmp(&clock(b))
}

/// A time on one clock with all others of its carrier, as well as it is known.
fn clock(time: &EventTime) -> Option<DateTime> {
    match (time.utc, time.local) {
        (Some(utc), _) => Some(jiff::tz::Offset::UTC.to_datetime(utc)),
        (None, Some(Local::DateTime(at))) => Some(at),
        (None, Some(Local::Date(date))) => Some(date.at(0, 0, 0, 0)),
        (None, None) => None,
    }
}
