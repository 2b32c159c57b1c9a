//! `wismo show`: everything about one parcel.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::desk::{Desk, ReadArgs};
use super::failure::Failure;
use super::{output, registry, rows, words};
use crate::model::parcel::Eta;
use crate::model::{Parcel, Tracker};
use crate::store::reader::{Arrival, Told};
use crate::tracking::{self, Promised, Verdict};

/// Changes that are shown.
const MOST_TOLD: usize = 100;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  wismo show 1Z12345E0205271686\n  wismo show '6a 1002 0030 045'        any spelling, or a pasted tracking link\n  wismo show 1234                      an order with one parcel\n  wismo show trk_… --json | jq .told"
)]
pub struct ShowArgs {
    /// Tracking number, order, customer reference or id
    parcel: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    read: ReadArgs,
}

/// Shows it; several are listed instead.
pub async fn run(args: &ShowArgs) -> Result<ExitCode, Failure> {
    let desk = args.read.open().await?;
    let found = desk.search(&args.parcel, &registry()).await?;
    let tracker = match found.as_slice() {
        [] => return Err(rows::nothing_found(&args.parcel)),
        [one] => one,
        many => {
            eprintln!("{} parcels; show one of them:", many.len());
            rows::print(many, desk.now, args.json);
            return Ok(ExitCode::from(super::USAGE));
        }
    };
    let told = desk.reader.told(tracker, MOST_TOLD).await?;
    if args.json {
        output::json(&as_json(tracker, &told, desk.now));
    } else {
        print!("{}", as_text(&desk, tracker, &told));
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(tracker: &Tracker, told: &[Told], now: Timestamp) -> Value {
    json!({
        "shop": tracker.shop,
        "tracker": crate::api::view(tracker),
        "promise": tracking::promised(tracker, now),
        "told": told.iter().map(told_json).collect::<Vec<_>>(),
    })
}

fn told_json(told: &Told) -> Value {
    let arrivals: Vec<Value> = told
        .arrivals
        .iter()
        .map(|(endpoint, arrival)| match arrival {
            Arrival::Sent { at, attempt } => {
                json!({"endpoint": endpoint.to_string(), "state": "delivered", "at": at, "attempt": attempt})
            }
            Arrival::Waiting { next_at, error } => {
                json!({"endpoint": endpoint.to_string(), "state": "waiting", "next_at": next_at, "error": error})
            }
            Arrival::Dead(dead) => json!({
                "endpoint": endpoint.to_string(), "state": "dead", "at": dead.died_at, "attempts": dead.attempts,
                "error": dead.error,
            }),
        })
        .collect();
    json!({
        "id": told.change.id.to_string(),
        "type": told.change.kind,
        "at": told.change.at,
        "sequence": told.change.sequence,
        "data": serde_json::from_str::<Value>(&told.change.data).unwrap_or(Value::Null),
        "deliveries": arrivals,
    })
}

fn as_text(desk: &Desk, tracker: &Tracker, told: &[Told]) -> String {
    let parcel = tracking::parcel(tracker);
    let mut text = String::new();
    let _ = writeln!(text, "{}  {}  shop {}", words::strong(&tracker.number), tracker.carrier, tracker.shop);
    for (name, value) in facts(desk.now, tracker, &parcel) {
        let _ = writeln!(text, "  {name:<12} {value}");
    }
    let _ = writeln!(text, "\nScans, newest first ({})", parcel.events.len());
    for event in parcel.events.iter().rev() {
        let place = event.place.as_ref().map(rows::place).unwrap_or_default();
        let means = event.substatus.map_or_else(|| rows::effect(event.effect).to_owned(), |s| s.to_string());
        let gone = if event.retracted_at.is_some() { " (no longer told)" } else { "" };
        let said = words::plain(event.description.as_deref().or(event.code.as_deref()).unwrap_or("-"));
        let _ = writeln!(text, "  {:<23} {means:<22} {said}{gone}", words::scan_time(&event.time));
        if !place.is_empty() {
            let _ = writeln!(text, "  {:<23} {:<22} {}", "", "", words::plain(&place));
        }
    }
    let _ = writeln!(text, "\nTold, newest first ({})", told.len());
    for told in told {
        let _ = writeln!(text, "  {}  {:<26} {}", words::instant(told.change.at), told.change.kind, told.change.id);
        for (endpoint, arrival) in &told.arrivals {
            let _ = writeln!(text, "      {endpoint}  {}", arrived(desk.now, arrival));
        }
    }
    text
}

fn arrived(now: Timestamp, arrival: &Arrival) -> String {
    match arrival {
        Arrival::Sent { at, attempt: 1 } => words::fine(&format!("delivered {}", words::instant(*at))),
        Arrival::Sent { at, attempt } => words::fine(&format!("delivered {} (attempt {attempt})", words::instant(*at))),
        Arrival::Waiting { next_at, error } => {
            let next = next_at.map(|at| format!("; next attempt {}", words::instant_ago(now, at))).unwrap_or_default();
            let why = error.as_deref().map(|error| format!("; failed: {}", words::plain(error))).unwrap_or_default();
            format!("waits{next}{why}")
        }
        Arrival::Dead(dead) => words::alarm(&format!(
            "given up {} after {}: {}",
            words::instant(dead.died_at),
            output::count(dead.attempts as usize, "attempt", "attempts"),
            words::plain(&dead.error)
        )),
    }
}

fn facts(now: Timestamp, tracker: &Tracker, parcel: &Parcel) -> Vec<(&'static str, String)> {
    let told = &tracker.registration;
    let mut facts = vec![
        ("id", tracker.id.to_string()),
        (
            "status",
            format!(
                "{} since {}",
                words::strong(&rows::standing(parcel)),
                words::instant_ago(now, tracker.status_since)
            ),
        ),
        ("must act", parcel.who_must_act.name().to_owned()),
        ("promise", promise(now, tracking::promised(tracker, now))),
    ];
    if let Some(hand) = &tracker.by_hand {
        let (who, why) = (words::plain(&hand.who), words::plain(&hand.why));
        facts.insert(2, ("by hand", words::alarm(&format!("{who}, {}: {why}", words::instant_ago(now, hand.at)))));
    }
    let mut add = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
    add("estimate", parcel.eta.as_ref().and_then(estimate));
    add(
        "delivered",
        parcel.delivered_at.map(|at| {
            let to = parcel.delivered_to.as_deref().map(|to| format!(", to {}", words::plain(to))).unwrap_or_default();
            format!("{}{to}", words::moment(at))
        }),
    );
    add("pickup", parcel.pickup.as_ref().map(rows::pickup));
    for condition in &tracker.conditions {
        let expected = condition.expected.map(|at| format!(", expected {}", words::moment(at))).unwrap_or_default();
        let since = words::instant_ago(now, condition.since);
        add(
            "delay",
            Some(words::alarm(&format!(
                "{} since {since}{expected}; {} must act",
                condition.kind.name(),
                condition.who_must_act.name()
            ))),
        );
    }
    let orders: Vec<&str> = told.orders.iter().map(|order| order.reference.as_str()).collect();
    add("orders", (!orders.is_empty()).then(|| orders.join(", ")));
    add("customer", told.customer_ref.clone());
    add("tags", (!told.tags.is_empty()).then(|| told.tags.join(", ")));
    add("registered", Some(words::instant_ago(now, tracker.registered_at)));
    add("polled", Some(polled(now, tracker)));
    add("account", Some(tracker.account.to_string()));
    add("page", parcel.public_url.clone());
    facts
}

fn estimate(eta: &Eta) -> Option<String> {
    let window = match (eta.from, eta.to) {
        (Some(from), Some(to)) if from != to => format!("{} to {}", words::moment(from), words::moment(to)),
        (Some(one), _) | (None, Some(one)) => words::moment(one),
        (None, None) => return eta.original.map(|first| format!("none now (first {})", words::moment(first))),
    };
    let first = eta.original.filter(|first| Some(*first) != eta.to.or(eta.from));
    Some(first.map_or(window.clone(), |first| format!("{window} (first {})", words::moment(first))))
}

fn promise(now: Timestamp, promised: Option<Promised>) -> String {
    let Some(promised) = promised else { return "none, and no estimate".to_owned() };
    let whose = if promised.by_shop { "" } else { " (the carrier's estimate)" };
    let expected = words::moment(promised.expected);
    let passes = words::ago(now, promised.passes_at);
    match promised.verdict {
        Verdict::Open => format!("{expected}{whose}: open, passes {passes}"),
        Verdict::Kept => words::fine(&format!("{expected}{whose}: kept")),
        Verdict::KeptLate => words::alarm(&format!("{expected}{whose}: kept, but late")),
        Verdict::Broken => words::alarm(&format!("{expected}{whose}: broken, passed {passes}")),
    }
}

fn polled(now: Timestamp, tracker: &Tracker) -> String {
    let poll = &tracker.poll;
    let last = match (poll.last_at, poll.outcome) {
        (Some(at), Some(outcome)) => format!("{} ({})", words::ago(now, at), outcome.name()),
        _ => "not yet".to_owned(),
    };
    let next = match poll.next_at {
        _ if poll.paused => "paused".to_owned(),
        Some(at) => format!("next {}", words::ago(now, at)),
        None => "not polled any more".to_owned(),
    };
    format!("{last}; {next}")
}
