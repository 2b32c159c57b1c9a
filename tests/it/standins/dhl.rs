//! DHL, "Shipment Tracking - Unified": a key in a header, one number in a query, five coarse codes beside words.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct Dhl;

const KEY: &str = "dhl-key-4711-lagune";

impl StandIn for Dhl {
    fn code(&self) -> &'static str {
        "dhl"
    }

    fn number(&self) -> &'static str {
        "00340434711000004713"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("api_key", KEY)]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "country": "DE", "postcode": "10115" } })
    }

    fn life(&self) -> &'static [&'static str] {
        &["label_created", "at_local_facility", "departed", "out_for_delivery", "signed"]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.header("dhl-api-key") != KEY {
            return self.problem(401, "Unauthorized", "Unauthorized for given resource.");
        }
        if asked.method != "GET" || asked.path != "/track/shipments" {
            return Said::text(404, "<html>404</html>");
        }
        if asked.param("trackingNumber").is_empty() {
            return self.problem(400, "Bad request", "The parameter trackingNumber is missing.");
        }
        if told.is_empty() || asked.param("trackingNumber") != self.number() {
            return self.problem(404, "No result found", "No shipment with given tracking number found.");
        }
        let mut events: Vec<Value> = told.iter().map(event).collect();
        events.reverse();
        let mut shipment = json!({
            "id": self.number(), "service": "parcel-de", "status": events[0], "events": events,
            "details": { "product": { "productName": "DHL PAKET" } },
        });
        if told.last().is_some_and(|scan| scan.means == "signed") && asked.param("recipientPostalCode") == "10115" {
            shipment["details"]["proofOfDelivery"] = json!({
                "timestamp": events[0]["timestamp"], "signed": { "@type": "Person", "name": "B. EXAMPLE" },
            });
        }
        Said::json(200, &json!({ "url": "/shipments", "shipments": [shipment] }))
    }
}

impl Dhl {
    fn problem(&self, status: u16, title: &str, detail: &str) -> Said {
        let instance = format!("/shipment/{}", self.number());
        Said::json(status, &json!({ "title": title, "detail": detail, "status": status, "instance": instance }))
    }
}

/// Its times have no zone: they are those of the place.
fn event(scan: &Scan) -> Value {
    let (code, words) = match scan.means {
        "label_created" => ("pre-transit", "The instruction data for this shipment have been provided by the sender"),
        "at_local_facility" => ("transit", "The shipment has been processed in the parcel center of origin"),
        "departed" => ("transit", "The shipment has departed"),
        "out_for_delivery" => ("transit", "The shipment has been loaded onto the delivery vehicle"),
        _ => ("delivered", "The shipment has been successfully delivered"),
    };
    let place = json!({ "address": { "addressLocality": "Berlin", "countryCode": "DE" } });
    json!({
        "timestamp": scan.local("Europe/Berlin", "%Y-%m-%dT%H:%M:%S"), "location": place, "statusCode": code,
        "status": words, "description": words,
    })
}
