//! What is asked of all carriers at once: names and numbers. It is read without the rest of a definition, which is
//! compiled only where a carrier is used.

use serde::Deserialize;

use super::definition::{Checksum, Definition, NormaliseSpec, NumberFormat, numbers::NumberRegex};
use super::load::{self, Problem};
use super::numbers::{self, Checked, NumberProblem};
use super::pasted::Page;
use crate::model::CarrierCode;

/// The part of a definition that tells whose a number or a name is.
#[derive(Debug, Clone)]
pub struct Outline {
    /// Names it.
    pub code: CarrierCode,
    /// For people.
    pub name: String,
    /// Other codes that mean it.
    pub aliases: Vec<String>,
    /// Where it delivers; empty: all over the world.
    pub countries: Vec<String>,
    /// Used unless the operator says otherwise.
    pub enabled: bool,
    /// How numbers are written.
    pub normalise: NormaliseSpec,
    /// What its numbers look like.
    pub numbers: Vec<NumberFormat>,
    /// Where people look them up.
    pub page: Option<Page>,
}

/// The keys of a definition that an outline reads; what else stands there is passed over.
#[derive(Deserialize)]
struct Head {
    code: CarrierCode,
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    countries: Vec<String>,
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default)]
    normalise: NormaliseSpec,
    #[serde(default)]
    numbers: Vec<HeadFormat>,
    #[serde(default)]
    public_url: Option<String>,
}

#[derive(Deserialize)]
struct HeadFormat {
    name: String,
    regex: String,
    #[serde(default)]
    part: Option<usize>,
    #[serde(default)]
    checksum: Checksum,
    #[serde(default = "yes")]
    detect: bool,
    #[serde(default)]
    examples: Vec<String>,
}

impl From<HeadFormat> for NumberFormat {
    fn from(head: HeadFormat) -> Self {
        let HeadFormat { name, regex, part, checksum, detect, examples } = head;
        Self { name, regex: NumberRegex::later(regex), part, checksum, detect, examples }
    }
}

impl Outline {
    /// Reads it from the text of a definition that is known to be good: patterns are compiled when they are needed.
    pub(super) fn of_text(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let head: Head = load::read(file, text)?;
        Ok(Self {
            code: head.code,
            name: head.name,
            aliases: head.aliases,
            countries: head.countries,
            enabled: head.enabled,
            normalise: head.normalise,
            numbers: head.numbers.into_iter().map(NumberFormat::from).collect(),
            page: head.public_url.as_deref().and_then(Page::of_template),
        })
    }

    /// That of a definition that was read whole.
    pub(super) fn of_definition(definition: &Definition) -> Self {
        Self {
            code: definition.code.clone(),
            name: definition.name.clone(),
            aliases: definition.aliases.clone(),
            countries: definition.countries.clone(),
            enabled: definition.enabled,
            normalise: definition.normalise.clone(),
            numbers: definition.numbers.clone(),
            page: definition.public_url.as_ref().and_then(|template| Page::of_template(template.as_str())),
        }
    }

    /// The form of a number that is asked and kept: case, blanks, dashes and pasted addresses do not matter.
    pub fn normalise(&self, raw: &str) -> Result<String, NumberProblem> {
        self.check_number(raw).map(|checked| checked.number)
    }

    /// The same with what its check character says.
    pub fn check_number(&self, raw: &str) -> Result<Checked, NumberProblem> {
        numbers::check(self, raw)
    }
}

fn yes() -> bool {
    true
}
