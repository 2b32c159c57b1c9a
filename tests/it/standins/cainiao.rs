//! Cainiao's public page: a feed without credentials, some numbers a call, epoch milliseconds beside a local clock.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct Cainiao;

impl StandIn for Cainiao {
    fn code(&self) -> &'static str {
        "cainiao"
    }

    fn number(&self) -> &'static str {
        "LP00000000004711"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn life(&self) -> &'static [&'static str] {
        &[
            "order_processed",
            "collected_from_sender",
            "departed",
            "customs_cleared",
            "handed_to_partner",
            "out_for_delivery",
            "delivered",
        ]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        let numbers: Vec<&str> = asked.param("mailNos").split(',').filter(|number| !number.is_empty()).collect();
        if asked.method != "GET" || asked.path != "/global/detail.json" {
            return Said::text(404, "<html>404</html>");
        }
        if numbers.is_empty() || asked.param("lang").is_empty() {
            return Said::json(
                200,
                &json!({ "success": false, "errorCode": "PARAM_ERROR", "errorMsg": "parameter error" }),
            );
        }
        if numbers.len() > 10 {
            return Said::text(200, "<!DOCTYPE html><html><title>verify</title></html>");
        }
        let module: Vec<Value> = numbers.iter().map(|number| self.entry(number, told)).collect();
        Said::json(200, &json!({ "success": true, "module": module }))
    }
}

impl Cainiao {
    fn entry(&self, number: &str, told: &[Scan]) -> Value {
        if number != self.number() || told.is_empty() {
            return json!({ "mailNo": number, "detailList": [] });
        }
        let rows: Vec<Value> = told.iter().rev().map(row).collect();
        json!({
            "mailNo": number, "originCountry": "CN", "destCountry": "NG", "status": "TRANSIT", "statusDesc": "In transit",
            "realMailNo": "NIPOST EE000004711NG", "latestTrace": rows[0], "detailList": rows,
        })
    }
}

fn row(scan: &Scan) -> Value {
    let (action, text, zone, hours) = match scan.means {
        "order_processed" => ("GWMS_PACKAGE", "Packed in the warehouse", "Asia/Shanghai", "GMT+8"),
        "collected_from_sender" => ("PU_PICKUP_SUCCESS", "Accepted by the carrier", "Asia/Shanghai", "GMT+8"),
        "departed" => ("LH_DEPART", "Departed from departure country/region", "Asia/Shanghai", "GMT+8"),
        "customs_cleared" => ("CC_IM_SUCCESS", "Import customs clearance complete", "Africa/Lagos", "GMT+1"),
        "handed_to_partner" => ("GTMS_ACCEPT", "Received by the local delivery company", "Africa/Lagos", "GMT+1"),
        "out_for_delivery" => ("GTMS_DO_DEPART", "Out for delivery", "Africa/Lagos", "GMT+1"),
        _ => ("GTMS_SIGNED", "Package delivered", "Africa/Lagos", "GMT+1"),
    };
    json!({
        "time": scan.at.as_millisecond(), "timeStr": scan.local(zone, "%Y-%m-%d %H:%M:%S"), "timeZone": hours,
        "actionCode": action, "desc": text, "standerdDesc": text,
    })
}
