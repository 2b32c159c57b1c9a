//! Times as carriers write them, read without inventing anything.
//!
//! A bare date stays a date. A wall clock gets an instant only where its zone is known and the clock showed that
//! time exactly once. Fractions of a second are dropped, so that what is stored and read again is equal.

use std::borrow::Cow;

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};

use crate::model::{EventTime, Local, Precision, ZoneSource};

use crate::carrier::definition::answer::time::{TimeForm, TimeKind, TimeSpec, ZoneSpec};
use crate::carrier::expr::{Scope, Source};
use crate::carrier::time_text::{epoch, loose_offset, written};

use super::text::clean;
use super::zones::single_zone;

/// Raw times are kept up to this many characters.
const RAW_CHARS: usize = 80;

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

#[cfg(test)]
#[path = "time_tests.rs"]
mod tests;
