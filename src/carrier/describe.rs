//! What an operator or a shop needs to know of a carrier, for the command line and the API.

use serde_json::{Value, json};

use super::Carrier;

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
            "confidence": format!("{:?}", d.confidence).to_lowercase(),
            "credentials": d.credentials.iter().map(|(name, c)| json!({"name": name, "help": c.help, "secret": c.secret, "required": c.required})).collect::<Vec<_>>(),
            "inputs": d.inputs.iter().map(|(name, i)| json!({"name": name, "help": i.help, "required": i.required})).collect::<Vec<_>>(),
            "environments": d.environments.keys().collect::<Vec<_>>(),
            "limits": d.limits.iter().map(|(name, l)| json!({
                "environment": name, "per_second": l.per_second, "concurrent": l.concurrent, "numbers_per_call": l.numbers_per_call,
                "windows": l.windows.iter().map(|w| json!({"calls": w.calls, "per_s": w.per.as_secs(), "reset": w.calendar.as_ref().map(|z| &z.name)})).collect::<Vec<_>>(),
                "source": l.source,
            })).collect::<Vec<_>>(),
            "numbers": d.numbers.iter().map(|n| json!({"name": n.name, "detect": n.detect, "examples": n.examples})).collect::<Vec<_>>(),
            "scripts": d.scripts.iter().map(|s| json!({"number": s.number, "story": s.story})).collect::<Vec<_>>(),
            "facts": d.facts.iter().map(|f| json!({"what": f.what, "source": f.source})).collect::<Vec<_>>(),
        })
    }
}
