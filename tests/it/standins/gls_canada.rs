//! GLS Canada: a GET for one number, Basic, JSON with a family beside each code.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct GlsCanada;

const USER: &str = "boutique@example.org";
const PASSWORD: &str = "quiet:harbour";

impl StandIn for GlsCanada {
    fn code(&self) -> &'static str {
        "gls_canada"
    }

    fn number(&self) -> &'static str {
        "W9004711"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("username", USER), ("password", PASSWORD)]
    }

    fn life(&self) -> &'static [&'static str] {
        &["label_created", "collected_from_sender", "out_for_delivery", "delivered"]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        let Some(number) = asked.path.strip_prefix("/v1/tracking/").filter(|_| asked.method == "GET") else {
            return Said::text(404, "<html><body>Not Found</body></html>");
        };
        if !asked.basic(USER, PASSWORD) {
            return Said::json(401, &json!({ "Message": "Authorization has been denied for this request." }));
        }
        if number != self.number() || told.is_empty() {
            return Said::json(404, &json!({ "Message": "No shipment was found." }));
        }
        let activities: Vec<Value> = told.iter().rev().map(activity).collect();
        Said::json(
            200,
            &json!({
                "trackingNumber": number, "id": 4711, "deliveryType": "GRD", "unitOfMeasurement": "K",
                "sender": { "customerName": "Atelier Nord", "city": "Laval", "provinceCode": "QC", "countryCode": "CA" },
                "consignee": { "city": "Quebec", "provinceCode": "QC", "countryCode": "CA" },
                "parcels": [{ "weight": 2.4 }], "activities": activities, "activityImages": [],
            }),
        )
    }
}

fn activity(scan: &Scan) -> Value {
    let (code, status, terminal) = match scan.means {
        "label_created" => ("CR", "Shipment created", "MTL"),
        "collected_from_sender" => ("PU", "Picked up", "MTL"),
        "out_for_delivery" => ("OD", "Out for delivery", "QBC"),
        _ => ("DL", "Delivered", "QBC"),
    };
    let date = scan.local("UTC", "%Y-%m-%dT%H:%M:%SZ");
    json!({
        "activityDate": date, "createDate": date, "status": status, "statusDetail": "", "code": code, "codeDetail": "",
        "group": code, "terminal": terminal, "additionalInformation": "",
    })
}
