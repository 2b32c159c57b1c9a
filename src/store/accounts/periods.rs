//! Periods of calendar windows: the hour, day, week or month that a moment lies in, in the zone of the reset.

use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{RoundMode, Timestamp, ToSpan, Unit, Zoned, ZonedRound};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// What a window's length means on a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Period {
    Hour,
    Day,
    Week,
    Month,
}

impl Period {
    /// The period of this length; a month is anything from 28 to 31 days.
    pub(super) fn of(length: Duration) -> Option<Self> {
        match length.as_secs() {
            HOUR => Some(Self::Hour),
            DAY => Some(Self::Day),
            seconds if seconds == 7 * DAY => Some(Self::Week),
            seconds if (28 * DAY..=31 * DAY).contains(&seconds) => Some(Self::Month),
            _ => None,
        }
    }

    /// Start and end of the period around a moment; nothing at the ends of time.
    pub(super) fn around(self, at: Timestamp, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let here = at.to_zoned(zone.clone());
        let (start, end) = match self {
            Self::Hour => {
                let start = here.round(ZonedRound::new().smallest(Unit::Hour).mode(RoundMode::Trunc)).ok()?;
                let end = start.checked_add(1.hour()).ok()?;
                (start, end)
            }
            Self::Day => days(&here, here.date(), here.date().checked_add(1.day()).ok()?)?,
            Self::Week => {
                let since_monday = i32::from(here.weekday().to_monday_zero_offset());
                let first = here.date().checked_sub(since_monday.days()).ok()?;
                days(&here, first, first.checked_add(7.days()).ok()?)?
            }
            Self::Month => {
                let first = here.date().first_of_month();
                days(&here, first, first.checked_add(1.month()).ok()?)?
            }
        };
        Some((start.timestamp(), end.timestamp()))
    }
}

/// From the first moment of one day to the first of another.
fn days(here: &Zoned, first: jiff::civil::Date, next: jiff::civil::Date) -> Option<(Zoned, Zoned)> {
    let zone = here.time_zone();
    let start = first.to_datetime(Time::midnight()).to_zoned(zone.clone()).ok()?.start_of_day().ok()?;
    let end = next.to_datetime(Time::midnight()).to_zoned(zone.clone()).ok()?.start_of_day().ok()?;
    Some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(period: Period, at: &str, zone: &str) -> (String, String) {
        let (start, end) = period.around(at.parse().unwrap(), &TimeZone::get(zone).unwrap()).unwrap();
        (start.to_string(), end.to_string())
    }

    fn texts(start: &str, end: &str) -> (String, String) {
        (start.to_owned(), end.to_owned())
    }

    #[test]
    fn a_day_is_as_long_as_its_zone_makes_it() {
        assert_eq!(
            around(Period::Day, "2026-03-29T12:00:00Z", "Europe/Paris"),
            texts("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z")
        );
        assert_eq!(
            around(Period::Day, "2026-11-01T20:00:00Z", "America/New_York"),
            texts("2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z")
        );
        // A day without a midnight starts at the first moment it has.
        assert_eq!(
            around(Period::Day, "2018-11-04T12:00:00Z", "America/Sao_Paulo"),
            texts("2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z")
        );
    }

    #[test]
    fn weeks_start_on_monday_and_months_on_the_first() {
        assert_eq!(
            around(Period::Week, "2026-11-22T23:59:59Z", "UTC"),
            texts("2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z")
        );
        assert_eq!(
            around(Period::Month, "2024-02-29T23:59:59Z", "UTC"),
            texts("2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z")
        );
        assert_eq!(
            around(Period::Hour, "2026-01-01T10:59:59Z", "Asia/Kolkata"),
            texts("2026-01-01T10:30:00Z", "2026-01-01T11:30:00Z")
        );
    }

    #[test]
    fn other_lengths_have_no_calendar() {
        assert_eq!(Period::of(Duration::from_secs(90)), None);
        assert_eq!(Period::of(Duration::from_secs(30 * DAY)), Some(Period::Month));
    }
}
