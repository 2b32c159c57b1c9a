//! DHL eCommerce Netherlands: an anonymous GET with barcode and perhaps post code in one parameter. An unknown key is a
//! 404 in plain text. Without the post code nothing personal is told.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct DhlParcelNl;

const POSTCODE: &str = "3511AA";

impl StandIn for DhlParcelNl {
    fn code(&self) -> &'static str {
        "dhl_parcel_nl"
    }

    fn number(&self) -> &'static str {
        "JVGL0600000000004711"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "country": "NL", "postcode": POSTCODE } })
    }

    fn life(&self) -> &'static [&'static str] {
        &[
            "label_created",
            "collected_from_sender",
            "in_transit",
            "out_for_delivery",
            "recipient_absent",
            "at_local_facility",
            "at_pickup_point",
            "collected_by_recipient",
        ]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.method != "GET" || asked.path != "/track-trace" {
            return Said::json(404, &json!({ "message": "Not Found" }));
        }
        let key = asked.param("key");
        let (barcode, postcode) = key.split_once('+').unwrap_or((key, ""));
        if barcode != self.number() || !["", POSTCODE].contains(&postcode) || told.is_empty() {
            return Said::text(404, "No parcel found for the given key(s)");
        }
        let events: Vec<Value> = told.iter().map(event).collect();
        let mut shipment = json!({
            "barcode": barcode, "barcodes": [barcode], "type": "NORMAL", "isReturn": false, "deliveredAt": null,
            "events": events, "view": { "phases": [{ "phase": "UNDERWAY" }] },
        });
        if !postcode.is_empty() {
            shipment["receiver"] = json!({ "name": "SAMPLE" });
            let shop = json!({ "type": "PARCEL_SHOP", "name": "Kiosk", "address": { "city": "Utrecht" } });
            shipment["destination"] = shop;
        }
        Said::json(200, &json!([shipment]))
    }
}

fn event(scan: &Scan) -> Value {
    let (status, category) = match scan.means {
        "label_created" => ("PRENOTIFICATION_RECEIVED", "DATA_RECEIVED"),
        "collected_from_sender" => ("PARCEL_COLLECTED", "COLLECTED"),
        "in_transit" => ("PARCEL_SORTED_AT_HUB", "UNDERWAY"),
        "out_for_delivery" => ("OUT_FOR_DELIVERY", "IN_DELIVERY"),
        "recipient_absent" => ("NOT_HOME_TO_PARCELSHOP", "PROBLEM"),
        "at_local_facility" => ("DELIVERED_AT_PARCELSHOP", "IN_DELIVERY"),
        "at_pickup_point" => ("NOTIFICATION_FOR_PARCELSHOP_COLLECTION_HAS_BEEN_SENT", "IN_DELIVERY"),
        _ => ("COLLECTED_AT_PARCELSHOP", "DELIVERED"),
    };
    json!({
        "category": category, "status": status,
        "timestamp": scan.local("Europe/Amsterdam", "%Y-%m-%dT%H:%M:%S%:z"),
        "localTimestamp": scan.local("Europe/Amsterdam", "%Y-%m-%dT%H:%M:%S"),
    })
}
