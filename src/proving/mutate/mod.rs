//! Are the samples worth anything? Alters one thing of a definition at a time, and asks whether anything notices.
//!
//! | file | purpose |
//! |---|---|
//! | `document` | places in a TOML document, and changes of it |
//! | `expression` | paths and literals in an expression |
//! | `codes` | what can be altered in tables and text rules |
//! | `answer` | what can be altered in the rest of the answer's side |
//! | `request` | what can be altered in requests and tokens |
//! | `hunt` | tries all of it, on every core |

mod answer;
mod codes;
mod document;
mod expression;
mod hunt;
mod request;

use serde::Serialize;
use toml::Table;

use document::{Change, Place};

pub use hunt::{Hunted, hunt};

/// What is altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A code of a table, or a word of a text rule.
    Code,
    /// What a code means.
    Meaning,
    /// A path of an answer.
    Path,
    /// A fixed text or number that an expression compares with.
    Literal,
    /// A zone, or what is said of offsets.
    Zone,
    /// A time format.
    Format,
    /// An outcome rule.
    Outcome,
    /// A part of a request.
    Request,
    /// How the answer of a token call is read.
    Token,
}

/// One alteration.
#[derive(Debug, Clone)]
pub struct Mutant {
    what: What,
    place: Place,
    change: Change,
}

/// Collects alterations.
#[derive(Debug, Default)]
struct Mutants(Vec<Mutant>);

impl Mutants {
    fn add(&mut self, what: What, place: &Place, change: Change) {
        self.0.push(Mutant { what, place: place.clone(), change });
    }

    fn set(&mut self, what: What, place: &Place, to: impl Into<toml::Value>) {
        self.add(what, place, Change::Set(to.into()));
    }
}

/// Everything that can be altered in a `carrier.toml`. What is left out, and why:
///
/// - names, numbers, limits, credentials, inputs, facts, languages: an answer does not show them, and numbers have
///   `examples` that loading holds;
/// - `drops`, `batch`: they take away or group; nothing that a sample prints would be missing;
/// - `order`, `single`, `missing`, `echo`: switches of few values that the samples of a batch fix all at once;
/// - the inside of regular expressions.
fn of_carrier(document: &Table) -> Vec<Mutant> {
    let mut all = Mutants::default();
    answer::mutants(document, &mut all);
    codes::mutants(document, &mut all);
    request::mutants(document, &mut all);
    all.0
}

/// Everything that can be altered in a shared file of look-ups.
fn of_shared(document: &Table) -> Vec<Mutant> {
    let mut all = Mutants::default();
    codes::mutants(document, &mut all);
    all.0
}
