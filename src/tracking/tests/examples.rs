//! Writes `docs/examples.md`, a webhook of every type about a parcel, and holds the page against what is sent.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::*;
use crate::model::ChangeKind;
use crate::model::status::{Status, Substatus as S};
use crate::model::tracker::{Destination, History, OrderRef};

const PAGE: &str = include_str!("../../../docs/examples.md");

const HEAD: &str = "# A webhook of every type

What a receiver gets, as the program itself makes it (a test holds this page). To keep it short, members that are null or
empty are left out here; in a webhook they are there, as `null`, `[]` or `{}`. [changes.md](changes.md) says what each
member means and when each type is sent; webhooks about endpoints are at the end of [webhooks.md](webhooks.md).
";

fn parcel_of_an_order() -> Registration {
    Registration {
        orders: vec![OrderRef { reference: "1234".to_owned(), placed_at: Some(moment("2026-11-20T10:00:00+01:00")) }],
        customer_ref: Some("c-77".to_owned()),
        promised: promise("2026-11-25", Some("Europe/Paris")),
        destination: Some(Destination { country: Some("FR".to_owned()), ..Destination::default() }),
        ..Registration::default()
    }
}

fn on_the_way() -> (Life, Vec<ObservedEvent>) {
    let mut life = Life::new(parcel_of_an_order());
    let known = vec![scan(S::Departed, -HOUR)];
    life.answer(MINUTE, &known);
    (life, known)
}

/// A parcel on its way of which the next answer tells this.
fn then(substatus: S) -> Life {
    let (mut life, mut events) = on_the_way();
    events.push(scan(substatus, HOUR));
    life.answer(2 * HOUR, &events);
    life
}

/// A life in which a change of this type was told.
fn life_with(kind: ChangeKind) -> Life {
    match kind {
        ChangeKind::Created => Life::new(parcel_of_an_order()),
        ChangeKind::FirstSeen => on_the_way().0,
        ChangeKind::EventAdded => then(S::Arrived),
        ChangeKind::Status(Status::InfoReceived) => {
            let mut life = Life::new(Registration { history: History::Send, ..parcel_of_an_order() });
            life.answer(MINUTE, &[scan(S::LabelCreated, -HOUR)]);
            life
        }
        ChangeKind::Status(Status::InTransit) => {
            let mut life = Life::new(parcel_of_an_order());
            life.answer(MINUTE, &[scan(S::LabelCreated, -DAY)]);
            life.answer(2 * HOUR, &[scan(S::LabelCreated, -DAY), scan(S::Departed, HOUR)]);
            life
        }
        ChangeKind::Status(Status::Expired) => {
            let (mut life, _) = on_the_way();
            life.clock(40 * DAY);
            life
        }
        ChangeKind::Status(Status::Pending) => {
            let mut life = Life::new(parcel_of_an_order());
            life.input(Input::NumberRejected { at: at(MINUTE) }, MINUTE);
            life
        }
        ChangeKind::Status(status) => then(S::ALL.iter().copied().find(|s| s.status() == status).unwrap()),
        ChangeKind::Resumed => {
            let (mut life, mut events) = on_the_way();
            life.clock(40 * DAY);
            events.push(scan(S::Arrived, 41 * DAY));
            life.answer(41 * DAY + HOUR, &events);
            life
        }
        ChangeKind::EtaChanged => {
            let (mut life, events) = on_the_way();
            let facts = |day: &str| Facts { eta_to: Some(moment(day)), ..Facts::default() };
            life.observe(&Observation { facts: facts("2026-11-25"), ..answer(HOUR, &events) });
            life.observe(&Observation { facts: facts("2026-11-26"), ..answer(2 * HOUR, &events) });
            life
        }
        ChangeKind::Delayed => {
            let (mut life, _) = on_the_way();
            life.clock(3 * DAY);
            life
        }
        ChangeKind::DelayCleared => {
            let (mut life, mut events) = on_the_way();
            life.clock(3 * DAY);
            events.push(scan(S::Delivered, 3 * DAY + HOUR));
            life.answer(3 * DAY + 2 * HOUR, &events);
            life
        }
        ChangeKind::Updated => {
            let (mut life, _) = on_the_way();
            let told = Registration { promised: promise("2026-11-27", None), ..parcel_of_an_order() };
            life.input(Input::Updated(&told), HOUR);
            life
        }
        ChangeKind::Reclassified => {
            let (mut life, mut events) = on_the_way();
            events[0].meaning = Meaning::Moves(S::DelayedWeather, Rule::Plain);
            life.input(Input::Reclassified(&Observation { digest: 7, ..answer(MINUTE, &events) }), HOUR);
            life
        }
        ChangeKind::Deleted => {
            let (mut life, _) = on_the_way();
            life.input(Input::Deleted, HOUR);
            life
        }
        ChangeKind::EndpointTest | ChangeKind::EndpointDisabled => Life::new(Registration::default()),
    }
}

/// Without what is null or empty.
fn short(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().map(|(name, value)| (name.clone(), short(value)));
            Value::Object(kept.filter(|(_, value)| !is_nothing(value)).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(short).collect()),
        other => other.clone(),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (number, kind) in ChangeKind::all().enumerate() {
        let name = kind.to_string();
        let life = life_with(kind);
        let data = life.told(&name);
        if name.starts_with("endpoint.") {
            continue;
        }
        assert!(data.is_object(), "{name} was not told: {:?}", life.told.iter().map(|(n, _)| n).collect::<Vec<_>>());
        let body = json!({
            "id": format!("evt_17_3_1795420800000_{number}"),
            "type": name,
            "timestamp": data["observed_at"],
            "data": short(data),
        });
        let _ = write!(page, "\n## {name}\n\n```json\n{}\n```\n", serde_json::to_string_pretty(&body).unwrap());
    }
    page
}

#[test]
fn the_page_shows_a_webhook_of_every_type() {
    let page = page();
    if std::env::var_os("WISMO_WRITE_EXAMPLES").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples.md"), &page).unwrap();
        return;
    }
    assert_eq!(page, PAGE, "WISMO_WRITE_EXAMPLES=1 writes docs/examples.md anew");
}
