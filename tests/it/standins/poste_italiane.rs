//! Poste Italiane, "Poste Delivery Business": a token for a JSON body, sent bare in later calls; results are told in the
//! body. Italian words and clocks.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn, Tokens};

#[derive(Default)]
pub struct PosteItaliane {
    tokens: Tokens,
}

const CLIENT: &str = "5b2a0c11-7d4e-4f09-9a37-0f6f4f004711";
const SECRET: &str = "segreto+/=";
const SCOPE: &str = "https://postemarketplace.onmicrosoft.com/d6a78063-5570-4a87-bbd7-07326e6855d1/.default";

impl StandIn for PosteItaliane {
    fn code(&self) -> &'static str {
        "poste_italiane"
    }

    fn number(&self) -> &'static str {
        "SPED00004711X"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("client_id", CLIENT), ("secret_id", SECRET)]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "country": "IT" } })
    }

    fn life(&self) -> &'static [&'static str] {
        &[
            "label_created",
            "accepted",
            "in_transit",
            "out_for_delivery",
            "recipient_absent",
            "at_post_office",
            "delivered",
        ]
    }

    fn zone(&self) -> &'static str {
        "Europe/Rome"
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        match (asked.method.as_str(), asked.path.as_str()) {
            ("POST", "/user/sessions") => self.token(asked),
            ("GET", "/postalandlogistics/parcel/tracking") => self.tracking(asked, told),
            _ => Said::text(404, "<html><body>Not Found</body></html>"),
        }
    }

    fn forget_tokens(&self) {
        self.tokens.forget();
    }
}

impl PosteItaliane {
    fn token(&self, asked: &Asked) -> Said {
        let wanted = json!({
            "clientId": CLIENT, "secretId": SECRET, "scope": SCOPE, "grantType": "client_credentials",
        });
        if asked.header("POSTE_ClientID") != CLIENT || asked.json() != wanted {
            let text = "The client is not authorized";
            return Said::json(400, &json!({ "error": "unauthorized_client", "error_description": text }));
        }
        let token = self.tokens.issue("poste");
        Said::json(
            200,
            &json!({ "token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token }),
        )
    }

    fn tracking(&self, asked: &Asked, told: &[Scan]) -> Said {
        let known = self.tokens.accepts(asked.header("authorization"));
        if !known || asked.header("POSTE_ClientID") != CLIENT {
            return Said::json(401, &json!({ "error": "invalid_token" }));
        }
        if asked.param("statusDescription") != "E" || asked.param("customerType") != "DQ" {
            return Said::json(200, &refused(100, "Parametro non valido"));
        }
        let number = asked.param("waybillNumber");
        if number != self.number() || told.is_empty() {
            return Said::json(200, &refused(200, "Spedizione non trovata"));
        }
        let last = asked.param("lastTracingState") == "S";
        let skipped = if last { told.len() - 1 } else { 0 };
        let events: Vec<Value> = told[skipped..].iter().map(|scan| event(scan, self.zone())).collect();
        let shipment = json!({
            "waybillNumber": number, "product": "PosteDelivery Business Standard", "NotificationFlag": "S",
            "returnFlag": "N", "tracking": events,
        });
        let good = json!({ "outcome": "OK", "code": 0, "result": "OK", "messages": [], "shipment": [shipment] });
        Said::json(200, &json!({ "return": good }))
    }
}

fn refused(code: u16, text: &str) -> Value {
    let message =
        json!({ "code": "E", "field": "waybillNumber", "message": text, "objectName": "", "severity": "ERROR" });
    let messages = json!([{ "messages": [message] }]);
    json!({ "return": { "outcome": "KO", "code": code, "result": "KO", "messages": messages, "shipment": [] } })
}

fn event(scan: &Scan, zone: &str) -> Value {
    let (code, text, phase) = match scan.means {
        "label_created" => ("ACQ", "A SEGUITO DI ACQUISTO DA POSTE.IT", "ACQUISTO"),
        "accepted" => ("ACC", "Presa in carico", "PRESA IN CARICO"),
        "in_transit" => ("PCP", "In transito presso il Centro Operativo", "IN TRANSITO"),
        "out_for_delivery" => ("CON", "In consegna", "IN CONSEGNA"),
        "recipient_absent" => ("ASS", "Destinatario assente", "IN CONSEGNA"),
        "at_post_office" => ("GIA", "Disponibile per il ritiro presso l'ufficio postale", "IN CONSEGNA"),
        _ => ("CSG", "La spedizione \u{e8} stata consegnata", "CONSEGNATA"),
    };
    json!({
        "data": scan.local(zone, "%Y-%m-%d %H:%M:%S"), "officeDescription": "Genova (GE)", "StatusDescription": text,
        "appStatusDescription": "In lavorazione", "ivrStatusDescription": "In transito a #luogo#",
        "synthesisStatusDescription": text, "phase": phase, "officeId": "UP", "status": code,
    })
}
