//! Canpar, trackByBarcodeV2: SOAP 1.2 without credentials; all pieces of a shipment come, the newest event first.

use roxmltree::Document;

use super::{Asked, Said, Scan, StandIn};

pub struct Canpar;

const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";
const SERVICE: &str = "http://ws.onlinerating.canshipws.canpar.com";
const TYPES: &str = "http://ws.dto.canshipws.canpar.com/xsd";

impl StandIn for Canpar {
    fn code(&self) -> &'static str {
        "canpar"
    }

    fn number(&self) -> &'static str {
        "D420000000000004711002"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn life(&self) -> &'static [&'static str] {
        &["collected_from_sender", "arrived", "out_for_delivery", "delivered"]
    }

    fn zone(&self) -> &'static str {
        "America/Edmonton"
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.path != "/canshipws/services/CanparAddonsService.CanparAddonsServiceHttpSoap12Endpoint/" {
            return Said::text(404, "<html><body>Not Found</body></html>");
        }
        let soap = asked.header("content-type").starts_with("application/soap+xml");
        if asked.method != "POST" || !soap || asked.header("soapaction") != "urn:trackByBarcodeV2" {
            return fault("The endpoint reference (EPR) for the operation was not found");
        }
        let text = asked.text();
        let Ok(document) = Document::parse(text.trim_start()) else { return fault("Not well formed") };
        let find = |space: &str, name: &str| document.descendants().find(|node| node.has_tag_name((space, name)));
        if find(SOAP, "Body").is_none() || find(SERVICE, "trackByBarcodeV2").is_none() {
            return fault("Unexpected element in the body");
        }
        let value = |name: &str| find(TYPES, name).and_then(|node| node.text()).unwrap_or_default();
        if find(SERVICE, "request").is_none() || value("track_shipment") != "true" {
            return fault("Unexpected subelement request");
        }
        let results = if value("barcode") == self.number() && !told.is_empty() {
            // The other piece of the shipment was only collected.
            result("D420000000000004711001", &told[..1]) + &result(self.number(), told)
        } else {
            String::new()
        };
        envelope(
            200,
            &format!(
                "<ns:trackByBarcodeV2Response xmlns:ns=\"{SERVICE}\" xmlns:ax21=\"{TYPES}\" \
                 xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><ns:return><ax21:error xsi:nil=\"true\"/>\
                 {results}</ns:return></ns:trackByBarcodeV2Response>"
            ),
        )
    }
}

fn envelope(status: u16, inner: &str) -> Said {
    Said::xml(
        status,
        format!("<soapenv:Envelope xmlns:soapenv=\"{SOAP}\"><soapenv:Body>{inner}</soapenv:Body></soapenv:Envelope>"),
    )
}

fn fault(text: &str) -> Said {
    envelope(
        500,
        &format!(
            "<soapenv:Fault><soapenv:Code><soapenv:Value>soapenv:Sender</soapenv:Value></soapenv:Code><soapenv:Reason>\
             <soapenv:Text xml:lang=\"en-US\">{text}</soapenv:Text></soapenv:Reason></soapenv:Fault>"
        ),
    )
}

fn result(barcode: &str, told: &[Scan]) -> String {
    let delivered = told.iter().any(|scan| scan.means == "delivered");
    let events: String = told.iter().rev().map(event).collect();
    format!(
        "<ax21:result><ax21:barcode>{barcode}</ax21:barcode><ax21:delivered>{delivered}</ax21:delivered>\
         <ax21:service_description_en>GROUND</ax21:service_description_en><ax21:signature xsi:nil=\"true\"/>{events}</ax21:result>"
    )
}

fn event(scan: &Scan) -> String {
    let (code, label) = match scan.means {
        "collected_from_sender" => ("PIC", "PICKED UP FROM SHIPPER"),
        "arrived" => ("ARR", "ARRIVED AT HUB"),
        "out_for_delivery" => ("WCD", "OUT FOR DELIVERY"),
        _ => ("DEL", "DELIVERED"),
    };
    let time = scan.local("America/Edmonton", "%Y%m%d %H%M%S");
    format!(
        "<ax21:events><ax21:code>{code}</ax21:code><ax21:code_description_en>{label}</ax21:code_description_en>\
         <ax21:comment/><ax21:local_date_time>{time}</ax21:local_date_time><ax21:address><ax21:city>CALGARY</ax21:city>\
         <ax21:province>AB</ax21:province><ax21:country>CA</ax21:country></ax21:address></ax21:events>"
    )
}
