//! TNT, ExpressConnect Tracking 3.1: an XML document in the form field `xml_in`, Basic; an unknown number has a summary
//! code of its own.

use roxmltree::Document;

use super::{Asked, Said, Scan, StandIn};

pub struct Tnt;

const USER: &str = "BOUTIQUE_T";
const PASSWORD: &str = "quiet harbour";

impl StandIn for Tnt {
    fn code(&self) -> &'static str {
        "tnt"
    }

    fn number(&self) -> &'static str {
        "555004711"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("user", USER), ("password", PASSWORD), ("country", "NL")]
    }

    fn life(&self) -> &'static [&'static str] {
        &["arrived", "out_for_delivery", "delivered"]
    }

    fn zone(&self) -> &'static str {
        "Europe/Paris"
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.path != "/ectrack/track" || asked.method != "POST" {
            return Said::text(404, "<html><body>Not Found</body></html>");
        }
        if !asked.basic(USER, PASSWORD) {
            return Said::xml(
                401,
                "<TrackResponse><Error><Code>9000</Code><Message>Unauthorized Access</Message></Error></TrackResponse>",
            );
        }
        let text = asked.field("xml_in");
        let Ok(document) = Document::parse(&text) else { return Said::xml(200, "<parse_error/>") };
        let numbers = match numbers(&document) {
            Ok(numbers) => numbers,
            Err(broken) => {
                return Said::xml(
                    200,
                    format!(
                        "<TrackResponse><ErrorStructure><brokenRules><messageText>{broken}</messageText></brokenRules></ErrorStructure></TrackResponse>"
                    ),
                );
            }
        };
        let found: String = numbers.iter().map(|number| self.consignment(number, told)).collect();
        Said::xml(200, format!("<?xml version=\"1.0\"?><TrackResponse>{found}</TrackResponse>"))
    }
}

/// What is asked, or the rule that is broken.
fn numbers(document: &Document<'_>) -> Result<Vec<String>, &'static str> {
    let root = document.root_element();
    let find = |name: &str| document.descendants().find(|node| node.has_tag_name(name));
    if !root.has_tag_name("TrackRequest") || root.attribute("version") != Some("3.1") {
        return Err("version is not supported");
    }
    if root.attribute("locale") != Some("en_US") {
        return Err("locale is not supported");
    }
    let criteria = find("SearchCriteria").ok_or("SearchCriteria is mandatory")?;
    if !matches!(criteria.attribute("marketType"), Some("INTERNATIONAL" | "DOMESTIC")) {
        return Err("marketType is mandatory");
    }
    if criteria.attribute("originCountry") != Some("NL") {
        return Err("originCountry is not that of the account");
    }
    let detail = find("LevelOfDetail").and_then(|node| node.children().find(|child| child.has_tag_name("Complete")));
    let wanted = |name| detail.and_then(|node| node.attribute(name)) == Some("true");
    if !(wanted("originAddress") && wanted("destinationAddress")) {
        return Err("LevelOfDetail is mandatory");
    }
    let asked = criteria.children().filter(|node| node.has_tag_name("ConsignmentNumber"));
    Ok(asked.map(|node| node.text().unwrap_or_default().to_owned()).collect())
}

impl Tnt {
    fn consignment(&self, number: &str, told: &[Scan]) -> String {
        if number != self.number() || told.is_empty() {
            return format!(
                "<Consignment><ConsignmentNumber>{number}</ConsignmentNumber><SummaryCode>CNF</SummaryCode></Consignment>"
            );
        }
        let summary = if told.iter().any(|scan| scan.means == "delivered") { "DEL" } else { "INT" };
        let scans: String = told.iter().rev().map(status).collect();
        format!(
            "<Consignment access=\"full\"><ConsignmentNumber>{number}</ConsignmentNumber><SummaryCode>{summary}</SummaryCode>\
             <DestinationCountry><CountryCode>FR</CountryCode></DestinationCountry>\
             <OriginCountry><CountryCode>NL</CountryCode></OriginCountry><PieceQuantity>1</PieceQuantity>{scans}</Consignment>"
        )
    }
}

fn status(scan: &Scan) -> String {
    let (code, label) = match scan.means {
        "arrived" => ("IR", "Received At Tnt Location"),
        "out_for_delivery" => ("OD", "Out For Delivery"),
        _ => ("OK", "Delivered"),
    };
    let (date, time) = (scan.local("Europe/Paris", "%Y%m%d"), scan.local("Europe/Paris", "%H%M"));
    format!(
        "<StatusData><StatusCode>{code}</StatusCode><StatusDescription>{label}</StatusDescription>\
         <LocalEventDate format=\"YYYYMMDD\">{date}</LocalEventDate><LocalEventTime format=\"HHMM\">{time}</LocalEventTime>\
         <Depot>LYS</Depot><DepotName>Lyon</DepotName></StatusData>"
    )
}
