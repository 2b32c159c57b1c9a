//! Values on their way into the engine and out of it.

use minijinja::Value as Engine;
use minijinja::value::ValueKind;
use serde_json::Value;

/// How deep and how wide a value that leaves the engine may be.
const MAX_DEPTH: usize = 64;
const MAX_ITEMS: usize = 20_000;

/// The engine's form of a JSON value. `null` becomes undefined: both mean absent, and `a ~ b` must not say "none".
pub(super) fn from_json(value: &Value) -> Engine {
    match value {
        Value::Null => Engine::UNDEFINED,
        Value::Bool(yes) => Engine::from(*yes),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(n), _) => Engine::from(n),
            (None, Some(n)) => Engine::from(n),
            _ => number.as_f64().map_or(Engine::UNDEFINED, Engine::from),
        },
        Value::String(text) => Engine::from(text.as_str()),
        Value::Array(items) => items.iter().map(from_json).collect(),
        Value::Object(fields) => {
            Engine::from_pairs(fields.iter().map(|(name, value)| (name.as_str(), from_json(value))))
        }
    }
}

/// The JSON form of what an expression gave; nothing when it is absent.
pub(super) fn to_json(value: &Engine) -> Option<Value> {
    json_at(value, 0)
}

fn json_at(value: &Engine, depth: usize) -> Option<Value> {
    if depth > MAX_DEPTH {
        return None;
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::None | ValueKind::Invalid => None,
        ValueKind::Bool => Some(Value::Bool(value.is_true())),
        ValueKind::Number => number(value),
        ValueKind::Map => {
            let fields = value.try_iter().ok()?.take(MAX_ITEMS).filter_map(|key| {
                let field = value.get_item(&key).ok()?;
                Some((key.to_string(), json_at(&field, depth + 1).unwrap_or(Value::Null)))
            });
            Some(Value::Object(fields.collect()))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter().ok()?.take(MAX_ITEMS);
            Some(Value::Array(items.map(|item| json_at(&item, depth + 1).unwrap_or(Value::Null)).collect()))
        }
        _ => Some(Value::String(text(value))),
    }
}

fn number(value: &Engine) -> Option<Value> {
    if let Some(n) = value.as_i64().filter(|_| value.is_integer()) {
        return Some(Value::from(n));
    }
    if let Ok(n) = u64::try_from(value.clone()) {
        return Some(Value::from(n));
    }
    f64::try_from(value.clone()).ok().and_then(serde_json::Number::from_f64).map(Value::Number)
}

/// How a value is written into a template: absent is nothing, bytes are read as Latin-1.
pub(super) fn text(value: &Engine) -> String {
    if value.is_undefined() || value.is_none() {
        return String::new();
    }
    match (value.as_str(), value.as_bytes()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(bytes)) => bytes.iter().map(|b| char::from(*b)).collect(),
        _ => value.to_string(),
    }
}
