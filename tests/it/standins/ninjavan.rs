//! Ninja Van, Singapore: OAuth2 with a JSON body, several numbers as repeated parameters, words as statuses.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn, Tokens};

#[derive(Default)]
pub struct NinjaVan(Tokens);

const ID: &str = "4711abcd";
const SECRET: &str = "ninja secret/+=";
const NUMBER: &str = "NVSGWISM00004711";

impl StandIn for NinjaVan {
    fn code(&self) -> &'static str {
        "ninjavan"
    }

    fn number(&self) -> &'static str {
        NUMBER
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("client_id", ID), ("client_secret", SECRET)]
    }

    fn life(&self) -> &'static [&'static str] {
        &["order_processed", "collected_from_sender", "arrived", "in_transit", "out_for_delivery", "delivered"]
    }

    fn zone(&self) -> &'static str {
        "Asia/Singapore"
    }

    fn forget_tokens(&self) {
        self.0.forget();
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        match (asked.method.as_str(), asked.path.as_str()) {
            ("POST", "/2.0/oauth/access_token") => self.token(asked),
            ("GET", "/1.0/orders/tracking-events") => self.events(asked, told),
            _ => refused(404, 0, "Not Found", "no Route matched with those values"),
        }
    }
}

impl NinjaVan {
    fn token(&self, asked: &Asked) -> Said {
        let wanted = json!({ "client_id": ID, "client_secret": SECRET, "grant_type": "client_credentials" });
        if !asked.header("content-type").starts_with("application/json") || asked.json() != wanted {
            return refused(401, 2001, "Unauthorized", "client credentials are wrong");
        }
        Said::json(
            200,
            &json!({ "access_token": self.0.issue("nv"), "token_type": "bearer", "expires": 4_102_444_800_u64, "expires_in": 43_200 }),
        )
    }

    fn events(&self, asked: &Asked, told: &[Scan]) -> Said {
        if !self.0.accepts(asked.bearer()) {
            return refused(401, 2001, "Unauthorized", "the access token is invalid");
        }
        let numbers: Vec<&str> =
            asked.query.iter().filter(|(name, _)| name == "tracking_number").map(|(_, value)| value.as_str()).collect();
        if numbers.is_empty() || numbers.len() > 20 {
            return refused(400, 100_001, "Bad Request", "tracking_number: 1 to 20 values");
        }
        if !numbers.contains(&NUMBER) || told.is_empty() {
            let message = format!("order by tracking id {} not found", numbers[0]);
            return refused(404, 150_002, "Not Found", &message);
        }
        let events: Vec<Value> = told.iter().map(event).collect();
        Said::json(200, &json!({ "data": [{ "tracking_number": NUMBER, "events": events }] }))
    }
}

fn refused(status: u16, code: u32, title: &str, message: &str) -> Said {
    Said::json(status, &json!({ "error": { "code": code, "title": title, "message": message, "details": [] } }))
}

fn event(scan: &Scan) -> Value {
    let status = match scan.means {
        "order_processed" => "Pending Pickup",
        "collected_from_sender" => "Successful Pickup",
        "arrived" => "Arrived at Sorting Hub",
        "in_transit" => "In Transit to Next Sorting Hub",
        "out_for_delivery" => "On Vehicle for Delivery",
        _ => "Completed",
    };
    json!({
        "tracking_number": NUMBER, "shipper_order_ref_no": "PO-4711", "status": status,
        "timestamp": scan.local("Asia/Singapore", "%Y-%m-%dT%H:%M:%S%:z"),
    })
}
