//! Delays: conditions that open and close on top of a status, and the timers that find them without a carrier call.
//!
//! Each kind is judged from the state and `now` alone. An opening is told once and ends once: it clears, or the
//! tracker's life ends while it still holds.

use jiff::{SignedDuration, Timestamp};

use crate::model::event::{Meaning, Rule};
use crate::model::status::{Direction, End, Status, Substatus, WhoMustAct};
use crate::model::time::{Moment, Precision, after};
use crate::model::tracker::{Cause, Condition, DelayKind, KeptEvent, PollOutcome, TimerKind, Tracker};

use super::merge::bounds;
use super::{Rules, workdays, zones};

/// How an open condition ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reason {
    /// What was missing came, or is no longer missing.
    Cleared,
    /// The tracker's life ended while it held.
    Ended,
}

/// What became of the conditions.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Those that are open now.
    pub open: Vec<Condition>,
    /// Those among them that opened just now.
    pub opened: Vec<Condition>,
    /// Those that ended just now.
    pub closed: Vec<(Condition, Reason)>,
}

/// How one kind stands, whatever stood before.
enum Verdict {
    /// It does not apply.
    No,
    /// It will open then, if nothing comes.
    From(Timestamp),
    /// It holds.
    Holds { since: Timestamp, expected: Option<Moment> },
    /// Nothing is known that could open or close it.
    AsBefore,
}

/// Judges every kind; `tracker` carries the conditions that were open before.
#[must_use]
pub(super) fn judge(tracker: &Tracker, now: Timestamp, rules: &Rules) -> Judged {
    let ended = tracker.substatus.end() != End::GoesOn;
    let mut judged = Judged::default();
    for kind in DelayKind::ALL {
        let was = tracker.conditions.iter().find(|condition| condition.kind == kind);
        match (was, verdict(kind, tracker, now, rules)) {
            (Some(was), Verdict::Holds { .. } | Verdict::AsBefore) if !ended => judged.open.push(was.clone()),
            (Some(was), Verdict::Holds { .. } | Verdict::AsBefore) => judged.closed.push((was.clone(), Reason::Ended)),
            (Some(was), Verdict::No | Verdict::From(_)) => {
                let reason = if ended && !ended_by_news(kind, tracker) { Reason::Ended } else { Reason::Cleared };
                judged.closed.push((was.clone(), reason));
            }
            (None, Verdict::Holds { since, expected }) if !ended => {
                let condition = condition(kind, tracker, since, expected);
                judged.open.push(condition.clone());
                judged.opened.push(condition);
            }
            (None, _) => {}
        }
    }
    judged
}

/// The complete set of timers of this state, none before `now`.
#[must_use]
pub(super) fn timers(tracker: &Tracker, now: Timestamp, rules: &Rules) -> Vec<(TimerKind, Timestamp)> {
    let mut timers = Vec::new();
    if let Some(at) = retention_at(tracker, now, rules) {
        timers.push((TimerKind::Retention, at));
    }
    if tracker.substatus.end() == End::GoesOn {
        for kind in DelayKind::ALL {
            let open = is_open(kind, tracker);
            if let (false, Verdict::From(at), Some(timer)) = (open, verdict(kind, tracker, now, rules), timer_of(kind))
            {
                timers.push((timer, at.max(now)));
            }
        }
        timers.push((TimerKind::Expire, expires_at(tracker, rules).max(now)));
    }
    timers.retain(|(_, at)| *at < Timestamp::MAX);
    timers
}

const fn timer_of(kind: DelayKind) -> Option<TimerKind> {
    match kind {
        DelayKind::Late => Some(TimerKind::Late),
        DelayKind::NotHandedOver => Some(TimerKind::NotHandedOver),
        DelayKind::Stalled => Some(TimerKind::Stalled),
        DelayKind::Carrier => None,
    }
}

/// When an ended tracker has been kept long enough. Past due it asks again within the hour, should it have been
/// missed, and never at once.
fn retention_at(tracker: &Tracker, now: Timestamp, rules: &Rules) -> Option<Timestamp> {
    let due = after(tracker.ended_at?, rules.retention);
    Some(if due > now { due } else { after(now, SignedDuration::from_hours(1)) })
}

/// When a silent tracker is given up. Silence before we followed it, or before it was last set, does not count.
#[must_use]
pub(super) fn expires_at(tracker: &Tracker, rules: &Rules) -> Timestamp {
    let anchor = last_news(tracker).max(tracker.registered_at).max(tracker.status_since);
    after(anchor, rules.expire_after)
}

/// A life ended by the clock, the shop or a cancellation clears nothing that was missing.
fn ended_by_news(kind: DelayKind, tracker: &Tracker) -> bool {
    kind == DelayKind::Late
        || !matches!(tracker.substatus.status(), Status::Expired | Status::Pending | Status::Cancelled)
}

fn condition(kind: DelayKind, tracker: &Tracker, since: Timestamp, expected: Option<Moment>) -> Condition {
    let cause = if kind == DelayKind::Carrier { Cause::Carrier } else { Cause::Clock };
    let direction = tracker.registration.direction;
    let who_must_act = match (kind, tracker.substatus.who_must_act(direction)) {
        (DelayKind::NotHandedOver, _) if direction == Direction::Return => WhoMustAct::Recipient,
        (DelayKind::NotHandedOver, _) => WhoMustAct::Shop,
        (_, WhoMustAct::Nobody) => WhoMustAct::Carrier,
        (_, who) => who,
    };
    let seen = tracker.events.iter().rev().find(|event| is_scan(event)).and_then(|event| event.time.moment());
    Condition { kind, cause, since, expected, seen, who_must_act }
}

fn verdict(kind: DelayKind, tracker: &Tracker, now: Timestamp, rules: &Rules) -> Verdict {
    match kind {
        DelayKind::Late => late(tracker, now, rules),
        DelayKind::NotHandedOver => not_handed_over(tracker, now, rules),
        DelayKind::Stalled => stalled(tracker, now, rules),
        DelayKind::Carrier => delayed_by_carrier(tracker),
    }
}

/// What was expected: the shop's promise; where it gave none, the carrier's estimate.
pub(super) fn expectation(tracker: &Tracker) -> Option<(Moment, Timestamp)> {
    if let Some(promise) = &tracker.registration.promised {
        return Some((promise.to, promise.to.passed_at(zones::of_promise(tracker).as_ref())));
    }
    let eta = tracker.facts.eta_to.or(tracker.facts.eta_from)?;
    Some((eta, eta.passed_at(zones::of_recipient(tracker).as_ref())))
}

fn late(tracker: &Tracker, now: Timestamp, rules: &Rules) -> Verdict {
    if kept_promise(tracker) {
        return Verdict::No;
    }
    // An estimate that vanished neither opens nor closes anything.
    let Some((expected, passed_at)) = expectation(tracker) else { return Verdict::AsBefore };
    // A promise that was past at registration: the parcel may have been delivered long ago, so the carrier
    // is asked first, for a day at most. Once it was told, a failed poll takes nothing back.
    let asked = tracker.first_seen_at.is_some()
        || tracker.poll.outcome.is_some_and(is_answer)
        || is_open(DelayKind::Late, tracker);
    let due =
        if passed_at <= tracker.registered_at && !asked { after(tracker.registered_at, rules.unit) } else { passed_at };
    if now < due { Verdict::From(due) } else { Verdict::Holds { since: passed_at, expected: Some(expected) } }
}

/// Delivered, attempted or ready, now or earlier, unless the carrier took it back.
pub(super) fn kept_promise(tracker: &Tracker) -> bool {
    let in_answer = |event: &&KeptEvent| event.retracted_at.is_none();
    let told = tracker.events.iter().rev().filter(in_answer);
    tracker.substatus.attempted_or_ready()
        || told
            .take_while(|event| !matches!(event.meaning, Meaning::Moves(_, Rule::Revoke)))
            .any(|event| event.meaning.substatus().is_some_and(Substatus::attempted_or_ready))
}

fn not_handed_over(tracker: &Tracker, now: Timestamp, rules: &Rules) -> Verdict {
    if tracker.substatus.status() != Status::InfoReceived {
        return if tracker.substatus.status() == Status::Expired { Verdict::AsBefore } else { Verdict::No };
    }
    let zone = zones::of_recipient(tracker);
    let label = label_since(tracker);
    let mut due = workdays::add(label, rules.not_handed_over_days, zone.as_ref(), rules.unit);
    if let Some(ship_by) = tracker.registration.ship_by {
        due = due.max(ship_by.passed_at(None));
    }
    silence(due, now)
}

/// Since when the carrier knows no more than the label.
fn label_since(tracker: &Tracker) -> Timestamp {
    let movers = tracker.events.iter().rev().filter_map(|event| Some((event, event.meaning.substatus()?)));
    movers
        .take_while(|(_, substatus)| substatus.status() == Status::InfoReceived)
        .last()
        .map_or(tracker.status_since, |(event, _)| at_latest(event))
}

fn stalled(tracker: &Tracker, now: Timestamp, rules: &Rules) -> Verdict {
    match tracker.substatus.status() {
        Status::InTransit | Status::OutForDelivery | Status::AttemptFailed | Status::Exception => {}
        Status::ReturnToSender if tracker.substatus != Substatus::ReturnAwaitingCollection => {}
        Status::Expired | Status::Cancelled => return Verdict::AsBefore,
        _ => return Verdict::No,
    }
    let (domestic, international) = (rules.stalled_domestic_days, rules.stalled_international_days);
    let days = match (is_open(DelayKind::Stalled, tracker), is_domestic(tracker)) {
        // Only news ends a silence: that an answer no longer names a country does not.
        (true, _) => domestic.min(international),
        (false, true) => domestic,
        (false, false) => international,
    };
    let zone = zones::of_recipient(tracker);
    silence(workdays::add(last_news(tracker), days, zone.as_ref(), rules.unit), now)
}

fn is_open(kind: DelayKind, tracker: &Tracker) -> bool {
    tracker.conditions.iter().any(|condition| condition.kind == kind)
}

fn silence(due: Timestamp, now: Timestamp) -> Verdict {
    if now < due {
        Verdict::From(due)
    } else {
        Verdict::Holds { since: due, expected: Some(Moment::from_timestamp(due)) }
    }
}

/// Both countries known and equal. The carrier's word on the destination counts before the shop's: it may be a return.
fn is_domestic(tracker: &Tracker) -> bool {
    let country_of = |place: &Option<crate::model::Place>| place.as_ref().and_then(|p| p.country.clone());
    let told = tracker.registration.destination.as_ref().and_then(|d| d.country.clone());
    let destination = country_of(&tracker.facts.destination).or(told);
    destination.is_some() && country_of(&tracker.facts.origin) == destination
}

fn delayed_by_carrier(tracker: &Tracker) -> Verdict {
    if matches!(tracker.substatus, Substatus::Delayed | Substatus::DelayedWeather) {
        let delay = tracker.events.iter().rev().find(|event| event.meaning.substatus() == Some(tracker.substatus));
        let expected = tracker.facts.eta_to.or(tracker.facts.eta_from);
        return Verdict::Holds { since: delay.map_or(tracker.status_since, at_latest), expected };
    }
    if tracker.substatus.status() == Status::Expired { Verdict::AsBefore } else { Verdict::No }
}

/// The newest sign of life. What the first answer told is dated by its own time, as far as that is certain;
/// later scans by when we saw them, since a carrier that posts old scans today is not silent today.
fn last_news(tracker: &Tracker) -> Timestamp {
    let scans = tracker.events.iter().filter(|event| is_scan(event));
    let news =
        scans.map(
            |event| {
                if Some(event.observed_at) <= tracker.first_seen_at { at_latest(event) } else { event.observed_at }
            },
        );
    news.max().unwrap_or(tracker.status_since)
}

/// A scan whose code we do not know is still a scan; a note (SMS sent) is none.
fn is_scan(event: &KeptEvent) -> bool {
    event.meaning != Meaning::Note
}

/// The latest instant at which it can have happened: a time given to the minute may be that minute's end.
fn at_latest(event: &KeptEvent) -> Timestamp {
    let width = if event.time.precision == Some(Precision::Minute) {
        SignedDuration::from_secs(59)
    } else {
        SignedDuration::ZERO
    };
    bounds(&event.time).map_or(event.observed_at, |(_, latest)| after(latest, width).min(event.observed_at))
}

/// Whether the carrier answered for this parcel.
const fn is_answer(outcome: PollOutcome) -> bool {
    matches!(outcome, PollOutcome::Ok | PollOutcome::NotFound | PollOutcome::InvalidNumber)
}
