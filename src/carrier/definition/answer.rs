//! The answer side of a definition: how to read what a carrier sends back.
//!
//! Everything is checked while it is read: expressions and patterns are compiled here, so a definition that loads can
//! be used. What types cannot say is in [`check`].

use serde::{Deserialize, Serialize};

use crate::carrier::expr::{Condition, Source};

pub mod check;
pub mod codes;
pub mod outcome;
pub mod parcel;
pub mod time;

pub use codes::CodeLookup;
pub use outcome::OutcomeRule;
pub use parcel::{ParcelMap, PlaceMap};
pub use time::{TimeSpec, ZoneSpec};

/// What the body is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// JSON.
    #[default]
    Json,
    /// XML, which becomes JSON by one rule.
    Xml,
}

/// What an asked number is that the answer does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Not known to the carrier, not yet.
    #[default]
    NotFound,
    /// The carrier names every number, so the answer is not what we think.
    Drifted,
}

/// `[answer]`: where the parcels are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnswerSpec {
    /// What the body is written in.
    pub format: Format,
    /// XML nodes that are lists even when they stand alone.
    pub lists: Vec<String>,
    /// Paths that hold JSON (or XML) in a string.
    pub embedded: Vec<String>,
    /// The list of parcels; an object is a list of one; absent: the root.
    pub parcels: Option<Source>,
    /// The number that a parcel echoes.
    pub number: Option<Source>,
    /// What counts of a parcel that holds several under one number (numbers are used again): it becomes `p`. Of a
    /// list, the one with the newest event.
    pub pick: Option<Source>,
    /// What `parcels` gives are rows, each with its number: those of one number are one parcel, `{rows: [..]}`.
    pub rows: bool,
    /// Whether parcels echo their number.
    pub echo: bool,
    /// What an asked number is that the answer does not name.
    pub missing: Missing,
    /// With one asked number, a lone parcel that echoes nothing is it.
    pub single: bool,
}

impl Default for AnswerSpec {
    fn default() -> Self {
        Self {
            format: Format::Json,
            lists: Vec::new(),
            embedded: Vec::new(),
            parcels: None,
            number: None,
            pick: None,
            rows: false,
            echo: true,
            missing: Missing::NotFound,
            single: false,
        }
    }
}

/// `[map]`: what the answer says of a parcel, in our words.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "RawMap")]
pub struct MapSpec {
    /// Fields of the parcel.
    pub parcel: ParcelMap,
    /// Its status as a whole.
    pub headline: Option<HeadlineMap>,
    /// Its events.
    pub events: Option<EventMap>,
    /// Something is read outside the parcel's own node, so the node alone does not tell whether anything changed.
    pub reads_outside: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawMap {
    parcel: ParcelMap,
    headline: Option<HeadlineMap>,
    events: Option<EventMap>,
}

impl From<RawMap> for MapSpec {
    fn from(raw: RawMap) -> Self {
        let reads_outside = mentions_outside(&raw);
        Self { parcel: raw.parcel, headline: raw.headline, events: raw.events, reads_outside }
    }
}

/// Whether a compiled part of a definition names the whole answer. Once a definition, so the cheap way will do:
/// a false alarm only means that an unchanged parcel is mapped again.
fn mentions_outside(part: &dyn std::fmt::Debug) -> bool {
    let text = format!("{part:?}");
    text.contains("root") || text.contains("http.")
}

/// Whether a compiled part of a definition names the headers of an answer: `http` followed by anything but
/// `.status`, a colon (an address), or letters. A false alarm only means that more answers are read.
pub(super) fn mentions_headers(part: &dyn std::fmt::Debug) -> bool {
    let text = format!("{part:?}");
    let word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices("http").any(|(at, name)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        !before.ends_with(word) && !after.starts_with(|c| word(c) || c == ':') && !after.starts_with(".status")
    })
}

/// `[map.headline]`: the parcel's status as a whole.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeadlineMap {
    /// The value that the look-ups without an `on` of their own are asked for.
    pub on: Option<Source>,
    /// Its time.
    pub time: Option<TimeSpec>,
    /// It may win over events when it is newer.
    pub headline: bool,
}

/// How the carrier orders its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The newest comes first.
    NewestFirst,
    /// The oldest comes first.
    OldestFirst,
    /// No order that can be relied on: sorted by time.
    #[default]
    Unordered,
}

/// `[map.events]`: each source at the event.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventMap {
    /// The list, a source at the parcel; an object is a list of one.
    pub list: Option<Source>,
    /// How it is ordered.
    pub order: Order,
    /// Rows for which it is false or empty are dropped.
    pub r#where: Option<Condition>,
    /// The code.
    pub code: Option<Source>,
    /// The words.
    pub description: Option<Source>,
    /// The place.
    pub place: PlaceMap,
    /// The time.
    pub time: TimeSpec,
    /// Zone of local times without offset; absent: the carrier's.
    pub zone: Option<ZoneSpec>,
}

/// `[drops]`: what is personal and never leaves the mapping.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DropsSpec {
    /// Plain paths at the parcel; lists on the way are walked through.
    pub paths: Vec<String>,
}

/// A file of `carriers/_shared/`: look-ups that several carriers use.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SharedCodes {
    /// The look-ups.
    pub codes: Vec<CodeLookup>,
}
