//! The sandbox carrier: its numbers script their own lives, which begin when they are asked for the first time.
//!
//! The protocol is published in `carriers/sandbox/PROTOCOL.md`; the stories are in [`stories`].

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::stories::{Life, Seen};
use super::{Desk, Options, Reply, StandIn, Tongue, fields};
use crate::simulator::ledger::{CallKind, Shown};
use crate::simulator::net::Knife;
use crate::simulator::quota::Quota;
use crate::simulator::time::{Moment, SimClock};
use crate::simulator::world::World;

pub mod stories;
mod wording;

const MOST_NUMBERS: usize = 20;
/// Lives remembered; beyond it the one that began first starts anew when it is asked again.
const LIVES_KEPT: usize = 100_000;
const ACCOUNT: &str = "sandbox";

#[derive(Clone)]
struct Sandbox {
    desk: Desk,
    clock: SimClock,
    day: Duration,
    began: Arc<Mutex<HashMap<String, Moment>>>,
}

/// What the published protocol allows: twenty calls in a second, twenty numbers in a call.
pub fn published_quota() -> Quota {
    Quota::rolling(20, Duration::from_secs(1)).and_numbers(20)
}

/// Starts the sandbox; `day` is how long a day of its stories lasts.
pub async fn start(clock: SimClock, day: Duration, options: Options, stop: CancellationToken) -> io::Result<StandIn> {
    let desk = Desk::new(Arc::new(World::new(clock)), &options, Voice);
    let state = Sandbox { desk: desk.clone(), clock, day, began: Arc::default() };
    let router = Router::new()
        .route("/v1/parcels", get(track))
        .fallback(|| async { error(404, "no_such_path", "the path is /v1/parcels").into_response() })
        .with_state(state);
    desk.open("sandbox", &options, router, stop).await
}

struct Voice;

impl Tongue for Voice {
    fn throttled(&self) -> Reply {
        error(429, "too_many_calls", "more than 20 calls in a second")
    }

    fn broken(&self, status: u16) -> Reply {
        error(status, "unavailable", "the sandbox is told to fail for a while")
    }
}

fn error(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({ "error": { "code": code, "message": message } }))
}

async fn track(
    State(sandbox): State<Sandbox>,
    ConnectInfo(knife): ConnectInfo<Knife>,
    RawQuery(query): RawQuery,
) -> Response {
    let mut numbers: Vec<String> = Vec::new();
    for (name, value) in fields(query.unwrap_or_default().as_bytes()) {
        let value = value.to_uppercase();
        if name == "number" && !value.is_empty() && !numbers.contains(&value) {
            numbers.push(value);
        }
    }
    let serve = || match numbers.len() {
        0 => error(400, "no_number", "give 1 to 20 numbers"),
        1..=MOST_NUMBERS => {
            let mut shown = Vec::new();
            let parcels: Vec<Value> = numbers.iter().map(|number| sandbox.parcel(number, &mut shown)).collect();
            Reply::json(200, &json!({ "parcels": parcels })).showing(shown)
        }
        _ => error(400, "too_many_numbers", "give 1 to 20 numbers"),
    };
    sandbox.desk.serve(&knife, CallKind::Track, ACCOUNT, &numbers, serve).await
}

impl Sandbox {
    /// When the life of a number began: now, if it was never asked for.
    fn began(&self, number: &str) -> Moment {
        let now = self.clock.now();
        let mut began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
        if began.len() >= LIVES_KEPT
            && !began.contains_key(number)
            && let Some(oldest) = began.iter().min_by_key(|(_, since)| **since).map(|(number, _)| number.clone())
        {
            began.remove(&oldest);
        }
        *began.entry(number.to_owned()).or_insert(now)
    }

    fn parcel(&self, number: &str, shown: &mut Vec<Shown>) -> Value {
        let Some(story) = stories::story_of(number) else {
            return json!({ "number": number, "found": false, "error": "bad_number", "message": "no story of this name" });
        };
        let life = Life { number, story, began: self.began(number), day: self.day, clock: self.clock };
        match life.at(self.clock.now()) {
            Seen::Nothing => json!({ "number": number, "found": false }),
            Seen::Bad => {
                json!({ "number": number, "found": false, "error": "bad_number", "message": "this number can never be known" })
            }
            Seen::Fault => json!({ "number": number, "found": false, "error": "unavailable", "message": "ask again" }),
            Seen::Parcel { body, scans } => {
                shown.extend(scans);
                *body
            }
        }
    }
}
