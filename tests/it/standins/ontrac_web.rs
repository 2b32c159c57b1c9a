//! `OnTrac`, the feed of its public page: a GET for one number, JSON, times in UTC. Observed, not documented.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct OnTracWeb;

const NUMBER: &str = "1LS717793484711";

impl StandIn for OnTracWeb {
    fn code(&self) -> &'static str {
        "ontrac_web"
    }

    fn number(&self) -> &'static str {
        NUMBER
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn life(&self) -> &'static [&'static str] {
        &["order_processed", "accepted", "arrived", "at_local_facility", "out_for_delivery", "delivered"]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        let number = asked.path.strip_prefix("/PackageServices/tracking/");
        if asked.method != "GET" || number != Some(NUMBER) || told.is_empty() {
            return Said::json(404, &json!({ "Title": "Not Found", "Status": 404 }));
        }
        let events: Vec<Value> = told.iter().rev().map(event).collect();
        Said::json(
            200,
            &json!({ "Packages": [{
                "Tracking": NUMBER, "ServiceCode": "G", "Weight": 3, "WeightUnits": "LBS", "Reference1": "PO-4711",
                "Origin": { "City": "NEWARK", "State": "NJ", "PostalCode": "07101", "Country": "US" },
                "Consignee": { "City": "BOSTON", "State": "MA", "PostalCode": "02108", "Country": "US" },
                "ExpectedDeliveryDate": "2026-03-12T00:00:00", "UtcExpectedDeliveryDateTime": "2026-03-13T01:00:00Z",
                "UtcDeliveryDateTime": null, "VpodImageUrl": null, "SignatureImageString": null, "PodText": null, "Events": events,
            }] }),
        )
    }
}

fn event(scan: &Scan) -> Value {
    let (code, words) = match scan.means {
        "order_processed" => ("EXRL", "Shipping information received"),
        "accepted" => ("ORIG", "Accepted"),
        "arrived" => ("ARRD", "Arrived"),
        "at_local_facility" => ("SFCT", "At the facility"),
        "out_for_delivery" => ("OFDL", "Out for delivery"),
        _ => ("DLVD", "Delivered"),
    };
    json!({
        "UtcEventDateTime": scan.local("UTC", "%Y-%m-%dT%H:%M:%SZ"), "EventCode": code, "Status": words,
        "EventShortDescription": words, "EventLongDescription": words, "City": "BOSTON", "State": "MA",
        "PostalCode": "02108", "Country": "US",
    })
}
