//! Ways to spoil a demonstration on purpose, so that each figure of the auditor is seen to turn wrong.
//!
//! The first three spoil deliveries between the daemon and the shop, where the daemon cannot notice; the last calls a
//! carrier more often than its quota allows, in the account's name.

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::carriers::{StandIn, mondialrelay};

/// What to spoil.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// One delivery with new events vanishes: `lost` must show it.
    Drop,
    /// Two deliveries of one tracker change places: `reordered` must show it.
    Swap,
    /// One delivery gets an event that never happened: `webhooks_verified` and `invented` must show it.
    Forge,
    /// A burst of calls beyond a quota: `quota_violations` must show it.
    Overcall,
}

impl FromStr for Sabotage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "drop" => Ok(Self::Drop),
            "swap" => Ok(Self::Swap),
            "forge" => Ok(Self::Forge),
            "overcall" => Ok(Self::Overcall),
            other => Err(format!("{other:?} is none of drop, swap, forge, overcall")),
        }
    }
}

/// A delivery on its way, as it stands on the wire.
#[derive(Debug, Clone)]
pub struct Spoiled {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

#[derive(Debug, Default)]
struct Plan {
    what: Option<Sabotage>,
    held: Option<Spoiled>,
    done: bool,
}

/// Stands between daemon and shop; does nothing until it is sent, and then spoils once.
#[derive(Debug, Clone, Default)]
pub struct Saboteur(Arc<Mutex<Plan>>);

impl Saboteur {
    /// Sends it to spoil one of the next deliveries.
    pub fn send(&self, what: Sabotage) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Plan { what: Some(what), ..Plan::default() };
    }

    /// True once it has spoiled something.
    pub fn is_done(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).done
    }

    /// What reaches the shop in place of this delivery.
    pub(super) fn pass(&self, delivery: Spoiled) -> Vec<Spoiled> {
        let mut plan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match plan.what.filter(|_| !plan.done) {
            Some(Sabotage::Drop) if brings_events(&delivery) => {
                plan.done = true;
                Vec::new()
            }
            Some(Sabotage::Forge) if brings_events(&delivery) => {
                plan.done = true;
                vec![forged(delivery)]
            }
            Some(Sabotage::Swap) => swap(&mut plan, delivery),
            _ => vec![delivery],
        }
    }
}

/// Holds the first delivery of a tracker back until the next one of the same tracker has gone ahead.
fn swap(plan: &mut Plan, delivery: Spoiled) -> Vec<Spoiled> {
    match plan.held.take() {
        None if tracker(&delivery).is_some() => {
            plan.held = Some(delivery);
            Vec::new()
        }
        None => vec![delivery],
        Some(held) if tracker(&held) == tracker(&delivery) => {
            plan.done = true;
            vec![delivery, held]
        }
        Some(held) => {
            plan.held = Some(held);
            vec![delivery]
        }
    }
}

fn parsed(delivery: &Spoiled) -> serde_json::Value {
    serde_json::from_slice(&delivery.body).unwrap_or_default()
}

fn tracker(delivery: &Spoiled) -> Option<String> {
    parsed(delivery)["data"]["tracker"]["id"].as_str().map(str::to_owned)
}

fn brings_events(delivery: &Spoiled) -> bool {
    let body = parsed(delivery);
    let kind = body["type"].as_str().unwrap_or_default();
    matches!(kind, "tracker.event_added" | "tracker.first_seen")
        && body["data"]["parcel"]["events"].as_array().is_some_and(|events| !events.is_empty())
}

/// Changes the time of the first event: the signature no longer fits, and no scan has that time.
fn forged(mut delivery: Spoiled) -> Spoiled {
    let mut body = parsed(&delivery);
    body["data"]["parcel"]["events"][0]["time"]["raw"] = "1999-01-01T00:00:00+00:00".into();
    delivery.body = Bytes::from(body.to_string());
    if let Ok(length) = HeaderValue::try_from(delivery.body.len().to_string()) {
        delivery.headers.insert("content-length", length);
    }
    delivery
}

/// Calls a stand-in in a burst, in its account's name, until its tightest rolling window is exceeded. The bare-bones
/// client knows nothing of budgets; that is its point. Returns how many calls it made.
pub async fn overcall(stand_in: &StandIn) -> usize {
    let window = stand_in.quota.windows.iter().min_by_key(|window| window.calls);
    let calls = window.map_or(10, |window| window.calls as usize) + 5;
    let request = knock(stand_in);
    let bursts = (0..calls).map(|_| {
        let request = request.clone();
        async move {
            let answer = async {
                let mut stream = TcpStream::connect(stand_in.address).await?;
                stream.write_all(request.as_bytes()).await?;
                stream.read(&mut [0; 16]).await
            };
            tokio::time::timeout(Duration::from_secs(5), answer).await.is_ok_and(|read| read.is_ok())
        }
    });
    futures_util::future::join_all(bursts).await.into_iter().filter(|answered| *answered).count()
}

/// A request for no parcel in particular, which the carrier counts on the account.
fn knock(stand_in: &StandIn) -> String {
    let key = stand_in.credentials.iter().find(|(name, _)| *name == "key").map_or("", |(_, value)| value);
    let host = stand_in.address;
    match stand_in.code {
        "laposte" => format!(
            "GET /suivi/v2/idships/6A00000000000 HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\nx-okapi-key: {key}\r\nconnection: close\r\n\r\n"
        ),
        "ups" => format!(
            "GET /api/track/v1/details/1Z0000000000000000 HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        ),
        "fedex" => format!(
            "POST /track/v1/trackingnumbers HTTP/1.1\r\nhost: {host}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
        ),
        "mondialrelay" => {
            let body = mondialrelay::knock();
            let length = body.len();
            format!(
                "POST /Web_Services.asmx HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            )
        }
        _ => format!("GET /v1/parcels?number=SANDBOX-UNKNOWN HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"),
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::simulator::carriers::{self, Options};
    use crate::simulator::quota::Quota;
    use crate::simulator::time::SimClock;
    use crate::simulator::world::{Network, World};

    #[tokio::test]
    async fn overcalling_shows_in_the_ledger_of_every_carrier() {
        let (clock, stop) = (SimClock::start(), CancellationToken::new());
        for network in Network::ALL {
            let options = Options { quota: Quota::rolling(4, Duration::from_secs(60)), ..Options::default() };
            let world = Arc::new(World::new(clock));
            let stand_in = carriers::start(network, world, options, stop.clone()).await.unwrap();
            assert_eq!(overcall(&stand_in).await, 9);
            let breaches = stand_in.quota.breaches(&stand_in.ledger.calls(), clock);
            assert_eq!(breaches.len(), 5, "{network:?} {breaches:?}");
            let account = &stand_in.credentials[0].1;
            assert!(breaches.iter().all(|breach| breach.account == *account), "in the account's own name");
        }
        stop.cancel();
    }
}
