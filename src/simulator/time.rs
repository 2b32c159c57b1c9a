//! The time of a simulation: every ledger counts from one common start, so that ledgers can be laid side by side.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::time::Instant;

/// Microseconds since the simulation began, on a clock that never steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl Moment {
    /// The moment `seconds` after the start.
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds * 1_000_000)
    }

    /// This moment and `later`; stays in range whatever is added.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(micros(later)))
    }

    /// `earlier` before this moment, at most back to the start.
    #[must_use]
    pub fn minus(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(micros(earlier)))
    }

    /// The time from `earlier` to this moment; zero when it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The clock of one simulation. Copies of it agree for ever.
#[derive(Debug, Clone, Copy)]
pub struct SimClock {
    start: Instant,
    wall: Timestamp,
}

impl SimClock {
    /// Starts a clock: its zero is now.
    pub fn start() -> Self {
        Self { start: Instant::now(), wall: crate::clock::now() }
    }

    /// The moment it is.
    pub fn now(&self) -> Moment {
        Moment::default().plus(self.start.elapsed())
    }

    /// The time of day at a moment.
    pub fn wall(&self, moment: Moment) -> Timestamp {
        let passed = SignedDuration::try_from(Duration::from_micros(moment.0)).unwrap_or(SignedDuration::MAX);
        self.wall.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// The moment of a time of day; times before the start become the start.
    pub fn moment(&self, wall: Timestamp) -> Moment {
        let passed = Duration::try_from(wall.duration_since(self.wall)).unwrap_or_default();
        Moment::default().plus(passed)
    }

    /// Sleeps until a moment.
    pub async fn until(&self, moment: Moment) {
        tokio::time::sleep_until(self.start + Duration::from_micros(moment.0)).await;
    }
}
