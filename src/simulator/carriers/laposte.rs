//! La Poste "Suivi v2" behind its Okapi gateway: a key header, up to ten numbers in the path, one object for one
//! number and a mixed list under HTTP 207 for several.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Desk, Options, Reply, StandIn, Tongue, fields, header};
use crate::simulator::ledger::{CallKind, Shown, Trace};
use crate::simulator::net::Knife;
use crate::simulator::world::{Scan, Step, View, World};

/// The only key that is known here.
pub const KEY: &str = "okapi-key-of-the-simulator-0000000000000000000000000000000000000";
const MOST_NUMBERS: usize = 10;
const LANGUAGES: [&str; 6] = ["fr_FR", "en_GB", "de_DE", "es_ES", "it_IT", "nl_NL"];

/// Starts the stand-in.
pub async fn start(world: Arc<World>, options: Options, stop: CancellationToken) -> io::Result<StandIn> {
    let desk = Desk::new(world, &options, Gateway);
    let router = Router::new()
        .route("/suivi/v2/idships/{numbers}", get(track))
        .fallback(|| async { (StatusCode::NOT_FOUND, "no such API").into_response() })
        .with_state(desk.clone());
    let mut stand_in = desk.open("laposte", &options, router, stop).await?;
    stand_in.credentials = vec![("key", KEY.to_owned())];
    Ok(stand_in)
}

struct Gateway;

impl Tongue for Gateway {
    fn throttled(&self) -> Reply {
        envelope(429, "TOO_MANY_REQUESTS", "Quota exceeded for this application")
    }

    fn broken(&self, status: u16) -> Reply {
        envelope(status, "INTERNAL_ERROR", "The service is not available")
    }
}

/// An error of the gateway in front of the service: no return code in it.
fn envelope(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({ "code": code, "message": message }))
}

async fn track(
    State(desk): State<Desk>,
    ConnectInfo(knife): ConnectInfo<Knife>,
    Path(path): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let numbers: Vec<String> = path.split(',').map(str::to_owned).collect();
    let key = header(&headers, "x-okapi-key").to_owned();
    desk.serve(&knife, CallKind::Track, &key, &numbers, || {
        if key != KEY {
            return envelope(401, "UNAUTHORIZED", "The key is missing, unknown or not subscribed");
        }
        if !header(&headers, "accept").contains("application/json") {
            desk.ledger.complain("laposte: no Accept: application/json");
            return envelope(406, "NOT_ACCEPTABLE", "Accept: application/json is required");
        }
        let query = fields(query.unwrap_or_default().as_bytes());
        let language = query.iter().find(|(name, _)| name == "lang").map_or("fr_FR", |(_, value)| value);
        if !LANGUAGES.contains(&language) {
            desk.ledger.complain(format!("laposte: lang={language}"));
            return refused(language, &path, "Langue inconnue");
        }
        answer(&desk, language, &path, &numbers)
    })
    .await
}

fn refused(language: &str, number: &str, message: &str) -> Reply {
    let body =
        json!({ "lang": language, "scope": "open", "returnCode": 400, "returnMessage": message, "idShip": number });
    Reply::json(400, &body)
}

fn answer(desk: &Desk, language: &str, path: &str, numbers: &[String]) -> Reply {
    if numbers.len() > MOST_NUMBERS {
        return refused(language, path, "Trop de numeros");
    }
    let mut shown = Vec::new();
    let items: Vec<(u16, Value)> =
        numbers.iter().map(|number| item(&desk.world, language, number, &mut shown)).collect();
    let reply = match items.as_slice() {
        [(status, only)] => Reply::json(*status, only),
        several => Reply::json(207, &several.iter().map(|(_, item)| item.clone()).collect()),
    };
    reply.showing(shown)
}

fn item(world: &World, language: &str, number: &str, shown: &mut Vec<Shown>) -> (u16, Value) {
    let failed = |code: u16, message: &str| json!({ "lang": language, "scope": "open", "returnCode": code, "returnMessage": message, "idShip": number });
    let well_formed = (11..=15).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if !well_formed {
        return (400, failed(400, "Le numero n'est pas valide"));
    }
    let Some(view) = world.view(number) else {
        return (404, failed(104, "Le suivi n'est pas encore disponible"));
    };
    for scan in &view.scans {
        shown.push(Shown { number: number.to_owned(), visible: scan.visible, trace: trace(scan) });
    }
    (200, json!({ "lang": language, "scope": "open", "returnCode": 200, "shipment": shipment(number, &view) }))
}

fn trace(scan: &Scan) -> Trace {
    let (codes, times) = (vec![scan.code.main.to_owned()], vec![time(scan)]);
    Trace { codes, times, text: scan.text.clone(), place: String::new() }
}

fn time(scan: &Scan) -> String {
    // The offset is always that of Paris, wherever the parcel is.
    let paris = scan.at.in_tz("Europe/Paris").unwrap_or_else(|_| scan.at.clone());
    paris.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

fn shipment(number: &str, view: &View) -> Value {
    let events: Vec<Value> = view
        .scans
        .iter()
        .rev()
        .map(|scan| json!({ "code": scan.code.main, "label": scan.text, "date": time(scan) }))
        .collect();
    let over = |scan: &Scan| matches!(scan.step, Step::Delivered | Step::Collected | Step::ReturnedToSender);
    let mut shipment = json!({
        "idShip": number,
        "holder": 4,
        "product": "colissimo",
        "isFinal": view.newest().is_some_and(over),
        "timeline": timeline(view),
        "event": events,
        "contextData": {
            "deliveryChoice": { "deliveryChoice": 0 },
            "originCountry": view.origin.country,
            "arrivalCountry": view.destination.country,
        },
        "url": format!("https://www.laposte.fr/outils/suivre-vos-envois?code={number}"),
    });
    if let Some(entry) = view.scans.iter().find(|scan| scan.step != Step::Label) {
        shipment["entryDate"] = time(entry).into();
    }
    if let Some(delivery) = view.delivery() {
        shipment["deliveryDate"] = time(delivery).into();
    }
    if let Some(estimate) = view.estimate() {
        // A day, though written as a midnight.
        let day = estimate.to.to_zoned(jiff::tz::TimeZone::get("Europe/Paris").unwrap_or(jiff::tz::TimeZone::UTC));
        shipment["estimDate"] = day.strftime("%Y-%m-%dT00:00:00%:z").to_string().into();
    }
    if let Some((_, name)) = view.pickup {
        shipment["contextData"]["removalPoint"] = json!({ "name": name, "type": "A2P" });
    }
    shipment
}

fn timeline(view: &View) -> Value {
    let entered = view.scans.iter().find(|scan| scan.step != Step::Label);
    let reached = |steps: &[Step]| steps.iter().any(|step| view.reached(*step));
    let mut first =
        json!({ "id": 1, "shortLabel": "Pris en charge", "longLabel": "", "status": entered.is_some(), "type": 1 });
    if let Some(entered) = entered {
        first["date"] = time(entered).into();
        first["country"] = entered.place.country.into();
    }
    let step = |id: u8, label: &str, done: bool| json!({ "id": id, "shortLabel": label, "longLabel": "", "status": done, "type": 1 });
    json!([
        first,
        step(2, "En transit", reached(&[Step::Departed, Step::Arrived])),
        step(3, "Arrive sur site", reached(&[Step::AtDepot, Step::OutForDelivery])),
        step(4, "En livraison", reached(&[Step::OutForDelivery, Step::AtPickup])),
        step(5, "Livre", view.delivery().is_some()),
    ])
}
