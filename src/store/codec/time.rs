//! Times inside stored JSON, without losing anything.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::Offset;
use serde_json::{Map, Value, json};

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

/// Forms in which carriers write times, by number: an event whose raw text is one of them stores the number.
const RAW_FORMS: [RawForm; 9] = [
    RawForm { utc: false, form: "%Y%m%d %H%M%S", offset: false },
    RawForm { utc: false, form: "%Y-%m-%dT%H:%M:%S", offset: false },
    RawForm { utc: false, form: "%Y-%m-%d %H:%M:%S", offset: false },
    RawForm { utc: false, form: "%d/%m/%Y %H:%M", offset: false },
    RawForm { utc: false, form: "%d.%m.%y %H:%M", offset: false },
    RawForm { utc: false, form: "%Y-%m-%d %H:%M", offset: false },
    RawForm { utc: true, form: "%Y%m%d %H%M%S", offset: true },
    RawForm { utc: true, form: "%Y-%m-%dT%H:%M:%SZ", offset: false },
    RawForm { utc: true, form: "%Y-%m-%dT%H:%M:%S.000Z", offset: false },
];

/// One such form: of the wall clock or of the instant in UTC, with the offset after it or not.
struct RawForm {
    utc: bool,
    form: &'static str,
    offset: bool,
}

impl RawForm {
    fn text(&self, time: &EventTime) -> Option<String> {
        let at = match (self.utc, time.local, time.utc) {
            (true, _, Some(utc)) => Offset::UTC.to_datetime(utc),
            (false, Some(Local::DateTime(at)), _) => at,
            _ => return None,
        };
        let offset = if self.offset { format!(" {}", offset_text(time.offset?)) } else { String::new() };
        Some(format!("{}{offset}", at.strftime(self.form)))
    }
}

/// The raw text of a time in the form of this number; without a number, clock and offset as we write them.
pub(super) fn raw_in_form(form: Option<usize>, time: &EventTime) -> Option<String> {
    if let Some(form) = form {
        return RAW_FORMS.get(form)?.text(time);
    }
    let offset = time.offset.map(exact_offset).unwrap_or_default();
    Some(match time.local {
        Some(Local::DateTime(at)) => format!("{at}{offset}"),
        Some(Local::Date(date)) => format!("{date}{offset}"),
        None => offset,
    })
}

/// What a time need not say because those before it said it.
#[derive(Default)]
pub(super) struct Carry {
    date: Option<Date>,
    offset: Option<Offset>,
    precision: Option<Precision>,
    source_with_offset: Option<ZoneSource>,
    source_without: Option<ZoneSource>,
    raw: Option<usize>,
}

impl Carry {
    fn usual_precision(&self, local: Option<Local>) -> Option<Precision> {
        match local {
            Some(Local::Date(_)) => Some(Precision::Date),
            Some(Local::DateTime(_)) => Some(self.precision.unwrap_or(Precision::Second)),
            None => None,
        }
    }

    fn usual_source(&self, offset: Option<Offset>) -> ZoneSource {
        match offset {
            Some(_) => self.source_with_offset.unwrap_or(ZoneSource::Carrier),
            None => self.source_without.unwrap_or(ZoneSource::None),
        }
    }

    fn take(&mut self, time: &EventTime) {
        self.offset = time.offset;
        match time.local {
            Some(Local::DateTime(at)) => {
                self.date = Some(at.date());
                self.precision = time.precision.or(self.precision);
            }
            Some(Local::Date(date)) => self.date = Some(date),
            None => {}
        }
        let source = if time.offset.is_some() { &mut self.source_with_offset } else { &mut self.source_without };
        *source = Some(time.zone_source);
    }
}

/// Gives the clock text and writes the keys `f`, `u`, `z`, `r`: see [`super::events`].
pub(super) fn time_into(map: &mut Map<String, Value>, time: &EventTime, carry: &mut Carry) -> String {
    let wall = time.local.map_or_else(String::new, |local| short_wall(local, carry.date));
    let offset = match time.offset {
        None if carry.offset.is_some() => "~".to_owned(),
        now if now == carry.offset => String::new(),
        None => String::new(),
        Some(offset) if wall.contains(':') => short_offset(offset),
        Some(offset) => format!("~{}", short_offset(offset)),
    };
    if time.precision != carry.usual_precision(time.local) {
        let letter = time.precision.map(|precision| match precision {
            Precision::Second => "s",
            Precision::Minute => "m",
            Precision::Date => "d",
        });
        map.insert("f".into(), json!(letter));
    }
    if time.utc != instant_of(time.local, time.offset) {
        map.insert("u".into(), time.utc.map_or(Value::Null, instant_value));
    }
    if time.zone_source != carry.usual_source(time.offset) {
        let letter = match time.zone_source {
            ZoneSource::Carrier => "c",
            ZoneSource::Place => "p",
            ZoneSource::CarrierDefault => "d",
            ZoneSource::None => "n",
        };
        map.insert("z".into(), json!(letter));
    }
    let gives_raw = |form: &Option<usize>| raw_in_form(*form, time).as_deref() == Some(&*time.raw);
    if !gives_raw(&carry.raw) {
        let value = match std::iter::once(None).chain((0..RAW_FORMS.len()).map(Some)).find(gives_raw) {
            Some(form) => {
                carry.raw = form;
                form.map_or_else(|| json!(-1), |form| json!(form))
            }
            None => json!(time.raw),
        };
        map.insert("r".into(), value);
    }
    carry.take(time);
    format!("{wall}{offset}")
}

/// What [`time_into`] wrote.
pub(super) fn time_from(clock: &str, map: &Map<String, Value>, carry: &mut Carry) -> Result<EventTime, String> {
    let (local, offset) = read_clock(clock, carry)?;
    let letter = |key: &str| map.get(key).map(|value| value.as_str().unwrap_or_default());
    let mut time = EventTime {
        raw: String::new(),
        local,
        offset,
        precision: match letter("f") {
            None => carry.usual_precision(local),
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
            None => carry.usual_source(offset),
            Some("c") => ZoneSource::Carrier,
            Some("p") => ZoneSource::Place,
            Some("d") => ZoneSource::CarrierDefault,
            Some(_) => ZoneSource::None,
        },
    };
    time.raw = match map.get("r") {
        Some(Value::String(raw)) => raw.clone(),
        form => {
            if let Some(form) = form {
                let form = form.as_i64().ok_or("r is neither text nor the number of a form")?;
                carry.raw = usize::try_from(form).ok();
            }
            raw_in_form(carry.raw, &time).ok_or("r is missing")?
        }
    };
    carry.take(&time);
    Ok(time)
}

/// A wall clock without what the date before says already: `2026-11-25T14:29:30`, `12-01T14:29`, `26T14:29`, `14:29`;
/// a date: `2026-11-25`, `12-01`, `26`.
fn short_wall(local: Local, before: Option<Date>) -> String {
    let (date, time) = match local {
        Local::Date(date) => (date, None),
        Local::DateTime(at) => (at.date(), Some(at.time())),
    };
    let whole = date.to_string();
    // A year of other than four digits is written whole.
    let short = match before.filter(|before| before.year() == date.year() && whole.len() == 10) {
        Some(before) if before == date && time.is_some() => "",
        Some(before) if before.month() == date.month() => &whole[8..],
        Some(_) => &whole[5..],
        None => &whole,
    };
    let Some(time) = time else { return short.to_owned() };
    let clock = time.to_string();
    let clock = if clock.len() == 8 { clock.strip_suffix(":00").unwrap_or(&clock) } else { &clock };
    if short.is_empty() { clock.to_owned() } else { format!("{short}T{clock}") }
}

/// Clock and offset: an offset follows a time, or stands after a `~`; `~` alone: none, other than the event before.
fn read_clock(text: &str, carry: &Carry) -> Result<(Option<Local>, Option<Offset>), String> {
    let (wall, offset) = match text.split_once('~') {
        Some((wall, "")) => (wall, None),
        Some((wall, offset)) => (wall, Some(read_offset(offset)?)),
        None => match text.find(':').and_then(|time| Some(time + text[time..].find(['+', '-'])?)) {
            Some(sign) => (&text[..sign], Some(read_offset(&text[sign..])?)),
            None => (text, carry.offset),
        },
    };
    let local = if wall.is_empty() { None } else { Some(read_wall(wall, carry.date)?) };
    Ok((local, offset))
}

fn read_wall(wall: &str, before: Option<Date>) -> Result<Local, String> {
    let bad = |error: jiff::Error| format!("{wall:?} is no time: {error}");
    let (date, time) = match wall.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None if wall.contains(':') => ("", Some(wall)),
        None => (wall, None),
    };
    let date = if matches!(date.len(), 0 | 2 | 5) {
        let before = before.ok_or_else(|| format!("{wall:?} follows no date"))?.to_string();
        let kept = before.len().checked_sub(date.len()).and_then(|end| before.get(..end)).unwrap_or_default();
        format!("{kept}{date}").parse::<Date>().map_err(bad)?
    } else {
        date.parse::<Date>().map_err(bad)?
    };
    Ok(match time {
        Some(time) => Local::DateTime(date.to_datetime(time.parse::<Time>().map_err(bad)?)),
        None => Local::Date(date),
    })
}

fn short_offset(offset: Offset) -> String {
    let text = exact_offset(offset);
    text.strip_suffix(":00").map_or_else(|| text.clone(), str::to_owned)
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

fn instant_of(local: Option<Local>, offset: Option<Offset>) -> Option<Timestamp> {
    match (local, offset) {
        (Some(Local::DateTime(at)), Some(offset)) => offset.to_timestamp(at).ok(),
        _ => None,
    }
}
