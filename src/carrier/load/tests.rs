//! Loading tells everything that is wrong; types and schema know the same keys.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::carrier::{Registry, builtin};

const EVERYTHING: &str = include_str!("everything.toml");
const SHARED: &str = "[[codes]]\ntable = { \"9\" = \"delivered\" }\n";

fn shared() -> Shared {
    Shared::from([("shared".to_owned(), SHARED.to_owned())])
}

fn schema() -> Value {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/carriers/schema.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn as_json(text: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Value>(text).unwrap()).unwrap()
}

fn problems(text: &str) -> Vec<Problem> {
    definition("test.toml", text, &shared()).err().unwrap_or_default()
}

#[test]
fn everything_loads() {
    assert_eq!(problems(EVERYTHING), []);
}

#[test]
fn every_definition_is_valid_by_the_schema_and_a_mutated_one_is_not() {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    let files = builtin::CARRIERS.iter().copied().chain([("everything", EVERYTHING)]);
    for (code, text) in files {
        let value = as_json(text);
        let told: Vec<String> =
            validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert_eq!(told, Vec::<String>::new(), "{code}");
        for (pointer, change) in [
            ("/confidence", json!("certain")),
            ("/limits/default/per_second", json!("fast")),
            ("/request/wat", json!(1)),
            ("/answer/format", json!("yaml")),
            ("/wat", json!({})),
            ("/code", json!("Not A Code")),
        ] {
            let mut wrong = value.clone();
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            wrong.pointer_mut(parent).unwrap()[key] = change;
            assert!(!validator.is_valid(&wrong), "{code}: {pointer}");
        }
    }
}

#[test]
fn of_several_look_ups_the_wrong_one_is_named_and_nothing_follows_from_it() {
    let codes = |second: &str| {
        format!(
            "{EVERYTHING}\n[[codes]]\non = \"e.z\"\ntable = {{ QQ = \"delivered\" }}\n[[codes]]\non = \"e.y\"\n{second}\n"
        )
    };
    let last = |text: &str| text.lines().position(|line| line == "on = \"e.y\"").unwrap();
    for (second, wanted) in [
        (
            "table = { A = \"note\" }\ntext = [{ contains = [\"a\"], is = \"note\" }]",
            "exactly one of table, text, include",
        ),
        ("text = [{ contains = [\"\"], is = \"note\" }]", "would match everything"),
    ] {
        let text = codes(second);
        let told = problems(&text);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].message.contains(wanted), "{told:?}");
        assert!(told[0].line.unwrap() >= last(&text), "{told:?}: line {}", last(&text));
        assert!(!told[0].key.contains("codes[0]"), "{told:?}");
    }
}

/// The part of a schema that is about objects with known keys.
fn object_schema<'s>(root: &'s Value, schema: &'s Value, keys: &BTreeSet<&str>) -> Option<&'s Value> {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        return object_schema(root, root.pointer(&name[1..]).unwrap(), keys);
    }
    if let Some(ways) = schema.get("anyOf").and_then(Value::as_array) {
        return ways.iter().find_map(|way| object_schema(root, way, keys));
    }
    let properties = schema.get("properties")?.as_object()?;
    keys.iter().all(|key| properties.contains_key(*key)).then_some(schema)
}

fn element_schema<'s>(root: &'s Value, schema: &'s Value) -> Option<&'s Value> {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        return element_schema(root, root.pointer(&name[1..]).unwrap());
    }
    if let Some(ways) = schema.get("anyOf").and_then(Value::as_array) {
        return ways.iter().find_map(|way| element_schema(root, way));
    }
    schema.get("items")
}

/// Schema of what stands under a key.
fn child_schema<'s>(root: &'s Value, schema: &'s Value, key: &str) -> Option<&'s Value> {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        return child_schema(root, root.pointer(&name[1..]).unwrap(), key);
    }
    if let Some(ways) = schema.get("anyOf").and_then(Value::as_array) {
        return ways.iter().find_map(|way| child_schema(root, way, key));
    }
    let named = schema.get("properties").and_then(|properties| properties.get(key));
    named.or_else(|| schema.get("additionalProperties").filter(|more| more.is_object()))
}

const STRAY: &str = "zzzzzzzzzzzz";

/// The keys that the types know where a stray key was put, out of the message about it.
fn known_to_types(document: &toml::Value) -> Option<BTreeSet<String>> {
    let text = toml::to_string(document).unwrap();
    let told = document::read::<Definition>("test.toml", &text).err()?;
    let about = told.iter().find(|problem| problem.message.contains(STRAY))?;
    let list = about.message.rsplit_once("known: ")?.1.trim_end_matches(')');
    Some(list.split(", ").map(str::to_owned).collect())
}

fn compare(root: &Value, schema: &Value, whole: &toml::Value, path: &mut Vec<String>, seen: &mut usize) {
    let here = path.iter().fold(whole, |at, step| match at {
        toml::Value::Array(items) => &items[step.parse::<usize>().unwrap()],
        other => &other[step.as_str()],
    });
    match here {
        toml::Value::Table(table) => {
            let keys: BTreeSet<&str> = table.keys().map(String::as_str).collect();
            if let Some(found) = object_schema(root, schema, &keys) {
                let mut wrong = whole.clone();
                let target = path.iter().fold(&mut wrong, |at, step| match at {
                    toml::Value::Array(items) => &mut items[step.parse::<usize>().unwrap()],
                    other => &mut other[step.as_str()],
                });
                target.as_table_mut().unwrap().insert(STRAY.to_owned(), toml::Value::Integer(1));
                let types = known_to_types(&wrong).unwrap_or_else(|| panic!("{path:?}: a stray key is accepted"));
                let schema: BTreeSet<String> = found["properties"].as_object().unwrap().keys().cloned().collect();
                assert_eq!(types, schema, "keys of the types and of the schema at {path:?}");
                *seen += 1;
            }
            for key in table.keys() {
                if let Some(child) = child_schema(root, schema, key) {
                    path.push(key.clone());
                    compare(root, child, whole, path, seen);
                    path.pop();
                }
            }
        }
        toml::Value::Array(items) => {
            for index in 0..items.len() {
                if let Some(child) = element_schema(root, schema) {
                    path.push(index.to_string());
                    compare(root, child, whole, path, seen);
                    path.pop();
                }
            }
        }
        _ => {}
    }
}

#[test]
fn types_and_schema_know_the_same_keys() {
    let (schema, whole) = (schema(), toml::from_str::<toml::Value>(EVERYTHING).unwrap());
    let mut seen = 0;
    compare(&schema, &schema, &whole, &mut Vec::new(), &mut seen);
    assert!(seen > 45, "only {seen} tables were compared");
}

#[test]
fn all_problems_are_told_with_line_and_what_would_be_right() {
    let text = EVERYTHING
        .replace("confidence = \"low\"\nenabled", "confidense = \"low\"\nenabled")
        .replace("per_second = 0.5", "per_secnd = 0.5")
        .replace("service = \"s\"", "service = \"s | nofilter\"")
        .replace("kind = \"oauth2\"", "kind = \"oauth\"")
        .replace("[drops]", "[drop]");
    let told: Vec<String> = problems(&text).iter().map(ToString::to_string).collect();
    let has = |parts: &[&str]| told.iter().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(has(&["test.toml:9: confidense", "did you mean \"confidence\""]), "{told:#?}");
    assert!(has(&["limits.default.per_secnd", "did you mean \"per_second\""]), "{told:#?}");
    assert!(has(&["map.parcel.service", "nofilter"]), "{told:#?}");
    assert!(has(&["auth.kind", "\"oauth\" is not known here", "oauth2"]), "{told:#?}");
    assert!(has(&[": drop: ", "did you mean \"drops\""]), "{told:#?}");
}

#[test]
fn things_that_do_not_fit_together_are_told() {
    let text = EVERYTHING
        .replace("{{ credentials.key | base64 }}", "{{ credentials.kex | base64 }}")
        .replace("{{ env.x }}", "{{ env.y }}/{{ numbr }}")
        .replace("for_each = \"items\", item = {", "one = {")
        .replace("part = 2", "part = 7")
        .replace("countries = [\"FR\", \"BE\"]", "countries = [\"FR\", \"UK\"]")
        .replace("schema = 1\n", "schema = 2\n")
        .replace("include = \"shared\"", "include = \"sharde\"");
    let told: Vec<String> = problems(&text).iter().map(ToString::to_string).collect();
    for parts in [
        ["auth.token.headers.A", "did you mean \"key\""],
        ["limits.default.numbers_per_call", "names one number only"],
        ["request.url", "\"env.y\" is not declared"],
        ["request.url", "did you mean \"number\""],
        ["numbers[0].part", "no such group"],
        ["countries[1]", "\"UK\""],
        ["test.toml:2: schema", "reads schema 1"],
        ["codes[2].include", "did you mean \"shared\""],
    ] {
        assert!(told.iter().any(|line| parts.iter().all(|part| line.contains(part))), "{parts:?} in {told:#?}");
    }
    assert!(told.iter().all(|line| line.starts_with("test.toml:")), "{told:#?}");
}

#[test]
fn the_item_at_fault_is_named_and_nothing_follows_from_it() {
    let codes = "[[codes]]\ntable = { A = \"delivered\" }\n";
    let wrong = [
        ("[[codes]]\non = \"e.c\"\n", "codes[1]", "exactly one of"),
        ("[[codes]]\non = \"e.c\"\ntable = {}\ntext = []\n", "codes[1]", "exactly one of"),
        (
            "[[codes]]\ntext = [{ contains = [\"x\"], is = \"lost\" }, { contains = [\"\"], is = \"lost\" }]\n",
            "codes[1].text[1]",
            "",
        ),
        ("[[codes]]\ntext = [{ without = [\"x\"], is = \"lost\" }]\n", "codes[1].text[0]", "match everything"),
    ];
    for (added, key, part) in wrong {
        let told =
            document::read::<super::super::definition::answer::SharedCodes>("t", &format!("{codes}{added}{codes}"));
        let told = told.unwrap_err();
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0].key == key && told[0].message.contains(part), "{told:#?}");
        assert!(told[0].line.is_some_and(|line| line >= 3), "{told:#?}");
    }
    let both = format!("[[codes]]\n{codes}[[codes]]\n{codes}[[codes]]\n");
    let told = document::read::<super::super::definition::answer::SharedCodes>("t", &both).unwrap_err();
    let places: Vec<_> = told.iter().map(|one| (one.key.as_str(), one.line.unwrap())).collect();
    assert_eq!(places, [("codes[0]", 1), ("codes[2]", 4), ("codes[4]", 7)]);
    let text = format!("{EVERYTHING}\n[[outcome]]\nhttp = [\"1xx-5xx\"]\nis = \"throttled\"\n");
    let told = problems(&text);
    assert!(told.len() == 1 && told[0].key.ends_with(".http[0]"), "{told:#?}");
}

#[test]
fn a_value_of_the_wrong_kind_is_told_in_words_of_the_language() {
    let shape = |regex: &str, checksum: &str, example: &str| {
        let numbers =
            format!("[[numbers]]\nname = \"x\"\nregex = '{regex}'\nchecksum = {checksum}\nexamples = ['{example}']\n");
        let told: Vec<String> = problems(&format!("{EVERYTHING}\n{numbers}")).iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 1, "{told:#?}");
        told[0].clone()
    };
    let weighted =
        |over: &str| format!("{{ kind = \"mod11\", weights = [2, 3, 4, 5, 6, 7], from = \"right\", over = {over} }}");
    for (told, part) in [
        (shape(r"PN(\d{10}", "\"none\"", "PN1"), "at character 3: unclosed group"),
        (shape(r"(?<!x)\d{10}", "\"none\"", "1"), "look-around"),
        (shape(r"PN(\d{10})", &weighted("1"), "PN4031207780"), "it is 0, by this rule 7"),
        (shape(r"PN(\d{10})", &weighted("\"3-99\""), "PN4031207787"), "has 12"),
        (shape("[A-Z]{2}\\d{9}[A-Z]{2}", "\"s10\"", "RB123456784GB"), "it is 4, by this rule 5"),
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let wrong = EVERYTHING.replace("per_second = 0.5", "per_second = \"5\"");
    let told = problems(&wrong);
    assert!(told.iter().any(|one| one.message.ends_with("expected a number")), "{told:#?}");
}

#[test]
fn broken_files_are_told_not_panicked_over() {
    for text in ["", "=", "a = [", "schema = 1", "[[numbers]]", "schema = \"x\"\ncode = 3", "\u{feff}"] {
        assert!(!problems(text).is_empty(), "{text:?}");
    }
    let syntax = &problems("schema = 1\ncode = \n")[0];
    assert_eq!(syntax.line, Some(2), "{syntax}");
    let twice = &problems("schema = 1\ncode = \"a\"\ncode = \"b\"\n")[0];
    assert!(twice.to_string().starts_with("test.toml:3: the key code stands twice"), "{twice}");
    let escaped = &problems("code = \"^\\d$\"\n")[0];
    assert!(escaped.message.contains("in '...' a backslash stands for itself"), "{escaped}");
}

#[test]
fn a_folder_overrides_and_adds() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    put("everything/carrier.toml", EVERYTHING);
    put("_shared/shared.toml", SHARED);
    let ups = builtin::CARRIERS.iter().find(|(code, _)| *code == "ups").unwrap().1;
    put("ups/carrier.toml", &ups.replace("name = \"UPS\"", "name = \"Our UPS\""));
    let registry = Registry::load(Some(folder.path())).unwrap();
    assert_eq!(registry.all().count(), builtin::CARRIERS.len() + 1);
    assert_eq!(registry.get("ups").unwrap().definition().name, "Our UPS");
    assert_ne!(registry.get("ups").unwrap().version(), Registry::builtin().get("ups").unwrap().version());
    let alias = ups.replace("code = \"ups\"", "code = \"ours\"");
    put("ours/carrier.toml", &alias);
    let told = Registry::load(Some(folder.path())).unwrap_err();
    assert!(told.iter().any(|problem| problem.to_string().contains("means ours already")), "{told:#?}");
    std::fs::remove_dir_all(folder.path().join("ours")).unwrap();
    std::fs::remove_dir_all(folder.path().join("ups")).unwrap();
    put("everything/carrier.toml", &EVERYTHING.replace("every_thing", "UPS"));
    let told = Registry::load(Some(folder.path())).unwrap_err();
    let blamed = told[0].to_string();
    assert!(blamed.contains("everything/carrier.toml:") && blamed.contains("\"ups\" means ups already"), "{told:#?}");
    put("wrong/carrier.toml", EVERYTHING);
    put("empty/readme", "");
    let told = Registry::load(Some(folder.path())).unwrap_err();
    let has = |part: &str| told.iter().any(|problem| problem.to_string().contains(part));
    assert!(has("its folder \"wrong\"") && has("empty: has no carrier.toml"), "{told:#?}");
    assert!(Registry::load(Some(&folder.path().join("absent"))).is_err());
}
