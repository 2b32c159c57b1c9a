//! XML becomes JSON by one rule, so that one expression language reads both.
//!
//! Local names (no prefix) with `-` and `.` turned into `_`; attributes `_name`; text `_text`, or the bare string
//! where an element has nothing else; nodes named in `lists` and repeated ones are lists. The document element is
//! a key of the root: `root.Envelope.Body`. Attributes that say how the document is written
//! (`xsi:nil`, `xsi:type`, `xml:lang`, those of SOAP) are dropped.

use std::borrow::Cow;

use roxmltree::{Document, Node, ParsingOptions};
use serde_json::map::Entry;
use serde_json::{Map, Value};
use thiserror::Error;

/// Elements nested deeper than this are refused: no carrier does it, and recursion has to end.
pub const MAX_DEPTH: usize = 96;
/// More nodes than this are refused before they take memory.
const MAX_NODES: u32 = 400_000;
/// Attributes of these namespaces say how a document is written (`xsi:nil`, `xml:lang`, `encodingStyle`), not what.
const OF_WRITING: &[&str] = &[
    "http://www.w3.org/2001/XMLSchema-instance",
    "http://www.w3.org/XML/1998/namespace",
    "http://schemas.xmlsoap.org/soap/envelope/",
    "http://schemas.xmlsoap.org/soap/encoding/",
    "http://www.w3.org/2003/05/soap-envelope",
    "http://www.w3.org/2003/05/soap-encoding",
];

/// Why a text is no XML that we read.
#[derive(Debug, Error)]
pub enum XmlProblem {
    /// It is not well-formed, is too large, or brings a DTD.
    #[error("not readable as XML: {0}")]
    Syntax(#[from] roxmltree::Error),
    /// Nested too deeply.
    #[error("XML nested deeper than {MAX_DEPTH} elements")]
    TooDeep,
}

/// The JSON form of an XML document. Elements named in `lists` are lists even when they stand alone.
pub fn to_json(text: &str, lists: &[String]) -> Result<Value, XmlProblem> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options)?;
    let root = document.root_element();
    let mut top = Map::new();
    insert(&mut top, name_of(root.tag_name().name()), element(root, lists, 1)?, lists);
    Ok(Value::Object(top))
}

fn element(node: Node<'_, '_>, lists: &[String], depth: usize) -> Result<Value, XmlProblem> {
    if depth > MAX_DEPTH {
        return Err(XmlProblem::TooDeep);
    }
    let mut fields = Map::new();
    for attribute in node.attributes().filter(|a| a.namespace().is_none_or(|of| !OF_WRITING.contains(&of))) {
        fields.insert(format!("_{}", name_of(attribute.name())), Value::String(attribute.value().to_owned()));
    }
    let mut text = Cow::Borrowed("");
    for child in node.children() {
        if child.is_element() {
            insert(&mut fields, name_of(child.tag_name().name()), element(child, lists, depth + 1)?, lists);
        } else if let Some(more) = child.text().filter(|_| child.is_text()) {
            text = if text.is_empty() { Cow::Borrowed(more) } else { Cow::Owned(text.into_owned() + more) };
        }
    }
    let text = text.trim();
    if fields.is_empty() {
        return Ok(Value::String(text.to_owned()));
    }
    if !text.is_empty() {
        fields.insert("_text".to_owned(), Value::String(text.to_owned()));
    }
    Ok(Value::Object(fields))
}

fn name_of(local: &str) -> String {
    if !local.bytes().any(|byte| matches!(byte, b'-' | b'.')) {
        return local.to_owned();
    }
    let plain = local.bytes().map(|byte| if matches!(byte, b'-' | b'.') { b'_' } else { byte }).collect();
    // One ASCII character for another: what was UTF-8 stays so.
    String::from_utf8(plain).unwrap_or_default()
}

fn insert(fields: &mut Map<String, Value>, name: String, value: Value, lists: &[String]) {
    match fields.entry(name) {
        Entry::Vacant(slot) => {
            let alone = !lists.contains(slot.key());
            slot.insert(if alone { value } else { Value::Array(vec![value]) });
        }
        Entry::Occupied(mut slot) => match slot.get_mut() {
            Value::Array(several) => several.push(value),
            first => *first = Value::Array(vec![first.take(), value]),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_rule_makes_json_of_xml() {
        let text = r#"<?xml version="1.0"?><s:Envelope xmlns:s="urn:x" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
            <s:Body><a-b id="7">text</a-b><row><x.y>1</x.y></row><row/><only xsi:nil="true"/><one>z</one></s:Body></s:Envelope>"#;
        let json = to_json(text, &["one".to_owned()]).unwrap();
        assert_eq!(
            json,
            json!({"Envelope": {"Body": {
                "a_b": {"_id": "7", "_text": "text"},
                "row": [{"x_y": "1"}, ""],
                "only": "",
                "one": ["z"],
            }}})
        );
    }

    #[test]
    fn attributes_of_writing_are_dropped() {
        let text = r#"<s:Fault xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="">
            <faultstring xml:lang="en" s:mustUnderstand="0">no such user</faultstring></s:Fault>"#;
        assert_eq!(to_json(text, &[]).unwrap(), json!({"Fault": {"faultstring": "no such user"}}));
    }

    #[test]
    fn cdata_and_entities_are_text() {
        assert_eq!(to_json("<a><![CDATA[<b>]]> &amp; c</a>", &[]).unwrap(), json!({"a": "<b> & c"}));
    }

    #[test]
    fn a_dtd_is_refused() {
        let bomb = r#"<!DOCTYPE a [<!ENTITY x "xxxxxxxx"><!ENTITY y "&x;&x;">]><a>&y;</a>"#;
        assert!(to_json(bomb, &[]).is_err());
    }

    #[test]
    fn depth_is_capped_without_recursion() {
        for times in [MAX_DEPTH + 5, 200_000] {
            let text = format!("{}{}", "<a>".repeat(times), "</a>".repeat(times));
            assert!(to_json(&text, &[]).is_err());
        }
        let fine = format!("{}{}", "<a>".repeat(MAX_DEPTH), "</a>".repeat(MAX_DEPTH));
        assert!(to_json(&fine, &[]).is_ok());
    }
}
