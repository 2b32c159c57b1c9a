//! Chronopost, trackSkybillV2: SOAP without credentials, French or English, an unknown number is an answer without
//! events.

use super::{Asked, Said, Scan, StandIn};

pub struct Chronopost;

const SPACE: &str = "http://cxf.tracking.soap.chronopost.fr/";
const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";

impl StandIn for Chronopost {
    fn code(&self) -> &'static str {
        "chronopost"
    }

    fn number(&self) -> &'static str {
        "XY900000019JB"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn life(&self) -> &'static [&'static str] {
        &["label_created", "accepted", "in_transit", "out_for_delivery", "delivered"]
    }

    fn zone(&self) -> &'static str {
        "Europe/Paris"
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.path != "/tracking-cxf/TrackingServiceWS" {
            return Said::text(404, "<html><body>Not Found</body></html>");
        }
        if asked.method != "POST" || !asked.header("content-type").starts_with("text/xml") {
            return fault("soap:Client", "Only SOAP 1.1 by POST is understood");
        }
        let (language, number) = match read(&asked.text()) {
            Ok(found) => found,
            Err(problem) => return fault("soap:Client", &problem),
        };
        if !["fr_FR", "en_GB"].contains(&language.as_str()) {
            return returned("<errorCode>3</errorCode><errorMessage>Invalid language</errorMessage>");
        }
        let known = number == self.number();
        let events: String = told.iter().filter(|_| known).map(|scan| event(scan, language == "fr_FR")).collect();
        returned(&format!(
            "<errorCode>0</errorCode><listEventInfoComp>{events}<skybillNumber>{number}</skybillNumber></listEventInfoComp>"
        ))
    }
}

/// Language and number; the operation's children have no namespace and there are no others.
fn read(text: &str) -> Result<(String, String), String> {
    let document = roxmltree::Document::parse(text.trim_start()).map_err(|error| error.to_string())?;
    let operation = document
        .descendants()
        .find(|node| node.has_tag_name((SPACE, "trackSkybillV2")))
        .ok_or("no operation trackSkybillV2 in this namespace")?;
    if !operation.parent().is_some_and(|parent| parent.has_tag_name((SOAP, "Body"))) {
        return Err("the operation stands in the body of a SOAP envelope".to_owned());
    }
    let mut found = (String::new(), String::new());
    for node in operation.children().filter(roxmltree::Node::is_element) {
        let text = node.text().unwrap_or_default().to_owned();
        match (node.tag_name().namespace(), node.tag_name().name()) {
            (None, "language") => found.0 = text,
            (None, "skybillNumber") => found.1 = text,
            (_, name) => return Err(format!("unexpected element {name}")),
        }
    }
    Ok(found)
}

fn envelope(status: u16, inner: &str) -> Said {
    Said::xml(status, format!("<soap:Envelope xmlns:soap=\"{SOAP}\"><soap:Body>{inner}</soap:Body></soap:Envelope>"))
}

fn fault(code: &str, text: &str) -> Said {
    envelope(500, &format!("<soap:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring></soap:Fault>"))
}

fn returned(inner: &str) -> Said {
    envelope(
        200,
        &format!(
            "<ns2:trackSkybillV2Response xmlns:ns2=\"{SPACE}\"><return>{inner}</return></ns2:trackSkybillV2Response>"
        ),
    )
}

fn event(scan: &Scan, french: bool) -> String {
    let (code, fr, en, office) = match scan.means {
        "label_created" => ("DC", "Envoi en préparation", "Shipment in preparation", "Web Services"),
        "accepted" => ("DB", "Envoi remis par l'expéditeur", "Handed over by the shipper", "PARIS CHRONOPOST"),
        "in_transit" => ("TS", "Envoi en transit", "Shipment in transit", "ROISSY CHRONOPOST"),
        "out_for_delivery" => ("TA", "Envoi en cours de livraison", "Shipment in delivery", "LYON CHRONOPOST"),
        _ => ("D", "Envoi livré", "Delivered", "LYON CHRONOPOST"),
    };
    let label = if french { fr } else { en };
    let date = scan.local("Europe/Paris", "%Y-%m-%dT%H:%M:%S%:z");
    let last = code == "D";
    format!(
        "<events><code>{code}</code><eventDate>{date}</eventDate><eventLabel>{label}</eventLabel>\
         <highPriority>{last}</highPriority><NPC/><officeLabel>{office}</officeLabel><zipCode/></events>"
    )
}
