//! Asendia USA, milestones: a GET for numbers in one parameter, a key and Basic together, the newest milestone first. An
//! unknown number is left out; a refusal has its own code in the body.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct AsendiaUs;

const KEY: &str = "one-4711-key";
const USER: &str = "mailroom";
const PASSWORD: &str = "prairie:wind";

impl StandIn for AsendiaUs {
    fn code(&self) -> &'static str {
        "asendia_us"
    }

    fn number(&self) -> &'static str {
        "471100000047"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("api_key", KEY), ("user", USER), ("password", PASSWORD)]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "country": "CA" } })
    }

    fn life(&self) -> &'static [&'static str] {
        &["order_processed", "accepted", "departed", "customs_cleared", "at_local_facility", "delivered"]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.path != "/api/A1/v2.0/Tracking/Milestone" || asked.method != "GET" {
            return Said::text(404, "<html><body>Not Found</body></html>");
        }
        if asked.header("x-asendiaone-apikey") != KEY || !asked.basic(USER, PASSWORD) {
            return Said::json(401, &json!({ "responseStatusCode": 401, "responseStatusMessage": "Unauthorized" }));
        }
        let known = asked.param("trackingNumberVendor").split(',').any(|number| number == self.number());
        let events: Vec<Value> = told.iter().rev().map(milestone).collect();
        let data = if known && !events.is_empty() {
            json!([{
                "trackingNumberVendor": self.number(), "customerReferenceNumber": "PO-4711",
                "trackingMilestoneEvents": events,
            }])
        } else {
            json!([])
        };
        let status = json!({ "responseStatusCode": 200, "responseStatusMessage": "OK" });
        Said::json(200, &json!({ "data": data, "responseStatus": status }))
    }
}

fn milestone(scan: &Scan) -> Value {
    let (code, text, place, zone) = match scan.means {
        "order_processed" => ("s1", "Information received", "Bensenville, IL, US", "America/Chicago"),
        "accepted" => ("s2a", "Processed", "Bensenville, IL, US", "America/Chicago"),
        "departed" => ("s4", "Departed origin country", "Chicago, IL, US", "America/Chicago"),
        "customs_cleared" => ("s7", "Out of customs", "Toronto, CA", "America/Toronto"),
        "at_local_facility" => ("s8", "Arrived at delivery office", "Toronto, CA", "America/Toronto"),
        _ => ("s10", "Delivered", "Toronto, CA", "America/Toronto"),
    };
    json!({
        "eventCode": code, "eventDescription": text, "eventLocation": place,
        "eventOn": scan.local(zone, "%Y-%m-%dT%H:%M:%S%:z"),
    })
}
