//! How times are written.

use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::carrier::expr::Source;
use crate::carrier::time_text::written as written_by;

/// How the parts of a time become a day or a day and a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeAs {
    /// Only the day counts, whatever time is written beside it.
    Date,
}

/// One way to read a time. Exactly one of `date`, `iso`, `text`/`source`, `epoch_ms`, `epoch_s` says what is read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "RawTimeForm")]
pub struct TimeForm {
    /// What is read.
    pub kind: TimeKind,
    /// The time of day beside `date`.
    pub time: Option<Source>,
    /// Offset from UTC, where it stands apart.
    pub offset: Option<Source>,
    /// What is read is UTC.
    pub utc: bool,
    /// With `utc`: the day on the spot.
    pub local_date: Option<Source>,
    /// With `utc`: the time of day on the spot.
    pub local_time: Option<Source>,
    /// strptime formats, the first that fits; none: ISO 8601.
    pub formats: Vec<String>,
    /// Only the day counts.
    pub as_date: bool,
    /// The offset written is known to lie: the wall clock alone counts.
    pub ignore_offset: bool,
    /// Zone of this form.
    pub zone: Option<ZoneSpec>,
}

/// What a [`TimeForm`] reads.
#[derive(Debug, Clone, Default)]
pub enum TimeKind {
    /// Nothing: never complete.
    #[default]
    Nothing,
    /// A day, with the time of day apart.
    Date(Source),
    /// One text: ISO 8601, or by `formats`.
    Text(Source),
    /// Milliseconds since 1970.
    EpochMs(Source),
    /// Seconds since 1970.
    EpochS(Source),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTimeForm {
    date: Option<Source>,
    time: Option<Source>,
    offset: Option<Source>,
    #[serde(default)]
    utc: bool,
    local_date: Option<Source>,
    local_time: Option<Source>,
    #[serde(default)]
    formats: Vec<String>,
    iso: Option<Source>,
    text: Option<Source>,
    source: Option<Source>,
    r#as: Option<TimeAs>,
    epoch_ms: Option<Source>,
    epoch_s: Option<Source>,
    #[serde(default)]
    ignore_offset: bool,
    zone: Option<ZoneSpec>,
}

impl TryFrom<RawTimeForm> for TimeForm {
    type Error = String;

    fn try_from(raw: RawTimeForm) -> Result<Self, String> {
        let iso = raw.iso.is_some();
        let kinds = [
            raw.date.map(TimeKind::Date),
            raw.iso.map(TimeKind::Text),
            raw.text.map(TimeKind::Text),
            raw.source.map(TimeKind::Text),
            raw.epoch_ms.map(TimeKind::EpochMs),
            raw.epoch_s.map(TimeKind::EpochS),
        ];
        let mut kinds = kinds.into_iter().flatten();
        let (Some(kind), None) = (kinds.next(), kinds.next()) else {
            return Err("a time names exactly one of date, iso, text, source, epoch_ms, epoch_s".to_owned());
        };
        if raw.time.is_some() && !matches!(kind, TimeKind::Date(_)) {
            return Err("time goes with date only".to_owned());
        }
        if !raw.utc && (raw.local_date.is_some() || raw.local_time.is_some()) {
            return Err("local_date and local_time go with utc = true only".to_owned());
        }
        if iso && !raw.formats.is_empty() {
            return Err("iso needs no formats; name the text with text = instead".to_owned());
        }
        raw.formats.iter().try_for_each(|format| readable(format))?;
        Ok(Self {
            kind,
            time: raw.time,
            offset: raw.offset,
            utc: raw.utc,
            local_date: raw.local_date,
            local_time: raw.local_time,
            formats: raw.formats,
            as_date: raw.r#as == Some(TimeAs::Date),
            ignore_offset: raw.ignore_offset,
            zone: raw.zone,
        })
    }
}

/// Refuses a format that reads not even the text that it writes: no carrier's time would ever be understood by it.
fn readable(format: &str) -> Result<(), String> {
    let sample = jiff::civil::date(2026, 11, 25).at(14, 29, 36, 0).to_zoned(TimeZone::UTC);
    let written = sample.ok().and_then(|sample| jiff::fmt::strtime::format(format, &sample).ok());
    let formats = [format.to_owned()];
    if format.contains('%') && written.is_some_and(|text| written_by(&text, &formats).is_some()) {
        return Ok(());
    }
    Err(format!(
        "{format:?} is no format that a time can be read by: write year, month and day as in strptime, for example %d/%m/%Y or %Y-%m-%dT%H:%M:%S"
    ))
}

/// How to read a time: a source of ISO text, one form, or several of which the first complete one wins.
#[derive(Debug, Clone, Default)]
pub struct TimeSpec(pub Vec<TimeForm>);

impl<'de> Deserialize<'de> for TimeSpec {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = TimeSpec;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a source of ISO text, a time form, or a list of them")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<TimeSpec, E> {
                let source = Source::deserialize(de::value::StrDeserializer::<E>::new(text))?;
                Ok(TimeSpec(vec![TimeForm { kind: TimeKind::Text(source), ..TimeForm::default() }]))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TimeSpec, A::Error> {
                TimeForm::deserialize(de::value::MapAccessDeserializer::new(map)).map(|form| TimeSpec(vec![form]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<TimeSpec, A::Error> {
                let mut forms = Vec::new();
                while let Some(TimeSpec(more)) = list.next_element()? {
                    forms.extend(more);
                }
                Ok(TimeSpec(forms))
            }
        }
        d.deserialize_any(Reader)
    }
}

/// Zone of local times that carry no offset.
#[derive(Debug, Clone)]
pub enum ZoneSpec {
    /// An IANA zone.
    Fixed(TimeZone),
    /// `place`: times are local to the scan, whose country may have one zone.
    Place,
    /// A source of an IANA name.
    From(Source),
}

impl<'de> Deserialize<'de> for ZoneSpec {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        if text == "place" {
            return Ok(Self::Place);
        }
        if let Ok(zone) = TimeZone::get(&text) {
            return Ok(Self::Fixed(zone));
        }
        if is_like_a_zone(&text) {
            return Err(de::Error::custom(crate::carrier::definition::no_zone(&text)));
        }
        Source::deserialize(de::value::StrDeserializer::<D::Error>::new(&text)).map(Self::From)
    }
}

/// `Europe/Amsterdm`: as a source it would be a quotient of two fields, which nobody means.
fn is_like_a_zone(text: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_uppercase())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+'))
    };
    text.contains('/') && text.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::readable;

    #[test]
    fn a_misspelt_zone_is_told() {
        let read = |text: &str| super::ZoneSpec::deserialize(toml::Value::from(text)).map_err(|e| e.to_string());
        let told = read("Europe/Amsterdm").unwrap_err();
        assert!(told.contains("did you mean \"Europe/Amsterdam\""), "{told}");
        assert!(matches!(read("Europe/Amsterdam"), Ok(super::ZoneSpec::Fixed(_))));
        assert!(matches!(read("env.zone"), Ok(super::ZoneSpec::From(_))));
    }

    #[test]
    fn a_format_that_can_never_be_read_is_refused() {
        for good in [
            "%d/%m/%Y",
            "%Y-%m-%dT%H:%M:%S%z",
            "%d.%m.%y %H:%M",
            "%b %d, %Y %I:%M %p",
            "%d-%m-%Y %H:%M %p",
            "%Y%m%d %H%M%S%.f",
        ] {
            assert_eq!(readable(good), Ok(()), "{good}");
        }
        for bad in ["%d %q", "%d/%m", "%H:%M", "dd/mm/yyyy", "%Y-%m-%d %", "%d %B"] {
            let told = readable(bad).unwrap_err();
            assert!(told.contains(&format!("{bad:?}")) && told.contains("%d/%m/%Y"), "{told}");
        }
    }
}
