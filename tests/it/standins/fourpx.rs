//! 4PX, FOP open platform: all methods at one address, an MD5 over the sorted parameters, the body and the secret.

use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct FourPx;

const KEY: &str = "8d7c6b5a-4711-4000-8000-00000000f0b0";
const SECRET: &str = "fop secret/with+signs";

impl StandIn for FourPx {
    fn code(&self) -> &'static str {
        "fourpx"
    }

    fn number(&self) -> &'static str {
        "4PX3000000004711CN"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("app_key", KEY), ("app_secret", SECRET)]
    }

    fn life(&self) -> &'static [&'static str] {
        &[
            "label_created",
            "collected_from_sender",
            "arrived",
            "departed",
            "customs_cleared",
            "at_local_facility",
            "out_for_delivery",
            "delivered",
        ]
    }

    fn zone(&self) -> &'static str {
        "Asia/Shanghai"
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.method != "POST" || asked.path != "/router/api/service" {
            return Said::text(404, "");
        }
        if asked.param("app_key") != KEY {
            return refused("1000001", "app_key does not exist");
        }
        if asked.param("sign") != signature(asked) {
            return refused("1000002", "sign error");
        }
        if asked.param("v") != "1.0.0"
            || asked.param("method") != "tr.order.tracking.get"
            || asked.param("format") != "json"
        {
            return refused("1000003", "no such method");
        }
        let number = asked.json()["deliveryOrderNo"].as_str().unwrap_or_default().to_owned();
        if number.is_empty()
            || !asked.header("content-type").starts_with("application/json")
            || !["en", "cn"].contains(&asked.param("language"))
        {
            return refused("1000004", "parameter error");
        }
        let told: &[Scan] = if number == self.number() { told } else { &[] };
        let rows: Vec<Value> = told.iter().rev().map(row).collect();
        Said::json(
            200,
            &json!({
                "result": "1", "msg": "System processing successful", "errors": [],
                "data": { "deliveryOrderNo": number, "destinationCountry": "FR", "trackingList": rows },
            }),
        )
    }
}

/// Of the common parameters without `sign`, `access_token` and `language`.
fn signature(asked: &Asked) -> String {
    let mut signed: Vec<&(String, String)> =
        asked.query.iter().filter(|(name, _)| !["sign", "access_token", "language"].contains(&name.as_str())).collect();
    signed.sort();
    let mut text: String = signed.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
    text += &asked.text();
    text += SECRET;
    data_encoding::HEXLOWER.encode(&Md5::digest(text.as_bytes()))
}

fn refused(code: &str, message: &str) -> Said {
    let errors = json!([{ "errorCode": code, "errorMsg": message }]);
    Said::json(200, &json!({ "result": "0", "msg": "System processing failed", "errors": errors, "data": null }))
}

fn row(scan: &Scan) -> Value {
    let (code, text, place) = match scan.means {
        "label_created" => ("FPX_L_RPIF", "Parcel information received", ""),
        "collected_from_sender" => ("FPX_C_SPQS", "Shipment picked up", "SHENZHEN"),
        "arrived" => ("FPX_C_AAF", "Parcel arrived at facility", "SHENZHEN"),
        "departed" => ("FPX_M_DFA", "Departed from the airport", "HONG KONG"),
        "customs_cleared" => ("FPX_I_RCUK", "Released from customs", "PARIS"),
        "at_local_facility" => ("FPX_D_STPP", "Arrived at the destination facility", "NANTES"),
        "out_for_delivery" => ("FPX_D_SD", "Out for delivery", "NANTES"),
        _ => ("FPX_S_OKGP", "Delivered", "NANTES"),
    };
    json!({
        "businessLinkCode": code, "occurDatetime": scan.local("Asia/Shanghai", "%Y-%m-%d %H:%M:%S"), "occurLocation": place,
        "trackingContent": text, "destinationCountry": "FR",
    })
}
