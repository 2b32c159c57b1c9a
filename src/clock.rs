//! The only place that reads the wall clock. Everything else is handed `now`.

use jiff::Timestamp;

/// The time now, to the millisecond, which is what the store keeps.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> Timestamp {
    Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap_or(Timestamp::UNIX_EPOCH)
}
