//! DTDC: a login that answers with the bare token, then a POST for one consignment; days as DDMMYYYY, hours as HHMM.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn, Tokens};

#[derive(Default)]
pub struct Dtdc(Tokens);

const USER: &str = "CB4711_trk";
const PASSWORD: &str = "pass word/4711+";

impl StandIn for Dtdc {
    fn code(&self) -> &'static str {
        "dtdc"
    }

    fn number(&self) -> &'static str {
        "B10004711"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("username", USER), ("password", PASSWORD)]
    }

    fn life(&self) -> &'static [&'static str] {
        &[
            "label_created",
            "order_processed",
            "collected_from_sender",
            "departed",
            "arrived",
            "out_for_delivery",
            "attempt_failed",
            "delivered",
        ]
    }

    fn zone(&self) -> &'static str {
        "Asia/Kolkata"
    }

    fn forget_tokens(&self) {
        self.0.forget();
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/api/dtdc/authenticate") => {
                let known = asked.param("username") == USER && asked.param("password") == PASSWORD;
                Said::text(200, if known { self.0.issue(&format!("{USER}:")) } else { String::new() })
            }
            ("POST", "/rest/JSONCnTrk/getTrackDetails") => self.track(asked, told),
            _ => Said::text(404, "<html><body>404</body></html>"),
        }
    }
}

impl Dtdc {
    fn track(&self, asked: &Asked, told: &[Scan]) -> Said {
        if !self.0.accepts(asked.header("x-access-token")) {
            return Said::json(401, &json!({ "message": "Unauthorized" }));
        }
        let wanted = json!({ "trkType": "cnno", "strcnno": self.number(), "addtnlDtl": "Y" });
        let last = told.last().filter(|_| asked.json() == wanted);
        let Some(last) = last else {
            return Said::json(
                200,
                &json!({
                    "statusCode": 206, "statusFlag": false, "status": "FAILED", "trackHeader": null, "trackDetails": null,
                    "errorDetails": [{ "name": "strCnno", "value": "No data found" }],
                }),
            );
        };
        let rows: Vec<Value> = told.iter().map(row).collect();
        Said::json(
            200,
            &json!({
                "statusCode": 200, "statusFlag": true, "status": "SUCCESS", "errorDetails": null,
                "trackHeader": {
                    "strShipmentNo": self.number(), "strOrigin": "MUMBAI", "strDestination": "PUNE",
                    "strStatus": rows[rows.len() - 1]["strAction"], "strStatusTransOn": last.local("Asia/Kolkata", "%d%m%Y"),
                    "strStatusTransTime": last.local("Asia/Kolkata", "%H%M"), "strExpectedDeliveryDate": "",
                },
                "trackDetails": rows,
            }),
        )
    }
}

fn row(scan: &Scan) -> Value {
    let (code, action, place) = match scan.means {
        "label_created" => ("SPLD", "Softdata Upload", "MUMBAI"),
        "order_processed" => ("BKD", "Booked", "MUMBAI"),
        "collected_from_sender" => ("PCUP", "Picked Up", "MUMBAI"),
        "departed" => ("CDOUT", "Dispatched", "MUMBAI"),
        "arrived" => ("CDIN", "Received", "PUNE"),
        "out_for_delivery" => ("OUTDLV", "Out For Delivery", "PUNE"),
        "attempt_failed" => ("NONDLV", "Not Delivered", "PUNE"),
        _ => ("DLV", "Successfully Delivered", "PUNE"),
    };
    json!({
        "strCode": code, "strAction": action, "strOrigin": place, "strDestination": "", "sTrRemarks": "",
        "strActionDate": scan.local("Asia/Kolkata", "%d%m%Y"), "strActionTime": scan.local("Asia/Kolkata", "%H%M"),
    })
}
