//! Bodies of requests: typed, unknown fields refused by name, every value judged before anything is done.

use axum::http::StatusCode;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::misfit;
use super::problem::Problem;

/// Reads a JSON body, or says where it is none, or names the field that is wrong.
pub fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.trim_ascii_start().starts_with(b"[") {
        // Fields could be read from it by their order, which nobody means.
        let detail = "an object with named fields belongs here, not a list";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "The body cannot be read", detail));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = error.path().to_string();
        let error = error.inner();
        if error.classify() != Category::Data {
            return not_json(error);
        }
        let told = without_place(error);
        let missing = told.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        let field = match (field.as_str(), missing) {
            (".", None) => None,
            (".", Some(name)) => Some(name.to_owned()),
            (_, None) => Some(field),
            (_, Some(name)) => Some(format!("{field}.{name}")),
        };
        let problem = Problem::new(StatusCode::BAD_REQUEST, "The body cannot be read", misfit::in_words(&told));
        match field {
            Some(field) => problem.with("field", field),
            None => problem,
        }
    })?;
    reader.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

/// What is wrong, without the place in the text: who wrote no JSON by hand has no use for it.
fn without_place(error: &serde_json::Error) -> String {
    let told = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    told.strip_suffix(&place).unwrap_or(&told).to_owned()
}

/// No field is to blame for a body that is no JSON.
fn not_json(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    let detail = format!("the body is not JSON: line {line}, column {column}: {}", without_place(error));
    Problem::new(StatusCode::BAD_REQUEST, "The body is not JSON", detail)
}

/// A text of so many characters, none of them for control.
pub(super) fn short(field: &str, text: &str, least: usize, most: usize) -> Result<(), Problem> {
    let count = text.chars().count();
    if (least..=most).contains(&count) && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Problem::field(
        field,
        format!("{least} to {most} characters without control characters belong here; {count} were given"),
    ))
}

/// A list of so many entries at most.
pub(super) fn few(field: &str, count: usize, most: usize) -> Result<(), Problem> {
    if count <= most {
        Ok(())
    } else {
        Err(Problem::field(field, format!("{count} entries are too many: {most} at most")))
    }
}

/// A zone that is known.
pub(super) fn zone(field: &str, name: Option<&str>) -> Result<(), Problem> {
    match name {
        Some(name) if TimeZone::get(name).is_err() => {
            Err(Problem::field(field, format!("{name:?} is no zone: write an IANA name such as Europe/Paris")))
        }
        _ => Ok(()),
    }
}

/// Body of `POST /v1/endpoints`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointBody {
    pub url: String,
    /// Types wanted; all when absent.
    pub events: Option<Vec<String>>,
    pub description: Option<String>,
    /// A secret of the shop's own (`whsec_...`); made by us when absent.
    pub secret: Option<String>,
}

/// Body of `PATCH /v1/endpoints/{id}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointPatch {
    pub url: Option<String>,
    pub events: Option<Vec<String>>,
    /// Null takes it away.
    #[expect(clippy::option_option, reason = "absent, null and a text are three things")]
    #[serde(default, deserialize_with = "given")]
    pub description: Option<Option<String>>,
    pub state: Option<crate::model::EndpointState>,
}

/// A field that is given, be it as null.
#[expect(clippy::option_option, reason = "absent, null and a text are three things")]
fn given<'de, D: serde::Deserializer<'de>>(field: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(field).map(Some)
}

/// Body of `POST /v1/endpoints/{id}/replay`: one change, or all dead ones.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayBody {
    pub change: crate::model::ChangeId,
}
