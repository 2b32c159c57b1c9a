//! One number for what an answer says of a parcel, so that an unchanged one is not mapped again.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Hash of JSON whatever the order of its keys, of further JSON where something is read there, and of the
/// definition's version. Never 0: that means "no answer yet".
pub fn of(version: u64, parts: &[&Value]) -> u64 {
    let mut fed = Vec::with_capacity(4_096);
    fed.extend(version.to_be_bytes());
    for part in parts {
        feed(&mut fed, part);
    }
    hash(&fed)
}

/// Hash of numbers and of parts of bytes, each with its length.
pub fn of_bytes(numbers: &[u64], feed: impl FnOnce(&mut dyn FnMut(&[u8]))) -> u64 {
    let mut hash = Sha256::new();
    for number in numbers {
        hash.update(number.to_be_bytes());
    }
    feed(&mut |part| {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    });
    first_of(&hash.finalize())
}

fn hash(fed: &[u8]) -> u64 {
    first_of(&Sha256::digest(fed))
}

/// Never 0: that means "no answer yet".
fn first_of(digest: &[u8]) -> u64 {
    digest.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte)).max(1)
}

/// Every value starts with its kind and, where it can be longer or shorter, its length: no two values feed alike.
fn feed(fed: &mut Vec<u8>, value: &Value) {
    let head = |fed: &mut Vec<u8>, kind: u8, len: usize| {
        fed.push(kind);
        fed.extend((len as u64).to_be_bytes());
    };
    match value {
        Value::Null => fed.push(0),
        Value::Bool(yes) => fed.extend([1, u8::from(*yes)]),
        Value::Number(number) => {
            let text = number.to_string();
            head(fed, 2, text.len());
            fed.extend(text.as_bytes());
        }
        Value::String(text) => {
            head(fed, 3, text.len());
            fed.extend(text.as_bytes());
        }
        Value::Array(items) => {
            head(fed, 4, items.len());
            for item in items {
                feed(fed, item);
            }
        }
        Value::Object(fields) => {
            head(fed, 5, fields.len());
            let mut one = |key: &String, field: &Value| {
                head(fed, 6, key.len());
                fed.extend(key.as_bytes());
                feed(fed, field);
            };
            if fields.keys().is_sorted() {
                for (key, field) in fields {
                    one(key, field);
                }
            } else {
                let mut sorted: Vec<_> = fields.iter().collect();
                sorted.sort_by_key(|(key, _)| *key);
                for (key, field) in sorted {
                    one(key, field);
                }
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
