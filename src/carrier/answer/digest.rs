//! One number for what an answer says of a parcel, so that an unchanged one is not mapped again.

use serde_json::Value;

/// Hash of JSON whatever the order of its keys, of further JSON where something is read there, and of the
/// definition's version. Never 0: that means "no answer yet".
pub fn of(version: u64, parts: &[&Value]) -> u64 {
    let mut mixer = Mixer::new();
    mixer.number(version);
    for part in parts {
        feed(&mut mixer, part);
    }
    mixer.end()
}

/// Hash of numbers and of parts of bytes, each with its length.
pub fn of_bytes(numbers: &[u64], feed: impl FnOnce(&mut dyn FnMut(&[u8]))) -> u64 {
    let mut mixer = Mixer::new();
    for number in numbers {
        mixer.number(*number);
    }
    feed(&mut |part| mixer.bytes(part));
    mixer.end()
}

/// Two running products of what was fed. It only has to tell answers of one carrier about one parcel apart, whoever
/// could forge a collision could as well forge the answer; a digest that resists forgery took a tenth of all reading.
/// What it gives is stored: it must stay the same.
struct Mixer {
    one: u64,
    other: u64,
}

impl Mixer {
    const ODD: [u64; 4] = [0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03, 0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db];

    fn new() -> Self {
        Self { one: Self::ODD[2], other: Self::ODD[3] }
    }

    fn number(&mut self, number: u64) {
        let before = self.one;
        self.one = folded(self.one ^ number, Self::ODD[0]);
        self.other = folded(self.other.rotate_left(23) ^ number, Self::ODD[1]).wrapping_add(before);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.number(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.number(u64::from_le_bytes(last));
        }
    }

    /// Never 0: that means "no answer yet".
    fn end(mut self) -> u64 {
        self.number(0);
        folded(self.one ^ Self::ODD[3], self.other ^ Self::ODD[2]).max(1)
    }
}

/// Both halves of the product.
fn folded(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    let [low, high] = [product, product >> 64].map(|half| u64::try_from(half & u128::from(u64::MAX)).unwrap_or(0));
    low ^ high
}

/// Every value starts with its kind and, where it can be longer or shorter, its length: no two values feed alike.
fn feed(mixer: &mut Mixer, value: &Value) {
    let head = |mixer: &mut Mixer, kind: u64, len: usize| mixer.number((kind << 56) ^ len as u64);
    match value {
        Value::Null => head(mixer, 1, 0),
        Value::Bool(yes) => head(mixer, 2, usize::from(*yes)),
        Value::Number(number) => {
            head(mixer, 3, 0);
            match number.as_i64() {
                Some(whole) => mixer.number(whole.cast_unsigned()),
                None => mixer.bytes(number.to_string().as_bytes()),
            }
        }
        Value::String(text) => {
            head(mixer, 4, 0);
            mixer.bytes(text.as_bytes());
        }
        Value::Array(items) => {
            head(mixer, 5, items.len());
            for item in items {
                feed(mixer, item);
            }
        }
        Value::Object(fields) => {
            head(mixer, 6, fields.len());
            let mut one = |key: &String, field: &Value| {
                mixer.bytes(key.as_bytes());
                feed(mixer, field);
            };
            if fields.keys().is_sorted() {
                fields.iter().for_each(|(key, field)| one(key, field));
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

    /// Stored digests were made so.
    const DIGEST: u64 = 2_386_618_476_928_212_547;

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

    #[test]
    fn it_stays_the_same_and_tells_small_changes_apart() {
        assert_eq!(of(7, &[&json!({"a": [1, "x", null, true, 1.5]})]), DIGEST);
        let mut seen = std::collections::HashSet::new();
        for n in 0..20_000_u32 {
            assert!(seen.insert(of(1, &[&json!({"at": n, "text": "2026-11-25T08:00:00"})])));
            assert!(seen.insert(of(1, &[&json!({"at": "x", "text": format!("{n:05}-2026-11-25T08:00:00")})])));
            assert!(seen.insert(of_bytes(&[1], |part| part(format!("{n:027}").as_bytes()))));
        }
        assert_ne!(
            of_bytes(&[], |part| part(b"ab")),
            of_bytes(&[], |part| {
                part(b"a");
                part(b"b");
            })
        );
        assert_ne!(of_bytes(&[], |part| part(b"a")), of_bytes(&[], |part| part(b"a\0")));
    }
}
