//! What a value of the wrong kind is told, in the words of those who write JSON.

/// What the reader of bodies expected, and what to call it.
const EXPECTED: [(&str, &str); 12] = [
    ("struct Promise", r#"an object belongs here, such as {"to": "2026-11-28"}"#),
    ("struct Destination", r#"an object belongs here, such as {"country": "FR", "postcode": "44000"}"#),
    ("struct OrderRef", r#"an object belongs here, such as {"reference": "1234"}"#),
    ("struct", "an object with named fields belongs here"),
    ("a map", "an object belongs here"),
    ("a sequence", "a list belongs here"),
    ("a string", "a text belongs here"),
    ("a boolean", "true or false belongs here"),
    ("u", "a whole number belongs here"),
    ("i", "a whole number belongs here"),
    ("f64", "a number belongs here"),
    ("unit", "null belongs here"),
];

/// The library's sentence in ours. What is not known stays as it is.
pub(super) fn in_words(told: &str) -> String {
    reworded(told).unwrap_or_else(|| told.to_owned())
}

fn reworded(told: &str) -> Option<String> {
    if told.starts_with("missing field `") {
        return Some("it is missing, and needed".to_owned());
    }
    if let Some(rest) = told.strip_prefix("unknown variant `") {
        let (given, known) = rest.split_once("`, expected ")?;
        let known = known.strip_prefix("one of ").unwrap_or(known).replace('`', "");
        return Some(format!("{given:?} is none of these: {}", known.replace(" or ", ", ")));
    }
    let rest = told.strip_prefix("invalid type: ").or_else(|| told.strip_prefix("invalid value: "))?;
    let (given, expected) = rest.split_once(", expected ")?;
    let (_, wanted) = EXPECTED.iter().find(|(start, _)| is_named(expected, start))?;
    Some(format!("{wanted}; {} was given", given_in_words(given)))
}

/// `i64` and `u32` go by their letter alone, so that `unit` is not one of them.
fn is_named(expected: &str, start: &str) -> bool {
    match start {
        "u" | "i" => expected.strip_prefix(start).is_some_and(|bits| bits.parse::<u8>().is_ok()),
        _ => expected.starts_with(start),
    }
}

fn given_in_words(given: &str) -> String {
    match given.split_once(' ') {
        Some(("string", text)) => format!("the text {text}"),
        Some(("integer", number)) => format!("the number {}", number.trim_matches('`')),
        Some(("floating", point)) => format!("the number {}", point.trim_start_matches("point ").trim_matches('`')),
        Some(("boolean", value)) => value.trim_matches('`').to_owned(),
        _ => match given {
            "map" => "an object".to_owned(),
            "sequence" => "a list".to_owned(),
            other => other.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::in_words;
    use crate::api::trackers::body::TrackerBody;

    fn told<T: for<'de> Deserialize<'de> + std::fmt::Debug>(body: &str) -> String {
        let told = serde_json::from_str::<T>(body).unwrap_err().to_string();
        in_words(told.split(" at line ").next().unwrap())
    }

    #[test]
    fn no_word_of_the_language_it_is_written_in() {
        for (body, wanted) in [
            (
                r#"{"promised": "2026-11-28"}"#,
                r#"an object belongs here, such as {"to": "2026-11-28"}; the text "2026-11-28" was given"#,
            ),
            (
                r#"{"destination": "FR"}"#,
                r#"an object belongs here, such as {"country": "FR", "postcode": "44000"}; the text "FR" was given"#,
            ),
            (
                r#"{"orders": ["1234"]}"#,
                r#"an object belongs here, such as {"reference": "1234"}; the text "1234" was given"#,
            ),
            // By the order of their fields they could be read.
            (
                r#"{"promised": ["2026-11-27", "2026-11-28", null]}"#,
                r#"an object belongs here, such as {"to": "2026-11-28"}; a list was given"#,
            ),
            (
                r#"{"destination": ["FR", "44000", null]}"#,
                r#"an object belongs here, such as {"country": "FR", "postcode": "44000"}; a list was given"#,
            ),
            (
                r#"{"orders": [["1234", null]]}"#,
                r#"an object belongs here, such as {"reference": "1234"}; a list was given"#,
            ),
            (r#"{"orders": "1234"}"#, r#"a list belongs here; the text "1234" was given"#),
            (r#"{"importance": "high"}"#, r#"a whole number belongs here; the text "high" was given"#),
            (r#"{"importance": 1.5}"#, "a whole number belongs here; the number 1.5 was given"),
            (r#"{"number": 12}"#, "a text belongs here; the number 12 was given"),
            (r#"{"metadata": [1]}"#, "an object belongs here; a list was given"),
            (r#"{"direction": "up"}"#, r#""up" is none of these: outbound, return, exchange"#),
            (r#"{"promised": {}}"#, "it is missing, and needed"),
            ("5", "an object with named fields belongs here; the number 5 was given"),
        ] {
            assert_eq!(told::<TrackerBody>(body), wanted, "{body}");
        }
        assert_eq!(in_words("number out of range"), "number out of range");
    }
}
