//! `OnTrac`, account web service V7: a GET with the password in the query, XML, errors as words under HTTP 200.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct OnTrac;

const ACCOUNT: &str = "4711";
const PASSWORD: &str = "quiet & harbour?";
const NUMBER: &str = "D10010466126749";

impl StandIn for OnTrac {
    fn code(&self) -> &'static str {
        "ontrac"
    }

    fn number(&self) -> &'static str {
        NUMBER
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("account", ACCOUNT), ("password", PASSWORD)]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "postcode": "85034", "country": "US" } })
    }

    fn life(&self) -> &'static [&'static str] {
        &["label_created", "collected_from_sender", "arrived", "at_local_facility", "out_for_delivery", "delivered"]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.method != "GET" || asked.path != format!("/V7/{ACCOUNT}/shipments") {
            return Said::text(404, "Not Found");
        }
        if asked.param("pw") != PASSWORD {
            return result("", "Invalid Username or Password");
        }
        let numbers: Vec<&str> = asked.param("tn").split(',').filter(|number| !number.is_empty()).collect();
        if asked.param("requestType") != "track" || numbers.is_empty() {
            return result("", "Invalid Tracking String");
        }
        result(&numbers.iter().map(|number| shipment(number, told)).collect::<String>(), "")
    }
}

fn result(shipments: &str, error: &str) -> Said {
    Said::xml(
        200,
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><OnTracTrackingResult><Shipments>{shipments}</Shipments>\
             <Note>Results provided</Note><Error>{error}</Error></OnTracTrackingResult>",
        ),
    )
}

fn shipment(number: &str, told: &[Scan]) -> String {
    if number != NUMBER || told.is_empty() {
        return format!(
            "<Shipment><Events/><Tracking>{number}</Tracking><Error>Invalid Tracking Number</Error></Shipment>"
        );
    }
    let events: String = told.iter().rev().map(event).collect();
    let delivered = told.last().is_some_and(|scan| scan.means == "delivered");
    format!(
        "<Shipment><Events>{events}</Events><Tracking>{NUMBER}</Tracking><Exp_Del_Date>2026-03-12T00:00:00</Exp_Del_Date>\
         <ShipDate>2026-03-10T00:00:00</ShipDate><Delivered>{delivered}</Delivered><Name>SAMPLE</Name><City>PHOENIX</City>\
         <State>AZ</State><Zip>85034</Zip><Service>C</Service><POD/><Error/><Reference>PO-4711</Reference><Weight>3</Weight></Shipment>",
    )
}

fn event(scan: &Scan) -> String {
    let (code, words, city, state, zip, zone) = match scan.means {
        "label_created" => ("XX", "DATA ENTRY", "COMMERCE", "CA", "90040", "America/Los_Angeles"),
        "collected_from_sender" => ("PU", "PACKAGE PICKUP", "COMMERCE", "CA", "90040", "America/Los_Angeles"),
        "arrived" => ("RD", "RECEIVED AT FACILITY", "SALT LAKE CITY", "UT", "84101", "America/Denver"),
        "at_local_facility" => ("PS", "PACKAGE SCANNED AT FACILITY", "PHOENIX", "AZ", "85034", "America/Phoenix"),
        "out_for_delivery" => ("OD", "OUT FOR DELIVERY", "PHOENIX", "AZ", "85034", "America/Phoenix"),
        _ => ("OK", "DELIVERED", "PHOENIX", "AZ", "85034", "America/Phoenix"),
    };
    let time = scan.local(zone, "%Y-%m-%dT%H:%M:%S.500");
    format!(
        "<Event><Status>{code}</Status><Description>{words}</Description><EventTime>{time}</EventTime><Facility>{city}</Facility>\
         <City>{city}</City><State>{state}</State><Zip>{zip}</Zip></Event>",
    )
}
