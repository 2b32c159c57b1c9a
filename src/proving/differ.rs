//! Two values, place by place.

use std::fmt::Write as _;

use serde_json::Value;

/// One place where two values differ.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Difference {
    /// The place: `parcels[0].events[2].substatus`.
    pub at: String,
    /// What stands in the file; nothing: the place is not expected at all.
    pub expected: Option<Value>,
    /// What came out; nothing: it is absent.
    pub found: Option<Value>,
}

/// Every place where `found` is not what is expected. `partial`: what the expectation leaves out is not compared;
/// lists have to be whole all the same. Where `null` is expected, the key may be absent.
#[must_use]
pub fn differences(at: &str, expected: &Value, found: &Value, partial: bool) -> Vec<Difference> {
    let mut out = Vec::new();
    compare(&mut at.to_owned(), expected, found, partial, &mut out);
    out
}

fn compare(at: &mut String, expected: &Value, found: &Value, partial: bool, out: &mut Vec<Difference>) {
    let tell = |at: &str, expected: Option<&Value>, found: Option<&Value>| Difference {
        at: at.to_owned(),
        expected: expected.cloned(),
        found: found.cloned(),
    };
    let end = at.len();
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))).collect();
            keys.sort();
            for key in keys {
                if !at.is_empty() {
                    at.push('.');
                }
                at.push_str(key);
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => compare(at, a, b, partial, out),
                    (None, Some(_)) if partial => {}
                    (Some(Value::Null), None) => {}
                    (a, b) => out.push(tell(at, a, b)),
                }
                at.truncate(end);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                let _ = write!(at, "[{index}]");
                compare(at, a, b, partial, out);
                at.truncate(end);
            }
        }
        (a, b) if a != b => out.push(tell(at, Some(a), Some(b))),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_place_that_differs_is_told() {
        let (a, b) = (json!({"a": [1, {"b": 2}], "c": 3}), json!({"a": [1, {"b": 9}], "d": 4}));
        let places = |partial: bool| {
            let found = differences("p", &a, &b, partial);
            found.into_iter().map(|d| (d.at, d.expected, d.found)).collect::<Vec<_>>()
        };
        let changed = ("p.a[1].b".to_owned(), Some(json!(2)), Some(json!(9)));
        let absent = ("p.c".to_owned(), Some(json!(3)), None);
        assert_eq!(places(false), [changed.clone(), absent.clone(), ("p.d".to_owned(), None, Some(json!(4)))]);
        assert_eq!(places(true), [changed, absent]);
    }

    #[test]
    fn lists_have_to_be_whole() {
        assert_eq!(differences("", &json!([1]), &json!([1, 2]), true).len(), 1);
    }
}
