//! FedEx Track: OAuth2 with the secret in the form, up to thirty numbers in a POST, answers in another order than asked.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::tokens::Counter;
use super::{Options, Reply, StandIn, Tongue, bearer, fields, header};
use crate::simulator::chance::fold;
use crate::simulator::ledger::{CallKind, Shown, Trace};
use crate::simulator::net::Knife;
use crate::simulator::world::{Place, Scan, Step, View, World};

/// The only project that is known here.
pub const CLIENT_ID: &str = "simulated-fedex-key";
/// Its secret.
pub const CLIENT_SECRET: &str = "simulated-fedex-secret";
const MOST_NUMBERS: usize = 30;

/// Starts the stand-in.
pub async fn start(world: Arc<World>, options: Options, stop: CancellationToken) -> io::Result<StandIn> {
    let router = Router::new()
        .route("/oauth/token", post(token))
        .route("/track/v1/trackingnumbers", post(track))
        .fallback(|| async {
            let (status, body) = (axum::http::StatusCode::NOT_FOUND, errors("NOT.FOUND.ERROR", "No such resource."));
            (status, axum::Json(body)).into_response()
        });
    Counter::new(world, &options, Voice).open("fedex", (CLIENT_ID, CLIENT_SECRET), &options, router, stop).await
}

struct Voice;

impl Tongue for Voice {
    fn throttled(&self) -> Reply {
        error(429, "TOO.MANY.REQUESTS", "Too many requests, please try again later.")
    }

    fn broken(&self, status: u16) -> Reply {
        match status {
            503 => error(503, "SERVICE.UNAVAILABLE.ERROR", "The service is currently unavailable."),
            403 => error(403, "FORBIDDEN.ERROR", "The caller has no right to this resource."),
            other => error(other, "INTERNAL.SERVER.ERROR", "We encountered an unexpected error."),
        }
    }
}

fn errors(code: &str, message: &str) -> Value {
    json!({ "transactionId": "00000000-0000-4000-8000-000000000000", "errors": [{ "code": code, "message": message }] })
}

fn error(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &errors(code, message))
}

async fn token(
    State(fedex): State<Counter>,
    ConnectInfo(knife): ConnectInfo<Knife>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (desk, tokens) = (&fedex.desk, &fedex.tokens);
    desk.serve(&knife, CallKind::Token, CLIENT_ID, &[], || {
        let form = fields(&body);
        let field = |name: &str| form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value);
        if !header(&headers, "content-type").starts_with("application/x-www-form-urlencoded") {
            desk.ledger.complain("fedex: token request is no form");
            return error(422, "BAD.REQUEST.ERROR", "Invalid field value in the input.");
        }
        if field("grant_type") != "client_credentials" {
            return error(400, "BAD.REQUEST.ERROR", "Missing or duplicate parameters.");
        }
        if (field("client_id"), field("client_secret")) != (CLIENT_ID, CLIENT_SECRET) {
            return error(401, "NOT.AUTHORIZED.ERROR", "The given client credentials were not valid.");
        }
        let life = tokens.life_seconds();
        Reply::json(
            200,
            &json!({ "access_token": tokens.issue(), "token_type": "bearer", "expires_in": life, "scope": "CXS" }),
        )
    })
    .await
}

/// The numbers asked for; an entry without one counts as an empty number.
fn asked(body: &Value) -> Vec<String> {
    let entries = body["trackingInfo"].as_array().map(Vec::as_slice).unwrap_or_default();
    let number = |entry: &Value| entry["trackingNumberInfo"]["trackingNumber"].as_str().unwrap_or_default().to_owned();
    entries.iter().map(number).collect()
}

async fn track(
    State(fedex): State<Counter>,
    ConnectInfo(knife): ConnectInfo<Knife>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let desk = &fedex.desk;
    let parsed = serde_json::from_slice::<Value>(&body);
    let numbers = parsed.as_ref().map(asked).unwrap_or_default();
    desk.serve(&knife, CallKind::Track, CLIENT_ID, &numbers, || {
        if !fedex.tokens.accepts(bearer(&headers)) {
            return error(
                401,
                "NOT.AUTHORIZED.ERROR",
                "Access token expired. Please modify your request and try again.",
            );
        }
        let Ok(body) = parsed else {
            desk.ledger.complain("fedex: the body is no JSON");
            return error(400, "BAD.REQUEST.ERROR", "The request is not well formed.");
        };
        if !header(&headers, "content-type").starts_with("application/json") {
            desk.ledger.complain("fedex: content type is not JSON");
        }
        match numbers.len() {
            0 => error(400, "TRACKING.TRACKINGNUMBER.EMPTY", "Please provide tracking number."),
            1..=MOST_NUMBERS => {
                let detailed = body["includeDetailedScans"] == true;
                answer(&desk.world, &numbers, detailed, header(&headers, "x-customer-transaction-id"))
            }
            _ => error(
                400,
                "TRACKING.TRACKINGNUMBERS.LIMITEXCEEDED",
                "Please limit your inquiry to 30 tracking numbers.",
            ),
        }
    })
    .await
}

fn answer(world: &World, numbers: &[String], detailed: bool, transaction: &str) -> Reply {
    let mut shown = Vec::new();
    // Whoever matches by position gets it wrong here.
    let mut results: Vec<Value> =
        numbers.iter().rev().map(|number| complete(world, number, detailed, &mut shown)).collect();
    let middle = results.len() / 3;
    results.rotate_left(middle);
    let mut body = json!({
        "transactionId": "0b1c2d3e-1111-4222-8333-444455556666",
        "output": { "completeTrackResults": results },
    });
    if !transaction.is_empty() {
        body["customerTransactionId"] = transaction.into();
    }
    if shown.is_empty() {
        // Seen as a text and as a list.
        let text = "TRACKING.DATA.NOTFOUND -  Tracking data unavailable";
        let listed =
            json!([{ "code": "TRACKING.DATA.NOTFOUND", "message": "Tracking data unavailable", "alertType": "NOTE" }]);
        body["output"]["alerts"] = if numbers.len().is_multiple_of(2) { text.into() } else { listed };
    }
    Reply::json(200, &body).showing(shown)
}

fn complete(world: &World, number: &str, detailed: bool, shown: &mut Vec<Shown>) -> Value {
    let failed = |code: &str, message: &str| {
        let info = json!({ "trackingNumber": number, "trackingNumberUniqueId": "", "carrierCode": "" });
        let result = json!({ "trackingNumberInfo": info, "error": { "code": code, "message": message } });
        json!({ "trackingNumber": number, "trackResults": [result] })
    };
    if number.is_empty() {
        return failed("TRACKING.TRACKINGNUMBER.EMPTY", "Please provide tracking number.");
    }
    if !(10..=34).contains(&number.len()) || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return failed(
            "TRACKING.TRACKINGNUMBER.INVALID",
            "Invalid tracking numbers. Please check the following numbers.",
        );
    }
    let Some(view) = world.view(number) else {
        return failed(
            "TRACKING.TRACKINGNUMBER.NOTFOUND",
            "Tracking number cannot be found. Please correct the tracking number and try again.",
        );
    };
    let told = if detailed { &view.scans[..] } else { &view.scans[view.scans.len() - 1..] };
    shown.extend(told.iter().map(|scan| Shown {
        number: number.to_owned(),
        visible: scan.visible,
        trace: trace(scan),
    }));
    let result = result(number, &view, told);
    json!({ "trackingNumber": number, "trackResults": [result] })
}

fn iso(at: &Zoned) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

fn trace(scan: &Scan) -> Trace {
    let codes = vec![scan.code.main.to_owned(), scan.code.kind.to_owned(), scan.code.detail.to_owned()];
    Trace { codes, times: vec![iso(&scan.at)], text: scan.text.clone(), place: scan.place.city.to_owned() }
}

fn location(place: &Place) -> Value {
    json!({ "city": place.city, "stateOrProvinceCode": place.state, "postalCode": place.postcode, "countryCode": place.country })
}

fn moment(kind: &str, at: &Zoned) -> Value {
    json!({ "type": kind, "dateTime": iso(at) })
}

fn result(number: &str, view: &View, told: &[Arc<Scan>]) -> Value {
    let zone = TimeZone::get(view.destination.zone).unwrap_or(TimeZone::UTC);
    let local = |at: Timestamp| at.to_zoned(zone.clone());
    let mut moments = Vec::new();
    let first_of = |step: Step| view.scans.iter().find(|scan| scan.step == step);
    if let Some(label) = first_of(Step::Label) {
        moments.push(moment("SHIP", &label.at));
    }
    if let Some(pickup) = first_of(Step::Accepted) {
        moments.push(moment("ACTUAL_PICKUP", &pickup.at));
    }
    let events: Vec<Value> = told.iter().rev().map(|scan| event(scan)).collect();
    let mut result = json!({
        "trackingNumberInfo": {
            "trackingNumber": number,
            "trackingNumberUniqueId": format!("{}~{number}~FX", 2_460_000_000 + fold(number) % 10_000_000),
            "carrierCode": "FDXE",
        },
        "serviceDetail": { "type": "FEDEX_2_DAY", "description": "FedEx 2Day", "shortDescription": "ES" },
        "originLocation": { "locationContactAndAddress": { "address": location(&view.origin) } },
        "destinationLocation": { "locationContactAndAddress": { "address": location(&view.destination) } },
        "scanEvents": events,
        "packageDetails": { "count": "1", "weightAndDimensions": { "weight": [{ "unit": "LB", "value": "3.0" }] } },
    });
    if let Some(newest) = view.newest() {
        result["latestStatusDetail"] = json!({
            "code": newest.code.main, "derivedCode": newest.code.kind, "statusByLocale": newest.text,
            "description": newest.text, "scanLocation": location(&newest.place),
        });
        if newest.step == Step::Delay {
            result["latestStatusDetail"]["delayDetail"] = json!({ "type": "OPERATIONAL", "status": "DELAYED" });
        }
    }
    if let Some(delivery) = view.delivery() {
        moments.push(moment("ACTUAL_DELIVERY", &delivery.at));
        let attempts = view.scans.iter().filter(|scan| scan.step == Step::Attempt).count() + 1;
        result["deliveryDetails"] = json!({
            "receivedByName": view.receiver, "locationDescription": "Front desk", "deliveryAttempts": attempts.to_string(),
        });
    } else if let Some(estimate) = view.estimate() {
        let (begins, ends) = (local(estimate.from), local(estimate.to));
        moments.push(moment("ESTIMATED_DELIVERY", &ends));
        let window = json!({ "begins": iso(&begins), "ends": iso(&ends) });
        result["estimatedDeliveryTimeWindow"] = json!({ "type": "ESTIMATED_DELIVERY", "window": window });
    }
    if let Some((id, name)) = view.pickup {
        let held = json!({ "contact": { "companyName": name }, "address": location(&view.destination) });
        result["holdAtLocation"] =
            json!({ "locationId": id, "locationType": "FEDEX_ONSITE", "locationContactAndAddress": held });
    }
    result["dateAndTimes"] = moments.into();
    result
}

fn event(scan: &Scan) -> Value {
    let exception = if scan.step == Step::Attempt { "Customer not available or business closed" } else { "" };
    json!({
        "date": iso(&scan.at),
        "eventType": scan.code.main,
        "eventDescription": scan.text,
        "derivedStatusCode": scan.code.kind,
        "derivedStatus": scan.text,
        "exceptionCode": scan.code.detail,
        "exceptionDescription": exception,
        "scanLocation": location(&scan.place),
        "locationType": "SORT_FACILITY",
    })
}
