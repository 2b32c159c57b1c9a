//! Times inside stored JSON, without losing anything.

use jiff::Timestamp;
use jiff::tz::Offset;
use serde_json::{Map, Value, json};

use super::events::{RAW_FORMS, raw_in_form};
use crate::model::time::offset_text;
use crate::model::{EventTime, Local, Precision, ZoneSource};

/// Milliseconds, or text where that would lose something.
pub(super) fn instant_value(at: Timestamp) -> Value {
    if at.subsec_nanosecond() % 1_000_000 == 0 { json!(at.as_millisecond()) } else { json!(at.to_string()) }
}

/// What [`instant_value`] wrote.
pub(super) fn instant_from(value: &Value) -> Result<Timestamp, String> {
    if let Value::String(text) = value {
        text.parse().map_err(|error: jiff::Error| error.to_string())
    } else {
        let ms = value.as_i64().ok_or_else(|| format!("{value} is no instant"))?;
        Timestamp::from_millisecond(ms).map_err(|error| error.to_string())
    }
}

/// What a time need not say because the one before said it.
#[derive(Default)]
pub(super) struct Carry {
    offset: Option<Offset>,
    raw: RawForm,
}

/// How the carrier's text follows from the clock.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum RawForm {
    /// It is the clock with its offset, as we write it.
    #[default]
    Clock,
    /// It is the clock in one of [`RAW_FORMS`].
    Form(usize),
}

impl RawForm {
    fn text(self, local: Option<Local>, offset: Option<Offset>) -> Option<String> {
        match (self, local) {
            (Self::Clock, _) => Some(clock_text(local, offset)),
            (Self::Form(form), Some(Local::DateTime(at))) => raw_in_form(form, at),
            (Self::Form(_), _) => None,
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::Clock).chain((0..RAW_FORMS.len()).map(Self::Form))
    }
}

/// Writes the keys `t`, `f`, `u`, `z`, `r`: see [`super::events`].
pub(super) fn time_into(map: &mut Map<String, Value>, time: &EventTime, carry: &mut Carry) {
    let (local, offset) = (time.local, time.offset);
    let clock = match (offset, carry.offset) {
        (None, Some(_)) => format!("{}~", clock_text(local, None)),
        (now, before) if now == before => clock_text(local, None),
        _ => clock_text(local, offset),
    };
    carry.offset = offset;
    if !clock.is_empty() {
        map.insert("t".into(), json!(clock));
    }
    if time.precision != usual_precision(local) {
        let letter = time.precision.map(|precision| match precision {
            Precision::Second => "s",
            Precision::Minute => "m",
            Precision::Date => "d",
        });
        map.insert("f".into(), json!(letter));
    }
    if time.utc != instant_of(local, offset) {
        map.insert("u".into(), time.utc.map_or(Value::Null, instant_value));
    }
    if time.zone_source != usual_source(offset) {
        let letter = match time.zone_source {
            ZoneSource::Carrier => "c",
            ZoneSource::Place => "p",
            ZoneSource::CarrierDefault => "d",
            ZoneSource::None => "n",
        };
        map.insert("z".into(), json!(letter));
    }
    let gives_raw = |form: &RawForm| form.text(local, offset).as_deref() == Some(&*time.raw);
    if !gives_raw(&carry.raw) {
        let value = match RawForm::all().find(gives_raw) {
            Some(form) => {
                carry.raw = form;
                if let RawForm::Form(form) = form { json!(form) } else { json!(-1) }
            }
            None => json!(time.raw),
        };
        map.insert("r".into(), value);
    }
}

/// What [`time_into`] wrote.
pub(super) fn time_from(map: &Map<String, Value>, carry: &mut Carry) -> Result<EventTime, String> {
    let clock = map.get("t").map_or("", |value| value.as_str().unwrap_or_default());
    let (local, offset) = if let Some(clock) = clock.strip_suffix('~') {
        (read_clock(clock)?.0, None)
    } else {
        let (local, given) = read_clock(clock)?;
        (local, given.or(carry.offset))
    };
    carry.offset = offset;
    let raw = match map.get("r") {
        Some(Value::String(raw)) => raw.clone(),
        form => {
            match form.map(Value::as_i64) {
                None => {}
                Some(Some(-1)) => carry.raw = RawForm::Clock,
                Some(form) => {
                    let form =
                        form.and_then(|form| usize::try_from(form).ok()).ok_or("r is neither text nor a form")?;
                    carry.raw = RawForm::Form(form);
                }
            }
            carry.raw.text(local, offset).ok_or("r is missing")?
        }
    };
    let letter = |key: &str| map.get(key).map(|value| value.as_str().unwrap_or_default());
    Ok(EventTime {
        raw,
        local,
        offset,
        precision: match letter("f") {
            None => usual_precision(local),
            Some("s") => Some(Precision::Second),
            Some("m") => Some(Precision::Minute),
            Some("d") => Some(Precision::Date),
            Some(_) => None,
        },
        utc: match map.get("u") {
            None => instant_of(local, offset),
            Some(Value::Null) => None,
            Some(value) => Some(instant_from(value)?),
        },
        zone_source: match letter("z") {
            None => usual_source(offset),
            Some("c") => ZoneSource::Carrier,
            Some("p") => ZoneSource::Place,
            Some("d") => ZoneSource::CarrierDefault,
            Some(_) => ZoneSource::None,
        },
    })
}

/// Wall clock and offset in one text: `2026-11-25T14:29:00+01:00`. An offset alone stands after a `~`.
fn clock_text(local: Option<Local>, offset: Option<Offset>) -> String {
    let offset = offset.map(exact_offset).unwrap_or_default();
    match local {
        Some(Local::DateTime(at)) => format!("{at}{offset}"),
        Some(Local::Date(date)) if offset.is_empty() => date.to_string(),
        Some(Local::Date(date)) => format!("{date}~{offset}"),
        None if offset.is_empty() => String::new(),
        None => format!("~{offset}"),
    }
}

fn read_clock(text: &str) -> Result<(Option<Local>, Option<Offset>), String> {
    if text.is_empty() {
        return Ok((None, None));
    }
    let bad = |error: jiff::Error| format!("{text:?} is no time: {error}");
    let split = match text.find('~') {
        Some(at) => Some((at, at + 1)),
        None => text.find('T').and_then(|t| text[t..].find(['+', '-']).map(|sign| (t + sign, t + sign))),
    };
    let (wall, offset) = match split {
        Some((end, start)) => (&text[..end], Some(read_offset(&text[start..])?)),
        None => (text, None),
    };
    let local = match wall {
        "" => None,
        wall if wall.contains('T') => Some(Local::DateTime(wall.parse().map_err(bad)?)),
        wall => Some(Local::Date(wall.parse().map_err(bad)?)),
    };
    Ok((local, offset))
}

/// As [`offset_text`], with seconds where there are some.
fn exact_offset(offset: Offset) -> String {
    match offset.seconds().unsigned_abs() % 60 {
        0 => offset_text(offset),
        seconds => format!("{}:{seconds:02}", offset_text(offset)),
    }
}

fn read_offset(text: &str) -> Result<Offset, String> {
    let bad = || format!("{text:?} is no offset");
    let sign = match text.as_bytes().first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Err(bad()),
    };
    let mut seconds = 0;
    for (part, unit) in text[1..].split(':').zip([3600, 60, 1]) {
        seconds += part.parse::<i32>().ok().filter(|n| (0..100).contains(n)).ok_or_else(bad)? * unit;
    }
    Offset::from_seconds(sign * seconds).map_err(|_| bad())
}

fn usual_precision(local: Option<Local>) -> Option<Precision> {
    match local {
        Some(Local::Date(_)) => Some(Precision::Date),
        Some(Local::DateTime(_)) => Some(Precision::Second),
        None => None,
    }
}

fn usual_source(offset: Option<Offset>) -> ZoneSource {
    if offset.is_some() { ZoneSource::Carrier } else { ZoneSource::None }
}

fn instant_of(local: Option<Local>, offset: Option<Offset>) -> Option<Timestamp> {
    match (local, offset) {
        (Some(Local::DateTime(at)), Some(offset)) => offset.to_timestamp(at).ok(),
        _ => None,
    }
}
