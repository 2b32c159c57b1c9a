//! Sendle: a GET for one reference, Basic, the oldest event first, the instant in UTC beside the clock of the place. The
//! answer names no number.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct Sendle;

const ID: &str = "harbour_goods";
const KEY: &str = "key:4711";

impl StandIn for Sendle {
    fn code(&self) -> &'static str {
        "sendle"
    }

    fn number(&self) -> &'static str {
        "S47HBR1"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("sendle_id", ID), ("api_key", KEY)]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "country": "AU" } })
    }

    fn life(&self) -> &'static [&'static str] {
        &["collected_from_sender", "in_transit", "out_for_delivery", "recipient_absent", "at_pickup_point", "delivered"]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        let Some(reference) = asked.path.strip_prefix("/api/tracking/").filter(|_| asked.method == "GET") else {
            return Said::text(404, "<html><body>Not Found</body></html>");
        };
        if !asked.basic(ID, KEY) {
            let error = json!({ "error": "unauthorised", "error_description": "The Sendle ID or API key is wrong" });
            return Said::json(401, &error);
        }
        if reference != self.number() || told.is_empty() {
            let error = json!({ "error": "not_found", "error_description": "The resource was not found" });
            return Said::json(404, &error);
        }
        let events: Vec<Value> = told.iter().map(event).collect();
        let changed = told[told.len() - 1].local("UTC", "%Y-%m-%d %H:%M:%S UTC");
        Said::json(
            200,
            &json!({
                "state": "In Transit", "status": { "description": "Parcel is moving", "last_changed_at": changed },
                "origin": { "country": "AU" }, "destination": { "country": "AU" },
                "scheduling": { "delivered_on": null, "estimated_delivery_date_minimum": null,
                    "estimated_delivery_date_maximum": null },
                "tracking_events": events, "requester": "",
            }),
        )
    }
}

fn event(scan: &Scan) -> Value {
    let (kind, place) = match scan.means {
        "collected_from_sender" => ("Pickup", "Sydney"),
        "in_transit" => ("In Transit", "Sydney"),
        "out_for_delivery" => ("Out for Delivery", "Brisbane"),
        "recipient_absent" => ("Card Left", "Brisbane"),
        "at_pickup_point" => ("Left with Agent", "Brisbane"),
        _ => ("Delivered", "Brisbane"),
    };
    let zone = if place == "Sydney" { "Australia/Sydney" } else { "Australia/Brisbane" };
    json!({
        "event_type": kind, "description": kind, "location": place, "scan_time": scan.local("UTC", "%Y-%m-%dT%H:%M:%SZ"),
        "local_scan_time": scan.local(zone, "%Y-%m-%dT%H:%M:%S"),
    })
}
