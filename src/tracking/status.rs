//! Where a parcel stands, given its events in order and the carrier's headline.

use std::cmp::Ordering;

use crate::model::event::{Meaning, Rule};
use crate::model::observation::Headline;
use crate::model::status::{End, Status, Substatus};
use crate::model::tracker::{KeptEvent, Tracker};

use super::merge::same_event;

/// What the status rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Basis {
    /// Nothing that the carrier said.
    Nothing,
    /// The event at this place.
    Event(usize),
    /// The parcel-level status.
    Headline,
}

/// What the carrier's word makes of a parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    /// The substatus; nothing where no event is mapped and no headline is given.
    pub substatus: Option<Substatus>,
    /// What decided it.
    pub basis: Basis,
    /// The events that moved it, in order.
    pub path: Vec<usize>,
}

/// An end of kind "terminal" and the events that say so, one after the other.
struct Lock {
    holders: Vec<usize>,
}

/// Walks through the events in their merged order.
#[must_use]
pub(super) fn standing(events: &[KeptEvent], headline: Option<&Headline>) -> Standing {
    let mut path = Vec::new();
    let mut here: Option<Substatus> = None;
    let mut lock: Option<Lock> = None;
    for (index, event) in events.iter().enumerate() {
        let Meaning::Moves(to, rule) = event.meaning else { continue };
        if let Some(from) = here {
            if rule == Rule::AdvanceOnly && rank(to) <= rank(from) {
                continue;
            }
            if let Some(lock) = &lock
                && !lock.lets_event_out(events, from, event, to, rule)
            {
                continue;
            }
        }
        lock = match lock {
            Some(mut lock) if to.end() == End::Terminal && here.map(Substatus::status) == Some(to.status()) => {
                lock.holders.push(index);
                Some(lock)
            }
            _ => (to.end() == End::Terminal).then(|| Lock { holders: vec![index] }),
        };
        here = Some(to);
        path.push(index);
    }
    let basis = path.last().map_or(Basis::Nothing, |index| Basis::Event(*index));
    let by_events = Standing { substatus: here, basis, path };
    match headline {
        Some(headline) if headline_wins(headline, &by_events, events, lock.as_ref()) => {
            Standing { substatus: Some(headline.substatus), basis: Basis::Headline, ..by_events }
        }
        _ => by_events,
    }
}

impl Lock {
    /// No holder is left in the newest answer.
    fn vanished(&self, events: &[KeptEvent]) -> bool {
        self.holders.iter().all(|index| events[*index].retracted_at.is_some())
    }

    fn lets_event_out(
        &self,
        events: &[KeptEvent],
        from: Substatus,
        event: &KeptEvent,
        to: Substatus,
        rule: Rule,
    ) -> bool {
        if refines(from, to) {
            return true;
        }
        // A vanished end no longer holds what came after it vanished. What was there beside it stays held:
        // vanishing alone moves nothing.
        let last_seen = self.holders.iter().map(|index| events[*index].last_seen).max();
        if self.vanished(events) && Some(event.observed_at) > last_seen {
            return true;
        }
        // Older than any one of the scans that tell the end is older than the end.
        let before = |holder: &usize| event.time.certain_cmp(&events[*holder].time) == Some(Ordering::Less);
        let old_scan = self.holders.iter().any(before);
        !old_scan && (rule == Rule::Revoke || is_return_after(from, to))
    }
}

/// A headline counts when no event is mapped; or when it is authoritative, certainly newer, and the end lets it.
fn headline_wins(headline: &Headline, by_events: &Standing, events: &[KeptEvent], lock: Option<&Lock>) -> bool {
    let (Some(from), Basis::Event(decider)) = (by_events.substatus, by_events.basis) else { return true };
    let newer = headline.authoritative
        && headline.time.as_ref().and_then(|t| t.certain_cmp(&events[decider].time)) == Some(Ordering::Greater);
    let to = headline.substatus;
    newer && lock.is_none_or(|lock| refines(from, to) || lock.vanished(events) || is_return_after(from, to))
}

/// The same end, told more finely.
fn refines(from: Substatus, to: Substatus) -> bool {
    to.status() == from.status() && to.end() == End::Terminal
}

/// A parcel that reached an end can still go back to its sender, but not back on the way there.
fn is_return_after(from: Substatus, to: Substatus) -> bool {
    matches!(to.status(), Status::ReturnToSender | Status::Returned) && from.status() != Status::Returned
}

/// How far along a status is; only `advance_only` codes ask.
const fn rank(substatus: Substatus) -> u8 {
    match substatus.status() {
        Status::Pending | Status::Expired => 0,
        Status::InfoReceived => 1,
        Status::InTransit => 2,
        Status::OutForDelivery => 3,
        Status::AttemptFailed | Status::AvailableForPickup | Status::Exception => 4,
        Status::Cancelled => 5,
        Status::Delivered => 6,
        Status::ReturnToSender => 7,
        Status::Returned => 8,
    }
}

/// Where a merged answer leaves the tracker, and how it got there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settled {
    /// Where it stands now.
    pub substatus: Substatus,
    /// What decided that.
    pub basis: Basis,
    /// Statuses gone through unseen, each once, without the one before and the one after.
    pub passed: Vec<Status>,
    /// The status is told although it is equal: another failed attempt, or it was left and reached again.
    pub again: bool,
}

/// Compares what the carrier said before with what it says now. `fresh`: places of the new events in `after`.
#[must_use]
pub(super) fn settle(before: &Tracker, after: &Tracker, fresh: &[usize]) -> Settled {
    let was = standing(&before.events, before.headline.as_ref());
    let is = standing(&after.events, after.headline.as_ref());
    let stay = Settled { substatus: before.substatus, basis: is.basis, passed: Vec::new(), again: false };
    let Some(substatus) = is.substatus else { return stay };
    if stays(before, after, &was, &is, fresh) {
        return stay;
    }
    let since = match was.basis {
        Basis::Event(index) => after.events.iter().position(|event| same_event(event, &before.events[index])),
        _ => None,
    };
    let steps: Vec<Status> = is
        .path
        .iter()
        .filter(|index| fresh.binary_search(index).is_ok() && since.is_none_or(|since| **index > since))
        .filter_map(|index| after.events[*index].meaning.substatus().map(Substatus::status))
        .collect();
    let (from, to) = (before.substatus.status(), substatus.status());
    let mut passed = Vec::new();
    for step in &steps {
        if *step != from && *step != to && !passed.contains(step) {
            passed.push(*step);
        }
    }
    let another_attempt = to == Status::AttemptFailed && steps.contains(&to);
    Settled { substatus, basis: is.basis, again: from == to && (another_attempt || !passed.is_empty()), passed }
}

/// Whether what we hold outlives this answer: set by us or by hand with no newer scan, or a headline that vanished.
fn stays(before: &Tracker, after: &Tracker, was: &Standing, is: &Standing, fresh: &[usize]) -> bool {
    let news = match is.basis {
        Basis::Nothing => false,
        Basis::Event(index) => fresh.binary_search(&index).is_ok(),
        Basis::Headline => was.basis != Basis::Headline || before.headline != after.headline,
    };
    if was.basis == Basis::Headline && after.headline.is_none() && !news {
        return true;
    }
    let carriers_word = was.substatus.map_or(before.substatus.status() == Status::Pending, |s| s == before.substatus);
    if carriers_word {
        return false;
    }
    !news || (before.substatus.end() == End::Terminal && !leaves_hand_set_end(before.substatus, after, is))
}

fn leaves_hand_set_end(from: Substatus, after: &Tracker, is: &Standing) -> bool {
    let Some(to) = is.substatus else { return false };
    let revoked = match is.basis {
        Basis::Event(index) => matches!(after.events[index].meaning, Meaning::Moves(_, Rule::Revoke)),
        _ => false,
    };
    revoked || refines(from, to) || is_return_after(from, to)
}
