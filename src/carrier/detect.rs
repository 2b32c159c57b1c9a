//! Whose number a text could be: candidates of one carrier, and what speaks for each.

use std::collections::{BTreeMap, HashSet};

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

/// How likely it is that this text holds a number of this carrier. `wrong`: instead, the numbers whose shape fits
/// while their check character does not.
///
/// A format with `detect = false` is too common to tell the carrier, so it is a candidate only where the carrier is
/// known otherwise: by the address of its page.
pub(super) fn candidates(outline: &Outline, pasted: &Pasted, hints: &Hints, wrong: bool) -> Vec<Candidate> {
    let own_page = pasted.is_at(outline.page.as_ref());
    let mut found: Vec<Candidate> = Vec::new();
    for text in pasted.texts(outline.page.as_ref()).map(|text| clean(&outline.normalise, text)) {
        for format in outline.numbers.iter().filter(|format| format.detect || own_page) {
            // Where the carrier is known, a wrong check character refuses nothing.
            let wanted =
                |state: ChecksumState| if own_page { !wrong } else { (state == ChecksumState::Wrong) == wrong };
            let fitting = fit(format, &text).filter(|checked| wanted(checked.checksum));
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
