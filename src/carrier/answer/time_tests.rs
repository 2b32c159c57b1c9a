use jiff::civil::date;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::carrier::expr::Scope;
use crate::model::time::offset_text;

fn paris() -> TimeZone {
    TimeZone::get("Europe/Paris").unwrap()
}

/// Reads `e` by this `time = ..` with these zones.
fn read_with(spec: &str, e: &Value, zones: Zones<'_>) -> EventTime {
    #[derive(serde::Deserialize)]
    struct Holder {
        time: TimeSpec,
    }
    let holder: Holder = toml::from_str(&format!("time = {spec}")).unwrap();
    let scope = Scope::new().with("e", e).focus(e);
    read(&holder.time, &scope, zones).0
}

fn shown(time: &EventTime) -> (String, Option<String>, ZoneSource) {
    (time.local.map(|l| l.to_string()).unwrap_or_default(), time.utc.map(|u| u.to_string()), time.zone_source)
}

#[test]
fn utc_with_the_local_clock_beside_it() {
    let spec = r#"[{ date = "gd", time = "gt | digits | zfill(6)", offset = "off", utc = true, formats = ["%Y%m%d %H%M%S"] },
        { date = "gd", time = "gt | digits | zfill(6)", utc = true, local_date = "d", local_time = "t", formats = ["%Y%m%d %H%M%S"] },
        { date = "d", time = "t", formats = ["%Y%m%d %H%M%S"] }]"#;
    let zones = Zones::default();
    let full = json!({"gd": "20260312", "gt": "74700", "off": "-06:00", "d": "20260312", "t": "014700"});
    assert_eq!(
        shown(&read_with(spec, &full, zones)),
        ("2026-03-12T01:47:00".into(), Some("2026-03-12T07:47:00Z".into()), ZoneSource::Carrier)
    );
    let no_offset = json!({"gd": "20260312", "gt": "07:47:00", "d": "20260312", "t": "014700"});
    let read = read_with(&spec.replacen("offset = \"off\", ", "", 1), &no_offset, zones);
    assert_eq!(read.utc.unwrap().to_string(), "2026-03-12T07:47:00Z");
    let local_only = json!({"d": "20260312", "t": "014700"});
    assert_eq!(shown(&read_with(spec, &local_only, zones)), ("2026-03-12T01:47:00".into(), None, ZoneSource::None));
}

#[test]
fn a_zone_is_used_only_where_it_is_known_and_the_clock_is_sound() {
    let zone = paris();
    let default = Zones { carrier: Some(&zone), ..Zones::default() };
    let at = |text: &str| shown(&read_with("[{ iso = 't' }]", &json!({"t": text}), default));
    assert_eq!(at("2026-07-01T10:00:00").1.as_deref(), Some("2026-07-01T08:00:00Z"));
    assert_eq!(at("2026-07-01T10:00:00").2, ZoneSource::CarrierDefault);
    assert_eq!(
        at("2026-07-01T10:00:00-05:00"),
        ("2026-07-01T10:00:00".into(), Some("2026-07-01T15:00:00Z".into()), ZoneSource::Carrier)
    );
    assert_eq!(
        at("2026-03-29T02:30:00"),
        ("2026-03-29T02:30:00".into(), None, ZoneSource::None),
        "skipped by the clock"
    );
    assert_eq!(at("2026-10-25T02:30:00"), ("2026-10-25T02:30:00".into(), None, ZoneSource::None), "shown twice");
    assert_eq!(at("2026-07-01"), ("2026-07-01".into(), None, ZoneSource::None), "a date stays a date");
    assert_eq!(shown(&read_with("'t'", &json!({"t": "2026-07-01T10:00"}), Zones::default())).1, None);
}

#[test]
fn the_place_of_a_scan_gives_a_zone_only_where_the_definition_says_so() {
    let group = ZoneSpec::Place;
    let e = json!({"t": "2026-07-01T10:00:00"});
    let read = |group, country| shown(&read_with("'t'", &e, Zones { group, carrier: None, country }));
    assert_eq!(
        read(Some(&group), Some("FR")),
        ("2026-07-01T10:00:00".into(), Some("2026-07-01T08:00:00Z".into()), ZoneSource::Place)
    );
    assert_eq!(read(Some(&group), Some("US")).1, None, "a country of several zones");
    assert_eq!(read(None, Some("FR")).1, None);
}

#[test]
fn an_incomplete_form_gives_way_and_the_raw_text_is_kept() {
    let spec = r#"[{ date = "d", time = "t", offset = "z" }, { date = "d", time = "t" }, { text = "d", as = "date" }]"#;
    let raw = |e: Value| read_with(spec, &e, Zones::default());
    assert_eq!(
        raw(json!({"d": "2025-02-03", "t": "18:00:00", "z": "GMT+1"})).utc.unwrap().to_string(),
        "2025-02-03T17:00:00Z"
    );
    assert_eq!(raw(json!({"d": "2025-02-03", "t": "18:00:00", "z": "???"})).utc, None);
    assert_eq!(raw(json!({"d": "2025-02-03", "t": ""})).local, Some(Local::Date(date(2025, 2, 3))));
    let unread = raw(json!({"d": "yesterday", "t": "noon"}));
    assert_eq!((unread.raw.as_str(), unread.local), ("yesterday noon", None));
}

#[test]
fn epochs_are_instants() {
    for (spec, e) in [
        ("[{ epoch_ms = 't' }]", json!({"t": 1_700_000_000_123_i64})),
        ("[{ epoch_s = 't' }]", json!({"t": "1700000000"})),
        ("[{ epoch_ms = 't' }]", json!({"t": "/Date(1700000000000+0100)/"})),
    ] {
        assert_eq!(read_with(spec, &e, Zones::default()).utc.unwrap().to_string(), "2023-11-14T22:13:20Z", "{spec}");
    }
    assert_eq!(read_with("[{ epoch_s = 't' }]", &json!({"t": 0}), Zones::default()).local, None);
}

#[test]
fn an_offset_known_to_lie_is_ignored() {
    let zone = paris();
    let zones = Zones { carrier: Some(&zone), ..Zones::default() };
    let read = read_with("[{ iso = 't', ignore_offset = true }]", &json!({"t": "2026-07-01T10:00:00Z"}), zones);
    assert_eq!(read.utc.unwrap().to_string(), "2026-07-01T08:00:00Z");
}

/// Forms under which a day and a time of day are written in one text.
fn forms() -> Vec<(&'static str, &'static str)> {
    vec![
        ("[{ iso = 't' }]", "%Y-%m-%dT%H:%M:%S"),
        ("[{ iso = 't' }]", "%Y%m%dT%H%M%S"),
        ("[{ text = 't', formats = ['%d/%m/%y %H:%M'] }]", "%d/%m/%y %H:%M"),
        (
            "[{ text = 't', formats = ['%d/%m/%Y'] }, { text = 't', formats = ['%m.%d.%Y %I:%M %p'] }]",
            "%m.%d.%Y %I:%M %p",
        ),
        ("[{ iso = 't', as = 'date' }]", "%Y-%m-%d %H:%M:%S"),
        ("[{ iso = 't' }]", "%Y-%m-%d"),
        ("[{ text = 't', formats = ['%d %b %Y'] }]", "%d %b %Y"),
    ]
}

proptest! {
    #[test]
    fn no_day_ever_shifts(
        days in 0_i64..25_000, seconds in 0_i64..86_400, offset in -14_i32..=14, form in 0_usize..7,
        zone in prop::sample::select(vec!["", "Europe/Paris", "Pacific/Apia", "America/St_Johns", "Africa/Casablanca"]),
        with_offset in any::<bool>(),
    ) {
        let day = date(2000, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap();
        let at = day.at(0, 0, 0, 0).checked_add(jiff::Span::new().seconds(seconds)).unwrap();
        let (spec, format) = forms()[form];
        let mut text = at.strftime(format).to_string();
        if with_offset && format.ends_with("%S") {
            text.push_str(&offset_text(Offset::from_hours(i8::try_from(offset).unwrap()).unwrap()));
        }
        let zone = TimeZone::get(zone).ok();
        let read = read_with(spec, &json!({"t": text}), Zones { carrier: zone.as_ref(), ..Zones::default() });
        if let Some(local) = read.local {
            prop_assert_eq!(local.date(), day, "{} by {}", text, spec);
        } else {
            prop_assert!(day.year() > 2068 || day.year() < 1990, "unread: {} by {}", text, spec);
        }
        if let (Some(utc), Some(offset), Some(Local::DateTime(wall))) = (read.utc, read.offset, read.local) {
            prop_assert_eq!(offset.to_timestamp(wall).unwrap(), utc);
        }
        if read.precision == Some(Precision::Date) {
            prop_assert!(read.utc.is_none() && read.offset.is_none());
        }
        // What is stored as text is read back equal.
        let back: EventTime = serde_json::from_value(serde_json::to_value(&read).unwrap()).unwrap();
        prop_assert_eq!(back, read);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,40}", form in 0_usize..7) {
        let _ = read_with(forms()[form].0, &json!({"t": text}), Zones::default());
        let _ = read_with("[{ epoch_ms = 't' }, { epoch_s = 't' }]", &json!({"t": text}), Zones::default());
        let _ = loose_offset(&text);
    }
}
