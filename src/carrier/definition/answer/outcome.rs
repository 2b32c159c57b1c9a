//! `[[outcome]]` and `[[item_outcome]]`: what an answer amounts to.

use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use crate::carrier::definition::numbers::{ascii_classes, pattern_problem};
use crate::carrier::expr::{Condition, Source};
use crate::model::PollOutcome;

/// An HTTP status, a class (`5xx`) or a range (`400-404`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusRange {
    /// The first that matches.
    pub from: u16,
    /// The last that matches.
    pub to: u16,
}

impl StatusRange {
    /// Whether it holds this status.
    pub fn contains(self, status: u16) -> bool {
        (self.from..=self.to).contains(&status)
    }

    fn parse(text: &str) -> Option<Self> {
        let code = |text: &str| text.trim().parse::<u16>().ok().filter(|code| (100..=599).contains(code));
        if let Some(class) = text.strip_suffix("xx").and_then(|class| class.parse::<u16>().ok()) {
            return (1..=5).contains(&class).then(|| Self { from: class * 100, to: class * 100 + 99 });
        }
        match text.split_once('-') {
            Some((from, to)) => Some(Self { from: code(from)?, to: code(to)? }).filter(|range| range.from <= range.to),
            None => code(text).map(|code| Self { from: code, to: code }),
        }
    }
}

impl<'de> Deserialize<'de> for StatusRange {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = StatusRange;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an HTTP status such as 404, \"5xx\" or \"400-404\"")
            }

            fn visit_i64<E: de::Error>(self, code: i64) -> Result<StatusRange, E> {
                self.visit_str(&code.to_string())
            }

            fn visit_u64<E: de::Error>(self, code: u64) -> Result<StatusRange, E> {
                self.visit_str(&code.to_string())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<StatusRange, E> {
                StatusRange::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        d.deserialize_any(Reader)
    }
}

/// A regular expression over untrusted text, without regard to case.
#[derive(Debug, Clone)]
pub struct Pattern(pub Regex);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let regex = RegexBuilder::new(&ascii_classes(&text))
            .case_insensitive(true)
            .dot_matches_new_line(true)
            .size_limit(1 << 20)
            .build()
            .map_err(|error| de::Error::custom(pattern_problem(&text, &error)))?;
        if regex.is_match("") {
            return Err(de::Error::custom(format!("the pattern {text:?} matches everything")));
        }
        Ok(Self(regex))
    }
}

/// `[[outcome]]` and `[[item_outcome]]`: all conditions given must hold; the first rule that holds decides.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawOutcomeRule")]
pub struct OutcomeRule {
    /// HTTP statuses, any of them.
    pub http: Vec<StatusRange>,
    /// A condition.
    pub when: Option<Condition>,
    /// A pattern found in the body's text.
    pub text: Option<Pattern>,
    /// The body is empty, or is not.
    pub empty: Option<bool>,
    /// The body is not of the format, or is.
    pub unparsable: Option<bool>,
    /// What it then is.
    pub is: PollOutcome,
    /// With `auth_failed`: drop the token and try once more.
    pub refresh: bool,
    /// The carrier's words for the operator.
    pub message: Option<Source>,
    /// One bad number spoils the call: ask in halves.
    pub split: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOutcomeRule {
    #[serde(default, deserialize_with = "one_or_many")]
    http: Vec<StatusRange>,
    when: Option<Condition>,
    text: Option<Pattern>,
    empty: Option<bool>,
    unparsable: Option<bool>,
    is: PollOutcome,
    #[serde(default)]
    refresh: bool,
    message: Option<Source>,
    #[serde(default)]
    split: bool,
}

impl TryFrom<RawOutcomeRule> for OutcomeRule {
    type Error = String;

    fn try_from(raw: RawOutcomeRule) -> Result<Self, String> {
        let RawOutcomeRule { http, when, text, empty, unparsable, is, refresh, message, split } = raw;
        if http.is_empty() && when.is_none() && text.is_none() && empty.is_none() && unparsable.is_none() {
            return Err(
                "an outcome rule without http, when, text, empty or unparsable would match everything".to_owned()
            );
        }
        if refresh && is != PollOutcome::AuthFailed {
            return Err("refresh goes with is = \"auth_failed\" only".to_owned());
        }
        Ok(Self { http, when, text, empty, unparsable, is, refresh, message, split })
    }
}

fn one_or_many<'de, D, T>(d: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Reader<T>(std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("one value or a list of them")
        }

        fn visit_i64<E: de::Error>(self, value: i64) -> Result<Vec<T>, E> {
            T::deserialize(de::value::I64Deserializer::new(value)).map(|one| vec![one])
        }

        fn visit_str<E: de::Error>(self, value: &str) -> Result<Vec<T>, E> {
            T::deserialize(de::value::StrDeserializer::new(value)).map(|one| vec![one])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(one) = list.next_element()? {
                all.push(one);
            }
            Ok(all)
        }
    }
    d.deserialize_any(Reader(std::marker::PhantomData))
}
