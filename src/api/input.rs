//! Bodies of requests: typed, unknown fields refused by name, every value judged before anything is done.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::model::tracker::{Destination, OrderRef, Promise};
use crate::model::{AccountName, Direction, History, Moment, Registration};

/// Reads a JSON body, or names the field that is wrong.
pub fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = error.path().to_string();
        let problem =
            Problem::new(axum::http::StatusCode::BAD_REQUEST, "The body cannot be read", error.inner().to_string());
        if field == "." { problem } else { problem.with("field", field) }
    })?;
    reader.end().map_err(|error| {
        Problem::new(axum::http::StatusCode::BAD_REQUEST, "The body cannot be read", error.to_string())
    })?;
    Ok(value)
}

/// Body of `POST /v1/trackers`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterBody {
    pub number: String,
    pub carrier: Option<String>,
    pub account: Option<AccountName>,
    pub orders: Option<Vec<OrderRef>>,
    pub customer_ref: Option<String>,
    pub direction: Option<Direction>,
    pub related: Option<Vec<String>>,
    pub promised: Option<Promise>,
    pub ship_by: Option<Moment>,
    pub destination: Option<Destination>,
    pub locale: Option<String>,
    pub tags: Option<Vec<String>>,
    pub metadata: Option<BTreeMap<String, String>>,
    pub importance: Option<u8>,
    pub history: Option<History>,
    pub inputs: Option<BTreeMap<String, String>>,
}

impl RegisterBody {
    /// Given fields replace, lists whole; absent ones stay. `history` is settled at the first registration.
    pub fn apply(&self, to: &Registration) -> Registration {
        let mut next = to.clone();
        let set = |slot: &mut Option<String>, given: &Option<String>| {
            if given.is_some() {
                slot.clone_from(given);
            }
        };
        set(&mut next.customer_ref, &self.customer_ref);
        set(&mut next.locale, &self.locale);
        next.orders = self.orders.clone().unwrap_or(next.orders);
        next.direction = self.direction.unwrap_or(next.direction);
        next.related = self.related.clone().unwrap_or(next.related);
        next.promised = self.promised.clone().or(next.promised);
        next.ship_by = self.ship_by.or(next.ship_by);
        next.destination = self.destination.clone().or(next.destination);
        next.tags = self.tags.clone().unwrap_or(next.tags);
        next.metadata = self.metadata.clone().unwrap_or(next.metadata);
        next.importance = self.importance.or(next.importance);
        next.inputs = self.inputs.clone().unwrap_or(next.inputs);
        next
    }

    /// Refuses what cannot be used, naming the field.
    pub fn check(&self) -> Result<(), Problem> {
        short("number", &self.number, 1, 100)?;
        for (field, text) in
            [("customer_ref", &self.customer_ref), ("locale", &self.locale), ("carrier", &self.carrier)]
        {
            if let Some(text) = text {
                short(field, text, 1, 200)?;
            }
        }
        few("orders", self.orders.as_ref().map_or(0, Vec::len), 50)?;
        for (at, order) in self.orders.iter().flatten().enumerate() {
            short(&format!("orders[{at}].reference"), &order.reference, 1, 200)?;
        }
        for (field, list) in [("related", &self.related), ("tags", &self.tags)] {
            few(field, list.as_ref().map_or(0, Vec::len), 50)?;
            for (at, text) in list.iter().flatten().enumerate() {
                short(&format!("{field}[{at}]"), text, 1, 100)?;
            }
        }
        for (field, map) in [("metadata", &self.metadata), ("inputs", &self.inputs)] {
            few(field, map.as_ref().map_or(0, BTreeMap::len), 50)?;
            for (key, text) in map.iter().flatten() {
                short(&format!("{field}.{key}"), key, 1, 100)?;
                short(&format!("{field}.{key}"), text, 0, 500)?;
            }
        }
        if self.importance.is_some_and(|importance| !(1..=10).contains(&importance)) {
            return Err(Problem::field("importance", "a number from 1 to 10 belongs here"));
        }
        zone("promised.zone", self.promised.as_ref().and_then(|promise| promise.zone.as_deref()))?;
        let destination = self.destination.as_ref();
        zone("destination.zone", destination.and_then(|d| d.zone.as_deref()))?;
        match destination.and_then(|d| d.country.as_deref()) {
            Some(country) if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()) => {
                Err(Problem::field(
                    "destination.country",
                    format!("{country:?} is no ISO 3166 country: write two capitals, such as FR"),
                ))
            }
            _ => Ok(()),
        }
    }
}

fn short(field: &str, text: &str, least: usize, most: usize) -> Result<(), Problem> {
    let count = text.chars().count();
    if (least..=most).contains(&count) && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Problem::field(
        field,
        format!("{least} to {most} characters without control characters belong here; {count} were given"),
    ))
}

fn few(field: &str, count: usize, most: usize) -> Result<(), Problem> {
    if count <= most {
        Ok(())
    } else {
        Err(Problem::field(field, format!("{count} entries are too many: {most} at most")))
    }
}

fn zone(field: &str, name: Option<&str>) -> Result<(), Problem> {
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

/// Body of `POST /v1/endpoints/{id}/replay`: one change, or all dead ones.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayBody {
    pub change: crate::model::ChangeId,
}
