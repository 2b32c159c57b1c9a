//! USPS APIs v3, tracking 3.0: the same token, one number in the path.

use serde_json::json;

use super::usps::{parcel, refused, token};
use super::{Asked, Said, Scan, StandIn, Tokens};

#[derive(Default)]
pub struct UspsV3(Tokens);

const APP: &str = "old-app";
const SECRET: &str = "old+secret/=";
const NUMBER: &str = "9400100000000000004714";

impl StandIn for UspsV3 {
    fn code(&self) -> &'static str {
        "usps_v3"
    }

    fn number(&self) -> &'static str {
        NUMBER
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("client_id", APP), ("client_secret", SECRET)]
    }

    fn environment(&self) -> &'static str {
        "sandbox"
    }

    fn life(&self) -> &'static [&'static str] {
        &["label_created", "accepted", "arrived", "at_local_facility", "out_for_delivery", "delivered_to_mailbox"]
    }

    fn forget_tokens(&self) {
        self.0.forget();
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.method == "POST" && asked.path == "/oauth2/v3/token" {
            return token(&self.0, asked, APP, SECRET);
        }
        let Some(number) = asked.path.strip_prefix("/tracking/v3/tracking/") else {
            return refused(404, "Resource not found");
        };
        if !self.0.accepts(asked.bearer()) {
            return refused(401, "Missing or expired token");
        }
        if asked.method != "GET" || asked.param("expand") != "DETAIL" {
            return refused(400, "This view is not given");
        }
        if number != NUMBER || told.is_empty() {
            let source = json!({ "parameter": "trackingNumber", "example": "" });
            let detail = json!({ "status": "400", "code": "150001", "title": "Not found", "source": source });
            let error = json!({ "code": "400", "message": "Not available", "errors": [detail] });
            return Said::json(400, &json!({ "apiVersion": "/tracking/v3", "error": error }));
        }
        Said::json(200, &parcel(told, "ZIP"))
    }
}
