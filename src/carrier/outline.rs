//! What is asked of all carriers at once: names and numbers. It is read without the rest of a definition, which is
//! compiled only where a carrier is used.

use serde::Deserialize;

use super::definition::{Checksum, Definition, NormaliseSpec, NumberFormat, numbers::NumberRegex};
use super::document::{self, Problem};
use super::numbers::{Checked, ChecksumState, LONGEST, NumberProblem, clean, fit};
use super::pasted::{Page, Pasted};
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
        let head: Head = document::read(file, text)?;
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

    /// What this text is at this carrier. A wrong check character does not refuse it, when the carrier was named:
    /// carriers give out test numbers and private ranges. It is told, so that an API can warn.
    pub fn check_number(&self, raw: &str) -> Result<Checked, NumberProblem> {
        let pasted = Pasted::read(raw)?;
        let cleaned: Vec<String> = self.cleaned(&pasted).collect();
        let Some(first) = cleaned.first() else { return Err(NumberProblem::Empty) };
        if self.numbers.is_empty() && first.len() <= LONGEST && first.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Ok(Checked { number: first.clone(), format: "any".to_owned(), checksum: ChecksumState::None });
        }
        let matches = cleaned.iter().flat_map(|text| self.numbers.iter().filter_map(|format| fit(format, text)));
        let rank = |checked: &Checked| match checked.checksum {
            ChecksumState::Verified => 0,
            ChecksumState::None => 1,
            ChecksumState::Wrong => 2,
        };
        matches.min_by_key(rank).ok_or_else(|| NumberProblem::Shape {
            carrier: self.name.clone(),
            given: first.chars().take(LONGEST).collect(),
            known: self.shapes(),
        })
    }

    /// Every form in which this carrier may keep what this text names.
    pub(super) fn spellings(&self, pasted: &Pasted) -> Vec<String> {
        let mut forms: Vec<String> = Vec::new();
        for text in self.cleaned(pasted) {
            forms.extend(self.numbers.iter().filter_map(|format| fit(format, &text)).map(|checked| checked.number));
            forms.push(text);
        }
        forms
    }

    fn cleaned(&self, pasted: &Pasted) -> impl Iterator<Item = String> {
        let texts = pasted.texts(self.page.as_ref()).map(|text| clean(&self.normalise, text));
        texts.filter(|text| !text.is_empty())
    }

    fn shapes(&self) -> String {
        let each = self.numbers.iter().map(|format| match format.examples.first() {
            Some(example) => format!("{} (such as {example})", format.name),
            None => format.name.clone(),
        });
        each.collect::<Vec<_>>().join(", ")
    }
}

fn yes() -> bool {
    true
}
