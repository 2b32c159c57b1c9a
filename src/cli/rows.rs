//! Parcels as lines of a list.

use jiff::Timestamp;
use serde_json::json;

use super::failure::Failure;
use super::{output, words};
use crate::model::event::Effect;
use crate::model::parcel::Pickup;
use crate::model::{Parcel, Place, Tracker};
use crate::tracking;

/// Prints parcels, one a line.
pub fn print(found: &[Tracker], now: Timestamp, as_json: bool) {
    if as_json {
        let rows: Vec<_> = found.iter().map(|t| json!({"shop": t.shop, "tracker": crate::api::view(t)})).collect();
        output::json(&json!({"trackers": rows}));
        return;
    }
    let head = ["NUMBER", "CARRIER", "STATUS", "SINCE", "DELAYS", "ORDERS", "SHOP"];
    let rows: Vec<_> = found.iter().map(|tracker| row(tracker, now)).collect();
    output::line(words::table(head, &rows));
}

fn row(tracker: &Tracker, now: Timestamp) -> [String; 7] {
    let delays: Vec<&str> = tracker.conditions.iter().map(|condition| condition.kind.name()).collect();
    let orders: Vec<&str> = tracker.registration.orders.iter().map(|order| order.reference.as_str()).collect();
    [
        tracker.number.clone(),
        tracker.carrier.to_string(),
        standing(&tracking::parcel(tracker)),
        words::ago(now, tracker.status_since),
        delays.join(" "),
        words::plain(&orders.join(" ")),
        tracker.shop.to_string(),
    ]
}

/// Status and what is meant by it, once where both are the same word.
pub fn standing(parcel: &Parcel) -> String {
    let (status, substatus) = (parcel.status.to_string(), parcel.substatus.to_string());
    if status == substatus { status } else { format!("{status} ({substatus})") }
}

/// A place in one line.
pub fn place(place: &Place) -> String {
    let parts = [&place.name, &place.postcode, &place.city, &place.region, &place.country];
    parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// What an event does that moves nothing.
pub const fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Moves => "moves",
        Effect::Note => "note",
        Effect::Unmapped => "unmapped",
    }
}

/// Where and until when it can be collected.
pub fn pickup(pickup: &Pickup) -> String {
    let mut parts: Vec<String> = pickup.name.iter().cloned().collect();
    parts.extend(pickup.place.as_ref().map(place).filter(|text| !text.is_empty()));
    parts.extend(pickup.until.map(|until| format!("until {}", words::moment(until))));
    words::plain(&parts.join(", "))
}

/// Nothing leads to a parcel.
pub fn nothing_found(what: &str) -> Failure {
    Failure::data(format!(
        "no parcel is known by {:?}: neither as a number nor as an order or customer reference",
        words::plain(what)
    ))
}
