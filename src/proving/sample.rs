//! An answer against its expectation.
//!
//! `samples/NAME.{json,xml,txt}` is an answer as the carrier would send it; `NAME.expect.json` is what
//! `wismo normalize` makes of it, with what came beside the body.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::differ::{Difference, differences};
use crate::carrier::{Answer, Carrier, Normalized, RawAnswer};
use crate::spelling::nearest;

/// What stands in `NAME.expect.json`.
#[derive(Debug, Clone, Deserialize)]
pub struct Expectation {
    /// What it shows, for people.
    #[serde(default)]
    pub about: String,
    /// What it leaves out is not compared.
    #[serde(default)]
    pub partial: bool,
    /// Environment of the account that asked; absent: `production`, or the carrier's first.
    #[serde(default)]
    pub environment: Option<String>,
    /// HTTP status of the answer.
    #[serde(default = "good")]
    pub http_status: u16,
    /// Its headers.
    #[serde(default)]
    pub headers: Map<String, Value>,
    /// The numbers that were asked.
    #[serde(default)]
    pub numbers: Vec<String>,
    /// When it came.
    #[serde(default = "usual")]
    pub observed_at: Timestamp,
    /// How the call ended, and all else that is told of the call.
    #[serde(flatten)]
    pub call: Map<String, Value>,
}

fn good() -> u16 {
    200
}

fn usual() -> Timestamp {
    Timestamp::constant(1_773_316_800, 0)
}

/// What an expectation can tell of the call.
const OF_THE_CALL: &[&str] = &["outcome", "message", "split", "refresh", "parcels"];

/// What else stands in one.
const BESIDE_IT: &[&str] = &["about", "partial", "environment", "http_status", "headers", "numbers", "observed_at"];

/// One sample.
#[derive(Debug, Clone)]
pub struct Sample {
    /// `samples/NAME.json`.
    pub name: String,
    /// The file of the expectation.
    pub expectation_file: PathBuf,
    /// The answer with what came beside the body.
    pub response: RawAnswer,
    /// What it is to become.
    pub expected: Expectation,
}

impl Sample {
    /// Reads an answer and its expectation.
    ///
    /// # Errors
    /// A sentence, when one of them cannot be used.
    pub fn read(path: &Path, name: &str) -> Result<Self, String> {
        let body = std::fs::read(path).map_err(|error| error.to_string())?;
        let expectation_file = path.with_extension("expect.json");
        let shown = expectation_file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&expectation_file)
            .map_err(|_| format!("has no expectation: write {shown} beside it"))?;
        let expected: Expectation = serde_json::from_str(&text).map_err(|error| format!("{shown}: {error}"))?;
        if let Some(unknown) = expected.call.keys().find(|key| !OF_THE_CALL.contains(&key.as_str())) {
            let known: Vec<&str> = BESIDE_IT.iter().chain(OF_THE_CALL).copied().collect();
            let hint = nearest(unknown, known.iter().copied()).map(|near| format!(": did you mean {near:?}?"));
            let hint = hint.unwrap_or_default();
            return Err(format!("{shown}: there is no key {unknown:?} here{hint}; known: {}", known.join(", ")));
        }
        if !expected.call.contains_key("outcome") {
            return Err(format!("{shown}: the key \"outcome\" is missing: how the call ends"));
        }
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let headers = expected.headers.iter().map(|(name, value)| (name.clone(), plain(value))).collect();
        let response = RawAnswer { status: expected.http_status, headers, body, observed_at: expected.observed_at };
        Ok(Self { name: name.to_owned(), expectation_file, response, expected })
    }

    /// What a definition makes of it.
    #[must_use]
    pub fn run(&self, carrier: &Carrier, explain: bool) -> Normalized {
        carrier.normalize_in(self.expected.environment.as_deref(), &self.expected.numbers, &self.response, explain)
    }

    /// Each place where that is not what is expected.
    #[must_use]
    pub fn differences(&self, carrier: &Carrier) -> Vec<Difference> {
        self.compare(&printed(carrier, &self.run(carrier, false).answer))
    }

    /// Each place where what came out is not what is expected.
    #[must_use]
    pub fn compare(&self, found: &Value) -> Vec<Difference> {
        let expected = Value::Object(self.expected.call.clone());
        differences("", &expected, found, self.expected.partial)
    }
}

/// What `wismo normalize` prints for an answer, with what the call is to be followed by.
#[must_use]
pub fn printed(carrier: &Carrier, answer: &Answer) -> Value {
    let parcels: Vec<Value> = answer
        .parcels
        .iter()
        .map(|told| {
            let mut parcel = Map::new();
            if let Some(observation) = &told.observation {
                let shown = crate::tracking::preview(carrier.code(), &told.number, observation);
                if let Ok(Value::Object(fields)) = serde_json::to_value(shown) {
                    parcel = fields;
                }
            }
            parcel.insert("number".into(), json!(told.number));
            parcel.insert("outcome".into(), json!(told.outcome));
            if let Some(message) = &told.message {
                parcel.insert("message".into(), json!(message));
            }
            Value::Object(parcel)
        })
        .collect();
    let mut shown = json!({"outcome": answer.call, "parcels": parcels});
    if let Some(message) = &answer.message {
        shown["message"] = json!(message);
    }
    for (key, told) in [("split", answer.split), ("refresh", answer.token_refused)] {
        if told {
            shown[key] = json!(true);
        }
    }
    shown
}

/// How expectations are written anew after a change that was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewrite {
    /// Completes those that are partial and hold.
    Fill,
    /// Writes all of them. Read the diff.
    Anew,
}

/// Writes the expectation of a sample as a whole. False where it is left as it was.
///
/// # Errors
/// The file cannot be written.
pub fn rewrite(sample: &Sample, carrier: &Carrier, how: Rewrite) -> std::io::Result<bool> {
    let found = printed(carrier, &sample.run(carrier, false).answer);
    let expected = Value::Object(sample.expected.call.clone());
    if how == Rewrite::Fill && !differences("", &expected, &found, true).is_empty() {
        return Ok(false);
    }
    let text = std::fs::read_to_string(&sample.expectation_file)?;
    let mut whole: Map<String, Value> = serde_json::from_str(&text)?;
    whole.remove("partial");
    if let Value::Object(found) = found {
        whole.extend(found);
    }
    std::fs::write(&sample.expectation_file, serde_json::to_string_pretty(&whole)? + "\n")?;
    Ok(true)
}
