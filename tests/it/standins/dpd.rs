//! DPD France, `WebTrace`: SOAP, the user in the header of the envelope, the contract in the body, faults under HTTP 500,
//! days and hours apart on the clocks of Paris, the newest trace first.

use roxmltree::{Document, Node};

use super::{Asked, Said, Scan, StandIn};

pub struct Dpd;

const SPACE: &str = "http://www.cargonet.software/";
const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const USER: &str = "quai-7";
const PASSWORD: &str = "pluie & <vent>";
const CENTER: &str = "069";
const CUSTOMER: &str = "40711";

impl StandIn for Dpd {
    fn code(&self) -> &'static str {
        "dpd"
    }

    fn number(&self) -> &'static str {
        "250069000047110"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("userid", USER), ("password", PASSWORD), ("centernumber", CENTER), ("customer", CUSTOMER)]
    }

    fn life(&self) -> &'static [&'static str] {
        &[
            "label_created",
            "departed",
            "arrived",
            "out_for_delivery",
            "recipient_absent",
            "at_pickup_point",
            "pickup_reminder",
            "delivered",
        ]
    }

    fn zone(&self) -> &'static str {
        "Europe/Paris"
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.path != "/trace-service/Webtrace_Service.asmx" {
            return Said::text(404, "<html><body>The resource cannot be found.</body></html>");
        }
        if asked.method != "POST" || !asked.header("content-type").starts_with("text/xml") {
            return fault("Request format is unrecognized.");
        }
        if asked.header("soapaction").trim_matches('"') != format!("{SPACE}GetShipmentTraceSingle") {
            return fault("Server did not recognize the value of HTTP Header SOAPAction.");
        }
        let text = asked.text();
        let Ok(document) = Document::parse(text.trim_start()) else { return fault("The XML cannot be read.") };
        let root = document.root_element();
        let user = under(root, SOAP, "Header").and_then(|header| under(header, SPACE, "UserCredentials"));
        let said = |name| user.and_then(|user| under(user, SPACE, name)).and_then(|node| node.text());
        if said("userid") != Some(USER) || said("password") != Some(PASSWORD) {
            return fault("No permission for this ip-Address");
        }
        let request = under(root, SOAP, "Body")
            .and_then(|body| under(body, SPACE, "GetShipmentTraceSingle"))
            .and_then(|operation| under(operation, SPACE, "request"));
        let Some(request) = request else { return fault("There is an error in XML document.") };
        let field = |name| under(request, SPACE, name).and_then(|node| node.text()).unwrap_or_default();
        let customer = under(request, SPACE, "Customer");
        let contract = |name| customer.and_then(|node| under(node, SPACE, name)).and_then(|node| node.text());
        if (contract("countrycode"), contract("centernumber"), contract("number"))
            != (Some("250"), Some(CENTER), Some(CUSTOMER))
        {
            return fault("No permission for this customer");
        }
        if !["FR", "EN"].contains(&field("Language")) || !["true", "false"].contains(&field("GetImages")) {
            return fault("Input string was not in a correct format.");
        }
        let number = field("ShipmentNumber");
        let rows: String =
            told.iter().rev().filter(|_| number == self.number()).map(|scan| trace(scan, self)).collect();
        let traces = if rows.is_empty() { "<Traces />".to_owned() } else { format!("<Traces>{rows}</Traces>") };
        envelope(
            200,
            &format!(
                "<GetShipmentTraceSingleResponse xmlns=\"{SPACE}\"><GetShipmentTraceSingleResult>\
                 <ShipmentNumber>{number}</ShipmentNumber><DestinationCountry>F</DestinationCountry>\
                 <DestinationZipcode>69007</DestinationZipcode><Weight>1.2</Weight><Reference>SO-4711</Reference>{traces}\
                 </GetShipmentTraceSingleResult></GetShipmentTraceSingleResponse>"
            ),
        )
    }
}

fn under<'a>(node: Node<'a, 'a>, space: &str, name: &str) -> Option<Node<'a, 'a>> {
    node.children().find(|child| child.has_tag_name((space, name)))
}

fn envelope(status: u16, inner: &str) -> Said {
    Said::xml(
        status,
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope xmlns:soap=\"{SOAP}\"><soap:Body>{inner}\
             </soap:Body></soap:Envelope>"
        ),
    )
}

fn fault(text: &str) -> Said {
    envelope(
        500,
        &format!("<soap:Fault><faultcode>soap:Server</faultcode><faultstring>{text}</faultstring></soap:Fault>"),
    )
}

fn trace(scan: &Scan, of: &Dpd) -> String {
    let (number, text, center) = match scan.means {
        "label_created" => (8, "Données reçues", ""),
        "departed" => (10, "Colis parti", "PARIS"),
        "arrived" => (20, "Colis arrivé", "LYON"),
        "out_for_delivery" => (30, "En tournée de livraison", "LYON"),
        "recipient_absent" => (130, "Destinataire absent", "LYON"),
        "at_pickup_point" => (71, "Déposé au relais", "LYON"),
        "pickup_reminder" => (451, "Relance envoyée", "LYON"),
        _ => (400, "Remis au destinataire", "LYON"),
    };
    let (day, hour) = (scan.local(of.zone(), "%d/%m/%Y"), scan.local(of.zone(), "%H:%M"));
    format!(
        "<clsTrace><ScanDate>{day}</ScanDate><ScanTime>{hour}</ScanTime><StatusNumber>{number}</StatusNumber>\
         <StatusDescription>{text}</StatusDescription><CenterName>{center}</CenterName><CenterNumber>069</CenterNumber>\
         </clsTrace>"
    )
}
