//! Zoom2u: a GET for one reference, a key that never changes as bearer, the present state alone.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct Zoom2u;

const KEY: &str = "zoom-4711-key";

impl StandIn for Zoom2u {
    fn code(&self) -> &'static str {
        "zoom2u"
    }

    fn number(&self) -> &'static str {
        "Z20260312004711"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("api_key", KEY)]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "country": "AU" } })
    }

    fn life(&self) -> &'static [&'static str] {
        &[
            "order_processed",
            "collection_scheduled",
            "collected_from_sender",
            "out_for_delivery",
            "recipient_absent",
            "on_hold",
            "delivered",
        ]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        let Some(reference) = asked.path.strip_prefix("/api/v1/delivery/status/").filter(|_| asked.method == "GET")
        else {
            return Said::text(404, "<html><body>Not Found</body></html>");
        };
        if asked.bearer() != KEY {
            return Said::json(403, &json!({ "error-code": "403", "message": "Forbidden" }));
        }
        let Some(scan) = told.last().filter(|_| reference == self.number()) else {
            return Said::json(404, &json!({ "error-code": "404", "message": "Not Found" }));
        };
        Said::json(200, &state(reference, scan))
    }
}

fn state(reference: &str, scan: &Scan) -> Value {
    let status = match scan.means {
        "order_processed" => "Unassigned",
        "collection_scheduled" => "On Route to Pickup",
        "collected_from_sender" => "Picked up",
        "out_for_delivery" => "On Route to Dropoff",
        "recipient_absent" => "Tried to deliver",
        "on_hold" => "On Hold - With Courier",
        _ => "Dropped Off",
    };
    json!({
        "reference": reference, "status": status, "statusChangeDateTime": scan.local("UTC", "%Y-%m-%dT%H:%M:%S.120Z"),
        "purchaseOrderNumber": "PO-4711", "tracking-link": "https://example.test/t/4711",
        "proofOfDeliveryPhotoUrl": null, "signatureUrl": null, "courier": { "id": "c1", "name": "Kim" },
    })
}
