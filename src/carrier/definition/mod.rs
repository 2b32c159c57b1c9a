//! The whole `carrier.toml` as types. Whatever loads is compiled: templates, expressions, patterns, zones.

pub mod answer;
pub mod auth;
pub mod limits;
pub mod numbers;
pub mod request;

use indexmap::IndexMap;
use serde::Deserialize;

use super::expr::Template;
use crate::model::CarrierCode;

pub use answer::{AnswerSpec, CodeLookup, MapSpec, OutcomeRule};
pub use auth::{AuthKind, AuthSpec, TokenSpec};
pub use limits::{Limits, Window};
pub use numbers::{Checksum, NormaliseSpec, NumberFormat};
pub use request::{BatchSpec, RequestSpec};

/// Version of the language that this build reads.
pub const SCHEMA: u32 = 1;

/// A carrier, as its folder describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Version of the language.
    pub schema: u32,
    /// Names it, and its folder.
    pub code: CarrierCode,
    /// For people.
    pub name: String,
    /// Other codes that mean it.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Where it delivers, ISO 3166-1 alpha-2; empty: all over the world.
    #[serde(default)]
    pub countries: Vec<String>,
    /// Zone of its local times, where it writes all of them in one.
    #[serde(default)]
    pub zone: Option<Zone>,
    /// Its page for the public.
    #[serde(default)]
    pub public_url: Option<Template>,
    /// How sure we are of the whole.
    pub confidence: Confidence,
    /// Used unless the operator says otherwise.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Where the facts come from.
    #[serde(default)]
    pub facts: Vec<Fact>,
    /// For the whole exchange of one call.
    #[serde(default = "default_timeout")]
    pub timeout_ms: u32,
    /// How numbers are written.
    #[serde(default)]
    pub normalise: NormaliseSpec,
    /// What its numbers look like.
    #[serde(default)]
    pub numbers: Vec<NumberFormat>,
    /// What an account needs.
    #[serde(default)]
    pub credentials: IndexMap<String, Credential>,
    /// What is asked beside the number.
    #[serde(default)]
    pub inputs: IndexMap<String, InputField>,
    /// Where to call.
    pub environments: IndexMap<String, Environment>,
    /// What it allows, by environment; `default` for the others.
    pub limits: IndexMap<String, Limits>,
    /// How calls prove who we are.
    pub auth: AuthSpec,
    /// The call.
    pub request: RequestSpec,
    /// Several numbers in one call.
    #[serde(default)]
    pub batch: BatchSpec,
    /// Where the answer holds its parcels.
    pub answer: AnswerSpec,
    /// What the answer means, for the call.
    #[serde(default)]
    pub outcome: Vec<OutcomeRule>,
    /// What the answer means, for one parcel of it.
    #[serde(default)]
    pub item_outcome: Vec<OutcomeRule>,
    /// The answer in our words.
    #[serde(default)]
    pub map: MapSpec,
    /// What its codes mean.
    #[serde(default)]
    pub codes: Vec<CodeLookup>,
    /// What never leaves the mapping.
    #[serde(default)]
    pub drops: answer::DropsSpec,
    /// Numbers of a test carrier that script a life, for people.
    #[serde(default)]
    pub scripts: Vec<Script>,
}

impl Definition {
    /// Whether reading an answer looks at its headers.
    pub(super) fn reads_headers(&self) -> bool {
        let looks = (&self.answer, &self.outcome, &self.item_outcome, &self.map, &self.codes);
        answer::mentions_headers(&looks)
    }
}

/// A number of a test carrier and what becomes of such a parcel.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The number.
    pub number: String,
    /// Its life in a few words.
    pub story: String,
}

/// An IANA zone that exists.
#[derive(Debug, Clone)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// The zone.
    pub zone: jiff::tz::TimeZone,
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let name = String::deserialize(d)?;
        match jiff::tz::TimeZone::get(&name) {
            Ok(zone) => Ok(Self { name, zone }),
            Err(_) => Err(serde::de::Error::custom(no_zone(&name))),
        }
    }
}

/// What to say of a name that no zone has.
pub(super) fn no_zone(name: &str) -> String {
    let known: Vec<String> = jiff::tz::db().available().map(|zone| zone.to_string()).collect();
    match crate::spelling::nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("{name:?} is no IANA time zone: did you mean {near:?}?"),
        None => format!("{name:?} is no IANA time zone such as Europe/Paris"),
    }
}

/// How sure we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Official documents or tested code.
    High,
    /// Good sources that were not tested.
    Medium,
    /// Hearsay.
    Low,
}

impl Confidence {
    /// Its name in a definition.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// Where something that we know comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// What.
    pub what: String,
    /// From whom.
    pub source: String,
    /// How sure.
    pub confidence: Confidence,
}

/// One credential.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// What it is and where to get it.
    pub help: String,
    /// Whether it may be shown.
    #[serde(default = "yes")]
    pub secret: bool,
    /// Whether calls work without it.
    #[serde(default = "yes")]
    pub required: bool,
    /// Used when it is not configured.
    #[serde(default)]
    pub default: Option<String>,
}

/// One input.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputField {
    /// What it is.
    pub help: String,
    /// Whether calls work without it.
    #[serde(default)]
    pub required: bool,
    /// Field of the registration that it is taken from when it is not given.
    #[serde(default)]
    pub from: Option<InputFrom>,
    /// What it must look like.
    #[serde(default)]
    pub regex: Option<numbers::NumberRegex>,
}

/// Fields of a registration that can serve as an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum InputFrom {
    /// Post code of the destination.
    #[serde(rename = "destination.postcode")]
    DestinationPostcode,
    /// Country of the destination.
    #[serde(rename = "destination.country")]
    DestinationCountry,
    /// Language of the recipient.
    #[serde(rename = "locale")]
    Locale,
    /// Reference of the first order.
    #[serde(rename = "order")]
    Order,
    /// The day of registration, as a date.
    #[serde(rename = "registered_on")]
    RegisteredOn,
}

/// One environment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Where calls go.
    pub base_url: Template,
    /// Where token calls go, when it is another host; an account's own `base_url` replaces both.
    #[serde(default)]
    pub auth_base_url: Option<Template>,
    /// Free values, seen as `env.name`.
    #[serde(default)]
    pub vars: IndexMap<String, String>,
}

fn yes() -> bool {
    true
}

fn default_timeout() -> u32 {
    20_000
}
