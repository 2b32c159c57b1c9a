//! Canada Post, tracking details: a GET for one PIN, Basic, XML, times with the name of their zone.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct CanadaPost;

const USER: &str = "6e93d53968881714";
const PASSWORD: &str = "0bfa9fcb9853d1f51ee57a";
const PIN: &str = "7023210039414604";

impl StandIn for CanadaPost {
    fn code(&self) -> &'static str {
        "canadapost"
    }

    fn number(&self) -> &'static str {
        PIN
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("username", USER), ("password", PASSWORD)]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "postcode": "K1A 0B1", "country": "CA" }, "locale": "fr" })
    }

    fn life(&self) -> &'static [&'static str] {
        &["label_created", "accepted", "arrived", "out_for_delivery", "delivered", "signed"]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.header("accept") != "application/vnd.cpc.track-v2+xml" {
            return message(406, "Server", "Not acceptable");
        }
        if !asked.basic(USER, PASSWORD) {
            return message(401, "E002", "AAA Authentication Failure");
        }
        if !["en-CA", "fr-CA"].contains(&asked.header("accept-language")) {
            return message(400, "9999", "No such language");
        }
        let pin = asked.path.strip_prefix("/vis/track/pin/").and_then(|rest| rest.strip_suffix("/detail"));
        match pin {
            Some(PIN) if asked.method == "GET" && !told.is_empty() => {}
            Some(_) if asked.method == "GET" => return message(404, "004", "No Pin History"),
            _ => return Said::text(404, "Not Found"),
        }
        let signed = told.last().is_some_and(|scan| scan.means == "signed");
        let occurrences: String = told.iter().rev().map(occurrence).collect();
        Said::xml(
            200,
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><tracking-detail xmlns=\"http://www.canadapost.ca/ws/track\"><pin>{PIN}</pin>\
                 <active-exists>1</active-exists><archive-exists/><changed-expected-date/><destination-postal-id>K1A0B1</destination-postal-id>\
                 <duplicate-flag-ind/><expected-delivery-date>2026-03-12</expected-delivery-date><changed-expected-delivery-reason/>\
                 <mailed-by-customer-number>0001234567</mailed-by-customer-number><original-pin/><service-name>Expedited Parcels</service-name>\
                 <service-name-2>Colis acceleres</service-name-2><customer-ref-1>PO-4711</customer-ref-1><return-pin/>\
                 <signature-image-exists>{signed}</signature-image-exists><suppress-signature>false</suppress-signature><delivery-options/>\
                 <significant-events>{occurrences}</significant-events></tracking-detail>",
            ),
        )
    }
}

fn message(status: u16, code: &str, words: &str) -> Said {
    Said::xml(
        status,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><messages xmlns=\"http://www.canadapost.ca/ws/messages\">\
             <message><code>{code}</code><description>{words}</description></message></messages>",
        ),
    )
}

fn occurrence(scan: &Scan) -> String {
    let (code, words, site, province, zone) = match scan.means {
        "label_created" => ("3000", "Electronic information submitted by shipper", "HALIFAX", "NS", "America/Halifax"),
        "accepted" => ("0100", "Item processed", "HALIFAX", "NS", "America/Halifax"),
        "arrived" => ("0100", "Item processed", "MISSISSAUGA", "ON", "America/Toronto"),
        "out_for_delivery" => ("0174", "Item out for delivery", "OTTAWA", "ON", "America/Toronto"),
        "delivered" => ("1496", "Item successfully delivered", "OTTAWA", "ON", "America/Toronto"),
        _ => ("20", "Signature image recorded for Online viewing", "OTTAWA", "ON", "America/Toronto"),
    };
    let (date, time, abbreviation) =
        (scan.local(zone, "%Y-%m-%d"), scan.local(zone, "%H:%M:%S"), scan.local(zone, "%Z"));
    format!(
        "<occurrence><event-identifier>{code}</event-identifier><event-date>{date}</event-date><event-time>{time}</event-time>\
         <event-time-zone>{abbreviation}</event-time-zone><event-description>{words}</event-description><signatory-name/>\
         <event-site>{site}</event-site><event-province>{province}</event-province><event-retail-location-id/><event-retail-name/></occurrence>",
    )
}
