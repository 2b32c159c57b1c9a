//! The only place that reads the wall clock. Everything else is handed `now`.

use std::time::Duration;

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// The time now, to the millisecond, which is what the store keeps.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> Timestamp {
    Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Microseconds on the clock that only goes forward, which the service manager reads, too.
#[must_use]
pub fn monotonic_micros() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let part = |value: i64| u64::try_from(value).unwrap_or(0);
    part(now.tv_sec).saturating_mul(1_000_000).saturating_add(part(now.tv_nsec) / 1000)
}

/// How long the machine has slept since it was started. Timers and [`std::time::Instant`] stand still meanwhile, the
/// rest of the world does not. Only differences mean something, to some microseconds.
#[must_use]
pub fn asleep() -> Duration {
    let read = |clock| {
        let time = clock_gettime(clock);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
    };
    // In this order the time between the two readings makes the sleep shorter, never longer.
    let with_sleep = read(ClockId::Boottime);
    with_sleep.saturating_sub(read(ClockId::Monotonic))
}
