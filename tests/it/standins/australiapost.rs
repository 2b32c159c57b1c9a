//! Australia Post, Shipping and Tracking API: Basic and an account number, up to ten numbers, events in words.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct AustraliaPost;

const KEY: &str = "0f1e2d3c-4b5a-4711";
const PASSWORD: &str = "x:quiet harbour";
const ACCOUNT: &str = "1000004711";
const NUMBER: &str = "7XX1000634014711";

impl StandIn for AustraliaPost {
    fn code(&self) -> &'static str {
        "australiapost"
    }

    fn number(&self) -> &'static str {
        NUMBER
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("api_key", KEY), ("password", PASSWORD), ("account_number", ACCOUNT)]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "postcode": "3101", "country": "AU" } })
    }

    fn life(&self) -> &'static [&'static str] {
        &["label_created", "accepted", "arrived", "departed", "out_for_delivery", "delivered"]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.method != "GET" || asked.path != "/shipping/v1/track" {
            return Said::text(404, "Not Found");
        }
        if !asked.basic(KEY, PASSWORD) || asked.header("account-number") != ACCOUNT {
            return refused(401, "API_001", "UNAUTHORIZED", "The API key, password or account number is not valid.");
        }
        let numbers: Vec<&str> = asked.param("tracking_ids").split(',').filter(|number| !number.is_empty()).collect();
        if numbers.len() > 10 {
            let words = "The request must contain 10 or less AP article ids, consignment ids, or barcode ids.";
            return refused(400, "51101", "TOO_MANY_AP_TRACKING_IDS", words);
        }
        let results: Vec<Value> = numbers.iter().map(|number| result(number, told)).collect();
        Said::json(200, &json!({ "tracking_results": results }))
    }
}

fn refused(status: u16, code: &str, name: &str, message: &str) -> Said {
    Said::json(status, &json!({ "errors": [{ "code": code, "name": name, "message": message, "field": "" }] }))
}

/// A consignment of one article.
fn result(number: &str, told: &[Scan]) -> Value {
    let Some(last) = told.last().filter(|_| number == NUMBER) else {
        return json!({ "tracking_id": number, "errors": [{ "code": "ESB-10001", "name": "Invalid tracking ID" }] });
    };
    let status = match last.means {
        "label_created" => "Created",
        "out_for_delivery" => "On Board for Delivery",
        "delivered" => "Delivered",
        _ => "In transit",
    };
    let events: Vec<Value> = told.iter().rev().map(event).collect();
    json!({ "tracking_id": number, "status": status, "trackable_items": [{
        "consignment_id": number, "number_of_items": 1, "items": [{
            "article_id": format!("{number}01"), "product_type": "Parcel Post", "status": status, "events": events,
        }],
    }] })
}

fn event(scan: &Scan) -> Value {
    let (words, location) = match scan.means {
        "label_created" => ("Shipping information received by Australia Post", None),
        "accepted" => ("Received item from Sender", Some("SUNSHINE WEST VIC")),
        "arrived" => ("Item processed at facility", Some("SUNSHINE WEST VIC")),
        "departed" => ("In transit to next facility in SYDNEY", Some("SUNSHINE WEST VIC")),
        "out_for_delivery" => ("Onboard for delivery", Some("KEW VIC")),
        _ => ("Delivered", Some("KEW VIC")),
    };
    let mut event = json!({ "description": words, "date": scan.local("Australia/Melbourne", "%Y-%m-%dT%H:%M:%S%:z") });
    if let Some(location) = location {
        event["location"] = json!(location);
    }
    event
}
