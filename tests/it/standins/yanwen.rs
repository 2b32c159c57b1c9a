//! Yanwen: a GET for up to thirty numbers, the customer number as the whole of `Authorization`, local times with the
//! hours of their offset beside them.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct Yanwen;

const CUSTOMER: &str = "30147110";

impl StandIn for Yanwen {
    fn code(&self) -> &'static str {
        "yanwen"
    }

    fn number(&self) -> &'static str {
        "UF473124829YP"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("authorization", CUSTOMER)]
    }

    fn life(&self) -> &'static [&'static str] {
        &[
            "label_created",
            "accepted",
            "arrived",
            "in_transit",
            "customs_processing",
            "at_local_facility",
            "out_for_delivery",
            "delivered",
        ]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.header("authorization") != CUSTOMER {
            return Said::json(
                401,
                &json!({ "code": 401, "message": "Authorization has been denied for this request." }),
            );
        }
        if asked.method != "GET" || asked.path != "/api/tracking" {
            return Said::json(404, &json!({ "message": "No HTTP resource was found" }));
        }
        let numbers: Vec<&str> = asked.param("nums").split(',').filter(|number| !number.is_empty()).collect();
        if numbers.is_empty() || numbers.len() > 30 {
            return Said::json(200, &json!({ "code": 1, "message": "nums: 1 to 30 numbers", "result": [] }));
        }
        let result: Vec<Value> = numbers.iter().map(|number| self.entry(number, told)).collect();
        Said::json(200, &json!({ "code": 0, "message": "success", "result": result, "elapsedMilliseconds": 56 }))
    }
}

impl Yanwen {
    fn entry(&self, number: &str, told: &[Scan]) -> Value {
        let told: &[Scan] = if number == self.number() { told } else { &[] };
        let rows: Vec<Value> = told.iter().rev().map(checkpoint).collect();
        let status = rows.first().map_or(json!(1), |row| row["tracking_status"].clone());
        json!({
            "tracking_number": number, "waybill_number": number, "exchange_number": "00340434000000004711",
            "tracking_status": status, "last_mile_tracking_expected": true, "checkpoints": rows,
        })
    }
}

fn checkpoint(scan: &Scan) -> Value {
    let (code, text, place, zone, hours) = match scan.means {
        "label_created" => ("OR10", "Shipment information received", "", "Asia/Shanghai", "+8"),
        "accepted" => ("PU10", "Yanwen Acceptance", "Shenzhen", "Asia/Shanghai", "+8"),
        "arrived" => ("SC20", "Processed at the sorting centre", "Shenzhen", "Asia/Shanghai", "+8"),
        "in_transit" => ("LH10", "Line haul departed", "", "Asia/Kolkata", "+5:30"),
        "customs_processing" => ("IC20", "Import clearance started", "", "America/Bogota", "-5"),
        "at_local_facility" => ("LM20", "Processed by the local carrier", "Bogota", "America/Bogota", "-5"),
        "out_for_delivery" => ("LM25", "Out for delivery", "Bogota", "America/Bogota", "-5"),
        _ => ("LM40", "Delivered", "Bogota", "America/Bogota", "-5"),
    };
    json!({
        "time_stamp": scan.local(zone, "%Y-%m-%dT%H:%M:%S"), "time_zone": hours, "tracking_status": code,
        "message": text, "location": place,
    })
}
