//! A real answer becomes a sample: the shape and the codes stay, what is about people or an account goes.

mod rules;

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};

use serde_json::Value;

use self::rules::Kind;
use super::answer::text_of;
use super::at_work::Carrier;
use super::call::RawAnswer;

/// An answer without its people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scrubbed {
    /// The body.
    pub body: String,
    /// `json`, `xml` or `txt`.
    pub extension: &'static str,
    /// The number that stands for the one that was asked.
    pub number: String,
    /// What was replaced, and how often.
    pub replaced: BTreeMap<&'static str, usize>,
}

impl Carrier {
    /// The answer with numbers, names, streets, phones, e-mail addresses, tokens and what the definition drops replaced
    /// by invented ones. `number` was asked; `secrets` are replaced wherever they stand.
    #[must_use]
    pub fn scrub(&self, response: &RawAnswer, number: &str, secrets: &[&str]) -> Scrubbed {
        let text = text_of(&response.body, response.header("content-type"));
        let mut scrub = Scrub::new(self, number, secrets);
        let instead = scrub.number.clone();
        let (body, extension) = match serde_json::from_str::<Value>(&text) {
            Ok(mut value) if value.is_object() || value.is_array() => {
                scrub.json(&mut value, &mut Vec::new());
                (serde_json::to_string_pretty(&value).unwrap_or_default() + "\n", "json")
            }
            _ => match scrub.xml(&text) {
                Some(xml) => (xml, "xml"),
                None => (scrub.plain(&text), "txt"),
            },
        };
        Scrubbed { body, extension, number: instead, replaced: scrub.replaced }
    }

    /// Another number of the same format: a published example, or one of the same letters and digits.
    fn number_instead(&self, number: &str, keys: &RandomState) -> String {
        let formats = || self.definition().numbers.iter();
        let of_format = formats().filter(|format| format.regex.is_match(number)).flat_map(|format| &format.examples);
        let examples = of_format.filter_map(|example| self.normalise(example).ok());
        examples.into_iter().find(|example| example != number).unwrap_or_else(|| reshaped(number, keys))
    }
}

struct Scrub<'c> {
    drops: &'c [String],
    /// What is replaced wherever it stands, by what; longest first.
    known: Vec<(&'static str, String, String)>,
    number: String,
    keys: RandomState,
    replaced: BTreeMap<&'static str, usize>,
}

impl<'c> Scrub<'c> {
    fn new(carrier: &'c Carrier, number: &str, secrets: &[&str]) -> Self {
        let keys = RandomState::new();
        let instead = carrier.number_instead(number, &keys);
        let mut known: Vec<(&'static str, String, String)> = Vec::new();
        if number.len() >= 4 {
            known.push(("numbers", number.to_owned(), instead.clone()));
        }
        // A short one is no secret worth its name, and would eat letters out of every word.
        let secret = |text: &&&str| text.len() >= 6;
        known.extend(secrets.iter().filter(secret).map(|text| ("tokens", (*text).to_owned(), "TOKEN".to_owned())));
        known.sort_by_key(|(_, text, _)| std::cmp::Reverse(text.len()));
        let drops = &carrier.definition().drops.paths;
        Self { drops, known, number: instead, keys, replaced: BTreeMap::new() }
    }

    fn count(&mut self, what: &'static str) {
        *self.replaced.entry(what).or_default() += 1;
    }

    /// `keys` are the names from the root to this value.
    fn json(&mut self, value: &mut Value, keys: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (key, field) in fields {
                    keys.push(key.clone());
                    self.json(field, keys);
                    keys.pop();
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.json(item, keys)),
            Value::String(text) => *text = self.text(text, keys),
            Value::Number(number) => {
                let text = number.to_string();
                let changed = self.text(&text, keys);
                if changed != text {
                    *value = changed.parse::<i64>().map_or(Value::String(changed), Value::from);
                }
            }
            _ => {}
        }
    }

    /// Texts and attributes are replaced in place: all else of the document stays as it came.
    fn xml(&mut self, text: &str) -> Option<String> {
        let document = roxmltree::Document::parse(text).ok()?;
        let mut changes: Vec<(std::ops::Range<usize>, String)> = Vec::new();
        for node in document.descendants() {
            let mut keys: Vec<String> =
                node.ancestors().filter(roxmltree::Node::is_element).map(|n| n.tag_name().name().to_owned()).collect();
            keys.reverse();
            if let Some(old) = node.text().filter(|old| node.is_text() && !old.trim().is_empty()) {
                let new = self.text(old, &keys);
                changes.extend((new != old).then(|| (node.range(), super::expr::xml_escaped(&new))));
            }
            for attribute in node.attributes() {
                keys.push(attribute.name().to_owned());
                let new = self.text(attribute.value(), &keys);
                keys.pop();
                let changed = new != attribute.value();
                changes.extend(changed.then(|| (attribute.range_value(), super::expr::xml_escaped(&new))));
            }
        }
        changes.sort_by_key(|(range, _)| range.start);
        let mut out = text.to_owned();
        for (range, new) in changes.into_iter().rev() {
            out.replace_range(range, &new);
        }
        Some(out)
    }

    /// One value with the names that lead to it.
    fn text(&mut self, text: &str, keys: &[String]) -> String {
        if text.trim().is_empty() {
            return text.to_owned();
        }
        // JSON or XML in a string is gone through like any other.
        if let Some(mut inner) = serde_json::from_str::<Value>(text).ok().filter(|v| v.is_object() || v.is_array()) {
            self.json(&mut inner, &mut keys.to_vec());
            return inner.to_string();
        }
        if text.trim_start().starts_with('<')
            && let Some(inner) = self.xml(text)
        {
            return inner;
        }
        if self.is_dropped(keys) {
            self.count("what the definition drops");
            return rules::blanked(text);
        }
        match rules::kind(keys, text) {
            Some(Kind::Fixed(what, instead)) => {
                self.count(what);
                instead.to_owned()
            }
            Some(Kind::Reshaped(what)) if !self.known.iter().any(|(_, old, _)| old == text) => {
                self.count(what);
                reshaped(text, &self.keys)
            }
            _ => self.plain_at(text, rules::is_time(keys)),
        }
    }

    fn is_dropped(&self, keys: &[String]) -> bool {
        let of = |path: &str| {
            let parts: Vec<&str> = path.strip_prefix("root.").unwrap_or(path).split('.').collect();
            // Wherever the parcel stands in the answer, the path ends in these names, or in one below them.
            (0..keys.len())
                .any(|from| keys[from..].len() >= parts.len() && parts.iter().zip(&keys[from..]).all(|(a, b)| a == b))
        };
        self.drops.iter().any(|path| of(path))
    }

    fn plain(&mut self, text: &str) -> String {
        self.plain_at(text, false)
    }

    /// A text whose meaning is not known: what looks like something is replaced.
    fn plain_at(&mut self, text: &str, is_time: bool) -> String {
        let mut out = text.to_owned();
        for (what, old, new) in self.known.clone() {
            if out.contains(&old) {
                out = out.replace(&old, &new);
                self.count(what);
            }
        }
        for (what, pattern, instead) in rules::patterns() {
            if pattern.is_match(&out) {
                out = pattern.replace_all(&out, *instead).into_owned();
                self.count(what);
            }
        }
        if is_time {
            return out;
        }
        let found: HashMap<String, String> = rules::long_numbers(&out)
            .filter(|number| !self.known.iter().any(|(_, _, new)| new.contains(*number)))
            .map(|number| (number.to_owned(), reshaped(number, &self.keys)))
            .collect();
        for (old, new) in found {
            out = out.replace(&old, &new);
            self.count("numbers");
        }
        out
    }
}

/// Other letters and digits in the same places. The same text becomes the same again in one answer, and nobody can
/// turn it back.
fn reshaped(text: &str, keys: &RandomState) -> String {
    text.chars()
        .enumerate()
        .map(|(at, c)| {
            let any = keys.hash_one((text, at));
            let from = |first: u8, many: u64| char::from(first + u8::try_from(any % many).unwrap_or(0));
            match c {
                '0'..='9' => from(b'0', 10),
                'A'..='Z' if at > 1 => from(b'A', 26),
                'a'..='z' if at > 1 => from(b'a', 26),
                other => other,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
