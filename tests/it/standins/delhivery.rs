//! Delhivery: a GET with a fixed token for a list of waybills; the scans oldest first, each within another object.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct Delhivery;

const TOKEN: &str = "47110000abcdef";

impl StandIn for Delhivery {
    fn code(&self) -> &'static str {
        "delhivery"
    }

    fn number(&self) -> &'static str {
        "1234500004711"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("api_token", TOKEN)]
    }

    fn life(&self) -> &'static [&'static str] {
        &["order_processed", "in_transit", "at_local_facility", "out_for_delivery", "recipient_absent", "delivered"]
    }

    fn zone(&self) -> &'static str {
        "Asia/Kolkata"
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.header("authorization") != format!("Token {TOKEN}") || !asked.param("token").is_empty() {
            return Said::json(401, &json!({ "detail": "Invalid token" }));
        }
        if asked.method != "GET" || asked.path != "/api/v1/packages/json/" {
            return Said::text(404, "<h1>Not Found</h1>");
        }
        let waybills: Vec<&str> = asked.param("waybill").split(',').collect();
        if asked.param("verbose") != "2" || waybills.len() > 30 {
            return Said::json(400, &json!({ "Error": "Wrong parameters" }));
        }
        if !waybills.contains(&self.number()) || told.is_empty() {
            return Said::json(200, &json!({ "Error": "No such waybill or Order Id found" }));
        }
        let scans: Vec<Value> = told.iter().map(scan_detail).collect();
        let last = scans.last().cloned().unwrap_or_default();
        Said::json(
            200,
            &json!({ "ShipmentData": [{ "Shipment": {
            "AWB": self.number(), "ReferenceNo": "PO-4711", "OrderType": "Prepaid", "Origin": "Mumbai", "Destination": "Pune",
            "ExpectedDeliveryDate": null, "ChargedWeight": 500, "DispatchCount": 1,
            "Consignee": { "City": "Pune", "State": "Maharashtra", "PinCode": 411_001, "Country": "India" },
            "Status": {
                "Status": last["Scan"], "StatusType": last["ScanType"], "StatusCode": last["StatusCode"],
                "StatusDateTime": last["ScanDateTime"], "StatusLocation": last["ScannedLocation"],
                "Instructions": last["Instructions"], "RecievedBy": "",
            },
            "Scans": scans.into_iter().map(|scan| json!({ "ScanDetail": scan })).collect::<Vec<_>>(),
        } }] }),
        )
    }
}

fn scan_detail(scan: &Scan) -> Value {
    let (kind, status, code, place, text) = match scan.means {
        "order_processed" => ("UD", "Manifested", "X-UCI", "Mumbai (Maharashtra)", "Manifest uploaded"),
        "in_transit" => ("UD", "In Transit", "X-PPOM", "Mumbai (Maharashtra)", "Shipment picked up"),
        "at_local_facility" => ("UD", "Pending", "X-IBD3F", "Pune_DC (Maharashtra)", "Shipment received at facility"),
        "out_for_delivery" => ("UD", "Dispatched", "X-DDD3FD", "Pune_DC (Maharashtra)", "Out for delivery"),
        "recipient_absent" => ("UD", "Pending", "EOD-11", "Pune_DC (Maharashtra)", "Consignee unavailable"),
        _ => ("DL", "Delivered", "EOD-38", "Pune_DC (Maharashtra)", "Delivered to consignee"),
    };
    json!({
        "Scan": status, "ScanType": kind, "StatusCode": code, "ScanDateTime": scan.local("Asia/Kolkata", "%Y-%m-%dT%H:%M:%S.233"),
        "ScannedLocation": place, "Instructions": text,
    })
}
