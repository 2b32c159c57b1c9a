//! Yun Express, open API: a token for an app, each call signed with HMAC-SHA256 over date, method and path.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Asked, Said, Scan, StandIn, Tokens};

#[derive(Default)]
pub struct YunExpress(Tokens);

const APP: &str = "app-4711";
const SECRET: &str = "Yun secret+with/signs=";
const SOURCE: &str = "SRC-4711";
const TRACK: &str = "/v1/track-service/info/get";

impl StandIn for YunExpress {
    fn code(&self) -> &'static str {
        "yunexpress"
    }

    fn number(&self) -> &'static str {
        "YT2600000000004711"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("app_id", APP), ("app_secret", SECRET), ("source_key", SOURCE)]
    }

    fn life(&self) -> &'static [&'static str] {
        &["label_created", "arrived", "in_transit", "customs_processing", "out_for_delivery", "delivered"]
    }

    fn forget_tokens(&self) {
        self.0.forget();
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        match (asked.method.as_str(), asked.path.as_str()) {
            ("POST", "/openapi/oauth2/token") => self.token(asked),
            ("GET", TRACK) => self.track(asked, told),
            _ => refused(404, "404", "no such path"),
        }
    }
}

impl YunExpress {
    fn token(&self, asked: &Asked) -> Said {
        let wanted =
            json!({ "grantType": "client_credentials", "appId": APP, "appSecret": SECRET, "sourceKey": SOURCE });
        if asked.json() != wanted {
            return refused(401, "401", "appId or appSecret is wrong");
        }
        Said::json(200, &json!({ "accessToken": self.0.issue("yun"), "expiresIn": 7200 }))
    }

    fn track(&self, asked: &Asked, told: &[Scan]) -> Said {
        let date = asked.header("date");
        let milliseconds = date.len() == 13 && date.bytes().all(|byte| byte.is_ascii_digit());
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(format!("date={date}&method=GET&uri={TRACK}").as_bytes());
        let sign = data_encoding::BASE64.encode(&mac.finalize().into_bytes());
        if !self.0.accepts(asked.header("token")) {
            return refused(401, "401", "token is invalid");
        }
        if !milliseconds
            || asked.header("sign") != sign
            || !["en-US", "zh-CN"].contains(&asked.header("accept-language"))
        {
            return refused(401, "401", "sign is invalid");
        }
        if asked.param("order_number") != self.number() {
            return refused(200, "10404", "order number does not exist");
        }
        let status = match told.last().map(|scan| scan.means) {
            None => "N",
            Some("label_created") => "F",
            Some("delivered") => "D",
            Some(_) => "T",
        };
        Said::json(
            200,
            &json!({ "success": true, "code": "0", "msg": "", "result": {
            "waybill_number": self.number(), "tracking_number": "9400100000000000004711", "customer_order_number": "PO-4711",
            "package_status": status, "product_code": "THZXR", "product_name": "Global Direct Line", "origin_code": "CN",
            "destination_code": "US", "actual_weight": 0.5, "last_mile_name": "USPS",
            "track_events": told.iter().map(event).collect::<Vec<_>>(),
        } }),
        )
    }
}

fn refused(status: u16, code: &str, message: &str) -> Said {
    Said::json(status, &json!({ "success": false, "code": code, "msg": message, "result": null }))
}

fn event(scan: &Scan) -> Value {
    let (node, text, country, zone) = match scan.means {
        "label_created" => ("ORDER_CREATION", "Shipment information received", "CN", "Asia/Shanghai"),
        "arrived" => ("FIRST_MILE_ARRIVE", "Arrived at the origin facility", "CN", "Asia/Shanghai"),
        "in_transit" => ("INTERNATIONAL_SHIP", "Departed from the airport", "CN", "Asia/Shanghai"),
        "customs_processing" => ("CUSTOMS_CLEARANCE", "Clearance started", "US", "America/New_York"),
        "out_for_delivery" => ("LAST_MILE_DELIVERY", "Out for delivery", "US", "America/New_York"),
        _ => ("DELIVERED", "Delivered", "US", "America/New_York"),
    };
    json!({
        "process_time": scan.local(zone, "%Y-%m-%dT%H:%M:%S"), "process_utc_time": scan.local("UTC", "%Y-%m-%dT%H:%M:%S"),
        "process_content": text, "process_country": country, "process_city": "", "process_location": "", "track_node_code": node,
    })
}
