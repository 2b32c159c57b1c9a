//! J&T Express, Egypt: JSON in one field of a form, MD5 over it and the private key in a header.

use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct JtExpress;

const ACCOUNT: &str = "200000000000004711";
const KEY: &str = "private key+of/egypt";

impl StandIn for JtExpress {
    fn code(&self) -> &'static str {
        "jtexpress"
    }

    fn number(&self) -> &'static str {
        "JEG000000004711"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("api_account", ACCOUNT), ("private_key", KEY)]
    }

    fn environment(&self) -> &'static str {
        "egypt"
    }

    fn life(&self) -> &'static [&'static str] {
        &["collected_from_sender", "departed", "arrived", "out_for_delivery", "signed"]
    }

    fn zone(&self) -> &'static str {
        "Africa/Cairo"
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.method != "POST" || asked.path != "/webopenplatformapi/api/logistics/trace" {
            return Said::text(404, "404 page not found");
        }
        let content = asked.field("bizContent");
        let digest = data_encoding::BASE64.encode(&Md5::digest(format!("{content}{KEY}").as_bytes()));
        if asked.header("apiaccount") != ACCOUNT {
            return answer("900002", "apiAccount does not exist", &Value::Null);
        }
        if asked.header("timestamp").len() != 13 || asked.header("digest") != digest {
            return answer("900001", "headers signature failed", &Value::Null);
        }
        let wanted: Value = serde_json::from_str(&content).unwrap_or_default();
        let numbers: Vec<&str> =
            wanted["billCodes"].as_str().unwrap_or_default().split(',').filter(|one| !one.is_empty()).collect();
        if numbers.is_empty() || numbers.len() > 30 {
            return answer("900004", "Illegal parameters", &Value::Null);
        }
        let data: Vec<Value> = numbers
            .iter()
            .map(|number| {
                let told: &[Scan] = if *number == self.number() { told } else { &[] };
                json!({ "billCode": number, "details": told.iter().rev().map(detail).collect::<Vec<_>>() })
            })
            .collect();
        answer("1", "success", &json!(data))
    }
}

fn answer(code: &str, message: &str, data: &Value) -> Said {
    Said::json(200, &json!({ "code": code, "msg": message, "data": data }))
}

fn detail(scan: &Scan) -> Value {
    let (code, kind, text, city) = match scan.means {
        "collected_from_sender" => ("10", "Pickup scan", "Picked up", "Cairo"),
        "departed" => ("50", "Sending scan", "Left the hub", "Cairo"),
        "arrived" => ("92", "Arrival scan", "Arrived", "Giza"),
        "out_for_delivery" => ("94", "Delivery scan", "Out for delivery", "Giza"),
        _ => ("100", "Signing scan", "Signed", "Giza"),
    };
    json!({
        "scanTime": scan.local("Africa/Cairo", "%Y-%m-%d %H:%M:%S"), "desc": text, "scanType": kind, "scanTypeCode": code,
        "scanNetworkName": format!("{city} DC"), "scanNetworkCity": city, "scanNetworkProvince": city, "otp": "1111",
    })
}
