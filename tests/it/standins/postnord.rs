//! PostNord, "Track & Trace" v5: a GET for one identifier, key in the query. A shipment with its items, scans local to
//! their country; an unknown number is an empty list of shipments.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct Postnord;

const KEY: &str = "5d41402abc4b2a76b9719d911017c592";

impl StandIn for Postnord {
    fn code(&self) -> &'static str {
        "postnord"
    }

    fn number(&self) -> &'static str {
        "84971560471SE"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("apikey", KEY)]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "country": "FI" } })
    }

    fn life(&self) -> &'static [&'static str] {
        &["order_processed", "label_created", "in_transit", "delayed", "at_locker", "delivered"]
    }

    fn zone(&self) -> &'static str {
        "Europe/Helsinki"
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.param("apikey") != KEY {
            return Said::json(401, &json!({ "message": "Invalid API key" }));
        }
        if asked.method != "GET" || asked.path != "/rest/shipment/v5/trackandtrace/findByIdentifier.json" {
            return Said::json(404, &json!({ "message": "no Route matched with those values" }));
        }
        if !["en", "sv", "no", "da", "fi", ""].contains(&asked.param("locale")) {
            return fault("invalidLocale", "The locale is not supported");
        }
        let id = asked.param("id");
        if !(10..=35).contains(&id.len()) {
            return fault("invalidIdentifier", "The identifier is not valid");
        }
        if id != self.number() || told.is_empty() {
            return Said::json(200, &json!({ "TrackingInformationResponse": { "shipments": [] } }));
        }
        let status = word(told[told.len() - 1].means);
        let events: Vec<Value> = told.iter().map(|scan| event(scan, self.zone())).collect();
        let shipment = json!({
            "shipmentId": id, "status": status, "statusText": { "header": "Words", "body": "" },
            "service": { "code": "19", "name": "MyPack Collect" },
            "consignor": { "address": { "city": "Malmo", "postCode": "21120", "countryCode": "SE" } },
            "consignee": { "address": { "city": "Vantaa", "postCode": "01300", "countryCode": "FI" } },
            "items": [{ "itemId": id, "status": status, "events": events }],
        });
        Said::json(200, &json!({ "TrackingInformationResponse": { "shipments": [shipment] } }))
    }
}

fn event(scan: &Scan, zone: &str) -> Value {
    json!({
        "eventTime": scan.local(zone, "%Y-%m-%dT%H:%M:%S"), "eventCode": (30 + scan.step).to_string(),
        "status": word(scan.means), "eventDescription": "Words",
        "location": { "displayName": "Vantaa", "city": "Vantaa", "country": "FI" },
    })
}

fn fault(code: &str, text: &str) -> Said {
    let faults = json!([{ "faultCode": code, "explanationText": text }]);
    Said::json(400, &json!({ "TrackingInformationResponse": { "compositeFault": { "faults": faults } } }))
}

fn word(means: &str) -> &'static str {
    match means {
        "order_processed" => "CREATED",
        "label_created" => "INFORMED",
        "in_transit" => "EN_ROUTE",
        "delayed" => "EXPECTED_DELAY",
        "at_locker" => "AVAILABLE_FOR_DELIVERY_PAR_LOC",
        _ => "DELIVERED",
    }
}
