//! USPS APIs v3, tracking 3.2: a token for an app, a POST of a list of numbers, HTTP 207 with parcels and errors.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn, Tokens};

#[derive(Default)]
pub struct Usps(Tokens);

const APP: &str = "app-4711";
const SECRET: &str = "quiet & harbour";
const NUMBER: &str = "9400100000000000004714";

impl StandIn for Usps {
    fn code(&self) -> &'static str {
        "usps"
    }

    fn number(&self) -> &'static str {
        NUMBER
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("client_id", APP), ("client_secret", SECRET)]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "postcode": "83702", "country": "US" } })
    }

    fn life(&self) -> &'static [&'static str] {
        &["label_created", "accepted", "arrived", "at_local_facility", "out_for_delivery", "delivered_to_mailbox"]
    }

    fn forget_tokens(&self) {
        self.0.forget();
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        match (asked.method.as_str(), asked.path.as_str()) {
            ("POST", "/oauth2/v3/token") => token(&self.0, asked, APP, SECRET),
            ("POST", "/tracking/v3r2/tracking") => self.track(asked, told),
            _ => refused(404, "Resource not found"),
        }
    }
}

impl Usps {
    fn track(&self, asked: &Asked, told: &[Scan]) -> Said {
        if !self.0.accepts(asked.bearer()) {
            return refused(401, "Missing or expired token");
        }
        let body = asked.json();
        let Some(items) = body.as_array().filter(|items| (1..=35).contains(&items.len())) else {
            return refused(400, "The body is a list of 1 to 35 items");
        };
        let known = |item: &Value| item["trackingNumber"] == NUMBER && !told.is_empty();
        let good = items.iter().any(known);
        let all: Vec<Value> = items
            .iter()
            .map(|item| {
                if known(item) {
                    return parcel(told, "ZIPCode");
                }
                json!({ "statusCode": "404", "error": error(404, "Tracking is not available for this item.") })
            })
            .collect();
        match (items.len(), good) {
            (1, false) => refused(404, "Tracking is not available for this item."),
            (count, true) if count == all.iter().filter(|item| item["error"].is_null()).count() => {
                Said::json(200, &Value::from(all))
            }
            _ => Said::json(207, &Value::from(all)),
        }
    }
}

/// The token call of both interfaces.
pub fn token(tokens: &Tokens, asked: &Asked, app: &str, secret: &str) -> Said {
    let said = |name: &str| match asked.json()[name].as_str() {
        Some(value) => value.to_owned(),
        None => asked.field(name),
    };
    if said("grant_type") != "client_credentials" || said("client_id") != app || said("client_secret") != secret {
        return Said::json(
            401,
            &json!({ "error": "invalid_client", "error_description": "The client is not known", "error_uri": "" }),
        );
    }
    Said::json(
        200,
        &json!({ "access_token": tokens.issue("usps"), "token_type": "Bearer", "issued_at": 1_773_316_800_000_i64,
            "expires_in": 28799, "status": "approved", "scope": "addresses tracking prices", "client_id": app }),
    )
}

fn error(status: u16, message: &str) -> Value {
    json!({ "code": status.to_string(), "message": message, "errors": [] })
}

pub fn refused(status: u16, message: &str) -> Said {
    Said::json(status, &json!({ "apiVersion": "/tracking/v3", "error": error(status, message) }))
}

/// The parcel; the two interfaces write postal codes under different names.
pub fn parcel(told: &[Scan], zip: &str) -> Value {
    let category = match told.last().map(|scan| scan.means) {
        Some("label_created") => "Pre-Shipment",
        Some("accepted") => "Accepted",
        Some("out_for_delivery") => "Out for Delivery",
        Some("delivered_to_mailbox") => "Delivered",
        _ => "In Transit",
    };
    let mut parcel = json!({
        "trackingNumber": NUMBER, "mailClass": "USPS Ground Advantage<SUP>&#8482;</SUP>", "status": category,
        "statusCategory": category, "statusSummary": "...", "destinationCity": "BOISE", "destinationState": "ID",
        "originCity": "RENO", "originState": "NV", "proofOfDeliveryEnabled": "false",
        "trackingEvents": told.iter().rev().map(|scan| event(scan, zip)).collect::<Vec<_>>(),
    });
    parcel[format!("destination{zip}")] = json!("83702");
    parcel[format!("origin{zip}")] = json!("89502");
    parcel
}

fn event(scan: &Scan, zip: &str) -> Value {
    let (code, label, city, state, postcode, zone) = match scan.means {
        "label_created" => {
            ("GX", "Shipping Label Created, USPS Awaiting Item", "RENO", "NV", "89502", "America/Los_Angeles")
        }
        "accepted" => ("03", "USPS in possession of item", "RENO", "NV", "89502", "America/Los_Angeles"),
        "arrived" => ("A1", "Arrived at USPS Regional Facility", "BOISE", "ID", "83708", "America/Boise"),
        "at_local_facility" => ("07", "Arrived at Post Office", "BOISE", "ID", "83702", "America/Boise"),
        "out_for_delivery" => ("OF", "Out for Delivery", "BOISE", "ID", "83702", "America/Boise"),
        _ => ("01", "Delivered, In/At Mailbox", "BOISE", "ID", "83702", "America/Boise"),
    };
    let mut event = json!({
        "eventCode": code, "eventType": label, "eventTimestamp": scan.local(zone, "%Y-%m-%dT%H:%M:%S"),
        "GMTTimestamp": scan.local("UTC", "%Y-%m-%dT%H:%M:%SZ"), "GMTOffset": scan.local(zone, "%:z"),
        "eventCity": city, "eventState": state, "eventCountry": null, "firm": null, "name": null, "authorizedAgent": "false",
    });
    event[format!("event{zip}")] = json!(postcode);
    event
}
