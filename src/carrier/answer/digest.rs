//! One number for what an answer says of a parcel, so that an unchanged one is not mapped again.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Hash of JSON whatever the order of its keys, of further JSON where something is read there, and of the
/// definition's version. Never 0: that means "no answer yet".
pub fn of(version: u64, parts: &[&Value]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(version.to_be_bytes());
    for part in parts {
        feed(&mut hash, part);
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hash.finalize()[..8]);
    u64::from_be_bytes(first).max(1)
}

/// Every value starts with its kind and, where it can be longer or shorter, its length: no two values feed alike.
fn feed(hash: &mut Sha256, value: &Value) {
    let head = |hash: &mut Sha256, kind: u8, len: usize| {
        hash.update([kind]);
        hash.update((len as u64).to_be_bytes());
    };
    match value {
        Value::Null => hash.update([0]),
        Value::Bool(yes) => hash.update([1, u8::from(*yes)]),
        Value::Number(number) => {
            let text = number.to_string();
            head(hash, 2, text.len());
            hash.update(text.as_bytes());
        }
        Value::String(text) => {
            head(hash, 3, text.len());
            hash.update(text.as_bytes());
        }
        Value::Array(items) => {
            head(hash, 4, items.len());
            for item in items {
                feed(hash, item);
            }
        }
        Value::Object(fields) => {
            head(hash, 5, fields.len());
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by_key(|(key, _)| *key);
            for (key, field) in sorted {
                head(hash, 6, key.len());
                hash.update(key.as_bytes());
                feed(hash, field);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn order_of_keys_does_not_matter_and_everything_else_does() {
        let (a, b): (Value, Value) =
            (serde_json::from_str(r#"{"a":1,"b":[2]}"#).unwrap(), serde_json::from_str(r#"{"b":[2],"a":1}"#).unwrap());
        assert_eq!(of(1, &[&a]), of(1, &[&b]));
        assert_ne!(of(1, &[&a]), of(2, &[&a]));
        for other in [json!({"a": 1, "b": [3]}), json!({"a": "1", "b": [2]}), json!({"a": 1}), json!(null)] {
            assert_ne!(of(1, &[&a]), of(1, &[&other]));
        }
    }
}
