//! SF Express: one gateway for all services, a form signed with MD5 over Java's encoding of it, and an answer whose data
//! are JSON in a string. Everything comes under HTTP 200.

use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct SfExpress;

const PARTNER: &str = "WISMOLIVE";
const CHECK_WORD: &str = "check*word~with +all/of=it";
const PHONE: &str = "0427";

impl StandIn for SfExpress {
    fn code(&self) -> &'static str {
        "sf_express"
    }

    fn number(&self) -> &'static str {
        "SF1390000004711"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("partner_id", PARTNER), ("check_word", CHECK_WORD)]
    }

    fn registration(&self) -> Value {
        json!({ "inputs": { "phone_last4": PHONE } })
    }

    fn life(&self) -> &'static [&'static str] {
        &["collected_from_sender", "arrived", "departed", "at_local_facility", "out_for_delivery", "signed"]
    }

    fn zone(&self) -> &'static str {
        "Asia/Shanghai"
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.method != "POST" || asked.path != "/std/service" {
            return Said::text(404, "no such service");
        }
        let needed = ["partnerID", "requestID", "serviceCode", "timestamp", "msgDigest", "msgData"];
        if needed.iter().any(|name| asked.field(name).is_empty()) || asked.field("requestID").len() > 40 {
            return outer("A1001", "missing parameter", None);
        }
        let timestamp = asked.field("timestamp");
        if timestamp.len() != 13 || asked.field("serviceCode") != "EXP_RECE_SEARCH_ROUTES" {
            return outer("A1001", "wrong parameter", None);
        }
        let data = asked.field("msgData");
        let digest = Md5::digest(java_encoded(&format!("{data}{timestamp}{CHECK_WORD}")).as_bytes());
        if asked.field("partnerID") != PARTNER || asked.field("msgDigest") != data_encoding::BASE64.encode(&digest) {
            return outer("A1006", "digest check failed", None);
        }
        let wanted: Value = serde_json::from_str(&data).unwrap_or_default();
        let numbers = wanted["trackingNumber"].as_array().cloned().unwrap_or_default();
        if wanted["trackingType"] != "1"
            || wanted["methodType"] != "1"
            || wanted["language"] != "1"
            || numbers.is_empty()
        {
            return outer("A1000", "", Some(refusal("8013", "no tracking number")));
        }
        if numbers.len() > 10 {
            return outer("A1000", "", Some(refusal("8003", "too many tracking numbers")));
        }
        let found = |number: &Value| *number == self.number() && wanted["checkPhoneNo"] == PHONE;
        let replies: Vec<Value> = numbers
            .iter()
            .map(|number| {
                let scans: &[Scan] = if found(number) { told } else { &[] };
                json!({ "mailNo": number, "routes": scans.iter().map(route).collect::<Vec<_>>() })
            })
            .collect();
        let inner =
            json!({ "success": true, "errorCode": "S0000", "errorMsg": null, "msgData": { "routeResps": replies } });
        outer("A1000", "", Some(inner))
    }
}

fn refusal(code: &str, message: &str) -> Value {
    json!({ "success": false, "errorCode": code, "errorMsg": message, "msgData": null })
}

fn outer(code: &str, message: &str, inner: Option<Value>) -> Said {
    Said::json(
        200,
        &json!({
            "apiErrorMsg": message,
            "apiResponseID": "00018F0000004711",
            "apiResultCode": code,
            "apiResultData": inner.map_or_else(String::new, |inner| inner.to_string()),
        }),
    )
}

fn route(scan: &Scan) -> Value {
    let (operation, first, second, place, text) = match scan.means {
        "collected_from_sender" => ("50", "1", "101", "Shenzhen", "Picked up"),
        "arrived" => ("31", "2", "201", "Shenzhen", "Arrived at the hub"),
        "departed" => ("36", "2", "201", "Shenzhen", "Left the hub"),
        "at_local_facility" => ("106", "2", "201", "Beijing", "Arrived at the branch"),
        "out_for_delivery" => ("44", "3", "301", "Beijing", "Delivering"),
        _ => ("80", "4", "401", "Beijing", "Signed"),
    };
    json!({
        "acceptTime": scan.local("Asia/Shanghai", "%Y-%m-%d %H:%M:%S"), "acceptAddress": place, "opCode": operation,
        "remark": text, "firstStatusCode": first, "secondaryStatusCode": second,
    })
}

/// As `java.net.URLEncoder` writes UTF-8.
fn java_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b' ' => "+".to_owned(),
            b'*' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
