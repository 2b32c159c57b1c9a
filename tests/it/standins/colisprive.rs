//! Colis Privé, WSCP: SOAP, a login in the header and an identity in the request, words instead of codes, wall clock of
//! Paris.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct ColisPrive;

const USER: &str = "wscp-0471";
const PASSWORD: &str = "dune & vague <47>";
const CUSTOMER: &str = "0471";
const ACCOUNT: &str = "EM071119";

impl StandIn for ColisPrive {
    fn code(&self) -> &'static str {
        "colisprive"
    }

    fn number(&self) -> &'static str {
        "K10000004711"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("user", USER), ("password", PASSWORD), ("customer_id", CUSTOMER), ("account_id", ACCOUNT)]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "country": "FR", "postcode": "69001" } })
    }

    fn life(&self) -> &'static [&'static str] {
        &["label_created", "accepted", "at_local_facility", "out_for_delivery", "delivered_to_mailbox"]
    }

    fn zone(&self) -> &'static str {
        "Europe/Paris"
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        let action = asked.header("soapaction").trim_matches('"');
        if asked.method != "POST" || asked.path != "/WSCP.asmx" {
            return Said::text(404, "");
        }
        if action != "http://colisprive.com/externe/1.0/GetParcel" {
            return fault("Server did not recognize the value of HTTP Header SOAPAction.");
        }
        if asked.element("UserName") != USER || asked.element("Password") != PASSWORD {
            return fault("Authentication failed");
        }
        if asked.element("CPCustoID") != CUSTOMER || asked.element("AccountID") != ACCOUNT {
            return result(7, "Client non identifie", "");
        }
        let here = asked.element("CPPclCode") == self.number() && asked.element("CsgZipCode") == "69001";
        let Some(newest) = told.last().filter(|_| here) else { return result(12, "Colis inconnu", "") };
        let scans: String = told.iter().rev().map(|scan| {
            let (date, code, words) = told_of(scan);
            format!("<StatusObject><StsDate>{date}</StsDate><StsCode>{code}</StsCode><StsDesc>{words}</StsDesc></StatusObject>")
        }).collect();
        let (date, code, words) = told_of(newest);
        result(
            0,
            "",
            &format!(
                "<CPPclCode>{}</CPPclCode><CPPrdName>ECO</CPPrdName><CurrentStatusCode>{code}</CurrentStatusCode>\
             <CurrentStatusDesc>{words}</CurrentStatusDesc><CurrentStatusDate>{date}</CurrentStatusDate>\
             <PclStatusHisto>{scans}</PclStatusHisto>",
                self.number(),
            ),
        )
    }
}

fn told_of(scan: &Scan) -> (String, &'static str, &'static str) {
    let (code, words) = match scan.means {
        "label_created" => ("A1", "Votre colis est en cours de préparation par l'expéditeur"),
        "accepted" => ("B2", "Votre colis a été pris en charge"),
        "at_local_facility" => ("C3", "Votre colis est arrivé dans notre agence"),
        "out_for_delivery" => ("D4", "En cours de distribution par le livreur"),
        _ => ("E5", "Votre colis a été livré dans votre boîte aux lettres"),
    };
    (scan.local("Europe/Paris", "%Y-%m-%dT%H:%M:%S"), code, words)
}

fn envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>{body}</soap:Body></soap:Envelope>"
    )
}

fn result(code: u32, message: &str, parcel: &str) -> Said {
    Said::xml(
        200,
        envelope(&format!(
            "<GetParcelResponse xmlns=\"http://colisprive.com/externe/1.0/\"><GetParcelResult><WSResp><RtnCode>{code}</RtnCode>\
         <RtnMessage>{message}</RtnMessage></WSResp>{parcel}</GetParcelResult></GetParcelResponse>"
        )),
    )
}

fn fault(text: &str) -> Said {
    Said::xml(
        500,
        envelope(&format!(
            "<soap:Fault><faultcode>soap:Server</faultcode><faultstring>{text}</faultstring></soap:Fault>"
        )),
    )
}
