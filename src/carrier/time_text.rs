//! Times as they are written: from a text to a day or a clock, and the offset that stands in it.
//!
//! Fractions of a second are dropped, so that what is stored and read again is equal.

mod fixed;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::Offset;

use crate::model::time::{offset_text, parse_offset};
use crate::model::{Local, Precision};

/// No parcel of ours was scanned outside these years: carriers write 0001 and 9999 for "never".
const YEARS: std::ops::RangeInclusive<i16> = 1990..=2120;
/// What one text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Wall clock as written.
    pub local: Local,
    /// How finely.
    pub precision: Precision,
    /// Offset as written.
    pub offset: Option<Offset>,
}

/// A number of seconds (or of `per_second` parts) since 1970, also within other characters: `/Date(1700000000000)/`.
pub fn epoch(text: &str, per_second: i64) -> Option<Reading> {
    let from = text.find(|c: char| c.is_ascii_digit())?;
    let digits: String = text[from..].chars().take_while(char::is_ascii_digit).collect();
    let seconds = digits.parse::<i64>().ok()?.checked_div(per_second)?;
    let at = Timestamp::from_second(seconds).ok()?;
    let wall = Offset::UTC.to_datetime(at);
    plausible(wall.date())?;
    Some(Reading { local: Local::DateTime(wall), precision: Precision::Second, offset: Some(Offset::UTC) })
}

fn plausible(date: Date) -> Option<Date> {
    YEARS.contains(&date.year()).then_some(date)
}

/// Reads a text by these formats, or as ISO 8601 where there are none.
pub fn written(text: &str, formats: &[String]) -> Option<Reading> {
    let text = text.trim();
    if text.len() > 100 {
        return None;
    }
    let reading = match formats {
        [] => iso(text),
        formats => formats.iter().find_map(|format| by_format(text, format)),
    }?;
    plausible(reading.local.date()).map(|_| reading)
}

fn by_format(text: &str, format: &str) -> Option<Reading> {
    if let Some(reading) = fixed::read(text, format) {
        return Some(reading);
    }
    let broken = BrokenDownTime::parse(format, text).ok().or_else(|| by_twelve_hours(text, format))?;
    let date = broken.to_date().ok()?;
    let offset = broken.offset();
    if broken.hour().is_none() {
        return Some(Reading { local: Local::Date(date), precision: Precision::Date, offset: None });
    }
    let time = broken.to_time().ok()?;
    let precision = if broken.second().is_some() { Precision::Second } else { Precision::Minute };
    Some(Reading { local: Local::DateTime(whole_seconds(date, time)), precision, offset })
}

/// `14:29 PM` and `00:10 AM`: the clock of 24 hours with a needless mark, which no format reads. `02:29 PM` under a
/// format with `%H` is read with the mark.
fn by_twelve_hours(text: &str, format: &str) -> Option<BrokenDownTime> {
    if !format.contains("%p") {
        return None;
    }
    let upper = text.to_ascii_uppercase();
    let without: String = upper.replace("AM", "").replace("PM", "");
    let bare = format.replace("%p", "").replace("%I", "%H").replace("%l", "%k");
    let parsed = BrokenDownTime::parse(bare.trim(), without.trim()).ok()?;
    let hour = parsed.hour()?;
    if hour > 12 || hour == 0 {
        return Some(parsed);
    }
    BrokenDownTime::parse(format.replace("%H", "%I").replace("%k", "%l"), &upper).ok()
}

fn whole_seconds(date: Date, time: Time) -> DateTime {
    date.at(time.hour(), time.minute(), time.second(), 0)
}

/// ISO 8601 as it is met: `2026-11-25`, `20261125`, with `T` or a blank, with or without seconds, fractions and
/// offset (`Z`, `+01:00`, `+0100`, `+01`, ` UTC`), with a zone in brackets that is ignored.
pub fn iso(text: &str) -> Option<Reading> {
    let text = text.split('[').next()?.trim();
    if !text.is_ascii() {
        return None;
    }
    let (date, rest) = iso_date(text)?;
    let Some(rest) = rest.strip_prefix(['T', 't', ' ']).map(str::trim_start) else {
        let bare = rest.is_empty() || rest.eq_ignore_ascii_case("z");
        return bare.then_some(Reading { local: Local::Date(date), precision: Precision::Date, offset: None });
    };
    let end = rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.' | ','))).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(end);
    let (time, precision) = iso_time(clock)?;
    let zone = zone.trim();
    let offset = if zone.is_empty() { None } else { Some(loose_offset(zone)?) };
    Some(Reading { local: Local::DateTime(whole_seconds(date, time)), precision, offset })
}

fn iso_date(text: &str) -> Option<(Date, &str)> {
    let number = |from: usize, to: usize| {
        let part = text.get(from..to)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<i16>().ok())?
    };
    let year = number(0, 4)?;
    let (month, day, end) = match text.as_bytes().get(4) {
        Some(b'-' | b'/') if text.as_bytes().get(7) == text.as_bytes().get(4) => (number(5, 7)?, number(8, 10)?, 10),
        _ => (number(4, 6)?, number(6, 8)?, 8),
    };
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    let rest = &text[end..];
    // A ninth digit belongs to some other number.
    (!rest.starts_with(|c: char| c.is_ascii_digit())).then_some((date, rest))
}

fn iso_time(clock: &str) -> Option<(Time, Precision)> {
    let whole = clock.split(['.', ',']).next()?;
    let parts: Vec<&str> = if whole.contains(':') {
        whole.split(':').collect()
    } else {
        (0..whole.len()).step_by(2).map(|at| whole.get(at..at + 2).unwrap_or("x")).collect()
    };
    let number = |at: usize| parts.get(at).filter(|part| part.len() <= 2).and_then(|part| part.parse::<i8>().ok());
    let (seconds, precision) = match parts.len() {
        2 => (0, Precision::Minute),
        3 => (number(2)?, Precision::Second),
        _ => return None,
    };
    Some((Time::new(number(0)?, number(1)?, seconds.min(59), 0).ok()?, precision))
}

/// `Z`, `+01:00` and `+0100`, as most are written.
fn plain_offset(text: &[u8]) -> Option<Offset> {
    let (sign, [h, i, m, n]) = match text {
        b"Z" => return Some(Offset::UTC),
        [sign, h, i, b':', m, n] | [sign, h, i, m, n] => (sign, [h, i, m, n]),
        _ => return None,
    };
    let digits = [h, i, m, n].map(|digit| i32::from(digit.wrapping_sub(b'0')));
    let [hours, minutes] = [digits[0] * 10 + digits[1], digits[2] * 10 + digits[3]];
    let good = digits.iter().all(|digit| *digit < 10) && hours < 24 && minutes < 60;
    let seconds = (hours * 60 + minutes) * 60;
    match sign {
        b'+' if good => Offset::from_seconds(seconds).ok(),
        b'-' if good => Offset::from_seconds(-seconds).ok(),
        _ => None,
    }
}

/// An offset as [`parse_offset`] reads it, also after `GMT` or `UTC`, and without its `+`.
pub fn loose_offset(text: &str) -> Option<Offset> {
    if let Some(offset) = plain_offset(text.as_bytes()) {
        return Some(offset);
    }
    let upper = text.trim().to_ascii_uppercase();
    let bare = upper.trim_start_matches("GMT").trim_start_matches("UTC").trim();
    if bare.is_empty() {
        return Some(Offset::UTC);
    }
    let signed = if bare.starts_with(|c: char| c.is_ascii_digit()) { format!("+{bare}") } else { bare.to_owned() };
    let offset = parse_offset(&signed).ok()?;
    // It must survive being written to the minute.
    (parse_offset(&offset_text(offset)).ok()? == offset).then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_in_all_the_ways_it_is_met() {
        for (text, local, offset) in [
            ("2026-03-12", "2026-03-12", None),
            ("20260312", "2026-03-12", None),
            ("2026-03-12T10:11:12+01:00", "2026-03-12T10:11:12", Some(3600)),
            ("2024-10-07T10:46:14+0200", "2024-10-07T10:46:14", Some(7200)),
            ("2026-03-12T10:11:12.123456789Z", "2026-03-12T10:11:12", Some(0)),
            ("2018-03-02T07:53:47", "2018-03-02T07:53:47", None),
            ("2026-03-12 10:11", "2026-03-12T10:11:00", None),
            ("20260312T101112Z", "2026-03-12T10:11:12", Some(0)),
            ("2026-03-12T10:11:12+01:00[Europe/Paris]", "2026-03-12T10:11:12", Some(3600)),
            ("2026-03-12 10:11:12 UTC", "2026-03-12T10:11:12", Some(0)),
        ] {
            let reading = iso(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(
                (reading.local.to_string().as_str(), reading.offset.map(Offset::seconds)),
                (local, offset),
                "{text}"
            );
        }
        for text in [
            "",
            "tomorrow",
            "2026-13-01",
            "2026-02-30",
            "12/03/2026",
            "2026-03-12T25:00",
            "2026-03-12Tnoon",
            "202603121",
            "２０２６-03-12",
        ] {
            assert_eq!(iso(text), None, "{text}");
        }
        assert_eq!(written("0001-01-01T00:00:00", &[]), None, "a date that means never");
        assert_eq!(written("9999-12-31", &[]), None);
    }

    #[test]
    fn two_digit_years_and_a_needless_pm() {
        let by =
            |text: &str, format: &str| written(text, &[format.to_owned()]).map(|reading| reading.local.to_string());
        assert_eq!(by("04/02/25 07:11", "%d/%m/%y %H:%M").as_deref(), Some("2025-02-04T07:11:00"));
        assert_eq!(by("04/02/25", "%d/%m/%y").as_deref(), Some("2025-02-04"));
        for format in ["%d-%m-%Y %I:%M %p", "%d-%m-%Y %H:%M %p"] {
            assert_eq!(by("05-02-2025 14:29 PM", format).as_deref(), Some("2025-02-05T14:29:00"), "{format}");
            assert_eq!(by("05-02-2025 00:10 AM", format).as_deref(), Some("2025-02-05T00:10:00"), "{format}");
            assert_eq!(by("05-02-2025 02:29 PM", format).as_deref(), Some("2025-02-05T14:29:00"), "{format}");
            assert_eq!(by("05-02-2025 12:05 AM", format).as_deref(), Some("2025-02-05T00:05:00"), "{format}");
            assert_eq!(by("05-02-2025 12:05 pm", format).as_deref(), Some("2025-02-05T12:05:00"), "{format}");
        }
        assert_eq!(by("31/02/2025", "%d/%m/%Y"), None);
        assert_eq!(by("04/02/25", "%d/%m/%Y"), None, "the year 25 is none of ours");
    }
}
