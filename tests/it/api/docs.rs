//! `docs/api.md`: every request on that page is sent, in its order, to the real program and answered as the page says.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::house::Plan;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md");

/// The blocks of one language on the page.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// Every field that the page shows is there in the answer.
fn assert_has(answer: &Value, shown: &Value, path: &str) {
    match shown {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let found = answer.get(name).unwrap_or_else(|| panic!("{path}.{name} is not in the answer: {answer}"));
                assert_has(found, inner, &format!("{path}.{name}"));
            }
        }
        Value::Array(items) => {
            for (at, inner) in items.iter().enumerate() {
                let found = answer.get(at).unwrap_or_else(|| panic!("{path}[{at}] is not in the answer: {answer}"));
                assert_has(found, inner, &format!("{path}[{at}]"));
            }
        }
        // What differs from run to run is shown with an ellipsis, or is an instant.
        Value::String(text) if text.contains('…') || text.parse::<jiff::Timestamp>().is_ok() => {}
        other => assert_eq!(answer, other, "{path}"),
    }
}

#[tokio::test]
async fn every_request_on_the_page_is_answered_as_it_says() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let house = Plan::new().sandbox_day("1h").open().await;
    let shop = house.shop("boutique").await;
    let mut known: BTreeMap<&str, String> = BTreeMap::new();
    let requests = blocks(&page, "http");
    assert!(requests.len() >= 10, "the page shows requests");
    for block in requests {
        let (request, answer) = block.split_once("→ ").unwrap_or_else(|| panic!("what is the answer? {block}"));
        let fill = |text: &str| {
            known.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
        };
        let (line, body) = request.trim().split_once('\n').unwrap_or((request.trim(), ""));
        let (method, path) = line.split_once(' ').unwrap();
        let body = fill(body.trim());
        let (status, told) = shop.ask(method, &fill(path), (!body.is_empty()).then_some(body.as_str())).await;
        let (wanted, shown) = answer.split_once('\n').unwrap_or((answer, ""));
        assert_eq!(status.to_string(), wanted.trim(), "{line}: {told}");
        if !shown.trim().is_empty() {
            let shown: Value = serde_json::from_str(shown).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_has(&told, &shown, line);
        }
        for (name, prefix) in [("id", "trk_"), ("endpoint", "ep_")] {
            if let Some(id) = told["id"].as_str().filter(|id| id.starts_with(prefix)) {
                known.insert(name, id.to_owned());
            }
        }
        if let Some(cursor) = told["next_cursor"].as_str() {
            known.insert("cursor", cursor.to_owned());
        }
    }
    for block in blocks(&page, "json") {
        let read: Result<Value, _> = serde_json::from_str(&block);
        assert!(read.is_ok(), "{block}");
    }
}

/// A route that the page does not name is a route that nobody finds.
#[test]
fn the_page_names_every_route() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let source = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/mod.rs")).unwrap();
    for line in source.lines().filter(|line| line.trim_start().starts_with(".route(")) {
        let path = line.split('"').nth(1).unwrap();
        for method in ["get", "post", "delete", "put", "patch"] {
            if line.contains(&format!(" {method}(")) || line.contains(&format!(".{method}(")) {
                let named = format!("`{} {path}`", method.to_uppercase());
                assert!(page.contains(&named), "docs/api.md does not name {named}");
            }
        }
    }
}
