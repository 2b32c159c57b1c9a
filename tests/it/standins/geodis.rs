//! GEODIS, zoomclient/recherche-envoi: JSON signed with SHA-256 over the exact body; everything but a fault comes under
//! HTTP 200.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Asked, Said, Scan, StandIn};

pub struct Geodis;

const IDENTIFIER: &str = "BOUTIQUE";
const KEY: &str = "77aa0123456789abcdef0123456789ab";
const SERVICE: &str = "api/zoomclient/recherche-envoi";

impl StandIn for Geodis {
    fn code(&self) -> &'static str {
        "geodis"
    }

    fn number(&self) -> &'static str {
        "1G7STAND0042"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("identifier", IDENTIFIER), ("api_key", KEY)]
    }

    fn life(&self) -> &'static [&'static str] {
        &["label_created", "accepted", "departed", "arrived", "out_for_delivery", "delivered"]
    }

    fn zone(&self) -> &'static str {
        "Europe/Paris"
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.path != format!("/{SERVICE}") {
            return Said::text(404, "<html><body>Not Found</body></html>");
        }
        if asked.method != "POST" || !asked.header("content-type").starts_with("application/json") {
            return Said::text(500, "");
        }
        if let Err(problem) = signed(asked) {
            return refused(problem);
        }
        if asked.json()["noSuivi"] != self.number() || told.is_empty() {
            return refused("Envoi introuvable");
        }
        let events: Vec<Value> = told.iter().rev().map(event).collect();
        Said::json(
            200,
            &json!({ "ok": true, "codeErreur": null, "texteErreur": null, "contenu": {
                "refUniExp": 3_000_004_711_u64, "noSuivi": self.number(), "noRecepisse": "90004711",
                "expediteur": { "nom": "BOUTIQUE", "codePostal": "17000", "ville": "LA ROCHELLE", "pays": { "code": "FR" } },
                "destinataire": { "codePostal": "69007", "ville": "LYON", "pays": { "code": "FR" } },
                "nbColis": 1, "poids": 2.0, "listSuivis": events,
            } }),
        )
    }
}

/// `identifier;timestamp;language;hash`, the hash over the key, these, the service and the body.
fn signed(asked: &Asked) -> Result<(), &'static str> {
    let header = asked.header("x-geodis-service");
    let parts: Vec<&str> = header.split(';').collect();
    let [identifier, timestamp, language, hash] = parts[..] else { return Err("Échec authentification") };
    if identifier != IDENTIFIER || !["fr", "en"].contains(&language) {
        return Err("Échec authentification");
    }
    // Milliseconds since 1970.
    if timestamp.len() != 13 || !timestamp.bytes().all(|b| b.is_ascii_digit()) {
        return Err("Échec authentification : horodatage");
    }
    let mut hasher = Sha256::new();
    hasher.update(format!("{KEY};{identifier};{timestamp};{language};{SERVICE};"));
    hasher.update(&asked.body);
    let right = data_encoding::HEXLOWER.encode(&hasher.finalize());
    if hash == right { Ok(()) } else { Err("Hash incorrect") }
}

fn refused(text: &str) -> Said {
    Said::json(200, &json!({ "ok": false, "codeErreur": "E", "texteErreur": text, "contenu": null }))
}

fn event(scan: &Scan) -> Value {
    let (code, label, centre) = match scan.means {
        "label_created" => ("COM/CFM", "Données reçues", "La Rochelle (FR)"),
        "accepted" => ("PCH/CFM", "Prise en charge", "La Rochelle (FR)"),
        "departed" => ("EXP/CFM", "Expédiée", "La Rochelle (FR)"),
        "arrived" => ("AAR/CFM", "Arrivée en agence", "Lyon (FR)"),
        "out_for_delivery" => ("MLV/CFM", "Mise en livraison", "Lyon (FR)"),
        _ => ("LIV/CFM", "Livrée", "Lyon (FR)"),
    };
    json!({
        "dateSuivi": scan.local("Europe/Paris", "%Y-%m-%d"), "heureSuivi": scan.local("Europe/Paris", "%H:%M:%S"),
        "libelleCentre": centre, "libelleSuivi": label, "codeSituationJustification": code,
    })
}
