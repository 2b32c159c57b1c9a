//! UPS Tracking: OAuth2 by Basic, one number a call, and every number a text.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use data_encoding::BASE64;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::tokens::Counter;
use super::{Options, Reply, StandIn, Tongue, bearer, fields, header};
use crate::simulator::chance::fold;
use crate::simulator::ledger::{CallKind, Shown, Trace};
use crate::simulator::net::Knife;
use crate::simulator::world::{Place, Scan, View, World};

/// The only client that is known here.
pub const CLIENT_ID: &str = "simulated-ups-client";
/// Its secret.
pub const CLIENT_SECRET: &str = "simulated-ups-secret";

/// Starts the stand-in.
pub async fn start(world: Arc<World>, options: Options, stop: CancellationToken) -> io::Result<StandIn> {
    let router = Router::new()
        .route("/security/v1/oauth/token", post(token))
        .route("/api/track/v1/details/{number}", get(track));
    Counter::new(world, &options, Voice).open("ups", (CLIENT_ID, CLIENT_SECRET), &options, router, stop).await
}

struct Voice;

impl Tongue for Voice {
    fn throttled(&self) -> Reply {
        error(429, "10429", "Too Many Requests")
    }

    fn broken(&self, status: u16) -> Reply {
        error(status, "10500", "The service is not available")
    }
}

fn error(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({ "response": { "errors": [{ "code": code, "message": message }] } }))
}

async fn token(
    State(ups): State<Counter>,
    ConnectInfo(knife): ConnectInfo<Knife>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (desk, tokens) = (&ups.desk, &ups.tokens);
    desk.serve(&knife, CallKind::Token, CLIENT_ID, &[], || {
        let basic = format!("Basic {}", BASE64.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}").as_bytes()));
        let form = fields(&body);
        if !header(&headers, "content-type").starts_with("application/x-www-form-urlencoded")
            || !form.contains(&("grant_type".into(), "client_credentials".into()))
        {
            desk.ledger.complain("ups: token request is no client_credentials form");
            return error(400, "10400", "Invalid/Missing Authorization Header");
        }
        if header(&headers, "authorization") != basic {
            return error(401, "10401", "ClientId is Invalid");
        }
        let issued = desk.world.clock().wall(desk.world.clock().now()).as_millisecond().to_string();
        Reply::json(200, &json!({
            "token_type": "Bearer", "issued_at": issued, "client_id": CLIENT_ID, "access_token": tokens.issue(),
            "scope": "", "expires_in": tokens.life_seconds().to_string(), "refresh_count": "0", "status": "approved",
        }))
    })
    .await
}

async fn track(
    State(ups): State<Counter>,
    ConnectInfo(knife): ConnectInfo<Knife>,
    Path(number): Path<String>,
    headers: HeaderMap,
) -> Response {
    let desk = &ups.desk;
    desk.serve(&knife, CallKind::Track, CLIENT_ID, std::slice::from_ref(&number), || {
        if !ups.tokens.accepts(bearer(&headers)) {
            return error(401, "250002", "Invalid Authentication Information.");
        }
        for required in ["transid", "transactionsrc"] {
            if header(&headers, required).is_empty() {
                desk.ledger.complain(format!("ups: header {required} is missing"));
                return error(400, "TV0002", &format!("Missing header {required}"));
            }
        }
        answer(&desk.world, &number)
    })
    .await
}

fn answer(world: &World, number: &str) -> Reply {
    if !(7..=34).contains(&number.len()) || !number.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return error(400, "TV1002", "Invalid inquiry number");
    }
    let Some(view) = world.view(number) else {
        // Both ways of saying it are met in practice.
        if fold(number).is_multiple_of(2) {
            return error(404, "TW0001", "Tracking Information Not Found");
        }
        let warning = json!({ "code": "TW0001", "message": "Tracking Information Not Found" });
        return Reply::json(
            200,
            &json!({ "trackResponse": { "shipment": [{ "inquiryNumber": number, "warnings": [warning] }] } }),
        );
    };
    let shown =
        view.scans.iter().map(|scan| Shown { number: number.to_owned(), visible: scan.visible, trace: trace(scan) });
    let body =
        json!({ "trackResponse": { "shipment": [{ "inquiryNumber": number, "package": [package(number, &view)] }] } });
    Reply::json(200, &body).showing(shown.collect())
}

/// The instant in parts: local date and time, then date, time and offset against Greenwich.
fn times(scan: &Scan) -> [String; 5] {
    let gmt = scan.at.with_time_zone(TimeZone::UTC);
    let gmt_time = gmt.strftime("%H%M%S").to_string();
    // Leading zeroes get lost on the way, as numbers do that were made texts.
    let short = gmt_time.strip_prefix('0').map_or(gmt_time.clone(), str::to_owned);
    [
        scan.at.strftime("%Y%m%d").to_string(),
        scan.at.strftime("%H%M%S").to_string(),
        gmt.strftime("%Y%m%d").to_string(),
        short,
        scan.at.strftime("%:z").to_string(),
    ]
}

fn trace(scan: &Scan) -> Trace {
    let [date, time, gmt_date, gmt_time, offset] = times(scan);
    let padded = format!("{gmt_time:0>6}");
    let mut ways = vec![format!("{date} {time}"), format!("{date} {time} {offset}")];
    for time in [gmt_time, padded] {
        ways.push(format!("{gmt_date} {time}"));
        ways.push(format!("{gmt_date} {time} {offset}"));
    }
    let codes = [scan.code.detail, scan.code.main, scan.code.kind].map(str::to_owned).to_vec();
    Trace { codes, times: ways, text: scan.text.clone(), place: scan.place.city.to_owned() }
}

fn address(place: &Place) -> Value {
    json!({ "city": place.city, "stateProvince": place.state, "postalCode": place.postcode, "countryCode": place.country,
            "country": place.country })
}

fn package(number: &str, view: &View) -> Value {
    let activity: Vec<Value> = view.scans.iter().rev().map(|scan| entry(scan)).collect();
    let mut package = json!({
        "trackingNumber": number,
        "deliveryDate": [],
        "service": { "code": "518", "levelCode": "011", "description": "UPS Ground" },
        "weight": { "unitOfMeasurement": "LBS", "weight": "4.20" },
        "packageAddress": [
            { "type": "ORIGIN", "address": address(&view.origin) },
            { "type": "DESTINATION", "address": address(&view.destination) },
        ],
        "activity": activity,
        "packageCount": 1,
    });
    if let Some(newest) = view.newest() {
        let code = newest.code.detail;
        package["currentStatus"] = json!({
            "description": newest.text, "simplifiedTextDescription": newest.text, "statusCode": code, "code": code,
            "type": newest.code.kind,
        });
    }
    if let Some(estimate) = view.estimate() {
        let zone = TimeZone::get(view.destination.zone).unwrap_or(TimeZone::UTC);
        let (from, to) = (estimate.from.to_zoned(zone.clone()), estimate.to.to_zoned(zone));
        package["deliveryDate"] = json!([{ "type": "SDD", "date": to.strftime("%Y%m%d").to_string() }]);
        package["deliveryTime"] = json!({
            "type": "EDW",
            "startTime": from.strftime("%H%M%S").to_string(),
            "endTime": to.strftime("%H%M%S").to_string(),
        });
    }
    if let Some(delivery) = view.delivery() {
        let [date, time, ..] = times(delivery);
        package["deliveryDate"] = json!([{ "type": "DEL", "date": date }]);
        package["deliveryTime"] = json!({ "type": "DEL", "endTime": time });
        package["deliveryInformation"] = json!({ "location": "Front Door", "receivedBy": view.receiver });
    }
    package
}

fn entry(scan: &Scan) -> Value {
    let [date, time, gmt_date, gmt_time, gmt_offset] = times(scan);
    let status = json!({
        "type": scan.code.kind, "code": scan.code.main, "statusCode": scan.code.detail, "description": scan.text,
    });
    json!({
        "location": { "address": address(&scan.place), "slic": "8372" },
        "status": status,
        "date": date, "time": time, "gmtDate": gmt_date, "gmtTime": gmt_time, "gmtOffset": gmt_offset,
    })
}
