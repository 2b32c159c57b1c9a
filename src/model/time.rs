//! Honest time: what a carrier said, and no more.
//!
//! Carriers give local times without zones, bare dates, and offsets that lie. [`EventTime`] keeps all that is
//! known of a scan's time and says where a zone came from; [`Moment`] is the short form for single fields.
//! A date stays a date: no code here turns one into an instant without being told a zone.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

/// How finely a time was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// To the second or finer.
    Second,
    /// To the minute.
    Minute,
    /// A calendar day.
    Date,
}

/// Where the zone of a time came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZoneSource {
    /// The carrier gave an offset or UTC.
    Carrier,
    /// The place of the scan lies in a country with one zone.
    Place,
    /// The carrier writes all its times in one zone, as its definition says.
    CarrierDefault,
    /// Not known: the time is a wall clock somewhere.
    #[default]
    None,
}

/// A wall-clock reading: a day, or a day and a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Local {
    /// A calendar day.
    Date(Date),
    /// A day and a time of day.
    DateTime(DateTime),
}

impl Local {
    /// The calendar day.
    #[must_use]
    pub fn date(self) -> Date {
        match self {
            Self::Date(date) => date,
            Self::DateTime(at) => at.date(),
        }
    }
}

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(date) => write!(f, "{date}"),
            Self::DateTime(at) => write!(f, "{}", at.strftime("%Y-%m-%dT%H:%M:%S")),
        }
    }
}

impl FromStr for Local {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        if text.len() == 10 { text.parse().map(Self::Date) } else { text.parse().map(Self::DateTime) }
    }
}

macro_rules! as_text {
    ($type:ident) => {
        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
as_text!(Local);

/// The time of one scan, with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct EventTime {
    /// The text that the carrier gave, parts joined by a blank.
    pub raw: String,
    /// The wall clock where it happened; a date where no more is known; nothing where it could not be read.
    pub local: Option<Local>,
    /// How finely it was given.
    pub precision: Option<Precision>,
    /// Offset from UTC, as `+01:00`; nothing when unknown.
    #[serde(with = "offset_text")]
    pub offset: Option<Offset>,
    /// The instant, only when known or soundly inferred.
    pub utc: Option<Timestamp>,
    /// Where offset and instant come from.
    pub zone_source: ZoneSource,
}

impl EventTime {
    /// Earlier or later, when that can be told: a guessed time is never compared with a known one,
    /// and a bare date is not compared with a time on the same day.
    #[must_use]
    pub fn certain_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self.utc, other.utc) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            (None, None) => match (self.local?, other.local?) {
                (Local::DateTime(a), Local::DateTime(b)) => Some(a.cmp(&b)),
                (a, b) if a.date() != b.date() => Some(a.date().cmp(&b.date())),
                (Local::Date(_), Local::Date(_)) => Some(Ordering::Equal),
                _ => None,
            },
            _ => None,
        }
    }

    /// The short form of it.
    #[must_use]
    pub fn moment(&self) -> Option<Moment> {
        match (self.local?, self.offset) {
            (Local::Date(date), _) => Some(Moment::Date(date)),
            (Local::DateTime(at), Some(offset)) => Some(Moment::Exact(at, offset)),
            (Local::DateTime(at), None) => Some(Moment::Local(at)),
        }
    }
}

mod offset_text {
    use jiff::tz::Offset;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
    pub fn serialize<S: Serializer>(offset: &Option<Offset>, s: S) -> Result<S::Ok, S::Error> {
        match offset {
            Some(offset) => s.collect_str(&super::offset_text(*offset)),
            None => s.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Offset>, D::Error> {
        Option::<String>::deserialize(d)?
            .map(|text| super::parse_offset(&text).map_err(serde::de::Error::custom))
            .transpose()
    }
}

/// `+01:00`, `-05:30`, `+00:00`.
#[must_use]
pub fn offset_text(offset: Offset) -> String {
    let seconds = offset.seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.unsigned_abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Reads `Z`, `+01:00`, `+0100`, `+01`, `-5:00`.
///
/// # Errors
/// A sentence that names the text, when it is none of these or is further than 18 hours from UTC.
pub fn parse_offset(text: &str) -> Result<Offset, String> {
    let bad = || format!("{text:?} is no offset from UTC such as +01:00");
    let text = text.trim();
    if text.eq_ignore_ascii_case("z") {
        return Ok(Offset::UTC);
    }
    let (sign, digits) = match text.as_bytes().first() {
        Some(b'+') => (1, &text[1..]),
        Some(b'-') => (-1, &text[1..]),
        _ => return Err(bad()),
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some((h, m)) => (h, m.split(':').next().unwrap_or(m)),
        None if digits.len() == 4 && digits.is_ascii() => digits.split_at(2),
        None => (digits, "0"),
    };
    if hours.is_empty() || hours.len() > 2 || minutes.is_empty() || minutes.len() > 2 {
        return Err(bad());
    }
    let hours: i32 = hours.parse().map_err(|_| bad())?;
    let minutes: i32 = minutes.parse().map_err(|_| bad())?;
    if !(0..=18).contains(&hours) || !(0..60).contains(&minutes) {
        return Err(bad());
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).map_err(|_| bad())
}

/// A point in time as finely as it is known: `2026-11-25`, `2026-11-25T14:29:00`, `2026-11-25T14:29:00+01:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// A calendar day where it matters to the recipient; never an instant.
    Date(Date),
    /// A wall clock in an unknown zone.
    Local(DateTime),
    /// A wall clock with its offset: an instant.
    Exact(DateTime, Offset),
}

impl Moment {
    /// The calendar day at its place.
    #[must_use]
    pub fn date(self) -> Date {
        match self {
            Self::Date(date) => date,
            Self::Local(at) | Self::Exact(at, _) => at.date(),
        }
    }

    /// This instant, written in UTC.
    #[must_use]
    pub fn from_timestamp(at: Timestamp) -> Self {
        Self::Exact(Offset::UTC.to_datetime(at), Offset::UTC)
    }

    /// The instant, where it is one.
    #[must_use]
    pub fn timestamp(self) -> Option<Timestamp> {
        match self {
            Self::Exact(at, offset) => offset.to_timestamp(at).ok(),
            _ => None,
        }
    }

    /// The first instant at which it has certainly passed: the end of the day for a date; without a zone,
    /// where that day or hour ends last on earth (UTC-12). A wrong guess must never raise an alarm.
    #[must_use]
    pub fn passed_at(self, zone: Option<&TimeZone>) -> Timestamp {
        let last_on_earth = TimeZone::fixed(Offset::constant(-12));
        let zone = zone.unwrap_or(&last_on_earth);
        let wall = match self {
            Self::Exact(at, offset) => return offset.to_timestamp(at).unwrap_or(Timestamp::MAX),
            Self::Date(date) => date.checked_add(1.day()).unwrap_or(Date::MAX).at(0, 0, 0, 0),
            Self::Local(at) => at,
        };
        zone.to_ambiguous_timestamp(wall).later().unwrap_or(Timestamp::MAX)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(date) => write!(f, "{date}"),
            Self::Local(at) => write!(f, "{}", Local::DateTime(*at)),
            Self::Exact(at, offset) if *offset == Offset::UTC => write!(f, "{}Z", Local::DateTime(*at)),
            Self::Exact(at, offset) => write!(f, "{}{}", Local::DateTime(*at), offset_text(*offset)),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!("{text:?} is no date or time: write 2026-11-25, 2026-11-25T14:29:00 or 2026-11-25T14:29:00+01:00")
        };
        if !text.is_ascii() || text.len() < 10 {
            return Err(bad());
        }
        if text.len() == 10 {
            return text.parse().map(Self::Date).map_err(|_| bad());
        }
        let tail = &text[11..];
        match tail.find(['Z', 'z', '+', '-']) {
            Some(at) => {
                let wall = text[..11 + at].parse().map_err(|_| bad())?;
                Ok(Self::Exact(wall, parse_offset(&tail[at..]).map_err(|_| bad())?))
            }
            None => text.parse().map(Self::Local).map_err(|_| bad()),
        }
    }
}
as_text!(Moment);

/// Milliseconds since the epoch: how the store writes an instant.
#[must_use]
pub fn to_millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// The instant of these milliseconds; out of range becomes the nearest end of time.
#[must_use]
pub fn from_millis(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// `at` and `by` added; the end of time where that overflows.
#[must_use]
pub fn after(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_it_was_given() {
        for text in [
            "2026-11-25",
            "2026-11-25T14:29:00",
            "2026-11-25T14:29:00+01:00",
            "2026-11-25T14:29:00-05:30",
            "2026-11-25T14:29:00Z",
        ] {
            assert_eq!(text.parse::<Moment>().unwrap().to_string(), text);
        }
        for text in ["", "2026-13-01", "2026-11-25T", "2026-11-25T10:00+99", "tomorrow"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_date_without_zone_has_passed_when_it_has_passed_everywhere() {
        let moment: Moment = "2026-11-25".parse().unwrap();
        assert_eq!(moment.passed_at(None).to_string(), "2026-11-26T12:00:00Z");
        let paris = TimeZone::get("Europe/Paris").unwrap();
        assert_eq!(moment.passed_at(Some(&paris)).to_string(), "2026-11-25T23:00:00Z");
    }

    #[test]
    fn a_guessed_time_is_not_compared_with_a_known_one() {
        let known =
            EventTime { utc: Some(from_millis(0)), local: "1970-01-01T00:00:00".parse().ok(), ..EventTime::default() };
        let guessed = EventTime { local: "1980-01-01T00:00:00".parse().ok(), ..EventTime::default() };
        assert_eq!(known.certain_cmp(&guessed), None);
    }

    #[test]
    fn offsets_are_read_in_the_forms_carriers_use() {
        for (text, seconds) in [("Z", 0), ("+01:00", 3600), ("-0530", -19800), ("+02", 7200), ("-5:00", -18000)] {
            assert_eq!(parse_offset(text).unwrap().seconds(), seconds, "{text}");
        }
        for text in ["", "1", "+", "+1:", "+99:00", "+0a:00", "é"] {
            assert!(parse_offset(text).is_err(), "{text}");
        }
    }
}
