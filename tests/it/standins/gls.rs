//! GLS Group, Track And Trace V1: OAuth2 by Basic, ten numbers in one path, unknown numbers as items under HTTP 200.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn, Tokens};

#[derive(Default)]
pub struct Gls {
    tokens: Tokens,
}

const KEY: &str = "gls-key-4711";
const SECRET: &str = "gls:secret/of+4711";

impl StandIn for Gls {
    fn code(&self) -> &'static str {
        "gls"
    }

    fn number(&self) -> &'static str {
        "70000004711"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("api_key", KEY), ("api_secret", SECRET)]
    }

    fn life(&self) -> &'static [&'static str] {
        &["label_created", "accepted", "departed", "arrived", "out_for_delivery", "delivered"]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.path == "/oauth2/v2/token" {
            return self.token(asked);
        }
        let Some(ids) = asked.path.strip_prefix("/track-and-trace-v1/tracking/simple/trackids/") else {
            return problem(404, "Not Found", "No static resource.");
        };
        if !self.tokens.accepts(asked.bearer()) {
            let detail = json!({ "errorcode": "steps.jwt.TokenExpired" });
            return Said::json(401, &json!({ "fault": { "faultstring": "Access Token expired", "detail": detail } }));
        }
        let ids: Vec<&str> = ids.split(',').collect();
        if asked.method != "GET" || ids.len() > 10 {
            return problem(400, "Bad Request", "At most 10 ids.");
        }
        let items: Vec<Value> = ids.iter().map(|id| self.item(id, told)).collect();
        Said::json(200, &json!({ "parcels": items }))
    }

    fn forget_tokens(&self) {
        self.tokens.forget();
    }
}

impl Gls {
    fn token(&self, asked: &Asked) -> Said {
        if asked.method != "POST" || asked.field("grant_type") != "client_credentials" || !asked.basic(KEY, SECRET) {
            return Said::json(
                401,
                &json!({ "errors": [{ "message": "Client credentials are invalid", "type": "x" }] }),
            );
        }
        Said::json(
            200,
            &json!({ "token_type": "Bearer", "access_token": self.tokens.issue("gls"), "expires_in": 14400 }),
        )
    }

    fn item(&self, id: &str, told: &[Scan]) -> Value {
        let Some(newest) = told.last().filter(|_| id == self.number()) else {
            return json!({ "requested": id, "errorCode": "E_404_01", "errorMessage": "Resource Not Found" });
        };
        let events: Vec<Value> = told.iter().rev().map(event).collect();
        json!({
            "requested": id, "unitno": id, "status": words(newest).0, "statusDateTime": time(newest), "events": events,
        })
    }
}

/// The word for the parcel, and the code of the event.
fn words(scan: &Scan) -> (&'static str, &'static str) {
    match scan.means {
        "label_created" => ("PREADVICE", "INTIAL.PREADVICE"),
        "accepted" => ("INTRANSIT", "INTIAL.NORMAL"),
        "departed" => ("INTRANSIT", "OUTBOD.NORMAL"),
        "arrived" => ("INTRANSIT", "INBOUD.NORMAL"),
        "out_for_delivery" => ("INDELIVERY", "OUTDEL.NORMAL"),
        _ => ("DELIVERED", "DELIVD.NORMAL"),
    }
}

fn time(scan: &Scan) -> String {
    scan.local("Europe/Paris", "%Y-%m-%dT%H:%M:%S%z")
}

fn event(scan: &Scan) -> Value {
    json!({
        "code": words(scan).1, "city": "Lyon", "postalCode": "69007", "country": "FR", "description": scan.means,
        "eventDateTime": time(scan),
    })
}

fn problem(status: u16, title: &str, detail: &str) -> Said {
    let body = json!({ "type": "about:blank", "title": title, "status": status, "detail": detail, "instance": "/" });
    Said::json(status, &body)
}
