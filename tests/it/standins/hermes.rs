//! Hermes Germany, HSI: a token for user and password as a form, then a GET with a repeated parameter. An unknown number
//! is an item with its result.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn, Tokens};

#[derive(Default)]
pub struct Hermes {
    tokens: Tokens,
}

const USER: &str = "wismo-shop";
const PASSWORD: &str = "g\u{f6}tter & boten";
const CLIENT: &str = "hsi-4711";
const SECRET: &str = "ko/ffer+";

impl StandIn for Hermes {
    fn code(&self) -> &'static str {
        "hermes"
    }

    fn number(&self) -> &'static str {
        "H1000000000000004711"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("username", USER), ("password", PASSWORD), ("client_id", CLIENT), ("client_secret", SECRET)]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "country": "DE" } })
    }

    fn life(&self) -> &'static [&'static str] {
        &["order_processed", "in_transit", "arrived", "delayed", "out_for_delivery", "attempt_failed", "delivered"]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        match (asked.method.as_str(), asked.path.as_str()) {
            ("POST", "/authorization-facade/oauth2/access_token") => self.token(asked),
            ("GET", "/services/hsi/shipmentinfo") => self.shipments(asked, told),
            _ => Said::text(404, "<html><body>Not Found</body></html>"),
        }
    }

    fn forget_tokens(&self) {
        self.tokens.forget();
    }
}

impl Hermes {
    fn token(&self, asked: &Asked) -> Said {
        let wanted = [
            ("grant_type", "password"),
            ("username", USER),
            ("password", PASSWORD),
            ("client_id", CLIENT),
            ("client_secret", SECRET),
        ];
        if wanted.iter().any(|(name, value)| asked.field(name) != *value) {
            let text = "The resource owner is not known";
            return Said::json(400, &json!({ "error": "invalid_grant", "error_description": text }));
        }
        let token = self.tokens.issue("hermes");
        Said::json(200, &json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600 }))
    }

    fn shipments(&self, asked: &Asked, told: &[Scan]) -> Said {
        if !self.tokens.accepts(asked.bearer()) {
            return Said::json(401, &json!({ "error": "invalid_token" }));
        }
        let ids: Vec<&str> =
            asked.query.iter().filter(|(name, _)| name == "shipmentID").map(|(_, id)| id.as_str()).collect();
        let language = asked.header("accept-language");
        if ids.is_empty() || !["DE", "EN"].contains(&language) {
            let codes = json!([{ "code": "e400", "message": "The request is not valid" }]);
            return Said::json(400, &json!({ "listOfResultCodes": codes }));
        }
        let items: Vec<Value> = ids.iter().map(|id| self.item(id, told)).collect();
        Said::json(200, &json!({ "shipmentinfo": items }))
    }

    fn item(&self, id: &str, told: &[Scan]) -> Value {
        if id != self.number() || told.is_empty() {
            return json!({ "shipmentID": id, "result": { "code": "e001", "message": "not found" } });
        }
        let status: Vec<Value> = told.iter().map(event).collect();
        json!({
            "shipmentID": id, "clientReference": "PO-4711", "trackingLink": "https://example.test/t",
            "receiverAddress": { "city": "Kiel", "zipCode": "24103", "countryCode": "DEU" },
            "deliveryForecast": { "fixed": false, "date": told[0].local("Europe/Berlin", "%Y-%m-%d") },
            "status": status,
        })
    }
}

fn event(scan: &Scan) -> Value {
    let code = match scan.means {
        "order_processed" => "0000",
        "in_transit" => "1000",
        "arrived" => "2000",
        "delayed" => "7000",
        "out_for_delivery" => "3000",
        "attempt_failed" => "4000",
        _ => "3500",
    };
    json!({
        "timestamp": scan.local("Europe/Berlin", "%Y-%m-%dT%H:%M:%S%:z"), "code": code, "description": "Text",
        "scanningUnit": { "name": "HH", "city": "Hamburg", "countryCode": "DEU" },
    })
}
