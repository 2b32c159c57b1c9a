//! DHL Express, MyDHL API: Basic, many waybills in one query, date, time and offset apart.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct DhlExpress;

const KEY: &str = "apX-4711-lagune";
const SECRET: &str = "S^1kQ:7/dune";

impl StandIn for DhlExpress {
    fn code(&self) -> &'static str {
        "dhl_express"
    }

    fn number(&self) -> &'static str {
        "5584773180"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("api_key", KEY), ("api_secret", SECRET)]
    }

    fn life(&self) -> &'static [&'static str] {
        &[
            "label_created",
            "collected_from_sender",
            "departed",
            "arrived",
            "customs_cleared",
            "out_for_delivery",
            "signed",
        ]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if !asked.basic(KEY, SECRET) {
            return Said::json(401, &json!({ "reasons": [{ "msg": "Invalid Credentials" }] }));
        }
        if asked.method != "GET" || asked.path != "/tracking" {
            return Said::text(404, "<html>Not Found</html>");
        }
        let numbers: Vec<&str> = asked
            .query
            .iter()
            .filter(|(name, _)| name == "shipmentTrackingNumber")
            .map(|(_, value)| &**value)
            .collect();
        if numbers.is_empty() || numbers.len() > 200 || asked.header("x-version").is_empty() {
            return problem(400, "Bad request", "Validation failed");
        }
        if told.is_empty() || !numbers.contains(&self.number()) {
            return problem(404, "Not data found", "No data found for the numbers");
        }
        let offsets = asked.param("requestGMTOffsetPerEvent") == "true";
        let events: Vec<Value> = told.iter().map(|scan| event(scan, offsets)).collect();
        let shipment = json!({
            "shipmentTrackingNumber": self.number(), "status": "Success", "productCode": "P", "events": events,
            "shipmentTimestamp": told[0].local("Europe/Paris", "%Y-%m-%dT%H:%M:%S"), "numberOfPieces": 1,
        });
        Said::json(200, &json!({ "shipments": [shipment] }))
    }
}

fn event(scan: &Scan, offsets: bool) -> Value {
    let (code, signed) = match scan.means {
        "label_created" => ("SD", ""),
        "collected_from_sender" => ("PU", ""),
        "departed" => ("DF", ""),
        "arrived" => ("AF", ""),
        "customs_cleared" => ("CR", ""),
        "out_for_delivery" => ("WC", ""),
        _ => ("OK", "B. EXAMPLE"),
    };
    let mut event = json!({
        "date": scan.local("Europe/Paris", "%Y-%m-%d"), "time": scan.local("Europe/Paris", "%H:%M:%S"), "typeCode": code,
        "description": scan.means, "serviceArea": [{ "code": "LYS", "description": "Lyon-FR" }], "signedBy": signed,
    });
    if offsets {
        event["GMTOffset"] = json!(scan.local("Europe/Paris", "%:z"));
    }
    event
}

fn problem(status: u16, title: &str, detail: &str) -> Said {
    let status_text = status.to_string();
    Said::json(
        status,
        &json!({ "instance": "/tracking", "detail": detail, "title": title, "message": title, "status": status_text }),
    )
}
