//! Times as carriers write them, read without inventing anything.
//!
//! A bare date stays a date. A wall clock gets an instant only where its zone is known and the clock showed that
//! time exactly once. Fractions of a second are dropped, so that what is stored and read again is equal.

mod fixed;

use std::borrow::Cow;

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::model::time::{offset_text, parse_offset};
use crate::model::{EventTime, Local, Precision, ZoneSource};

use crate::carrier::definition::answer::time::{TimeForm, TimeKind, TimeSpec, ZoneSpec};
use crate::carrier::expr::{Scope, Source};

use super::text::clean;
use super::zones::single_zone;

/// No parcel of ours was scanned outside these years: carriers write 0001 and 9999 for "never".
const YEARS: std::ops::RangeInclusive<i16> = 1990..=2120;
/// Raw times are kept up to this many characters.
const RAW_CHARS: usize = 80;

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

/// What is known of the zone of times that carry no offset.
#[derive(Debug, Clone, Copy, Default)]
pub struct Zones<'a> {
    /// What the definition says of this group of times.
    pub group: Option<&'a ZoneSpec>,
    /// The carrier's zone.
    pub carrier: Option<&'a TimeZone>,
    /// The country of the scan, ISO 3166-1 alpha-2.
    pub country: Option<&'a str>,
}

/// Reads the first complete form; the second value is its place in the list. Where none is complete the time keeps
/// the text that was found, and nothing else.
pub fn read(spec: &TimeSpec, scope: &Scope<'_>, zones: Zones<'_>) -> (EventTime, Option<usize>) {
    let found = spec.0.iter().enumerate().find_map(|(at, form)| Some((read_form(form, scope, zones)?, Some(at))));
    found.unwrap_or_else(|| {
        let raw = spec.0.iter().map(|form| raw_of(form, scope)).find(|raw| !raw.is_empty()).unwrap_or_default();
        (EventTime { raw, ..EventTime::default() }, None)
    })
}

/// Text of a source is trimmed already.
fn source_text<'s>(source: Option<&'s Source>, scope: &'s Scope<'_>) -> Option<Cow<'s, str>> {
    source?.text(scope).filter(|text| !text.is_empty())
}

fn main_source(form: &TimeForm) -> Option<&Source> {
    match &form.kind {
        TimeKind::Nothing => None,
        TimeKind::Date(source) | TimeKind::Text(source) | TimeKind::EpochMs(source) | TimeKind::EpochS(source) => {
            Some(source)
        }
    }
}

fn raw_of(form: &TimeForm, scope: &Scope<'_>) -> String {
    let parts = [main_source(form), form.time.as_ref(), form.offset.as_ref()];
    joined(&parts.map(|part| source_text(part, scope)))
}

fn joined(parts: &[Option<Cow<'_, str>>; 3]) -> String {
    let mut raw = Cow::Borrowed("");
    for part in parts.iter().flatten() {
        raw = if raw.is_empty() { Cow::Borrowed(part.as_ref()) } else { Cow::Owned(format!("{raw} {part}")) };
    }
    clean(&raw, RAW_CHARS).unwrap_or_default()
}

fn read_form(form: &TimeForm, scope: &Scope<'_>, zones: Zones<'_>) -> Option<EventTime> {
    let mut text = source_text(main_source(form), scope)?;
    let mut time = source_text(form.time.as_ref(), scope);
    if let (TimeKind::Date(_), Some(_)) = (&form.kind, &form.time) {
        // Read as one text, and kept as one.
        text = Cow::Owned(format!("{text} {}", time.take()?));
    }
    let reading = match &form.kind {
        TimeKind::Nothing => None,
        TimeKind::EpochMs(_) => epoch(&text, 1000),
        TimeKind::EpochS(_) => epoch(&text, 1),
        TimeKind::Text(_) | TimeKind::Date(_) => written(&text, &form.formats),
    }?;
    let apart = source_text(form.offset.as_ref(), scope);
    let parts = [Some(text), time, apart];
    let raw = joined(&parts);
    if form.as_date {
        return Some(of_date(raw, reading.local.date()));
    }
    let Local::DateTime(wall) = reading.local else {
        return Some(of_date(raw, reading.local.date()));
    };
    let written = if form.ignore_offset { None } else { reading.offset };
    let apart = match (&form.offset, written) {
        (Some(_), None) => Some(parts[2].as_ref().and_then(|text| loose_offset(text))),
        _ => None,
    };
    let precision = Some(reading.precision);
    if form.utc && written.is_none_or(|offset| offset == Offset::UTC) {
        return from_utc(raw, wall, precision, apart.flatten(), local_apart(form, scope));
    }
    let offset = match apart {
        // A form that names an offset is complete only with it.
        Some(offset) => Some(offset?),
        None => written,
    };
    Some(match offset {
        Some(offset) => exact(raw, wall, offset, precision),
        None => in_zone(raw, wall, precision, zone_of(form, scope, zones)),
    })
}

fn of_date(raw: String, date: Date) -> EventTime {
    EventTime { raw, local: Some(Local::Date(date)), precision: Some(Precision::Date), ..EventTime::default() }
}

fn exact(raw: String, wall: DateTime, offset: Offset, precision: Option<Precision>) -> EventTime {
    EventTime {
        raw,
        local: Some(Local::DateTime(wall)),
        precision,
        offset: Some(offset),
        utc: offset.to_timestamp(wall).ok(),
        zone_source: ZoneSource::Carrier,
    }
}

/// A time given in UTC, and perhaps the offset or the wall clock of the place beside it.
fn from_utc(
    raw: String,
    wall: DateTime,
    precision: Option<Precision>,
    offset: Option<Offset>,
    local: Option<DateTime>,
) -> Option<EventTime> {
    let utc = Offset::UTC.to_timestamp(wall).ok()?;
    let offset = offset.or_else(|| {
        // The two clocks differ by the offset, if that is one that exists; else UTC is all we know.
        let apart = local?.duration_since(wall);
        let quarters = apart.as_secs() % 900 == 0;
        let near = apart.abs() <= SignedDuration::from_hours(14);
        (quarters && near).then(|| Offset::from_seconds(i32::try_from(apart.as_secs()).ok()?).ok())?
    });
    let offset = offset.unwrap_or(Offset::UTC);
    Some(EventTime {
        raw,
        local: Some(Local::DateTime(offset.to_datetime(utc))),
        precision,
        offset: Some(offset),
        utc: Some(utc),
        zone_source: ZoneSource::Carrier,
    })
}

fn local_apart(form: &TimeForm, scope: &Scope<'_>) -> Option<DateTime> {
    let date = source_text(form.local_date.as_ref(), scope)?;
    let text = match &form.local_time {
        Some(time) => Cow::Owned(format!("{date} {}", source_text(Some(time), scope)?)),
        None => date,
    };
    match written(&text, &form.formats)?.local {
        Local::DateTime(at) => Some(at),
        Local::Date(_) => None,
    }
}

/// A wall clock in a zone, if one is known. A time that the clock showed twice or never has no instant.
fn in_zone(
    raw: String,
    wall: DateTime,
    precision: Option<Precision>,
    zone: Option<(TimeZone, ZoneSource)>,
) -> EventTime {
    let mut time = EventTime { raw, local: Some(Local::DateTime(wall)), precision, ..EventTime::default() };
    let Some((zone, source)) = zone else { return time };
    if let Ok(at) = zone.to_ambiguous_timestamp(wall).unambiguous() {
        time.offset = Some(zone.to_offset(at));
        time.utc = Some(at);
        time.zone_source = source;
    }
    time
}

fn zone_of(form: &TimeForm, scope: &Scope<'_>, zones: Zones<'_>) -> Option<(TimeZone, ZoneSource)> {
    let by_place = || Some((single_zone(zones.country?)?, ZoneSource::Place));
    let by_carrier = || Some((zones.carrier?.clone(), ZoneSource::CarrierDefault));
    match form.zone.as_ref().or(zones.group) {
        None => by_carrier(),
        Some(ZoneSpec::Fixed(zone)) => Some((zone.clone(), ZoneSource::CarrierDefault)),
        Some(ZoneSpec::Place) => by_place(),
        Some(ZoneSpec::From(source)) => match source.text(scope) {
            Some(name) if name == "place" => by_place(),
            Some(name) => TimeZone::get(name.trim()).ok().map(|zone| (zone, ZoneSource::Place)),
            None => by_carrier(),
        },
    }
}

/// A number of seconds (or of `per_second` parts) since 1970, also within other characters: `/Date(1700000000000)/`.
fn epoch(text: &str, per_second: i64) -> Option<Reading> {
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
#[path = "time_tests.rs"]
mod tests;
