//! Relais Colis, web service of the shop modules: several numbers in a POST, a row for each event, the key in the body.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct RelaisColis;

const KEY: &str = "AK-4711-lagune-bleue";

impl StandIn for RelaisColis {
    fn code(&self) -> &'static str {
        "relaiscolis"
    }

    fn number(&self) -> &'static str {
        "4H013000471101"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("activation_key", KEY)]
    }

    fn life(&self) -> &'static [&'static str] {
        &["label_created", "arrived", "out_for_delivery", "at_pickup_point", "collected_by_recipient"]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.method != "POST" || asked.path != "/api/package/getPackagesStatus" {
            return Said::text(404, "Not Found");
        }
        let body = asked.json();
        if !asked.header("content-type").starts_with("application/json") || !body["parcelNumbers"].is_array() {
            return Said::json(400, &json!({ "message": "parcelNumbers manquant" }));
        }
        if body["activationKey"] != KEY {
            return Said::json(401, &json!({ "message": "activationKey inconnue" }));
        }
        let known = body["parcelNumbers"].as_array().into_iter().flatten().any(|number| number == self.number());
        let rows: Vec<Value> = told.iter().filter(|_| known).map(|scan| self.row(scan)).collect();
        Said::json(200, &Value::from(rows))
    }
}

impl RelaisColis {
    fn row(&self, scan: &Scan) -> Value {
        let (event, reason, label) = match scan.means {
            "label_created" => ("APF", "", "Colis annonce"),
            "arrived" => ("APF", "SAG", "Colis sur la plateforme"),
            "out_for_delivery" => ("RST", "RL", "En route vers le relais"),
            "at_pickup_point" => ("DEP", "REL", "Disponible au relais"),
            _ => ("SOL", "LIC", "Remis au client"),
        };
        let hours: i32 = scan.local("Europe/Paris", "%z").parse::<i32>().unwrap() / 100;
        json!({
            "parcelNumber": self.number(), "RangPaquet": 1, "Libelle": label, "LibelleDetaille": "", "Categorie": "Suivi",
            "Date": scan.local("Europe/Paris", "%Y-%m-%dT%H:%M:%S"), "GMT": format!("GMT+{hours}"), "Etape": scan.step,
            "CodeEVT": event, "CodeJUS": reason, "CodeTrack": "AN",
        })
    }
}
