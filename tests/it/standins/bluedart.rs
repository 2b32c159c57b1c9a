//! Blue Dart's servlet: a GET with the credentials in the query, XML, days with English months, errors under HTTP 200.

use super::{Asked, Said, Scan, StandIn};

pub struct BlueDart;

const LOGIN: &str = "BOM04711";
const LICENCE: &str = "licence/4711+key";

impl StandIn for BlueDart {
    fn code(&self) -> &'static str {
        "bluedart"
    }

    fn number(&self) -> &'static str {
        "69000004711"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("login_id", LOGIN), ("licence_key", LICENCE)]
    }

    fn life(&self) -> &'static [&'static str] {
        &[
            "collected_from_sender",
            "arrived",
            "departed",
            "at_local_facility",
            "out_for_delivery",
            "business_closed",
            "delivered",
        ]
    }

    fn zone(&self) -> &'static str {
        "Asia/Kolkata"
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.method != "GET" || asked.path != "/servlet/RoutingServlet" {
            return Said::text(404, "<html><body>Error 404</body></html>");
        }
        if asked.param("loginid") != LOGIN || asked.param("lickey") != LICENCE {
            return Said::xml(
                200,
                "<?xml version=\"1.0\"?><ShipmentData><Error>Invalid login id or licence key</Error></ShipmentData>",
            );
        }
        let fixed = [
            ("handler", "tnt"),
            ("action", "custawbquery"),
            ("awb", "awb"),
            ("format", "xml"),
            ("verno", "1.3"),
            ("scan", "1"),
        ];
        let numbers: Vec<&str> = asked.param("numbers").split(',').filter(|number| !number.is_empty()).collect();
        if fixed.iter().any(|(name, value)| asked.param(name) != *value) || numbers.is_empty() || numbers.len() > 20 {
            return Said::xml(200, "<?xml version=\"1.0\"?><ShipmentData><Error>Bad parameters</Error></ShipmentData>");
        }
        let shipments: String = numbers.iter().map(|number| self.shipment(number, told)).collect();
        Said::xml(200, format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ShipmentData>{shipments}</ShipmentData>"))
    }
}

impl BlueDart {
    fn shipment(&self, number: &str, told: &[Scan]) -> String {
        let last = told.last().filter(|_| number == self.number());
        let Some(last) = last else {
            return format!(
                "<Shipment WaybillNo=\"{number}\" RefNo=\"\"><Status>Incorrect Waybill number or No Information</Status>\
                 <StatusType>NF</StatusType></Shipment>",
            );
        };
        let scans: String = told.iter().rev().map(scan_detail).collect();
        let (_, _, kind, text) = words(last.means);
        format!(
            "<Shipment WaybillNo=\"{number}\" RefNo=\"PO-4711\"><Service>Apex</Service><Origin>MUMBAI</Origin>\
             <Destination>DELHI</Destination><Status>{text}</Status><StatusType>{kind}</StatusType>\
             <StatusDate>{}</StatusDate><StatusTime>{}</StatusTime><Scans>{scans}</Scans></Shipment>",
            last.local("Asia/Kolkata", "%d %B %Y"),
            last.local("Asia/Kolkata", "%H:%M"),
        )
    }
}

fn words(means: &str) -> (&'static str, &'static str, &'static str, &'static str) {
    match means {
        "collected_from_sender" => ("S", "015", "PU", "Shipment picked up"),
        "arrived" => ("S", "001", "IT", "Shipment arrived"),
        "departed" => ("S", "003", "IT", "Shipment departed"),
        "at_local_facility" => ("S", "027", "IT", "Arrived at the delivery location"),
        "out_for_delivery" => ("S", "002", "UD", "Shipment outscan"),
        "business_closed" => ("T", "003", "UD", "Office closed"),
        _ => ("T", "000", "DL", "Shipment delivered"),
    }
}

fn scan_detail(scan: &Scan) -> String {
    let (group, code, kind, text) = words(scan.means);
    format!(
        "<ScanDetail><Scan>{text}</Scan><ScanCode>{code}</ScanCode><ScanType>{kind}</ScanType><ScanGroupType>{group}</ScanGroupType>\
         <ScanDate>{}</ScanDate><ScanTime>{}</ScanTime><ScannedLocation>Delhi South</ScannedLocation></ScanDetail>",
        scan.local("Asia/Kolkata", "%d-%b-%Y"),
        scan.local("Asia/Kolkata", "%H:%M"),
    )
}
