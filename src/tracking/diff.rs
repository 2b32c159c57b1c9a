//! What one commit tells: the difference between before and after as changes, in one fixed order.
//!
//! one status change (or `first_seen`) · `resumed` · `event_added` · `eta_changed` · `updated` · `delayed` ·
//! `delay_cleared`; each with a sequence of its own.

use jiff::Timestamp;

use crate::model::change::{ChangeKind, NewChange};
use crate::model::status::{End, Status, Substatus};
use crate::model::time::Moment;
use crate::model::tracker::{History, Tracker};

use super::delays::Judged;
use super::render::{self, Draft};
use super::status::{Basis, Settled};

/// Collects the changes of one commit.
#[derive(Debug)]
pub(super) struct Telling {
    observed_at: Timestamp,
    drafts: Vec<Draft>,
}

impl Telling {
    pub(super) fn new(observed_at: Timestamp) -> Self {
        Self { observed_at, drafts: Vec::new() }
    }

    /// A change that happened at `occurred_at`, and what is particular to it.
    pub(super) fn tell(&mut self, kind: ChangeKind, occurred_at: Option<Moment>, fill: impl FnOnce(&mut Draft)) {
        let mut draft = Draft::new(kind, occurred_at, self.observed_at);
        fill(&mut draft);
        self.drafts.push(draft);
    }

    /// A change that we or the shop made at this moment.
    pub(super) fn tell_ours(&mut self, kind: ChangeKind, fill: impl FnOnce(&mut Draft)) {
        self.tell(kind, Some(Moment::from_timestamp(self.observed_at)), fill);
    }

    /// The status moved without a word of the carrier.
    pub(super) fn status_by_us(&mut self, before: &Tracker, after: &Tracker) {
        if before.substatus.status() != after.substatus.status() || newly_ended(before.substatus, after.substatus) {
            let kind = ChangeKind::Status(after.substatus.status());
            self.tell_ours(kind, |draft| draft.before = Some(before.substatus));
        }
        let now = Some(Moment::from_timestamp(self.observed_at));
        self.resumed(before, after, now, &[]);
    }

    /// All that an answer brought. `fresh`: places of the new events.
    pub(super) fn answer(&mut self, before: &Tracker, after: &Tracker, settled: &Settled, fresh: &[usize]) {
        let decider = match settled.basis {
            Basis::Event(index) => vec![index],
            _ => Vec::new(),
        };
        let moved_at = decided_at(after, settled.basis);
        let first = before.first_seen_at.is_none() && after.first_seen_at.is_some();
        let collapse = first && after.registration.history == History::Collapse;
        if collapse {
            self.tell(ChangeKind::FirstSeen, moved_at, |draft| {
                draft.before = Some(before.substatus);
                draft.passed.clone_from(&settled.passed);
                draft.events = fresh.to_vec();
            });
        } else if status_is_told(before.substatus, settled) {
            self.tell(ChangeKind::Status(settled.substatus.status()), moved_at, |draft| {
                draft.before = Some(before.substatus);
                draft.passed.clone_from(&settled.passed);
                draft.events.clone_from(&decider);
            });
        }
        self.resumed(before, after, moved_at, &decider);
        if !collapse && !fresh.is_empty() {
            let newest = fresh.last().and_then(|index| after.events[*index].time.moment());
            self.tell(ChangeKind::EventAdded, newest, |draft| draft.events = fresh.to_vec());
        }
        if !collapse && after.first_seen_at.is_some() {
            self.eta(before, after, first);
        }
    }

    fn resumed(&mut self, before: &Tracker, after: &Tracker, at: Option<Moment>, decider: &[usize]) {
        if before.substatus.end() != End::GoesOn && after.substatus.end() == End::GoesOn {
            self.tell(ChangeKind::Resumed, at, |draft| {
                draft.before = Some(before.substatus);
                draft.events = decider.to_vec();
            });
        }
    }

    /// The estimate appeared or moved. Once the life ended, when it would have come is no news.
    fn eta(&mut self, before: &Tracker, after: &Tracker, first: bool) {
        let window = |tracker: &Tracker| {
            let facts = &tracker.facts;
            (facts.eta_from.is_some() || facts.eta_to.is_some()).then_some((facts.eta_from, facts.eta_to))
        };
        let was = window(before).filter(|_| !first);
        let is = window(after);
        if is.is_some() && is != was && after.substatus.end() == End::GoesOn {
            self.tell(ChangeKind::EtaChanged, None, |draft| draft.eta_before = was);
        }
    }

    /// Delays that opened and ended.
    pub(super) fn delays(&mut self, judged: &Judged) {
        for condition in &judged.opened {
            self.tell(ChangeKind::Delayed, Some(Moment::from_timestamp(condition.since)), |draft| {
                draft.delay = Some((condition.clone(), None));
            });
        }
        for (condition, reason) in &judged.closed {
            self.tell_ours(ChangeKind::DelayCleared, |draft| draft.delay = Some((condition.clone(), Some(*reason))));
        }
    }

    /// Writes the changes, numbering them on from the tracker's sequence.
    pub(super) fn write(self, after: &mut Tracker) -> Vec<NewChange> {
        let mut changes = Vec::with_capacity(self.drafts.len());
        for draft in self.drafts {
            after.sequence = after.sequence.saturating_add(1);
            changes.push(render::change(after, &draft));
        }
        changes
    }
}

/// The status is told when it differs; and when it is equal but another attempt failed, it was left and reached
/// again unseen, or it has become an end.
fn status_is_told(before: Substatus, settled: &Settled) -> bool {
    let after = settled.substatus;
    before.status() != after.status() || settled.again || newly_ended(before, after)
}

fn newly_ended(before: Substatus, after: Substatus) -> bool {
    before.end() == End::GoesOn && after.end() != End::GoesOn
}

fn decided_at(tracker: &Tracker, basis: Basis) -> Option<Moment> {
    match basis {
        Basis::Event(index) => tracker.events[index].time.moment(),
        Basis::Headline => tracker.headline.as_ref()?.time.as_ref()?.moment(),
        Basis::Nothing => None,
    }
}

/// Puts the tracker where it stands now: since when, and whether and when its life ended.
pub(super) fn enter(tracker: &mut Tracker, substatus: Substatus, now: Timestamp) {
    let moved = substatus.status() != tracker.substatus.status();
    let begins = moved || newly_ended(tracker.substatus, substatus);
    tracker.substatus = substatus;
    if moved {
        tracker.status_since = now;
    }
    tracker.ended_at = match substatus.end() {
        End::GoesOn => None,
        _ if begins => Some(now),
        _ => tracker.ended_at.or(Some(now)),
    };
}

/// What a tracker becomes that stays silent: a label was never handed over, anything else has no news.
pub(super) fn expired(status: Status) -> Substatus {
    if status == Status::InfoReceived { Substatus::NeverHandedOver } else { Substatus::NoUpdate }
}
