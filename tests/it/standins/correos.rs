//! Correos, "localizador canonico": a GET for one code, Basic. A list of one under HTTP 200, whatever happened: an error
//! number tells. Days and hours apart, Spanish clocks.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct Correos;

const USER: &str = "w004711";
const PASSWORD: &str = "calle:mayor/7";

impl StandIn for Correos {
    fn code(&self) -> &'static str {
        "correos"
    }

    fn number(&self) -> &'static str {
        "PQ47AA0000000000000011W"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("user", USER), ("password", PASSWORD)]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "country": "ES" } })
    }

    fn life(&self) -> &'static [&'static str] {
        &[
            "label_created",
            "accepted",
            "departed",
            "at_local_facility",
            "out_for_delivery",
            "recipient_absent",
            "at_post_office",
            "collected_by_recipient",
        ]
    }

    fn zone(&self) -> &'static str {
        "Europe/Madrid"
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        let Some(code) = asked.path.strip_prefix("/canonico/eventos_envio_servicio_auth/") else {
            return Said::text(404, "<html><body>404</body></html>");
        };
        if !asked.basic(USER, PASSWORD) {
            return Said::text(401, "Unauthorized");
        }
        if asked.method != "GET" || asked.param("codIdioma").len() != 2 || asked.param("indUltEvento").is_empty() {
            return Said::text(500, "Internal Server Error");
        }
        if code != self.number() || told.is_empty() {
            let error = json!({ "codError": "3", "desError": "Envio no encontrado" });
            return Said::json(200, &json!([{ "codEnvio": code, "error": error, "eventos": null }]));
        }
        let mut events: Vec<Value> = told.iter().map(|scan| event(scan, self.zone())).collect();
        if asked.param("indUltEvento") == "S" {
            events.drain(..events.len() - 1);
        }
        Said::json(
            200,
            &json!([{
                "codEnvio": code, "codExpedicion": null, "error": { "codError": "0", "desError": "" },
                "resumen_ultimo": "En curso", "peso": "850", "nom_codired": "OFICINA GIRONA SUC 1", "eventos": events,
            }]),
        )
    }
}

fn event(scan: &Scan, zone: &str) -> Value {
    let (code, text) = match scan.means {
        "label_created" => ("A010000V", "Prerregistrado"),
        "accepted" => ("A090000V", "Admitido"),
        "departed" => ("C010000V", "En camino"),
        "at_local_facility" => ("G200000V", "En la unidad de reparto"),
        "out_for_delivery" => ("H020000V", "En reparto"),
        "recipient_absent" => ("H01R420V", "Ausente"),
        "at_post_office" => ("L010000V", "Disponible en la oficina"),
        _ => ("I01H210V", "Entregado en la oficina"),
    };
    json!({
        "fecEvento": scan.local(zone, "%d/%m/%Y"), "horEvento": scan.local(zone, "%H:%M:%S"), "codEvento": code,
        "desFase": "1", "desTextoResumen": text, "desTextoAmpliado": text,
    })
}
