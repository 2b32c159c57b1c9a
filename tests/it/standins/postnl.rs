//! PostNL, "Shippingstatus" v2: a GET for one barcode, key in a header. What is empty is an empty object, a lone event
//! stands without its list, times are Dutch clocks.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct Postnl;

const KEY: &str = "pk-3f9d52c1a7";

impl StandIn for Postnl {
    fn code(&self) -> &'static str {
        "postnl"
    }

    fn number(&self) -> &'static str {
        "3SWISM004711001"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("apikey", KEY)]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "country": "NL", "postcode": "3571 ZZ" } })
    }

    fn life(&self) -> &'static [&'static str] {
        &[
            "label_created",
            "accepted",
            "at_local_facility",
            "out_for_delivery",
            "attempt_failed",
            "at_pickup_point",
            "collected_by_recipient",
        ]
    }

    fn zone(&self) -> &'static str {
        "Europe/Amsterdam"
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.header("apikey") != KEY {
            return Said::json(401, &json!({ "message": "Invalid API key", "http_status_code": 401 }));
        }
        let Some(barcode) = asked.path.strip_prefix("/shipment/v2/status/barcode/") else {
            return Said::text(404, "<html><body>Not Found</body></html>");
        };
        if asked.method != "GET" {
            return Said::json(405, &json!({ "message": "Method not allowed", "http_status_code": 405 }));
        }
        if !["NL", "EN", "CN", "DE", "FR"].contains(&asked.param("language")) || barcode.len() < 11 {
            return Said::json(400, &fault("Validation Fault"));
        }
        if barcode != self.number() || told.is_empty() {
            let warning = json!({ "Message": "No shipment found", "Code": "2" });
            return Said::json(200, &json!({ "CompleteStatus": {}, "Warnings": [warning] }));
        }
        let (mut events, mut states) = (Vec::new(), Vec::new());
        for scan in told.iter().rev() {
            let (code, status, text) = words(scan.means);
            let time = scan.local(self.zone(), "%d-%m-%Y %H:%M:%S");
            events.push(json!({
                "Code": code, "Description": text, "LocationCode": {}, "DestinationLocationCode": {}, "RouteName": {},
                "TimeStamp": time,
            }));
            states
                .push(json!({ "TimeStamp": time, "StatusCode": status, "StatusDescription": text, "PhaseCode": "1" }));
        }
        let mut shipment = json!({
            "MainBarcode": barcode, "Barcode": barcode, "ShipmentAmount": "1", "ShipmentCounter": "1",
            "ProductCode": "003085", "ProductDescription": {}, "Reference": {}, "DeliveryDate": {}, "Amount": {},
            "Dimension": { "Weight": "180", "Height": {}, "Length": {} }, "Expectation": {},
            "Address": [{ "AddressType": "01", "City": "Utrecht", "CountryCode": "NL", "Zipcode": "3571ZZ" }],
            "Event": if events.len() == 1 { events.remove(0) } else { Value::from(events) },
            "Status": states.remove(0),
        });
        if asked.param("detail") == "true" {
            shipment["OldStatus"] = Value::from(states);
            return Said::json(200, &json!({ "CompleteStatus": { "Shipment": shipment }, "Warnings": [] }));
        }
        shipment["Event"].take();
        Said::json(200, &json!({ "CurrentStatus": { "Shipment": shipment }, "Warnings": [] }))
    }
}

fn fault(code: &str) -> Value {
    json!({ "fault": { "faultstring": "Request is not valid", "detail": { "errorcode": code } } })
}

fn words(means: &str) -> (&'static str, &'static str, &'static str) {
    match means {
        "label_created" => ("A01", "1", "Shipment expected"),
        "accepted" => ("B01", "2", "Shipment received by PostNL"),
        "at_local_facility" => ("J01", "5", "Shipment sorted"),
        "out_for_delivery" => ("J05", "7", "Driver is en route"),
        "attempt_failed" => ("H01", "8", "Shipment not delivered"),
        "at_pickup_point" => ("J12", "12", "At the pick-up location"),
        _ => ("I02", "22", "Picked up at the post office"),
    }
}
