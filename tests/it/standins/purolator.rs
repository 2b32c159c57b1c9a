//! Purolator, E-Ship web services: `TrackPackagesByPin` over SOAP, Basic and a user token, local times of depots.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct Purolator;

const KEY: &str = "a1b2c3d4e5";
const PASSWORD: &str = "pass:word";
const TOKEN: &str = "user<token>&47";
const PIN: &str = "329014521622";
const DATATYPES: &str = "http://purolator.com/pws/datatypes/v1";

impl StandIn for Purolator {
    fn code(&self) -> &'static str {
        "purolator"
    }

    fn number(&self) -> &'static str {
        PIN
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("key", KEY), ("password", PASSWORD), ("user_token", TOKEN)]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "country": "CA" }, "locale": "fr" })
    }

    fn life(&self) -> &'static [&'static str] {
        &["label_created", "collected_from_sender", "arrived", "out_for_delivery", "signed"]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if !asked.basic(KEY, PASSWORD) {
            return Said::text(401, "Unauthorized");
        }
        if asked.method != "POST" || asked.path != "/PWS/V1/Tracking/TrackingService.asmx" {
            return Said::text(404, "Not Found");
        }
        let action = asked.header("soapaction").trim_matches('"');
        if action != "http://purolator.com/pws/service/v1/TrackPackagesByPin"
            || !asked.header("content-type").starts_with("text/xml")
        {
            return fault("No such operation", "");
        }
        if asked.element("UserToken") != TOKEN {
            return fault("Authentication failed: the user token is not known", "");
        }
        let numbers = pins(&asked.text());
        if asked.element("Version") != "1.2"
            || !["en", "fr"].contains(&asked.element("Language").as_str())
            || numbers.is_empty()
        {
            return fault("Validation failed", "<detail><ValidationFault/></detail>");
        }
        let infos: String = numbers.iter().map(|number| information(number, told)).collect();
        Said::xml(
            200,
            envelope(&format!(
                "<TrackPackagesByPinResponse xmlns=\"{DATATYPES}\" xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\">\
                 <ResponseInformation><Errors/><InformationalMessages i:nil=\"true\"/></ResponseInformation>\
                 <TrackingInformationList>{infos}</TrackingInformationList></TrackPackagesByPinResponse>",
            )),
        )
    }
}

/// The PINs that are asked, each in its own element of the service's namespace.
fn pins(text: &str) -> Vec<String> {
    let Ok(document) = roxmltree::Document::parse(text.trim_start()) else { return Vec::new() };
    let values = document.descendants().filter(|node| {
        node.has_tag_name((DATATYPES, "Value")) && node.parent().is_some_and(|pin| pin.has_tag_name((DATATYPES, "PIN")))
    });
    values.filter_map(|node| node.text().map(str::to_owned)).collect()
}

fn envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>{body}</s:Body></s:Envelope>",
    )
}

fn fault(words: &str, detail: &str) -> Said {
    let fault = format!("<s:Fault><faultcode>s:Client</faultcode><faultstring>{words}</faultstring>{detail}</s:Fault>");
    Said::xml(500, envelope(&fault))
}

fn information(number: &str, told: &[Scan]) -> String {
    let scans: String = if number == PIN { told.iter().rev().map(scan_element).collect() } else { String::new() };
    format!(
        "<TrackingInformation><PIN><Value>{number}</Value></PIN><Scans>{scans}</Scans><ResponseInformation i:nil=\"true\"/></TrackingInformation>",
    )
}

fn scan_element(scan: &Scan) -> String {
    let (kind, words, depot, zone, details) = match scan.means {
        "label_created" => ("Other", "Electronic information received", "CALGARY, AB", "America/Edmonton", ""),
        "collected_from_sender" => {
            let details = "<CommitedDeliveryDate>2026-03-12</CommitedDeliveryDate>";
            ("ProofOfPickUp", "Picked up by Purolator", "CALGARY, AB", "America/Edmonton", details)
        }
        "arrived" => ("Other", "Arrived at sort facility", "MONTREAL SORT CTR/CTR TRIE, PQ", "America/Toronto", ""),
        "out_for_delivery" => ("OnDelivery", "On vehicle for delivery", "OTTAWA, ON", "America/Toronto", ""),
        _ => (
            "Delivery",
            "Shipment delivered",
            "OTTAWA, ON",
            "America/Toronto",
            "<DeliverySignature>J SAMPLE</DeliverySignature>",
        ),
    };
    // Leading zeros of the hour may be missing.
    let (date, time) = (scan.local(zone, "%Y-%m-%d"), scan.local(zone, "%H%M%S"));
    let time = time.parse::<u32>().unwrap();
    format!(
        "<Scan i:type=\"{kind}Scan\"><ScanType>{kind}</ScanType><PIN><Value>{PIN}</Value></PIN><Depot><Name>{depot}</Name></Depot>\
         <ScanDate>{date}</ScanDate><ScanTime>{time}</ScanTime><Description>{words}</Description><Comment/>\
         <SummaryScanIndicator>false</SummaryScanIndicator><ScanDetails>{details}</ScanDetails></Scan>",
    )
}
