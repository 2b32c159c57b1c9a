//! When a failed delivery is tried again. Pure: the same delivery and attempt always give the same moment.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::model::time::after;

/// The waits before each attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    waits: Vec<Duration>,
    jitter_percent: u32,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

impl Default for Schedule {
    /// Twelve attempts over three days. The first four fall within a redeploy of the receiver.
    fn default() -> Self {
        let seconds = [
            0,
            5,
            30,
            2 * MINUTE,
            10 * MINUTE,
            30 * MINUTE,
            2 * HOUR,
            5 * HOUR,
            10 * HOUR,
            14 * HOUR,
            20 * HOUR,
            24 * HOUR,
        ];
        Self { waits: seconds.map(Duration::from_secs).to_vec(), jitter_percent: 20 }
    }
}

impl Schedule {
    /// A schedule of these waits before attempt 1, 2, 3 and so on; each but the first is moved by up to
    /// `jitter_percent` of itself (at most 100) either way. Without a wait there is one attempt, at once.
    #[must_use]
    pub fn new(mut waits: Vec<Duration>, jitter_percent: u32) -> Self {
        if waits.is_empty() {
            waits.push(Duration::ZERO);
        }
        Self { waits, jitter_percent: jitter_percent.min(100) }
    }

    /// How often a delivery is tried at most.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        u32::try_from(self.waits.len()).unwrap_or(u32::MAX)
    }

    /// From the first attempt to the last one, without jitter.
    #[must_use]
    pub fn span(&self) -> Duration {
        self.waits.iter().skip(1).sum()
    }

    /// When to try again after `made` attempts of this delivery, the last of which ended at `now`; nothing when
    /// it is exhausted. The jitter is a hash, so a fleet of deliveries spreads and a repeated question does not.
    #[must_use]
    pub fn next(&self, delivery: &str, made: u32, now: Timestamp) -> Option<Timestamp> {
        let wait = *self.waits.get(usize::try_from(made).ok()?)?;
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        let part = wait.as_millis() * i128::from(self.jitter_percent) / 100;
        let moved = wait.as_millis() + part * i128::from(spread(delivery, made)) / 1000;
        Some(after(now, SignedDuration::from_millis(i64::try_from(moved).unwrap_or(i64::MAX))))
    }
}

/// -1000 to 1000, evenly.
fn spread(delivery: &str, made: u32) -> i32 {
    let digest = Sha256::new().chain_update(delivery.as_bytes()).chain_update(made.to_be_bytes()).finalize();
    let number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    i32::try_from(number % 2001).unwrap_or(0) - 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_attempts_over_three_days() {
        let schedule = Schedule::default();
        assert_eq!(schedule.attempts(), 12);
        assert_eq!(schedule.span(), Duration::from_secs(75 * HOUR + 42 * MINUTE + 35));
        let mut at = Timestamp::UNIX_EPOCH;
        for made in 1..12 {
            let next = schedule.next("evt_1", made, at).unwrap();
            let waited = next.duration_since(at).as_millis();
            let plan = i128::try_from(schedule.waits[made as usize].as_millis()).unwrap();
            assert!((plan * 8 / 10..=plan * 12 / 10).contains(&waited), "after {made}: {waited} ms");
            at = next;
        }
        assert_eq!(schedule.next("evt_1", 12, at), None);
        assert_eq!(schedule.next("evt_1", u32::MAX, at), None);
    }

    #[test]
    fn the_jitter_spreads_deliveries_and_repeats_itself() {
        let schedule = Schedule::default();
        let next = |id: &str| schedule.next(id, 3, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(next("evt_1"), next("evt_1"));
        let all: Vec<_> = (0..1000).map(|n| next(&format!("evt_{n}")).as_millisecond()).collect();
        let (least, most) = (all.iter().min().unwrap(), all.iter().max().unwrap());
        assert!(*least >= 96_000 && *least < 97_000 && *most <= 144_000 && *most > 143_000, "{least}..{most}");
    }

    #[test]
    fn a_strange_schedule_is_no_panic() {
        assert_eq!(Schedule::new(vec![], 20).attempts(), 1);
        let far = Schedule::new(vec![Duration::ZERO, Duration::MAX], 1000);
        assert!(far.next("evt", 1, Timestamp::MAX).is_some());
    }
}
