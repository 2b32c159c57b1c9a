//! What we knew meets what one answer says.
//!
//! The outcome depends on the set of (arrival time, answer) alone: answers may come late, twice or in any order.
//! Each event keeps the first and the last answer that held it and its place in the last one; everything else,
//! the order included, follows from these.

use std::cmp::Ordering;
use std::collections::HashMap;

use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::model::event::{ObservedEvent, Place};
use crate::model::observation::{Headline, Observation};
use crate::model::parcel::Facts;
use crate::model::time::{EventTime, Moment, after};
use crate::model::tracker::{KeptEvent, Tracker};

/// So many arrival times are remembered; what vanished before the oldest of them keeps its `retracted_at`.
const ANSWERS: usize = 64;
/// So many events are read from one answer, the newest ones: a parcel has some dozens.
const EVENTS_IN_ONE_ANSWER: usize = 1000;
/// So many vanished events are kept, those seen last.
const RETRACTED: usize = 500;

/// What makes two events the same one.
#[derive(PartialEq, Eq, Hash)]
struct Identity<'a> {
    code: &'a str,
    raw_time: &'a str,
    place: Option<&'a Place>,
    /// Only where the carrier gives no code.
    text: Option<&'a str>,
}

impl<'a> Identity<'a> {
    fn new(code: &'a str, time: &'a EventTime, place: Option<&'a Place>, text: Option<&'a str>) -> Self {
        Self { code, raw_time: &time.raw, place, text: text.filter(|_| code.is_empty()) }
    }

    fn of_observed(event: &'a ObservedEvent) -> Self {
        Self::new(&event.code, &event.time, event.place.as_ref(), event.description.as_deref())
    }

    fn of_kept(event: &'a KeptEvent) -> Self {
        Self::new(&event.code, &event.time, event.place.as_ref(), event.description.as_deref())
    }
}

/// Whether both are the same event.
#[must_use]
pub(super) fn same_event(a: &KeptEvent, b: &KeptEvent) -> bool {
    Identity::of_kept(a) == Identity::of_kept(b)
}

/// Whether the answer's event is this one.
#[must_use]
pub(super) fn is(kept: &KeptEvent, told: &ObservedEvent) -> bool {
    Identity::of_kept(kept) == Identity::of_observed(told)
}

/// Whether the answer tells anything of this life of the number.
#[must_use]
pub(super) fn tells_something(tracker: &Tracker, answer: &Observation) -> bool {
    !readable(tracker, answer).is_empty() || headline(tracker, answer).is_some()
}

/// Takes the answer into the tracker; gives back where in the new order the events stand that were not known before.
pub(super) fn merge(tracker: &mut Tracker, answer: &Observation) -> Vec<usize> {
    let at = answer.observed_at;
    let newest = match tracker.answers.last() {
        Some(last) => (at, answer.digest) >= (*last, tracker.poll.digest),
        None => true,
    };
    let told = readable(tracker, answer);
    let headline = headline(tracker, answer);
    let of_this_life = tracker.floor.is_none() || !told.is_empty() || headline.is_some();
    let facts = if of_this_life { answer.facts.clone() } else { Facts::default() };
    remember_eta(tracker, &facts, at);
    if newest {
        tracker.facts = facts;
        tracker.headline = headline;
        tracker.poll.digest = answer.digest;
    }
    remember_arrival(&mut tracker.answers, at);
    let known = tracker.events.len();
    take_in(&mut tracker.events, &told, at, newest);
    mark_retracted(&mut tracker.events, &tracker.answers);
    order(&mut tracker.events, known)
}

/// The answer's events of this life, each once, in the carrier's order.
fn readable<'a>(tracker: &Tracker, answer: &'a Observation) -> Vec<&'a ObservedEvent> {
    let from = answer.events.len().saturating_sub(EVENTS_IN_ONE_ANSWER);
    let mut seen = std::collections::HashSet::new();
    answer.events[from..]
        .iter()
        .filter(|event| !of_older_life(&event.time, tracker.floor))
        .filter(|event| seen.insert(Identity::of_observed(event)))
        .collect()
}

/// The answer's headline, unless it speaks of an older life: where one was, a headline without time proves nothing.
fn headline(tracker: &Tracker, answer: &Observation) -> Option<Headline> {
    let headline = answer.headline.as_ref()?;
    let dated = headline.time.as_ref().filter(|time| bounds(time).is_some());
    match (tracker.floor, dated) {
        (None, _) => Some(headline.clone()),
        (floor, Some(time)) => (!of_older_life(time, floor)).then(|| headline.clone()),
        (Some(_), None) => None,
    }
}

/// A new life starts months after the floor, so what might be older than it, is.
fn of_older_life(time: &EventTime, floor: Option<Moment>) -> bool {
    match (bounds(time), floor) {
        // One second more, since a moment is written without its fractions.
        (Some((earliest, _)), Some(floor)) => earliest <= after(floor.passed_at(None), SignedDuration::from_secs(1)),
        _ => false,
    }
}

/// The earliest and the latest instant that the time can mean, wherever on earth its clock hangs.
#[must_use]
pub(super) fn bounds(time: &EventTime) -> Option<(Timestamp, Timestamp)> {
    if let Some(at) = time.utc {
        return Some((at, at));
    }
    let moment = time.moment()?;
    let wall = match moment {
        Moment::Exact(..) => return moment.timestamp().map(|at| (at, at)),
        Moment::Date(date) => date.at(0, 0, 0, 0),
        Moment::Local(at) => at,
    };
    let first_on_earth = TimeZone::fixed(Offset::constant(14));
    let earliest = first_on_earth.to_ambiguous_timestamp(wall).earlier().unwrap_or(Timestamp::MIN);
    Some((earliest, moment.passed_at(None)))
}

fn remember_eta(tracker: &mut Tracker, facts: &Facts, at: Timestamp) {
    let Some(eta) = facts.eta_to.or(facts.eta_from) else { return };
    if tracker.eta_original.is_none_or(|(known_at, _)| at < known_at) {
        tracker.eta_original = Some((at, eta));
    }
}

fn remember_arrival(answers: &mut Vec<Timestamp>, at: Timestamp) {
    if let Err(place) = answers.binary_search(&at) {
        answers.insert(place, at);
    }
    let excess = answers.len().saturating_sub(ANSWERS);
    answers.drain(..excess);
}

/// Known events learn from the answer; unknown ones are put at the end.
fn take_in(events: &mut Vec<KeptEvent>, told: &[&ObservedEvent], at: Timestamp, newest: bool) {
    let mut unknown = Vec::new();
    let mut learnt = Vec::new();
    {
        let known: HashMap<_, _> = events.iter().enumerate().map(|(i, e)| (Identity::of_kept(e), i)).collect();
        for (position, event) in (0_u32..).zip(told) {
            match known.get(&Identity::of_observed(event)) {
                Some(index) => learnt.push((*index, position, *event)),
                None => unknown.push(kept(event, position, at)),
            }
        }
    }
    for (index, position, told) in learnt {
        let event = &mut events[index];
        let first = event.observed_at.min(at);
        if at > event.last_seen || (at == event.last_seen && newest) {
            *event = kept(told, position, at);
        }
        event.observed_at = first;
    }
    events.extend(unknown);
}

fn kept(event: &ObservedEvent, position: u32, at: Timestamp) -> KeptEvent {
    KeptEvent {
        code: event.code.clone(),
        description: event.description.clone(),
        meaning: event.meaning,
        time: event.time.clone(),
        place: event.place.clone(),
        observed_at: at,
        last_seen: at,
        position,
        retracted_at: None,
    }
}

/// An event is retracted by the first known answer after the last one that held it.
fn mark_retracted(events: &mut [KeptEvent], answers: &[Timestamp]) {
    for event in events {
        let next = answers.get(answers.partition_point(|at| *at <= event.last_seen)).copied();
        let before = event.retracted_at.filter(|at| *at > event.last_seen);
        event.retracted_at = match (next, before) {
            (Some(next), Some(before)) => Some(next.min(before)),
            (next, before) => next.or(before),
        };
    }
}

/// Puts the events in order and tells where those stand that were at `known` or later.
///
/// The newest answer's order stands. Events that it lacks are put back answer by answer, newest first: each
/// goes to its place among the events that were in its last answer too, so an answer that only lacks some events
/// leaves the order of all as it was. Among events that came later, time decides where it is certain;
/// otherwise the one that was seen earlier stands earlier.
fn order(events: &mut Vec<KeptEvent>, known: usize) -> Vec<usize> {
    let mut groups: Vec<(usize, KeptEvent)> = std::mem::take(events).into_iter().enumerate().collect();
    groups.sort_by(|(_, a), (_, b)| b.last_seen.cmp(&a.last_seen).then_with(|| place_in_answer(a, b)));
    let mut ordered: Vec<(usize, KeptEvent)> = Vec::with_capacity(groups.len());
    let mut retracted = 0;
    for group in groups.chunk_by(|(_, a), (_, b)| a.last_seen == b.last_seen) {
        if group[0].1.retracted_at.is_some() {
            retracted += group.len();
        }
        if retracted > RETRACTED {
            break;
        }
        put_back(&mut ordered, group);
    }
    let fresh = (0..).zip(&ordered).filter(|(_, (index, _))| *index >= known).map(|(place, _)| place).collect();
    events.extend(ordered.into_iter().map(|(_, event)| event));
    fresh
}

/// By position; the rest only matters where two answers came at the very same instant.
fn place_in_answer(a: &KeptEvent, b: &KeptEvent) -> Ordering {
    a.position.cmp(&b.position).then_with(|| tie(a).cmp(&tie(b)))
}

fn tie(event: &KeptEvent) -> (Timestamp, &str, &str, Option<&str>) {
    (event.observed_at, &event.code, &event.time.raw, event.description.as_deref())
}

fn put_back(ordered: &mut Vec<(usize, KeptEvent)>, group: &[(usize, KeptEvent)]) {
    let Some(answer) = group.first().map(|(_, event)| event.last_seen) else { return };
    let was_there = |event: &KeptEvent| event.observed_at <= answer;
    let mut from = 0;
    let mut companions = 0;
    for (earlier_ones, (index, event)) in group.iter().enumerate() {
        // So many of those that stand in the list already were before it in its answer.
        let wanted = (event.position as usize).saturating_sub(earlier_ones);
        while companions < wanted {
            let Some(step) = ordered[from..].iter().position(|(_, e)| was_there(e)) else { break };
            companions += 1;
            from += step + 1;
        }
        let gap = ordered[from..].iter().take_while(|(_, e)| !was_there(e)).count();
        let place = from + place_among_later(event, &ordered[from..from + gap]);
        ordered.insert(place, (*index, event.clone()));
        from = place + 1;
    }
}

/// Where it goes among events that came later. What does not move the status must not weigh here, or an unknown
/// code could turn the order of those that do; it only refines the place between two of them.
fn place_among_later(event: &KeptEvent, later: &[(usize, KeptEvent)]) -> usize {
    let moves = |(_, other): &(usize, KeptEvent)| other.meaning.substatus().is_some();
    let certainly = |(_, other): &(usize, KeptEvent), order| event.time.certain_cmp(&other.time) == Some(order);
    let reach = later.iter().position(|o| moves(o) && certainly(o, Ordering::Less)).unwrap_or(later.len());
    let after_last = |range: &[(usize, KeptEvent)], weighs: &dyn Fn(&(usize, KeptEvent)) -> bool| {
        range.iter().rposition(|o| weighs(o) && certainly(o, Ordering::Greater)).map_or(0, |place| place + 1)
    };
    let place = after_last(&later[..reach], &moves);
    let still = later[place..].iter().take_while(|o| !moves(o)).count();
    place + after_last(&later[place..place + still], &|_| true)
}
