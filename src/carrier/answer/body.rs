//! The bytes of an answer become JSON: charset, byte order mark, XML, JSON held in strings, depth.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};
use serde_json::Value;

use crate::carrier::definition::answer::{AnswerSpec, Format};

use super::xml;

/// What the body of an answer turned out to be.
#[derive(Debug)]
pub enum Body {
    /// Nothing, or blanks.
    Empty,
    /// Not of the format that the definition names.
    Unparsable(String),
    /// Read.
    Read(Value),
}

impl Body {
    /// The answer as JSON, null when there is none.
    pub fn value(&self) -> &Value {
        match self {
            Self::Read(value) => value,
            _ => &Value::Null,
        }
    }
}

/// Reads a body as the definition says. `text` is what [`text_of`] made of its bytes.
pub fn read(spec: &AnswerSpec, text: &str) -> Body {
    if text.trim().is_empty() {
        return Body::Empty;
    }
    let parsed = match spec.format {
        Format::Json => serde_json::from_str(text).map_err(|problem| format!("not readable as JSON: {problem}")),
        Format::Xml => xml::to_json(text.trim_start(), &spec.lists).map_err(|problem| problem.to_string()),
    };
    match parsed {
        Ok(mut value) => {
            for path in &spec.embedded {
                let parts: Vec<&str> = path.strip_prefix("root.").unwrap_or(path).split('.').collect();
                unfold(&mut value, &parts, &spec.lists);
            }
            Body::Read(value)
        }
        Err(problem) => Body::Unparsable(problem),
    }
}

/// The text of a body: byte order mark first, then the charset of the content type, then that of an XML
/// declaration, else UTF-8. What cannot be read becomes the replacement character; nothing fails.
pub fn text_of<'a>(bytes: &'a [u8], content_type: Option<&str>) -> Cow<'a, str> {
    let declared = content_type.and_then(charset).or_else(|| xml_charset(bytes)).unwrap_or(UTF_8);
    // `decode` looks for a byte order mark itself, and lets it win.
    declared.decode(bytes).0
}

fn charset(content_type: &str) -> Option<&'static Encoding> {
    let at = content_type.to_ascii_lowercase().find("charset=")?;
    let label = content_type.get(at + 8..)?.split(';').next()?.trim().trim_matches('"');
    Encoding::for_label(label.as_bytes())
}

fn xml_charset(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = std::str::from_utf8(bytes.get(..bytes.len().min(200))?.split(|b| *b == b'>').next()?).ok()?;
    let declaration = head.trim_start().strip_prefix("<?xml")?;
    let label = declaration.split_once("encoding=")?.1;
    let quote = label.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let encoding = Encoding::for_label(label[1..].split(quote).next()?.as_bytes())?;
    // A declaration that we could read as single bytes cannot be UTF-16, whatever it says.
    encoding.is_ascii_compatible().then_some(encoding)
}

/// Puts JSON (or XML) held in a string in the place of the string; what cannot be read stays a string.
fn unfold(value: &mut Value, path: &[&str], lists: &[String]) {
    match (value, path) {
        (Value::Array(items), _) => items.iter_mut().for_each(|item| unfold(item, path, lists)),
        (Value::Object(fields), [key, rest @ ..]) => {
            if let Some(inner) = fields.get_mut(*key) {
                unfold(inner, rest, lists);
            }
        }
        (slot @ Value::String(_), []) => {
            let text = slot.as_str().unwrap_or_default().trim();
            let inner = if text.starts_with('<') {
                xml::to_json(text, lists).ok()
            } else {
                serde_json::from_str(text).ok().filter(|v: &Value| v.is_object() || v.is_array())
            };
            if let Some(inner) = inner {
                *slot = inner;
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn json_spec(embedded: &[&str]) -> AnswerSpec {
        AnswerSpec { embedded: embedded.iter().map(|s| (*s).to_owned()).collect(), ..AnswerSpec::default() }
    }

    #[test]
    fn a_byte_order_mark_and_duplicate_keys_do_no_harm() {
        let text = text_of(b"\xEF\xBB\xBF{\"a\":1,\"a\":2}", None);
        assert_eq!(read(&json_spec(&[]), &text).value(), &json!({"a": 2}));
        let utf16: Vec<u8> =
            [0xFF, 0xFE].into_iter().chain("{\"a\":\"é\"}".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(read(&json_spec(&[]), &text_of(&utf16, Some("application/json"))).value(), &json!({"a": "é"}));
    }

    #[test]
    fn charsets_are_read_where_they_are_declared() {
        assert_eq!(text_of(b"caf\xE9", Some("text/xml; charset=\"ISO-8859-1\"")), "café");
        assert!(text_of(b"<?xml version='1.0' encoding='iso-8859-1'?><a>\xE9</a>", None).contains('é'));
        assert!(text_of(b"<?xml version=\"1.0\" encoding=\"utf-16\"?><a/>", None).contains("<a/>"));
        assert_eq!(text_of(b"caf\xE9", None), "caf\u{FFFD}");
    }

    #[test]
    fn json_in_strings_is_unfolded_also_within_lists() {
        let text = r#"{"data":[{"payload":"{\"a\":1}"},{"payload":"nonsense"},{"payload":null}]}"#;
        assert_eq!(
            read(&json_spec(&["data.payload"]), text).value(),
            &json!({"data": [{"payload": {"a": 1}}, {"payload": "nonsense"}, {"payload": null}]})
        );
    }

    #[test]
    fn depth_ends_and_emptiness_is_told_apart() {
        let deep = "[".repeat(100_000);
        assert!(matches!(read(&json_spec(&[]), &deep), Body::Unparsable(_)));
        assert!(matches!(read(&json_spec(&[]), " \n"), Body::Empty));
        assert!(matches!(read(&json_spec(&[]), "<html>"), Body::Unparsable(_)));
    }
}
