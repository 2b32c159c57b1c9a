//! Nationex, API v4: a GET for one shipment, Basic, words as codes, times in UTC and days of Toronto.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct Nationex;

const CUSTOMER: &str = "104711";
const KEY: &str = "0f1e2d3c-4b5a";
const NUMBER: &str = "45004711";

impl StandIn for Nationex {
    fn code(&self) -> &'static str {
        "nationex"
    }

    fn number(&self) -> &'static str {
        NUMBER
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("customer_id", CUSTOMER), ("api_key", KEY)]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "postcode": "G1A 0A2", "country": "CA" } })
    }

    fn life(&self) -> &'static [&'static str] {
        &["label_created", "order_processed", "collected_from_sender", "in_transit", "out_for_delivery", "delivered"]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if !asked.basic(CUSTOMER, KEY) {
            return Said::json(401, &json!({ "code": 401, "message": "Unauthorized" }));
        }
        let Some(id) = asked.path.strip_prefix("/api/v4/Shipments/").filter(|_| asked.method == "GET") else {
            return Said::text(404, "Not Found");
        };
        if asked.param("tracking") != "true" {
            return Said::json(400, &json!({ "code": 400, "message": "tracking=true is missing" }));
        }
        let Some(last) = told.last().filter(|_| id == NUMBER) else {
            return Said::json(404, &json!({ "code": 404, "message": format!("ShipmentId {id} does not exist") }));
        };
        let (status, english, french) = words(last.means);
        let histories: Vec<Value> = told.iter().rev().map(history).collect();
        Said::json(
            200,
            &json!({
                "ShipmentId": 45_004_711, "ExpeditionDate": last.local("America/Toronto", "%Y-%m-%d"), "TotalParcels": 1,
                "TotalWeight": 5, "ShipmentType": "Delivery", "ReferenceNumber": "PO-4711", "ShipmentStatus": status,
                "ShipmentStatusEn": english, "ShipmentStatusFr": french, "StatusHistories": histories,
                "Sender": { "City": "Montreal", "ProvinceState": "QC", "PostalCode": "H1A0A1" },
                "Destination": { "City": "Quebec", "ProvinceState": "QC", "PostalCode": "G1A0A2" },
                "Parcels": [{ "ParcelId": 1, "Status": status, "EstimatedDeliveryDate": "2026-03-12", "History": [] }],
            }),
        )
    }
}

fn words(means: &str) -> (&'static str, &'static str, &'static str) {
    match means {
        "label_created" => ("Creation", "Created", "Créé"),
        "order_processed" => ("DataReceived", "Data received", "Données reçues"),
        "collected_from_sender" => ("Pickup", "Picked up", "Ramassé"),
        "in_transit" => ("Transit", "In transit", "En transit"),
        "out_for_delivery" => ("OutForDelivery", "Out for delivery", "En livraison"),
        _ => ("Delivered", "Delivered", "Livré"),
    }
}

fn history(scan: &Scan) -> Value {
    let (status, english, french) = words(scan.means);
    json!({
        "ShipmentStatus": status, "ShipmentStatusEn": english, "ShipmentStatusFr": french,
        "StatusDate": scan.local("UTC", "%Y-%m-%dT%H:%M:%SZ"), "LastLocation": "Quebec",
    })
}
