//! One daemon, one store, every carrier as an account: a parcel of each goes from the label to its delivery, at a
//! server that speaks the carrier's own protocol (`standins`, and the simulator's four).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use axum::{Router, body};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};
use wismo::simulator::lives::{Story, Teller};
use wismo::simulator::world::Network;

use crate::standins::{self, Asked, Said, Scan, StandIn};
use crate::support::house::{House, Plan, Shop};

/// A stand-in, and how far its parcel has come.
struct Desk {
    stand_in: Box<dyn StandIn>,
    told: AtomicUsize,
    first: Timestamp,
}

impl Desk {
    fn new(stand_in: Box<dyn StandIn>) -> Self {
        let now = Timestamp::now();
        let minute = Timestamp::from_second(now.as_second() - now.as_second() % 60).unwrap();
        let steps = i32::try_from(stand_in.life().len()).unwrap() + 1;
        let first = minute - apart(&*stand_in).saturating_mul(steps);
        Self { stand_in, told: AtomicUsize::new(0), first }
    }

    /// What the parcel has lived through, oldest first.
    fn scans(&self) -> Vec<Scan> {
        let told = self.told.load(Ordering::SeqCst);
        let mut at = self.first;
        let scan = |(step, means): (usize, &&'static str)| {
            let scan = Scan { step, means, at };
            at += apart(&*self.stand_in);
            scan
        };
        self.stand_in.life().iter().enumerate().take(told).map(scan).collect()
    }

    fn substatus(&self, round: usize) -> &'static str {
        round.checked_sub(1).map_or("not_found", |last| self.stand_in.life()[last])
    }

    fn lives(&self, round: usize) -> bool {
        round <= self.stand_in.life().len()
    }
}

/// The time between two scans.
fn apart(stand_in: &dyn StandIn) -> SignedDuration {
    SignedDuration::from_mins(if stand_in.days_only() { 24 * 60 } else { 67 })
}

/// All stand-ins behind one socket, each below its own path.
struct Row {
    desks: Arc<Vec<Desk>>,
    address: std::net::SocketAddr,
    _stop: DropGuard,
}

impl Row {
    async fn open() -> Self {
        let desks: Arc<Vec<Desk>> = Arc::new(standins::all().into_iter().map(Desk::new).collect());
        let router = Router::new().fallback(serve).with_state(desks.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let end = stop.clone().cancelled_owned();
        tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(end).await.unwrap() });
        Self { desks, address, _stop: stop.drop_guard() }
    }

    fn accounts(&self) -> String {
        let mut text = String::new();
        for stand_in in self.desks.iter().map(|desk| &desk.stand_in) {
            let (code, environment, address) = (stand_in.code(), stand_in.environment(), self.address);
            let _ = write!(
                text,
                "[accounts.{code}]\ncarrier = \"{code}\"\nenvironment = \"{environment}\"\nshops = \"*\"\n\
                 base_url = \"http://{address}/{code}\"\n\
                 [accounts.{code}.limits]\nper_second = 10\nwindows = []\nper_parcel = \"100ms\"\n[accounts.{code}.credentials]\n"
            );
            for (name, value) in stand_in.credentials() {
                let _ = writeln!(text, "{name} = {}", Value::from(*value));
            }
        }
        text
    }
}

async fn serve(
    State(desks): State<Arc<Vec<Desk>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().trim_start_matches('/');
    let (code, below) = path.split_once('/').unwrap_or((path, ""));
    let Some(desk) = desks.iter().find(|desk| desk.stand_in.code() == code) else {
        panic!("nobody stands at {uri}");
    };
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let asked = Asked {
        method: method.to_string(),
        path: standins::decoded(&format!("/{below}")),
        query: standins::pairs(uri.query().unwrap_or_default()),
        headers: headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: body.to_vec(),
    };
    let Said { status, headers, body } = desk.stand_in.answer(&asked, &desk.scans());
    let response =
        headers.iter().fold(Response::builder().status(status), |response, (name, value)| response.header(name, value));
    response.body(body::Body::from(body)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_carrier_tracks_a_parcel_from_label_to_delivery() {
    let row = Row::open().await;
    let mut house = Plan::new().carriers(&Network::ALL).pace("300ms").more(&row.accounts()).open().await;
    let shop = house.shop("desk").await;
    let simulated = simulated(&house, &shop).await;
    let mut ids = BTreeMap::new();
    for stand_in in row.desks.iter().map(|desk| &desk.stand_in) {
        let mut parcel = stand_in.registration();
        parcel["number"] = json!(stand_in.number());
        parcel["carrier"] = json!(stand_in.code());
        ids.insert(stand_in.code(), shop.register(&parcel).await);
    }
    let rounds = row.desks.iter().map(|desk| desk.stand_in.life().len()).max().unwrap_or_default();
    for round in 0..=rounds {
        for desk in row.desks.iter().filter(|desk| desk.lives(round)) {
            if round == desk.stand_in.life().len() {
                desk.stand_in.forget_tokens();
            }
            desk.told.store(round, Ordering::SeqCst);
        }
        for desk in row.desks.iter().filter(|desk| desk.lives(round)) {
            let (code, wanted) = (desk.stand_in.code(), desk.substatus(round));
            let what = format!("{code}: {wanted}, in round {round}");
            shop.shows(&ids[code], &what, |tracker| tracker["parcel"]["substatus"] == wanted).await;
        }
    }
    for desk in row.desks.iter() {
        let code = desk.stand_in.code();
        let (_, tracker) = shop.get(&format!("/v1/trackers/{}", ids[code])).await;
        assert_eq!(times_missed(desk, &tracker["parcel"]["events"]), Vec::<String>::new(), "{code}: {tracker:#}");
    }
    for id in simulated {
        shop.shows(&id, "a delivery at the simulator", |tracker| tracker["parcel"]["status"] == "delivered").await;
    }
    let log = house.first().log();
    let told: Vec<&str> = row
        .desks
        .iter()
        .flat_map(|desk| desk.stand_in.credentials())
        .map(|(_, value)| *value)
        .filter(|value| value.len() > 11 && log.contains(value))
        .collect();
    assert!(told.is_empty(), "credentials in the log: {told:?}");
    house.daemons.clear();
}

/// A parcel of each carrier that the simulator plays, and of the sandbox.
async fn simulated(house: &House, shop: &Shop) -> Vec<String> {
    let mut teller = Teller::new(house.clock, 49);
    let mut ids = vec![shop.track("SANDBOX-DELIVERED-1").await];
    for network in Network::ALL {
        let parcel = teller.parcel(network, Story::Normal, house.clock.now(), Duration::from_secs(4));
        house.stage(&parcel);
        ids.push(shop.follow(&parcel).await);
    }
    ids
}

/// Each scan whose time is not that of an event: the instant where it is known, else the carrier's clock on the wall.
fn times_missed(desk: &Desk, events: &Value) -> Vec<String> {
    let stand_in = &desk.stand_in;
    let format = if stand_in.days_only() { "%Y-%m-%d" } else { "%Y-%m-%dT%H:%M" };
    let instant = |scan: &Scan| scan.local("UTC", format);
    let seen: Vec<(&str, &str)> = (events.as_array().into_iter().flatten())
        .map(|event| {
            (event["time"]["utc"].as_str().unwrap_or_default(), event["time"]["local"].as_str().unwrap_or_default())
        })
        .collect();
    let missed = |scan: &Scan| {
        !seen.iter().any(|(utc, local)| {
            let by_wall = utc.is_empty() || stand_in.days_only();
            if by_wall {
                local.starts_with(&scan.local(stand_in.zone(), format))
            } else {
                utc.starts_with(&instant(scan))
            }
        })
    };
    desk.scans().iter().filter(|scan| missed(scan)).map(|scan| format!("{} at {}", scan.means, scan.at)).collect()
}

#[test]
fn every_carrier_has_somebody_to_talk_to() {
    let played = Network::ALL.map(Network::code).into_iter().chain(["sandbox"]);
    let known: BTreeSet<&str> = standins::all().iter().map(|stand_in| stand_in.code()).chain(played).collect();
    let registry = wismo::carrier::Registry::builtin();
    let carriers: BTreeSet<&str> = registry.all().map(|carrier| carrier.code().as_str()).collect();
    assert_eq!(carriers, known, "carriers on the left, stand-ins on the right");
}
