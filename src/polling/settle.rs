//! From what an answer says of one parcel to its commit.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::kept;
use super::schedule::{self, IntervalTable};
use crate::carrier::ParcelAnswer;
use crate::model::{AccountName, PollOutcome, Tracker, time};
use crate::store::{Commit, Store, StoreError};
use crate::telemetry::metrics;
use crate::tracking::{self, Advance, Input, Rules};

/// How often a lost race is run again. Every loss is somebody else's progress, so this is never reached in practice.
const RACES: usize = 50;

/// What polls are judged by.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Delay rules.
    pub rules: Rules,
    /// Intervals.
    pub table: IntervalTable,
    /// Accounts whose carriers live faster than the world: how long a day lasts there.
    pub days: BTreeMap<AccountName, Duration>,
    /// How long the newest answer about a parcel is kept; zero: not at all.
    pub keep_answers: Duration,
    /// Accounts whose carriers want to be asked about one parcel no more often than this.
    pub per_parcel: BTreeMap<AccountName, Duration>,
}

impl Policy {
    /// The delay rules for parcels of an account.
    #[must_use]
    pub fn rules(&self, account: &AccountName) -> Rules {
        let unit = self.days.get(account).and_then(|day| SignedDuration::try_from(*day).ok());
        Rules { unit: unit.unwrap_or(self.rules.unit), ..self.rules.clone() }
    }

    /// When to poll a parcel next. Where days are short, ten times a day; never sooner than the carrier wants.
    #[must_use]
    pub fn next_poll(&self, tracker: &Tracker, now: Timestamp) -> Option<Timestamp> {
        let after =
            |from, span: Duration| time::after(from, SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX));
        let next = schedule::next_poll(tracker, now, &self.table)?;
        let next = self.days.get(&tracker.account).map_or(next, |day| next.min(after(now, *day / 10)));
        let least = self.per_parcel.get(&tracker.account).zip(tracker.poll.last_at);
        Some(least.map_or(next, |(span, last)| next.max(after(last, *span))))
    }
}

/// Merges one parcel's answer into its tracker and commits it; when others were faster, again on top of theirs.
/// Gives how many changes that told; nothing when the tracker is gone.
pub async fn settle(
    store: &Store,
    policy: &Policy,
    tracker: Tracker,
    answer: &ParcelAnswer,
    at: Timestamp,
) -> Result<Option<usize>, StoreError> {
    let rules = policy.rules(&tracker.account);
    retrying(store, policy, tracker, |tracker, now| judge(tracker, answer, at, now, &rules)).await
}

/// Notes that a poll failed for a reason that is not the parcel's.
pub async fn failed(
    store: &Store,
    policy: &Policy,
    tracker: Tracker,
    outcome: PollOutcome,
    at: Timestamp,
) -> Result<Option<usize>, StoreError> {
    let rules = policy.rules(&tracker.account);
    retrying(store, policy, tracker, |tracker, now| {
        tracking::advance(tracker, Input::Failed { at, outcome }, now, &rules)
    })
    .await
}

async fn retrying(
    store: &Store,
    policy: &Policy,
    mut tracker: Tracker,
    step: impl Fn(&Tracker, Timestamp) -> Advance,
) -> Result<Option<usize>, StoreError> {
    for _ in 0..RACES {
        let now = crate::clock::now();
        let mut next = step(&tracker, now);
        next.tracker.poll.next_at = policy.next_poll(&next.tracker, now);
        match store.commit(&tracker, &next.tracker, &next.changes, &next.timers).await? {
            Commit::Done { .. } => {
                count(store, &tracker, &next.tracker).await;
                return Ok(Some(next.changes.len()));
            }
            Commit::Gone => return Ok(None),
            Commit::LostRace => match store.load(&tracker.id).await? {
                Some(fresh) => tracker = fresh,
                None => return Ok(None),
            },
        }
    }
    Err(StoreError::Refused(format!("tracker {} is being changed by others all the time", tracker.id)))
}

/// Counts the poll, and the scans in it that the carrier's table does not know.
async fn count(store: &Store, before: &Tracker, after: &Tracker) {
    let carrier = after.carrier.as_str();
    if let Some(outcome) = after.poll.outcome.filter(|_| after.poll.last_at != before.poll.last_at) {
        metrics::poll(carrier, outcome.name());
    }
    let scans = kept::unmapped(before, after);
    metrics::unmapped(carrier, u64::try_from(scans.len()).unwrap_or(0));
    if !scans.is_empty()
        && let Err(error) = store.count_unmapped(&after.carrier, &scans).await
    {
        tracing::debug!(event = "unmapped_not_counted", carrier, %error, "Unknown codes could not be counted.");
    }
}

fn judge(tracker: &Tracker, answer: &ParcelAnswer, at: Timestamp, now: Timestamp, rules: &Rules) -> Advance {
    let input = match (&answer.observation, answer.outcome) {
        (Some(observation), PollOutcome::Ok) => Input::Answer(observation),
        (_, PollOutcome::NotFound) => Input::NotFound { at },
        (_, PollOutcome::InvalidNumber) => Input::NumberRejected { at },
        (_, outcome) => Input::Failed { at, outcome },
    };
    let mut next = tracking::advance(tracker, input, now, rules);
    next.tracker.poll.bytes = answer.bytes.unwrap_or(next.tracker.poll.bytes);
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Registration, TrackerId};

    #[test]
    fn a_parcel_is_asked_about_no_more_often_than_its_carrier_wants() {
        let (shop, carrier, account) =
            ("a".parse().unwrap(), "fedex".parse().unwrap(), "main".parse::<AccountName>().unwrap());
        let hour = Duration::from_secs(3_600);
        let span = (hour, hour);
        let table = IntervalTable {
            intervals: BTreeMap::new(),
            otherwise: hour,
            ended: span,
            delivered: span,
            retry: hour / 60,
            jitter: 0.0,
        };
        let now = time::from_millis(1_700_000_000_000);
        let id = TrackerId::derive(b"secret", &shop, &carrier, "N1");
        let mut tracker =
            Tracker::new(id, shop, carrier, "N1".to_owned(), account.clone(), Registration::default(), now);
        let mut policy = Policy {
            rules: Rules::default(),
            table,
            days: BTreeMap::new(),
            keep_answers: Duration::ZERO,
            per_parcel: BTreeMap::new(),
        };
        let hours =
            |policy: &Policy, tracker: &Tracker| policy.next_poll(tracker, now).unwrap().duration_since(now).as_hours();
        assert_eq!(hours(&policy, &tracker), 1);
        policy.per_parcel.insert(account, hour * 6);
        assert_eq!(hours(&policy, &tracker), 1, "it was never asked about");
        tracker.poll.last_at = Some(now);
        assert_eq!(hours(&policy, &tracker), 6);
        tracker.poll.outcome = Some(PollOutcome::CarrierFault);
        assert_eq!(hours(&policy, &tracker), 6, "a try that failed was one, too");
    }
}
