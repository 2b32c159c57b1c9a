//! Aramex, Shipments Tracking V2 as JSON: credentials in the body, always HTTP 200, times as Microsoft writes them.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct Aramex;

const USER: &str = "shop@example.com";
const PASSWORD: &str = "quiet \"harbour\"";
const ACCOUNT: &str = "20016";
const PIN: &str = "331421";
const ENTITY: &str = "DXB";
const COUNTRY: &str = "AE";
const NUMBER: &str = "44444444711";

impl StandIn for Aramex {
    fn code(&self) -> &'static str {
        "aramex"
    }

    fn number(&self) -> &'static str {
        NUMBER
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("username", USER),
            ("password", PASSWORD),
            ("account_number", ACCOUNT),
            ("account_pin", PIN),
            ("account_entity", ENTITY),
            ("account_country", COUNTRY),
        ]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "country": "AE" } })
    }

    fn life(&self) -> &'static [&'static str] {
        &["label_created", "collected_from_sender", "departed", "customs_cleared", "out_for_delivery", "delivered"]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.method != "POST" || asked.path != "/ShippingAPI.V2/Tracking/Service_1_0.svc/json/TrackShipments" {
            return Said::text(404, "Endpoint not found.");
        }
        if asked.header("accept") != "application/json" {
            return Said::xml(200, "<ShipmentTrackingResponse xmlns=\"http://ws.aramex.net/ShippingAPI/v1/\"/>");
        }
        let body = asked.json();
        let client = &body["ClientInfo"];
        let wanted = [
            ("UserName", USER),
            ("Password", PASSWORD),
            ("Version", "v1.0"),
            ("AccountNumber", ACCOUNT),
            ("AccountPin", PIN),
            ("AccountEntity", ENTITY),
            ("AccountCountryCode", COUNTRY),
        ];
        if wanted.iter().any(|(name, value)| client[*name] != *value) {
            return refused("ERR01", "ClientInfo - Invalid username or password");
        }
        let Some(numbers) = body["Shipments"].as_array().filter(|numbers| !numbers.is_empty()) else {
            return refused("ERR02", "Shipments - are missing");
        };
        if body["GetLastTrackingUpdateOnly"] != json!(false) {
            return refused("ERR03", "Only all updates are told here");
        }
        let (known, unknown): (Vec<&Value>, Vec<&Value>) =
            numbers.iter().partition(|number| **number == NUMBER && !told.is_empty());
        let updates: Vec<Value> = told.iter().rev().map(update).collect();
        let results: Vec<Value> = known.iter().map(|number| json!({ "Key": number, "Value": updates })).collect();
        Said::json(
            200,
            &json!({
                "Transaction": body["Transaction"], "Notifications": [], "HasErrors": false, "TrackingResults": results,
                "NonExistingWaybills": unknown,
            }),
        )
    }
}

fn refused(code: &str, message: &str) -> Said {
    Said::json(
        200,
        &json!({
            "Transaction": null, "Notifications": [{ "Code": code, "Message": message }], "HasErrors": true,
            "TrackingResults": null, "NonExistingWaybills": null,
        }),
    )
}

fn update(scan: &Scan) -> Value {
    let (code, words, place, offset) = match scan.means {
        "label_created" => ("SH014", "Record created.", "Amman, Jordan", "+0300"),
        "collected_from_sender" => ("SH012", "Picked Up From Shipper", "Amman, Jordan", "+0300"),
        "departed" => ("SH001", "Departed Operations facility - In Transit", "Amman, Jordan", "+0300"),
        "customs_cleared" => ("SH044", "Cleared Customs", "Dubai, United Arab Emirates", "+0400"),
        "out_for_delivery" => ("SH003", "Out for Delivery", "Dubai, United Arab Emirates", "+0400"),
        _ => ("SH005", "Delivered", "Dubai, United Arab Emirates", "+0400"),
    };
    json!({
        "WaybillNumber": NUMBER, "UpdateCode": code, "UpdateDescription": words, "UpdateLocation": place, "Comments": "",
        "UpdateDateTime": format!("/Date({}{offset})/", scan.at.as_millisecond()), "ProblemCode": "",
        "GrossWeight": "0.5", "ChargeableWeight": "0.5", "WeightUnit": "KG",
    })
}
