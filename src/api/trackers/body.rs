//! What a shop may tell of a parcel, in `POST` and in `PATCH`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::api::input::{few, short, zone};
use crate::api::named::Named;
use crate::api::problem::Problem;
use crate::carrier::expr::lookup_country;
use crate::model::tracker::{Destination, OrderRef, Promise};
use crate::model::{AccountName, Direction, History, Moment, Registration};

/// A field that may be absent, null, or given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Given<T> {
    /// Not in the body.
    #[default]
    Absent,
    /// There, as null.
    Null,
    /// There.
    Value(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

impl<T> Given<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> Given<U> {
        match self {
            Self::Absent => Given::Absent,
            Self::Null => Given::Null,
            Self::Value(value) => Given::Value(change(value)),
        }
    }

    /// The value, where there is one.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }
}

/// What a null does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// It empties the field (`PATCH`).
    Clear,
    /// It is as good as absent (`POST`).
    Ignore,
}

/// Body of `POST /v1/trackers`, of each item of a batch, and of `PATCH /v1/trackers/{id}`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrackerBody {
    pub number: Given<String>,
    pub carrier: Given<String>,
    pub account: Given<AccountName>,
    #[serde(deserialize_with = "all_named")]
    pub orders: Given<Vec<OrderRef>>,
    pub customer_ref: Given<String>,
    pub direction: Given<Direction>,
    pub related: Given<Vec<String>>,
    #[serde(deserialize_with = "named")]
    pub promised: Given<Promise>,
    pub ship_by: Given<Moment>,
    #[serde(deserialize_with = "named")]
    pub destination: Given<Destination>,
    pub locale: Given<String>,
    pub tags: Given<Vec<String>>,
    pub metadata: Given<BTreeMap<String, String>>,
    pub importance: Given<i64>,
    pub history: Given<History>,
    pub inputs: Given<BTreeMap<String, String>>,
}

fn named<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Given<T>, D::Error> {
    Given::<Named<T>>::deserialize(from).map(|given| given.map(|Named(value)| value))
}

fn all_named<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Given<Vec<T>>, D::Error> {
    let given = Given::<Vec<Named<T>>>::deserialize(from)?;
    Ok(given.map(|list| list.into_iter().map(|Named(value)| value).collect()))
}

/// Bytes of all metadata: each webhook carries them.
const MOST_METADATA: usize = 8192;

impl TrackerBody {
    /// Given fields replace, lists whole; absent ones stay. `history` is settled at the first registration.
    pub fn apply(&self, to: &Registration, nulls: Nulls) -> Registration {
        fn set<T: Clone + Default>(slot: &mut T, given: &Given<T>, nulls: Nulls) {
            match given {
                Given::Value(value) => slot.clone_from(value),
                Given::Null if nulls == Nulls::Clear => *slot = T::default(),
                _ => {}
            }
        }
        fn maybe<T: Clone>(slot: &mut Option<T>, given: &Given<T>, nulls: Nulls) {
            match given {
                Given::Value(value) => *slot = Some(value.clone()),
                Given::Null if nulls == Nulls::Clear => *slot = None,
                _ => {}
            }
        }
        let mut next = to.clone();
        set(&mut next.orders, &self.orders, nulls);
        maybe(&mut next.customer_ref, &self.customer_ref, nulls);
        set(&mut next.direction, &self.direction, nulls);
        set(&mut next.related, &self.related, nulls);
        maybe(&mut next.promised, &self.promised, nulls);
        maybe(&mut next.ship_by, &self.ship_by, nulls);
        maybe(&mut next.destination, &self.destination, nulls);
        maybe(&mut next.locale, &self.locale, nulls);
        set(&mut next.tags, &self.tags, nulls);
        set(&mut next.metadata, &self.metadata, nulls);
        set(&mut next.inputs, &self.inputs, nulls);
        match self.importance {
            // Judged by `check`.
            Given::Value(importance) => next.importance = u8::try_from(importance).ok(),
            Given::Null if nulls == Nulls::Clear => next.importance = None,
            _ => {}
        }
        next
    }

    /// Whether it says anything of which the carrier's inputs are made.
    pub fn touches_inputs(&self) -> bool {
        self.inputs != Given::Absent
            || self.destination != Given::Absent
            || self.locale != Given::Absent
            || self.orders != Given::Absent
    }

    /// Refuses what cannot be used, naming the field.
    pub fn check(&self) -> Result<(), Problem> {
        if let Some(number) = self.number.value() {
            short("number", number, 1, 100)?;
        }
        for (field, text) in [("customer_ref", &self.customer_ref), ("carrier", &self.carrier)] {
            if let Some(text) = text.value() {
                short(field, text, 1, 200)?;
            }
        }
        for (field, list) in [("related", &self.related), ("tags", &self.tags)] {
            few(field, list.value().map_or(0, Vec::len), 50)?;
            for (at, text) in list.value().into_iter().flatten().enumerate() {
                short(&format!("{field}[{at}]"), text, 1, 100)?;
            }
        }
        for (field, map) in [("metadata", &self.metadata), ("inputs", &self.inputs)] {
            check_map(field, map.value())?;
        }
        if self.importance.value().is_some_and(|importance| !(1..=10).contains(importance)) {
            return Err(Problem::field("importance", "a number from 1 to 10 belongs here"));
        }
        if let Some(locale) = self.locale.value()
            && !is_locale(locale)
        {
            return Err(Problem::field("locale", "a BCP 47 language belongs here, such as fr or fr-CA"));
        }
        check_orders(self.orders.value())?;
        check_promise(self.promised.value())?;
        check_destination(self.destination.value())
    }
}

fn check_map(field: &str, map: Option<&BTreeMap<String, String>>) -> Result<(), Problem> {
    let Some(map) = map else { return Ok(()) };
    few(field, map.len(), 50)?;
    for (key, text) in map {
        let named = || format!("{field}.{}", key.chars().take(60).collect::<String>());
        short(&named(), key, 1, 100)?;
        short(&named(), text, 0, 500)?;
    }
    let size: usize = map.iter().map(|(key, text)| key.len() + text.len()).sum();
    if size > MOST_METADATA {
        return Err(Problem::field(field, format!("{size} bytes are too many: {MOST_METADATA} at most in all")));
    }
    Ok(())
}

fn check_orders(orders: Option<&Vec<OrderRef>>) -> Result<(), Problem> {
    few("orders", orders.map_or(0, Vec::len), 50)?;
    for (at, order) in orders.into_iter().flatten().enumerate() {
        short(&format!("orders[{at}].reference"), &order.reference, 1, 200)?;
    }
    Ok(())
}

fn check_promise(promise: Option<&Promise>) -> Result<(), Problem> {
    let Some(promise) = promise else { return Ok(()) };
    zone("promised.zone", promise.zone.as_deref())?;
    match promise.from {
        Some(from) if from.date() > promise.to.date() => {
            Err(Problem::field("promised.from", format!("{from} is after promised.to, {}", promise.to)))
        }
        _ => Ok(()),
    }
}

fn check_destination(destination: Option<&Destination>) -> Result<(), Problem> {
    let Some(destination) = destination else { return Ok(()) };
    zone("destination.zone", destination.zone.as_deref())?;
    if let Some(country) = &destination.country
        && lookup_country(country) != Some(country.as_str())
    {
        return Err(Problem::field("destination.country", no_country(country)));
    }
    match &destination.postcode {
        Some(code) if !is_postcode(code) => Err(Problem::field(
            "destination.postcode",
            format!("{code:?} is no post code: 2 to 12 letters, digits, blanks and dashes belong here"),
        )),
        _ => Ok(()),
    }
}

fn no_country(given: &str) -> String {
    let meant = lookup_country(given).map(|code| format!("; did you mean {code}?")).unwrap_or_default();
    format!("{given:?} is no ISO 3166 country: write two capitals, such as FR{meant}")
}

fn is_postcode(text: &str) -> bool {
    let fits = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' ' || b == b'-');
    fits && (2..=12).contains(&text.len()) && text.trim() == text && text.bytes().any(|b| b.is_ascii_alphanumeric())
}

/// A language of two to eight letters, then parts of one to eight letters and digits.
fn is_locale(text: &str) -> bool {
    let mut parts = text.split('-');
    let language =
        parts.next().is_some_and(|part| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphabetic()));
    let rest = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    language && text.len() <= 35 && parts.all(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_locales_and_post_codes() {
        for good in ["fr", "fr-CA", "zh-Hant-TW", "de-1996", "fil"] {
            assert!(is_locale(good), "{good}");
        }
        for bad in ["", "f", "fr_CA", "fr-", "-fr", "1234", "fr FR", "français"] {
            assert!(!is_locale(bad), "{bad}");
        }
        for good in ["44000", "SW1A 1AA", "1012 AB", "00-950", "D02 X285"] {
            assert!(is_postcode(good), "{good}");
        }
        for bad in ["", "4", " 44000", "44000;", "4400000000000", "--", "４４０００"] {
            assert!(!is_postcode(bad), "{bad}");
        }
    }

    #[test]
    fn null_clears_in_one_verb_and_says_nothing_in_the_other() {
        let told = Registration {
            tags: vec!["a".to_owned()],
            locale: Some("fr".to_owned()),
            importance: Some(3),
            direction: Direction::Return,
            ..Registration::default()
        };
        let body: TrackerBody =
            serde_json::from_str(r#"{"tags":null,"locale":null,"importance":null,"direction":null}"#).unwrap();
        assert_eq!(body.apply(&told, Nulls::Ignore), told);
        assert_eq!(body.apply(&told, Nulls::Clear), Registration::default());
        let nothing: TrackerBody = serde_json::from_str("{}").unwrap();
        assert_eq!(nothing.apply(&told, Nulls::Clear), told);
    }
}
