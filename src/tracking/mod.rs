//! From what was known and what is new to the next state of a tracker, and to what is worth telling.
//!
//! Pure: no I/O, no clock, no randomness; `now` is an argument. The `store` room writes the outcome down whole.
//!
//! | file | purpose |
//! |---|---|
//! | `merge` | events of many answers become one history, whatever the order of arrival |
//! | `status` | where that history leaves the parcel |
//! | `delays` | conditions that open and close, and the timers that find them |
//! | `diff` | before and after become changes |
//! | `render` | the parcel in its public shape, and the bytes of a change |
//! | `promise` | whether what was promised was kept |
//! | `life` | a number that is used again |
//! | `reread` | the newest answer again, under a mended definition |
//! | `workdays`, `zones` | when a day is a working day, and where |
//!
//! The rules stand in `docs/changes.md`, and the tests hold that page.

mod delays;
mod diff;
mod life;
mod merge;
mod promise;
mod render;
mod reread;
mod status;
mod workdays;
mod zones;

#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};

use crate::model::change::{ChangeKind, NewChange};
use crate::model::observation::Observation;
use crate::model::status::{End, Substatus};
use crate::model::tracker::{ByHand, PollOutcome, Registration, TimerKind, Tracker};

pub use life::{NEW_LIFE_AFTER, is_over, new_life};
pub use promise::{Promised, Verdict, promised};
pub use render::{parcel, preview};
pub use reread::rereads;

use diff::Telling;

/// Thresholds of the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Working days that a label may stay without a scan.
    pub not_handed_over_days: u32,
    /// Working days of silence within one country.
    pub stalled_domestic_days: u32,
    /// Working days of silence between countries, or where one is unknown.
    pub stalled_international_days: u32,
    /// Silence after which a tracker is given up.
    pub expire_after: SignedDuration,
    /// How long a tracker is kept after its end.
    pub retention: SignedDuration,
    /// How long "a day" of the working-day rules is. Other than 24 hours (demo, tests), weekends are not skipped.
    pub unit: SignedDuration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            not_handed_over_days: 2,
            stalled_domestic_days: 3,
            stalled_international_days: 5,
            expire_after: SignedDuration::from_hours(24 * 30),
            retention: SignedDuration::from_hours(24 * 90),
            unit: SignedDuration::from_hours(24),
        }
    }
}

/// What happened.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// It was just registered ([`Tracker::new`] or [`new_life`]).
    Registered,
    /// The carrier told something of it.
    Answer(&'a Observation),
    /// The carrier does not know it.
    NotFound {
        /// When the answer came.
        at: Timestamp,
    },
    /// The carrier says that the number cannot be one of its own.
    NumberRejected {
        /// When the answer came.
        at: Timestamp,
    },
    /// The poll told nothing new: it failed; or, with [`PollOutcome::Ok`], the answer's bytes did not change.
    Failed {
        /// When the poll ended.
        at: Timestamp,
        /// How it ended.
        outcome: PollOutcome,
    },
    /// A timer is due.
    Clock,
    /// The shop changed what it told us: the whole registration, as it is to be.
    Updated(&'a Registration),
    /// The newest answer, as the present definition reads it. Only for the tracker that took in that very answer
    /// ([`rereads`]).
    Reclassified(&'a Observation),
    /// The shop had it erased.
    Deleted,
    /// Somebody set where it stands.
    SetByHand {
        /// Where it is to stand.
        substatus: Substatus,
        /// Who did it.
        who: &'a str,
        /// And why.
        why: &'a str,
    },
}

/// What follows from an input.
#[derive(Debug, Clone, PartialEq)]
pub struct Advance {
    /// The next state. Its `revision` and `poll.next_at` are as they were: the store and polling see to them.
    pub tracker: Tracker,
    /// What is worth telling, in order.
    pub changes: Vec<NewChange>,
    /// The complete set of timers from now on; a kind that is absent is to be cleared.
    pub timers: Vec<(TimerKind, Timestamp)>,
}

/// The next state of a tracker, what to tell, and when to look again.
#[must_use]
pub fn advance(before: &Tracker, input: Input<'_>, now: Timestamp, rules: &Rules) -> Advance {
    let mut after = before.clone();
    let mut telling = Telling::new(now);
    match input {
        Input::Registered => telling.tell_ours(ChangeKind::Created, |_| {}),
        Input::Answer(answer) => {
            telling = Telling::new(answer.observed_at);
            take_answer(before, &mut after, answer, now, &mut telling);
        }
        Input::NotFound { at } => {
            polled(&mut after, at, PollOutcome::NotFound);
            if before.first_seen_at.is_none() && before.substatus == Substatus::Registered {
                after.substatus = Substatus::NotFound;
            }
        }
        Input::NumberRejected { at } => {
            polled(&mut after, at, PollOutcome::InvalidNumber);
            if before.first_seen_at.is_none() && matches!(before.substatus, Substatus::Registered | Substatus::NotFound)
            {
                telling = Telling::new(at);
                diff::enter(&mut after, Substatus::NumberRejected, now);
                telling.status_by_us(before, &after);
            }
        }
        Input::Failed { at, outcome } => polled(&mut after, at, outcome),
        Input::Clock => expire(before, &mut after, now, rules, &mut telling),
        Input::Updated(registration) => update(before, &mut after, registration, &mut telling),
        Input::Reclassified(answer) => reread::reclassify(before, &mut after, answer, now, &mut telling),
        Input::Deleted => return delete(after, telling),
        Input::SetByHand { substatus, who, why } => {
            diff::enter(&mut after, substatus, now);
            after.by_hand = Some(ByHand { who: who.to_owned(), why: why.to_owned(), at: now });
            telling.status_by_us(before, &after);
            telling.tell_ours(ChangeKind::Updated, |draft| {
                draft.before = Some(before.substatus);
                draft.by_hand = Some((who.to_owned(), why.to_owned()));
            });
        }
    }
    if after.substatus != before.substatus && !matches!(input, Input::SetByHand { .. }) {
        after.by_hand = None;
    }
    let judged = delays::judge(&after, now, rules);
    telling.delays(&judged);
    after.conditions = judged.open;
    let changes = telling.write(&mut after);
    let timers = delays::timers(&after, now, rules);
    Advance { tracker: after, changes, timers }
}

fn take_answer(before: &Tracker, after: &mut Tracker, answer: &Observation, now: Timestamp, telling: &mut Telling) {
    let tells = merge::tells_something(before, answer);
    let fresh = merge::merge(after, answer);
    polled(after, answer.observed_at, PollOutcome::Ok);
    if tells {
        let first = before.first_seen_at.map_or(answer.observed_at, |known| known.min(answer.observed_at));
        after.first_seen_at = Some(first);
    }
    let mut settled = status::settle(before, after, &fresh);
    if tells && matches!(settled.substatus, Substatus::NotFound | Substatus::NumberRejected) {
        // The carrier knows it after all, though no code of it says more yet.
        settled.substatus = Substatus::Registered;
    }
    if settled.substatus != before.substatus {
        diff::enter(after, settled.substatus, now);
    }
    telling.answer(before, after, &settled, &fresh);
}

/// Notes how a poll ended; one that is overtaken by a later one changes nothing.
fn polled(tracker: &mut Tracker, at: Timestamp, outcome: PollOutcome) {
    let poll = &mut tracker.poll;
    if outcome == PollOutcome::Ok {
        poll.last_ok_at = poll.last_ok_at.max(Some(at));
    }
    if poll.last_at.is_some_and(|last| last > at) {
        return;
    }
    poll.last_at = Some(at);
    poll.outcome = Some(outcome);
    poll.failures = if outcome == PollOutcome::Ok { 0 } else { poll.failures.saturating_add(1) };
}

fn expire(before: &Tracker, after: &mut Tracker, now: Timestamp, rules: &Rules, telling: &mut Telling) {
    if before.substatus.end() == End::GoesOn && now >= delays::expires_at(before, rules) {
        diff::enter(after, diff::expired(before.substatus.status()), now);
        telling.status_by_us(before, after);
    }
}

/// History is a decision of the first day, so it stays as it was.
fn update(before: &Tracker, after: &mut Tracker, registration: &Registration, telling: &mut Telling) {
    after.registration = Registration { history: before.registration.history, ..registration.clone() };
    if after.registration != before.registration {
        telling.tell_ours(ChangeKind::Updated, |_| {});
    }
}

/// Erasing is the end of every open condition too, and tells nothing more than itself.
fn delete(mut after: Tracker, mut telling: Telling) -> Advance {
    after.conditions.clear();
    telling.tell_ours(ChangeKind::Deleted, |_| {});
    let changes = telling.write(&mut after);
    Advance { tracker: after, changes, timers: Vec::new() }
}
