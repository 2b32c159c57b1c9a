//! The about STRING: JSON of what is longer than a hash field or what few trackers have.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::short::{destination_text, headline_field, only_order, page_text, pieces_text, place_field, weight_text};
use super::time::{Carry, time_from, time_into};
use crate::model::tracker::ByHand;
use crate::model::{Condition, Direction, Facts, Headline, History, Registration, Substatus, Tracker};

/// What the string says.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct About {
    /// Hash fields that are longer than the hash allows, whole.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) long: BTreeMap<String, String>,
    /// What the shop told us and no field tells.
    #[serde(skip_serializing_if = "Map::is_empty")]
    registration: Map<String, Value>,
    /// What the carrier told us and no field tells.
    #[serde(skip_serializing_if = "Map::is_empty")]
    facts: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headline: Option<StoredHeadline>,
    /// Open delays.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by_hand: Option<ByHand>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredHeadline {
    substatus: Substatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time: Option<Map<String, Value>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    authoritative: bool,
}

impl About {
    /// Takes what the fields do not tell.
    pub(super) fn fill(&mut self, tracker: &Tracker) {
        self.registration = registration_rest(&tracker.registration);
        self.facts = facts_rest(&tracker.facts, &tracker.number);
        let untold = tracker.headline.as_ref().filter(|headline| headline_field(headline).is_none());
        self.headline = untold.map(|headline| StoredHeadline {
            substatus: headline.substatus,
            time: headline.time.as_ref().map(|time| {
                let mut map = Map::new();
                let clock = time_into(&mut map, time, &mut Carry::default());
                map.insert("t".to_owned(), clock.into());
                map
            }),
            authoritative: headline.authoritative,
        });
        self.conditions = tracker.conditions.iter().map(without_nulls).collect();
        self.by_hand.clone_from(&tracker.by_hand);
    }

    pub(super) fn registration(&self) -> Result<Registration, String> {
        serde_json::from_value(Value::Object(self.registration.clone()))
            .map_err(|error| format!("registration: {error}"))
    }

    pub(super) fn facts(&self) -> Result<Facts, String> {
        serde_json::from_value(Value::Object(self.facts.clone())).map_err(|error| format!("facts: {error}"))
    }

    /// Gives the tracker what no field told.
    pub(super) fn pour(&self, tracker: &mut Tracker) -> Result<(), String> {
        if let Some(stored) = &self.headline {
            let read = |time: &Map<String, Value>| {
                let clock = time.get("t").and_then(Value::as_str).unwrap_or_default();
                time_from(clock, time, &mut Carry::default())
            };
            tracker.headline = Some(Headline {
                substatus: stored.substatus,
                time: stored.time.as_ref().map(read).transpose()?,
                authoritative: stored.authoritative,
            });
        }
        let each = self.conditions.iter().map(Condition::deserialize);
        tracker.conditions = each.collect::<Result<_, _>>().map_err(|error| format!("conditions: {error}"))?;
        tracker.by_hand.clone_from(&self.by_hand);
        Ok(())
    }

    pub(super) fn to_text(&self) -> String {
        // A struct of maps with text keys can always be written.
        let text = serde_json::to_string(self).unwrap_or_default();
        if text == "{}" { String::new() } else { text }
    }

    pub(super) fn from_text(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            Ok(Self::default())
        } else {
            serde_json::from_str(text).map_err(|error| error.to_string())
        }
    }
}

fn registration_rest(registration: &Registration) -> Map<String, Value> {
    let mut rest = object(registration);
    rest.remove("customer_ref");
    if only_order(&registration.orders).is_some() {
        rest.remove("orders");
    }
    if registration.promised.as_ref().is_some_and(|promise| promise.from.is_none() && promise.zone.is_none()) {
        rest.remove("promised");
    }
    if registration.destination.as_ref().is_some_and(|destination| destination_text(destination).is_some()) {
        rest.remove("destination");
    }
    if registration.direction == Direction::default() {
        rest.remove("direction");
    }
    if registration.history == History::default() {
        rest.remove("history");
    }
    rest
}

fn facts_rest(facts: &Facts, number: &str) -> Map<String, Value> {
    let mut rest = object(facts);
    let told = [
        ("service", true),
        ("eta_from", true),
        ("eta_to", true),
        ("delivered_at", true),
        ("origin", facts.origin.as_ref().and_then(place_field).is_some()),
        ("destination", facts.destination.as_ref().and_then(place_field).is_some()),
        ("pieces", facts.pieces.as_ref().and_then(pieces_text).is_some()),
        ("weight", facts.weight.as_ref().and_then(weight_text).is_some()),
        ("public_url", facts.public_url.as_ref().and_then(|url| page_text(url, number)).is_some()),
    ];
    for (name, _) in told.iter().filter(|(_, told)| *told) {
        rest.remove(*name);
    }
    rest
}

fn object(value: &impl Serialize) -> Map<String, Value> {
    match without_nulls(value) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn without_nulls(value: &impl Serialize) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.retain(|_, value| !value.is_null());
                map.values_mut().for_each(strip);
            }
            Value::Array(array) => array.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(value).unwrap_or_default();
    strip(&mut value);
    value
}
