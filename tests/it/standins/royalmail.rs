//! Royal Mail, "Tracking" v2, events operation: a GET for one piece, two keys and the accepted terms in headers.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct RoyalMail;

const CLIENT: &str = "7f1c0e52-4711-4c55-8d1a-5f2d9c000001";
const SECRET: &str = "fog-on-the-tyne";

impl StandIn for RoyalMail {
    fn code(&self) -> &'static str {
        "royalmail"
    }

    fn number(&self) -> &'static str {
        "WM000047113GB"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("client_id", CLIENT), ("client_secret", SECRET)]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "country": "GB" } })
    }

    fn life(&self) -> &'static [&'static str] {
        &[
            "label_created",
            "accepted",
            "arrived",
            "missorted",
            "at_local_facility",
            "out_for_delivery",
            "recipient_absent",
            "at_post_office",
            "delivered",
        ]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.header("X-IBM-Client-Id") != CLIENT || asked.header("X-IBM-Client-Secret") != SECRET {
            return refused(401, "Unauthorized", None);
        }
        let Some(piece) = asked.path.strip_prefix('/').and_then(|rest| rest.strip_suffix("/events")) else {
            return refused(500, "Internal Server Error", None);
        };
        if asked.header("X-Accept-RMG-Terms") != "yes" {
            return refused(400, "Bad Request", Some(("E0004", "Terms were not accepted")));
        }
        if asked.method != "GET" || ![9, 13, 21].contains(&piece.len()) {
            return refused(400, "Bad Request", Some(("E0013", "Invalid mail piece id")));
        }
        let (Some(newest), true) = (told.last(), piece == self.number()) else {
            return refused(404, "Not Found", Some(("E1142", "The barcode reference is not recognised")));
        };
        let last = event(newest);
        let events: Vec<Value> = told.iter().rev().map(event).collect();
        let summary = json!({
            "uniqueItemId": "090000000000000004711", "oneDBarcode": piece, "productName": "Tracked 24",
            "originCountryCode": "GBR", "destinationCountryCode": "GBR", "lastEventCode": last["eventCode"],
            "lastEventName": last["eventName"], "lastEventDateTime": last["eventDateTime"],
            "lastEventLocationName": "Leeds DO", "statusDescription": "Words", "statusCategory": "IN TRANSIT",
        });
        Said::json(
            200,
            &json!({ "mailPieces": {
                "mailPieceId": piece, "carrierShortName": "RM", "carrierFullName": "Royal Mail Group Ltd",
                "summary": summary, "events": events,
            } }),
        )
    }
}

fn refused(status: u16, message: &str, error: Option<(&str, &str)>) -> Said {
    let mut body = json!({ "httpCode": status.to_string(), "httpMessage": message, "moreInformation": message });
    if let Some((code, text)) = error {
        body["errors"] =
            json!([{ "errorCode": code, "errorDescription": text, "errorCause": "", "errorResolution": "" }]);
    }
    Said::json(status, &body)
}

fn event(scan: &Scan) -> Value {
    let (code, name) = match scan.means {
        "label_created" => ("EVAIP", "Sender preparing item"),
        "accepted" => ("EVPPA", "Accepted at Parcelshop"),
        "arrived" => ("EVIMC", "Item received"),
        "missorted" => ("EVNMI", "Item mis-sorted and forwarded"),
        "at_local_facility" => ("EVGID", "Arrived at delivery office"),
        "out_for_delivery" => ("EVGPD", "Due to be delivered today"),
        "recipient_absent" => ("EVXXX", "Delivery attempted, no answer"),
        "at_post_office" => ("EVXXY", "Ready for collection"),
        _ => ("EVKOP", "Delivered"),
    };
    let time = scan.local("Europe/London", "%Y-%m-%dT%H:%M:%S%:z");
    json!({ "eventCode": code, "eventName": name, "eventDateTime": time, "locationName": "Leeds DO" })
}
