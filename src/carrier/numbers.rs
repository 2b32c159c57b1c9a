//! Tracking numbers: how people write them, and what they are at a carrier.

use thiserror::Error;

use super::checksum;
use super::definition::{NormaliseSpec, NumberFormat};

/// The longest number that any carrier uses, with room.
pub(super) const LONGEST: usize = 64;

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

pub(super) fn fit(format: &NumberFormat, text: &str) -> Option<Checked> {
    if text.len() > LONGEST {
        return None;
    }
    let groups = format.regex.get()?.captures(text)?;
    let number = groups.get(format.part.unwrap_or(0))?.as_str().to_owned();
    let checksum = match format.checksum.0.is_empty() {
        true => ChecksumState::None,
        false if checksum::holds(&format.checksum, &groups) => ChecksumState::Verified,
        false => ChecksumState::Wrong,
    };
    (!number.is_empty()).then(|| Checked { number, format: format.name.clone(), checksum })
}

/// As the carrier writes it: white space, invisible characters and the carrier's own are dropped.
pub(super) fn clean(spec: &NormaliseSpec, text: &str) -> String {
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
