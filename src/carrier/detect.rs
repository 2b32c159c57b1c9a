//! Whose number a text could be: candidates of one carrier, and what speaks for each.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use super::definition::NumberFormat;
use super::numbers::{Checked, ChecksumState, clean, fit};
use super::outline::Outline;
use super::pasted::Pasted;
use crate::model::CarrierCode;

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

/// What was found out about a text that may be somebody's number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recognised {
    /// Whose it could be, the likeliest first.
    pub candidates: Vec<Candidate>,
    /// Whose it would be if its check character were right: where there is no candidate, and beside candidates by shape
    /// alone those of carriers that accounts exist for.
    pub mistyped: Vec<Candidate>,
    /// Where there is no candidate: who has such numbers, of a shape that so many have that it tells nothing.
    pub common: Vec<Candidate>,
}

impl Recognised {
    /// As the API and `wismo detect --json` show it. `mistyped`, `common` and `detail` stand only where they tell something.
    #[must_use]
    pub fn view(&self) -> Value {
        let rows = |found: &[Candidate]| -> Value {
            let row = |c: &Candidate| json!({"carrier": c.carrier, "number": c.number, "format": c.format, "checksum": c.checksum.name(), "score": c.score});
            found.iter().map(row).collect()
        };
        let mut shown = json!({"candidates": rows(&self.candidates)});
        for (key, found) in [("mistyped", &self.mistyped), ("common", &self.common)] {
            if !found.is_empty() {
                shown[key] = rows(found);
            }
        }
        if let Some(why) = self.why_none() {
            shown["detail"] = why.into();
        }
        shown
    }

    /// Each carrier whose number it would be, but for its check digit, in a sentence.
    pub fn slips(&self) -> Vec<String> {
        let told = self.mistyped.iter().map(|c| {
            format!(
                "{} has the shape of a number of {} ({}), but its check digit is wrong: look for a mistyped character",
                c.number, c.carrier, c.format
            )
        });
        told.collect()
    }

    /// Why there is no candidate, and what to do, in one line; `None` where there is one.
    pub fn why_none(&self) -> Option<String> {
        if !self.candidates.is_empty() {
            return None;
        }
        let mut told = self.slips();
        if told.is_empty() && !self.common.is_empty() {
            let mut carriers: Vec<&str> = self.common.iter().map(|c| c.carrier.as_str()).collect();
            carriers.dedup();
            let carriers = carriers.join(", ");
            told.push(format!("numbers of this shape are too common to tell the carrier ({carriers} have some)"));
        }
        if told.is_empty() {
            told.push("no carrier that wismo knows has numbers of this shape".to_owned());
        }
        Some(told.join("; "))
    }
}

/// Which numbers are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Those that could be the carrier's.
    Right,
    /// Those whose shape fits while their check character does not.
    Mistyped,
    /// Those of a shape too common to tell the carrier.
    Common,
}

/// The address of the carrier's own page was pasted: nothing is guessed.
const OWN_PAGE: u32 = 2_000;
/// A right check character goes before any shape alone.
const VERIFIED: u32 = 1_000;
/// There is an account for it. More than all that follows together.
const ACCOUNT: u32 = 200;
/// The number itself says which post handed it out.
const POST: u32 = 60;
/// It delivers where the parcel goes.
const DESTINATION: u32 = 40;
/// Letters make an accident of digits unlikely.
const LETTERS: u32 = 20;

/// How likely it is that this text holds a number of this carrier.
///
/// A format with `detect = false` is too common to tell the carrier, so it is a candidate only where the carrier is
/// known otherwise: by the address of its page.
pub(super) fn candidates(outline: &Outline, pasted: &Pasted, hints: &Hints, wanted: Wanted) -> Vec<Candidate> {
    let own_page = pasted.is_at(outline.page.as_ref());
    let looked_at = |format: &&NumberFormat| (format.detect || own_page) != (wanted == Wanted::Common);
    // Where the carrier is known, a wrong check character refuses nothing.
    let fits = |state: ChecksumState| match wanted {
        Wanted::Right => own_page || state != ChecksumState::Wrong,
        Wanted::Mistyped => !own_page && state == ChecksumState::Wrong,
        Wanted::Common => state != ChecksumState::Wrong,
    };
    let mut found: Vec<Candidate> = Vec::new();
    for text in pasted.texts(outline.page.as_ref()).map(|text| clean(&outline.normalise, text)) {
        for format in outline.numbers.iter().filter(looked_at) {
            let fitting = fit(format, &text).filter(|checked| fits(checked.checksum));
            found.extend(fitting.map(|checked| {
                let page = if own_page { OWN_PAGE } else { 0 };
                let score = page + score(outline, &text, &checked, hints);
                let Checked { number, format, checksum } = checked;
                Candidate { carrier: outline.code.clone(), format, checksum, score, number }
            }));
        }
    }
    found.sort_by_key(|candidate| std::cmp::Reverse(candidate.score));
    let mut seen = HashSet::new();
    found.retain(|candidate| seen.insert(candidate.number.clone()));
    found
}

fn score(outline: &Outline, text: &str, checked: &Checked, hints: &Hints) -> u32 {
    let lists = |country: &str| outline.countries.iter().any(|listed| listed.eq_ignore_ascii_case(country));
    [
        (VERIFIED, checked.checksum == ChecksumState::Verified),
        (ACCOUNT, hints.carriers.contains(&outline.code)),
        (POST, is_s10_shape(text) && text.get(11..).is_some_and(lists)),
        (DESTINATION, hints.country.as_deref().is_some_and(lists)),
        (LETTERS, text.bytes().any(|b| b.is_ascii_alphabetic())),
    ]
    .iter()
    .filter(|(_, holds)| *holds)
    .map(|(points, _)| points)
    .sum()
}

fn is_s10_shape(text: &str) -> bool {
    let bytes = text.as_bytes();
    let fits = |(at, b): (usize, &u8)| if (2..11).contains(&at) { b.is_ascii_digit() } else { b.is_ascii_uppercase() };
    bytes.len() == 13 && bytes.iter().enumerate().all(fits)
}
