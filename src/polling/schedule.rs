//! Whom to poll next, and when. Pure: an interval for each status stands here for now, in the seat of a function that
//! may later weigh what it has learned.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::{End, PollOutcome, Status, Tracker, TrackerId, time};

/// How long after a poll the next one follows.
#[derive(Debug, Clone)]
pub struct IntervalTable {
    /// By status, for parcels whose life goes on.
    pub intervals: BTreeMap<Status, Duration>,
    /// For a status that is not in the table.
    pub otherwise: Duration,
    /// Interval for ends that a newer scan may reopen, and for how long after the end.
    pub ended: (Duration, Duration),
    /// Interval for delivered and returned parcels, and for how long after the end.
    pub delivered: (Duration, Duration),
    /// First wait after a poll that failed; doubles up to the status' interval.
    pub retry: Duration,
    /// Spread, as a part of the interval.
    pub jitter: f64,
}

/// When to poll it next; nothing when it is not to be polled any more. Always finite, always after `now`.
#[must_use]
pub fn next_poll(tracker: &Tracker, now: Timestamp, table: &IntervalTable) -> Option<Timestamp> {
    if tracker.poll.paused {
        return None;
    }
    let (interval, until) = match tracker.substatus.end() {
        End::GoesOn => (*table.intervals.get(&tracker.substatus.status()).unwrap_or(&table.otherwise), None),
        End::Soft => (table.ended.0, Some(table.ended.1)),
        End::Terminal => (table.delivered.0, Some(table.delivered.1)),
    };
    let interval =
        if failed(tracker.poll.outcome) { retry(table.retry, tracker.poll.failures, interval) } else { interval };
    let next = later(now, spread(&tracker.id, now, interval, table.jitter));
    match until {
        Some(span) if next > later(tracker.ended_at.unwrap_or(now), span) => None,
        _ => Some(next),
    }
}

/// Whether the poll told nothing because something is wrong, rather than because there is nothing to tell.
fn failed(outcome: Option<PollOutcome>) -> bool {
    use PollOutcome::{AuthFailed, CarrierFault, Drifted, Throttled};
    matches!(outcome, Some(AuthFailed | CarrierFault | Drifted | Throttled))
}

fn retry(first: Duration, failures: u32, interval: Duration) -> Duration {
    let doubled = first.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1).min(20)).unwrap_or(u32::MAX));
    doubled.min(interval.max(first))
}

/// The interval, longer or shorter by up to `jitter` of it: by a hash, so that it is the same wherever it is computed.
fn spread(id: &TrackerId, now: Timestamp, interval: Duration, jitter: f64) -> Duration {
    use std::hash::{Hash, Hasher};
    let mut hasher = std::hash::DefaultHasher::new();
    (id, now.as_millisecond()).hash(&mut hasher);
    let unit = f64::from(u32::try_from(hasher.finish() >> 32).unwrap_or(0)) / f64::from(u32::MAX);
    let factor = 1.0 + jitter.clamp(0.0, 0.9) * (2.0 * unit - 1.0);
    let spread = Duration::try_from_secs_f64(interval.as_secs_f64() * factor).unwrap_or(interval);
    // Whole milliseconds, as all times of ours.
    Duration::from_millis(u64::try_from(spread.as_millis()).unwrap_or(u64::MAX)).max(Duration::from_millis(1))
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    time::after(at, SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Registration, Substatus};
    use proptest::prelude::*;

    fn table() -> IntervalTable {
        let hour = Duration::from_secs(3600);
        IntervalTable {
            intervals: [(Status::InTransit, 3 * hour), (Status::OutForDelivery, hour / 3)].into(),
            otherwise: 4 * hour,
            ended: (24 * hour, 30 * 24 * hour),
            delivered: (24 * hour, 48 * hour),
            retry: hour / 60,
            jitter: 0.1,
        }
    }

    fn tracker(substatus: Substatus) -> Tracker {
        let mut tracker = Tracker::new(
            TrackerId::from_bytes([7; 16]),
            "shop".parse().unwrap(),
            "ups".parse().unwrap(),
            "1Z".to_owned(),
            "main".parse().unwrap(),
            Registration::default(),
            time::from_millis(1_700_000_000_000),
        );
        tracker.substatus = substatus;
        tracker
    }

    fn minutes_until_next(tracker: &Tracker) -> Option<i64> {
        let now = time::from_millis(1_700_000_000_000);
        next_poll(tracker, now, &table()).map(|next| (next.as_millisecond() - now.as_millisecond()) / 60_000)
    }

    #[test]
    fn the_status_sets_the_pace() {
        let on_its_way = minutes_until_next(&tracker(Substatus::OutForDelivery)).unwrap();
        let far = minutes_until_next(&tracker(Substatus::Departed)).unwrap();
        assert!((18..=22).contains(&on_its_way), "{on_its_way}");
        assert!((162..=198).contains(&far), "{far}");
    }

    #[test]
    fn a_failure_is_tried_again_soon_and_ever_more_slowly() {
        let mut parcel = tracker(Substatus::Departed);
        parcel.poll.outcome = Some(PollOutcome::CarrierFault);
        let waits: Vec<i64> = (1..=12)
            .map(|failures| {
                parcel.poll.failures = failures;
                minutes_until_next(&parcel).unwrap()
            })
            .collect();
        assert!(waits[0] <= 1 && waits[3] >= 7 && waits[11] <= 198, "{waits:?}");
    }

    #[test]
    fn ends_are_polled_slowly_and_then_no_more() {
        let now = time::from_millis(1_700_000_000_000);
        let mut parcel = tracker(Substatus::Delivered);
        parcel.ended_at = Some(now);
        assert!(minutes_until_next(&parcel).unwrap() >= 21 * 60);
        parcel.ended_at = Some(time::after(now, SignedDuration::from_hours(-47)));
        assert_eq!(minutes_until_next(&parcel), None);
        parcel.substatus = Substatus::Lost;
        assert!(minutes_until_next(&parcel).is_some());
        parcel.poll.paused = true;
        assert_eq!(minutes_until_next(&parcel), None);
    }

    proptest! {
        #[test]
        fn every_due_time_is_finite_and_in_the_future(
            substatus in proptest::sample::select(Substatus::ALL),
            failures in any::<u32>(),
            ended in proptest::option::of(-1_000_000_000_000_i64..4_000_000_000_000),
            now in -1_000_000_000_000_i64..4_000_000_000_000,
            outcome in proptest::option::of(proptest::sample::select(vec![PollOutcome::Ok, PollOutcome::NotFound, PollOutcome::CarrierFault])),
        ) {
            let mut parcel = tracker(substatus);
            parcel.poll.failures = failures;
            parcel.poll.outcome = outcome;
            parcel.ended_at = ended.map(time::from_millis);
            let now = time::from_millis(now);
            if let Some(next) = next_poll(&parcel, now, &table()) {
                prop_assert!(next > now);
                prop_assert!(next.as_millisecond() - now.as_millisecond() <= 40 * 86_400_000);
            }
        }
    }
}
