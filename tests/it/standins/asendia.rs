//! Asendia Sync: a login that gives a JWT, a GET for one number below the customer, errors as problem documents.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn, Tokens};

#[derive(Default)]
pub struct Asendia(Tokens);

const USER: &str = "boutique@example.org";
const PASSWORD: &str = "quiet\"harbour";
const CUSTOMER: &str = "CH4711";
/// The first second of 2100.
const END: i64 = 4_102_444_800;

impl StandIn for Asendia {
    fn code(&self) -> &'static str {
        "asendia"
    }

    fn number(&self) -> &'static str {
        "LX900000013CH"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("username", USER), ("password", PASSWORD), ("customer_id", CUSTOMER)]
    }

    fn life(&self) -> &'static [&'static str] {
        &["collected_from_sender", "in_transit", "delivered"]
    }

    fn forget_tokens(&self) {
        self.0.forget();
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.path == "/api/authenticate" {
            return self.login(asked);
        }
        if asked.method != "GET" {
            return problem(405, "Method Not Allowed", &asked.path);
        }
        let Some(rest) = asked.path.strip_prefix("/api/customers/") else {
            return Said::text(404, "<html><body>Not Found</body></html>");
        };
        if !self.knows(asked.bearer()) {
            return problem(401, "Unauthorized", &asked.path);
        }
        match rest.split_once("/tracking/") {
            Some((customer, _)) if customer != CUSTOMER => problem(403, "Forbidden", &asked.path),
            Some((_, number)) if number == self.number() && !told.is_empty() => {
                let events: Vec<Value> = told.iter().map(event).collect();
                Said::json(200, &json!({ "trackingNumber": number, "trackingEvents": events }))
            }
            _ => problem(404, "Not Found", &asked.path),
        }
    }
}

impl Asendia {
    fn login(&self, asked: &Asked) -> Said {
        let body = asked.json();
        let right = body["username"] == USER && body["password"] == PASSWORD;
        if asked.method != "POST" || !right || body.as_object().is_none_or(|fields| fields.len() != 2) {
            return problem(401, "Unauthorized", &asked.path);
        }
        let part = |value: Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let head = part(json!({ "alg": "HS512" }));
        let claims = part(json!({ "sub": "boutique", "exp": END, "jti": self.0.issue("asendia") }));
        Said::json(200, &json!({ "id_token": format!("{head}.{claims}.{}", BASE64URL_NOPAD.encode(b"signed")) }))
    }

    /// True for a token of ours that was not forgotten.
    fn knows(&self, token: &str) -> bool {
        let claims = token.split('.').nth(1).unwrap_or_default();
        let claims = BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap_or_default();
        let claims: Value = serde_json::from_slice(&claims).unwrap_or_default();
        claims["jti"].as_str().is_some_and(|id| self.0.accepts(id))
    }
}

fn problem(status: u16, title: &str, path: &str) -> Said {
    Said::json(
        status,
        &json!({
            "type": "https://www.asendia-sync.com/problem/problem-with-message", "title": title, "status": status,
            "detail": title, "path": path, "message": format!("error.http.{status}"),
        }),
    )
}

fn event(scan: &Scan) -> Value {
    let (code, label, name, country) = match scan.means {
        "collected_from_sender" => ("PU", "Item collected", "Bern", "CH"),
        "in_transit" => ("IT", "Item in transit", "Mulhouse", "FR"),
        _ => ("DL", "Item delivered", "Lyon", "FR"),
    };
    json!({
        "id": scan.step.to_string(), "code": code, "time": scan.local("UTC", "%Y-%m-%dT%H:%M:%SZ"),
        "locationName": name, "locationCountry": country, "carrierEventDescription": label,
    })
}
