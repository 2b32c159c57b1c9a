//! What an operator or a shop needs to know of a carrier, for the command line and the API.

use serde_json::{Value, json};

use super::Carrier;
use super::definition::AuthKind;
use super::definition::answer::Format;
use super::definition::request::Body;

impl Carrier {
    /// The carrier in words that machines read. Keys are added over time, never taken away.
    #[must_use]
    pub fn describe(&self) -> Value {
        let d = self.definition();
        json!({
            "code": d.code,
            "name": d.name,
            "aliases": d.aliases,
            "countries": d.countries,
            "zone": d.zone.as_ref().map(|zone| &zone.name),
            "enabled": d.enabled,
            "confidence": d.confidence.name(),
            "credentials": d.credentials.iter().map(|(name, c)| json!({"name": name, "help": c.help, "secret": c.secret, "required": c.required})).collect::<Vec<_>>(),
            "inputs": d.inputs.iter().map(|(name, i)| json!({"name": name, "help": i.help, "required": i.required})).collect::<Vec<_>>(),
            "protocol": self.protocol(),
            "auth": self.auth_name(),
            "addresses": d.environments.iter().map(|(name, e)| (name.clone(), Value::from(e.base_url.as_str()))).collect::<serde_json::Map<_, _>>(),
            "environments": d.environments.keys().collect::<Vec<_>>(),
            "limits": d.limits.iter().map(|(name, l)| json!({
                "environment": name, "per_second": l.per_second, "concurrent": l.concurrent, "numbers_per_call": l.numbers_per_call,
                "windows": l.windows.iter().map(|w| json!({"calls": w.calls, "per_s": w.per.as_secs(), "reset": w.calendar.as_ref().map(|z| &z.name)})).collect::<Vec<_>>(),
                "source": l.source,
            })).collect::<Vec<_>>(),
            "numbers": d.numbers.iter().map(|n| json!({"name": n.name, "detect": n.detect, "examples": n.examples})).collect::<Vec<_>>(),
            "scripts": d.scripts.iter().map(|s| json!({"number": s.number, "story": s.story})).collect::<Vec<_>>(),
            "facts": d.facts.iter().map(|f| json!({"what": f.what, "source": f.source, "confidence": f.confidence.name()})).collect::<Vec<_>>(),
        })
    }

    /// What is spoken: `JSON by GET`, `SOAP by POST`.
    #[must_use]
    pub fn protocol(&self) -> String {
        let d = self.definition();
        let written = match (&d.request.body, d.answer.format) {
            (Body::Soap(_), _) => "SOAP",
            (_, Format::Xml) => "XML",
            (_, Format::Json) => "JSON",
        };
        format!("{written} by {}", d.request.method)
    }

    /// How calls prove who we are, in a few words.
    #[must_use]
    pub fn auth_name(&self) -> &'static str {
        match self.definition().auth.kind {
            AuthKind::None => "none",
            AuthKind::Headers => "headers",
            AuthKind::Query => "parameters of the address",
            AuthKind::Basic => "Basic",
            AuthKind::Body => "in the request",
            AuthKind::Oauth2 => "OAuth 2",
            AuthKind::Login => "login",
        }
    }
}
