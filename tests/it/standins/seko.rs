//! SEKO (`OmniParcel`): a list of numbers by POST, the key in a header, a list of shipments, oldest scan first, clocks
//! without a zone. An unknown number is left out.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct Seko;

const KEY: &str = "omni-4711-harbour";

impl StandIn for Seko {
    fn code(&self) -> &'static str {
        "seko"
    }

    fn number(&self) -> &'static str {
        "LV00000471100"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("access_key", KEY)]
    }

    fn life(&self) -> &'static [&'static str] {
        &[
            "label_created",
            "collected_from_sender",
            "arrived",
            "out_for_delivery",
            "at_locker",
            "collected_by_recipient",
        ]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.path != "/labels/statusv2" || asked.method != "POST" {
            return Said::text(404, "<html><body>Not Found</body></html>");
        }
        if asked.header("access_key") != KEY {
            return Said::text(401, "");
        }
        let wanted = asked.json();
        let Some(wanted) = wanted.as_array().filter(|_| asked.header("content-type").starts_with("application/json"))
        else {
            return Said::json(400, &refused("Request", "A list of consignments is expected"));
        };
        if wanted.iter().any(|number| !number.is_string()) {
            return Said::json(400, &refused("ConsignmentNo", "Not a text"));
        }
        let known = wanted.iter().any(|number| number == self.number()) && !told.is_empty();
        let shipments: Vec<Value> = if known { vec![shipment(self.number(), told)] } else { Vec::new() };
        Said::json(200, &Value::from(shipments))
    }
}

fn refused(property: &str, message: &str) -> Value {
    json!({ "Errors": [{ "Property": property, "Message": message, "Key": "", "Value": "" }] })
}

fn shipment(number: &str, told: &[Scan]) -> Value {
    let events: Vec<Value> = told.iter().map(event).collect();
    json!({
        "ConsignmentNo": number, "Status": "IN TRANSIT", "Picked": null, "Delivered": null,
        "Tracking": format!("http://track.omniparcel.com/{number}"), "Reference1": "#4711", "Events": events,
    })
}

fn event(scan: &Scan) -> Value {
    let (code, text, place) = match scan.means {
        "label_created" => ("OP-1", "Order ready", "LONDON,EGHAM,GB"),
        "collected_from_sender" => ("OP-33", "Collected", "LONDON,EGHAM,GB"),
        "arrived" => ("OP-3", "Processed at hub", "Essen, DE"),
        "out_for_delivery" => ("OP-21", "Out for delivery", "NL"),
        "at_locker" => ("OP-76", "At locker", "NL"),
        _ => ("OP-75", "Collected by the recipient", "NL"),
    };
    json!({
        "EventDT": scan.local("UTC", "%Y-%m-%dT%H:%M:%S"), "Code": null, "OmniCode": code, "Description": text,
        "Location": place, "Part": 1,
    })
}
