//! Tracking numbers: how people write them, what they are, and whose they could be.

use std::collections::BTreeMap;

use thiserror::Error;

use super::checksum;
use super::definition::{Definition, NumberFormat};
use crate::model::CarrierCode;

/// The longest number that any carrier uses, with room.
const LONGEST: usize = 64;
/// The longest text (an address, most likely) that is searched for a number.
const LONGEST_TEXT: usize = 2_000;

/// What a check character said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumState {
    /// It is right.
    Verified,
    /// Such numbers have none that we know.
    None,
    /// It is wrong.
    Wrong,
}

impl ChecksumState {
    /// Its name in the output of `wismo detect`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::None => "none",
            Self::Wrong => "wrong",
        }
    }
}

/// A number that has the shape of one of this carrier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The form that is asked and kept.
    pub number: String,
    /// What such numbers are called.
    pub format: String,
    /// What its check character says.
    pub checksum: ChecksumState,
}

/// A text that is no number of this carrier.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NumberProblem {
    /// There is nothing in it.
    #[error("the tracking number is empty")]
    Empty,
    /// It is longer than any number.
    #[error("a tracking number has at most 64 characters, {0} were given")]
    Long(usize),
    /// No known shape fits.
    #[error("{given:?} is no tracking number of {carrier}; known are: {known}")]
    Shape {
        /// The carrier's name.
        carrier: String,
        /// What was given.
        given: String,
        /// Names of the formats, with examples.
        known: String,
    },
}

/// What else is known when a number's carrier is looked for.
#[derive(Debug, Clone, Default)]
pub struct Hints {
    /// Carriers that accounts exist for.
    pub carriers: Vec<CarrierCode>,
    /// Where the parcel goes, ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// Language of the recipient, for the public page.
    pub language: Option<String>,
    /// What the carrier asks for beside the number, for the public page.
    pub inputs: BTreeMap<String, String>,
}

/// A carrier that a number could be of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The carrier.
    pub carrier: CarrierCode,
    /// What such numbers are called there.
    pub format: String,
    /// Verified before shape alone; a wrong one is no candidate, but a number that was mistyped most likely.
    pub checksum: ChecksumState,
    /// Higher is likelier.
    pub score: u32,
    /// The form that would be asked.
    pub number: String,
}

/// What this text is at this carrier. A wrong check character does not refuse it, when the carrier was named:
/// carriers give out test numbers and private ranges. It is told, so that an API can warn.
pub(super) fn check(definition: &Definition, raw: &str) -> Result<Checked, NumberProblem> {
    let texts = texts(raw)?;
    let cleaned: Vec<String> =
        texts.iter().map(|text| clean(definition, text)).filter(|text| !text.is_empty()).collect();
    let Some(first) = cleaned.first() else { return Err(NumberProblem::Empty) };
    if definition.numbers.is_empty() && first.len() <= LONGEST && first.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Ok(Checked { number: first.clone(), format: "any".to_owned(), checksum: ChecksumState::None });
    }
    let matches = cleaned.iter().flat_map(|text| definition.numbers.iter().filter_map(|format| fit(format, text)));
    let rank = |checked: &Checked| match checked.checksum {
        ChecksumState::Verified => 0,
        ChecksumState::None => 1,
        ChecksumState::Wrong => 2,
    };
    matches.min_by_key(rank).ok_or_else(|| NumberProblem::Shape {
        carrier: definition.name.clone(),
        given: first.chars().take(LONGEST).collect(),
        known: shapes(definition),
    })
}

/// Every form in which this carrier may keep what this text names.
pub(super) fn spellings(definition: &Definition, raw: &str) -> Vec<String> {
    let Ok(texts) = texts(raw) else { return Vec::new() };
    let cleaned = texts.iter().map(|text| clean(definition, text)).filter(|text| !text.is_empty());
    let mut forms: Vec<String> = Vec::new();
    for text in cleaned {
        forms.extend(definition.numbers.iter().filter_map(|format| fit(format, &text)).map(|checked| checked.number));
        forms.push(text);
    }
    forms
}

/// How likely it is that this text is a number of this carrier. `wrong`: instead, the numbers whose shape fits while
/// their check character does not.
pub(super) fn candidates(definition: &Definition, raw: &str, hints: &Hints, wrong: bool) -> Vec<Candidate> {
    let Ok(texts) = texts(raw) else { return Vec::new() };
    let mut found: Vec<Candidate> = Vec::new();
    for text in texts.iter().map(|text| clean(definition, text)).filter(|text| !text.is_empty()) {
        for format in definition.numbers.iter().filter(|format| format.detect) {
            let Some(checked) =
                fit(format, &text).filter(|checked| (checked.checksum == ChecksumState::Wrong) == wrong)
            else {
                continue;
            };
            let score = score(definition, &text, &checked, hints);
            found.push(Candidate {
                carrier: definition.code.clone(),
                format: checked.format,
                checksum: checked.checksum,
                score,
                number: checked.number,
            });
        }
    }
    found.sort_by_key(|candidate| std::cmp::Reverse(candidate.score));
    let mut seen = std::collections::HashSet::new();
    found.retain(|candidate| seen.insert(candidate.number.clone()));
    found
}

/// 1000 for a right check character, so that it goes before any shape alone; then what else speaks for it.
fn score(definition: &Definition, text: &str, checked: &Checked, hints: &Hints) -> u32 {
    let lists = |country: &str| definition.countries.iter().any(|listed| listed.eq_ignore_ascii_case(country));
    let mut score = if checked.checksum == ChecksumState::Verified { 1_000 } else { 0 };
    if text.bytes().any(|b| b.is_ascii_alphabetic()) {
        score += 20; // letters make an accident of digits unlikely
    }
    if is_s10_shape(text) && text.get(11..).is_some_and(lists) {
        score += 60; // the number itself says which post handed it out
    }
    if hints.carriers.contains(&definition.code) {
        score += 100;
    }
    if hints.country.as_deref().is_some_and(lists) {
        score += 40;
    }
    score
}

fn is_s10_shape(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 13
        && bytes.iter().enumerate().all(
            |(at, b)| {
                if (2..11).contains(&at) { b.is_ascii_digit() } else { b.is_ascii_uppercase() }
            },
        )
}

fn fit(format: &NumberFormat, text: &str) -> Option<Checked> {
    if text.len() > LONGEST {
        return None;
    }
    let groups = format.regex.0.captures(text)?;
    let number = groups.get(format.part.unwrap_or(0))?.as_str().to_owned();
    let checksum = match format.checksum.0.is_empty() {
        true => ChecksumState::None,
        false if checksum::holds(&format.checksum, &groups) => ChecksumState::Verified,
        false => ChecksumState::Wrong,
    };
    (!number.is_empty()).then(|| Checked { number, format: format.name.clone(), checksum })
}

fn shapes(definition: &Definition) -> String {
    let each = definition.numbers.iter().map(|format| match format.examples.first() {
        Some(example) => format!("{} (such as {example})", format.name),
        None => format.name.clone(),
    });
    each.collect::<Vec<_>>().join(", ")
}

/// As the carrier writes it: white space, invisible characters and the definition's own are dropped.
pub(super) fn clean(definition: &Definition, text: &str) -> String {
    let spec = &definition.normalise;
    let dash = |c: char| if matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}') { '-' } else { c };
    let dropped = |c: &char| {
        c.is_whitespace()
            || c.is_control()
            || spec.strip.contains(*c)
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}')
    };
    let kept = text.chars().map(dash).filter(|c| !dropped(c));
    if spec.upper { kept.map(|c| c.to_ascii_uppercase()).collect() } else { kept.collect() }
}

/// The texts in which the number may stand: the text itself, or the parts of an address.
fn texts(raw: &str) -> Result<Vec<String>, NumberProblem> {
    let raw = raw.trim();
    if raw.is_empty() {
        return Err(NumberProblem::Empty);
    }
    let is_address = raw.contains("://") || raw.starts_with("www.");
    let longest = if is_address { LONGEST_TEXT } else { LONGEST * 2 };
    if raw.len() > longest {
        return Err(NumberProblem::Long(raw.chars().count()));
    }
    if !is_address {
        return Ok(vec![raw.to_owned()]);
    }
    let after_host = raw.split_once("://").map_or(raw, |(_, rest)| rest).split_once(['/', '?', '#']);
    let tail = after_host.map_or("", |(_, tail)| tail);
    let parts = tail.split(['/', '?', '&', '=', '#', ';', ',']).map(unescape);
    let parts: Vec<String> = parts.filter(|part| part.bytes().any(|b| b.is_ascii_digit())).collect();
    if parts.is_empty() { Err(NumberProblem::Empty) } else { Ok(parts) }
}

fn unescape(part: &str) -> String {
    let pair = url::form_urlencoded::parse(part.as_bytes()).next();
    pair.map_or_else(String::new, |(text, _)| text.into_owned())
}
