//! Working days, as the rules for silence count them: Saturdays and Sundays do not count.

use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::model::time::after;

/// A real day. Where a "day" of the rules has another length, weekends mean nothing.
const REAL_DAY: SignedDuration = SignedDuration::from_hours(24);
/// Ten years: a longer wait is no rule, and it bounds the loop.
const MOST_DAYS: u32 = 3653;

/// The instant `days` working days after `at`, at the same time of day in `zone` (UTC where unknown). What starts
/// on a weekend starts on Monday at 00:00. With a `unit` other than 24 hours (demo, tests) it is plain addition.
#[must_use]
pub(super) fn add(at: Timestamp, days: u32, zone: Option<&TimeZone>, unit: SignedDuration) -> Timestamp {
    if unit != REAL_DAY {
        let times = i32::try_from(days).unwrap_or(i32::MAX);
        return after(at, unit.checked_mul(times).unwrap_or(SignedDuration::MAX));
    }
    let utc = TimeZone::UTC;
    let zone = zone.unwrap_or(&utc);
    add_civil(zone.to_datetime(at), days.min(MOST_DAYS))
        .and_then(|wall| zone.to_ambiguous_timestamp(wall).later().ok())
        .unwrap_or(Timestamp::MAX)
}

fn add_civil(mut at: DateTime, days: u32) -> Option<DateTime> {
    if is_weekend(at) {
        while is_weekend(at) {
            at = next_day(at)?;
        }
        at = at.date().at(0, 0, 0, 0);
    }
    for _ in 0..days {
        at = next_day(at)?;
        while is_weekend(at) {
            at = next_day(at)?;
        }
    }
    Some(at)
}

fn next_day(at: DateTime) -> Option<DateTime> {
    at.checked_add(1.day()).ok()
}

fn is_weekend(at: DateTime) -> bool {
    matches!(at.weekday(), Weekday::Saturday | Weekday::Sunday)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekends_do_not_count() {
        let paris = TimeZone::get("Europe/Paris").unwrap();
        for (at, days, expected) in [
            ("2026-11-23T09:00:00+01:00", 2, "2026-11-25T09:00:00+01:00"), // Monday
            ("2026-11-27T15:00:00+01:00", 2, "2026-12-01T15:00:00+01:00"), // Friday
            ("2026-11-28T10:00:00+01:00", 2, "2026-12-02T00:00:00+01:00"), // Saturday
            ("2026-11-29T23:59:59+01:00", 3, "2026-12-03T00:00:00+01:00"), // Sunday
            ("2026-11-27T15:00:00+01:00", 5, "2026-12-04T15:00:00+01:00"),
            ("2026-03-27T15:00:00+01:00", 1, "2026-03-30T15:00:00+02:00"), // over the change to summer time
            ("2026-11-27T15:00:00+01:00", 0, "2026-11-27T15:00:00+01:00"),
        ] {
            let at: Timestamp = at.parse().unwrap();
            let expected: Timestamp = expected.parse().unwrap();
            assert_eq!(add(at, days, Some(&paris), REAL_DAY), expected, "{at} + {days}");
        }
    }

    #[test]
    fn the_zone_says_what_is_a_weekend() {
        let at: Timestamp = "2026-11-27T20:00:00Z".parse().unwrap(); // Friday in Paris, Saturday in Tokyo
        let tokyo = TimeZone::get("Asia/Tokyo").unwrap();
        assert_eq!(add(at, 1, Some(&tokyo), REAL_DAY).to_string(), "2026-11-30T15:00:00Z");
        assert_eq!(add(at, 1, None, REAL_DAY).to_string(), "2026-11-30T20:00:00Z");
    }

    #[test]
    fn a_compressed_day_knows_no_weekend_and_nothing_overflows() {
        let at: Timestamp = "2026-11-28T10:00:00Z".parse().unwrap();
        let second = SignedDuration::from_secs(1);
        assert_eq!(add(at, 2, None, second).to_string(), "2026-11-28T10:00:02Z");
        assert_eq!(add(Timestamp::MAX, u32::MAX, None, REAL_DAY), Timestamp::MAX);
        assert_eq!(add(Timestamp::MAX, u32::MAX, None, SignedDuration::MAX), Timestamp::MAX);
    }
}
