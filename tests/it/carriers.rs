//! Every folder in `carriers/` and what its samples become.
//!
//! `samples/NAME.{json,xml,txt}` is an answer as the carrier would send it; `NAME.expect.json` is what `wismo normalize`
//! prints for it: `{"http_status", "headers"?, "numbers", "observed_at", "outcome", "parcels"}`, compared whole; with
//! `"partial": true` what it leaves out is not compared (lists have to be complete all the same).
//! `WISMO_WRITE_SAMPLES=fill` completes partial expectations that hold; `WISMO_WRITE_SAMPLES=anew` writes all of them
//! after a change that was meant. Read the diff.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use wismo::carrier::{Answer, CallItem, Carrier, RawAnswer, Registry};
use wismo::model::{Local, Precision};

fn carriers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("carriers")
}

fn folders() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(carriers()).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir() && !name(path).starts_with('_')).collect();
    folders.sort();
    folders
}

/// The answers of a folder, each with the file of its expectation.
fn samples(folder: &Path) -> Vec<(PathBuf, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(folder.join("samples")) else { return Vec::new() };
    let mut samples: Vec<(PathBuf, PathBuf)> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.to_string_lossy().ends_with(".expect.json"))
        .filter(|path| path.extension().is_some_and(|kind| kind == "json" || kind == "xml" || kind == "txt"))
        .map(|path| (path.clone(), path.with_extension("expect.json")))
        .collect();
    samples.sort();
    samples
}

/// What `wismo normalize` prints for an answer.
fn printed(carrier: &Carrier, answer: &Answer) -> Value {
    let parcels = answer.parcels.iter().map(|told| {
        let mut parcel = Map::new();
        if let Some(observation) = &told.observation {
            let shown = wismo::tracking::preview(carrier.code(), &told.number, observation);
            let Value::Object(fields) = serde_json::to_value(shown).unwrap() else { panic!("a parcel is an object") };
            parcel = fields;
        }
        parcel.insert("number".into(), json!(told.number));
        parcel.insert("outcome".into(), json!(told.outcome));
        Value::Object(parcel)
    });
    json!({"outcome": answer.call, "parcels": parcels.collect::<Vec<_>>()})
}

fn response_of(expected: &Value, body: Vec<u8>) -> RawAnswer {
    let headers = expected["headers"].as_object().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    RawAnswer {
        status: expected["http_status"].as_u64().map_or(200, |status| u16::try_from(status).unwrap()),
        headers: headers.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
        body,
        observed_at: expected["observed_at"].as_str().map_or_else(
            || "2026-03-12T12:00:00Z".parse().unwrap(),
            |at| at.parse().expect("observed_at is an instant such as 2026-03-12T12:00:00Z"),
        ),
    }
}

/// Each place where two values differ, a line each.
fn differences(at: &str, expected: &Value, found: &Value, partial: bool, out: &mut String) {
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))).collect();
            keys.sort();
            for key in keys {
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => differences(&format!("{at}.{key}"), a, b, partial, out),
                    (Some(a), None) => writeln!(out, "    {at}.{key}: expected {a}, is absent").unwrap(),
                    (None, Some(_)) if partial => {}
                    (None, Some(b)) => writeln!(out, "    {at}.{key}: is {b}, not expected").unwrap(),
                    (None, None) => {}
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differences(&format!("{at}[{index}]"), a, b, partial, out);
            }
        }
        (a, b) if a != b => writeln!(out, "    {at}:\n      expected {a}\n      is       {b}").unwrap(),
        _ => {}
    }
}

fn check_sample(carrier: &Carrier, sample: &Path, expectation: &Path) -> Result<(), String> {
    let name = sample.strip_prefix(carriers()).unwrap().display().to_string();
    let text =
        std::fs::read_to_string(expectation).map_err(|_| format!("  {name}: has no {}\n", expectation.display()))?;
    let expected: Value = serde_json::from_str(&text).map_err(|e| format!("  {}: {e}\n", expectation.display()))?;
    let numbers: Vec<String> = serde_json::from_value(expected["numbers"].clone()).unwrap_or_default();
    let response = response_of(&expected, std::fs::read(sample).unwrap());
    let found = printed(carrier, &carrier.normalize(&numbers, &response, false).answer);
    let rewrite = std::env::var("WISMO_WRITE_SAMPLES").unwrap_or_default();
    let partial = expected["partial"] == json!(true) || rewrite == "fill";
    let mut out = String::new();
    differences("outcome", &expected["outcome"], &found["outcome"], partial, &mut out);
    differences("parcels", &expected["parcels"], &found["parcels"], partial, &mut out);
    if rewrite == "anew" || (rewrite == "fill" && out.is_empty()) {
        let mut whole = expected;
        whole.as_object_mut().unwrap().remove("partial");
        whole["outcome"] = found["outcome"].clone();
        whole["parcels"] = found["parcels"].clone();
        std::fs::write(expectation, serde_json::to_string_pretty(&whole).unwrap() + "\n").unwrap();
        return Ok(());
    }
    if out.is_empty() { Ok(()) } else { Err(format!("  {name}:\n{out}")) }
}

#[test]
fn every_sample_becomes_what_is_expected() {
    let registry = Registry::load(Some(&carriers())).unwrap_or_else(|problems| {
        let lines: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
        panic!("the definitions do not load:\n{}", lines.join("\n"));
    });
    let mut problems = String::new();
    let mut count = 0;
    for folder in folders() {
        let code = folder.file_name().unwrap().to_string_lossy().into_owned();
        let Some(carrier) = registry.get(&code).filter(|carrier| carrier.code().as_str() == code) else {
            writeln!(problems, "  {code}: there is no carrier of this code").unwrap();
            continue;
        };
        let samples = samples(&folder);
        if samples.is_empty() {
            writeln!(problems, "  {code}: a folder without samples proves nothing").unwrap();
        }
        for (sample, expectation) in samples {
            count += 1;
            if let Err(problem) = check_sample(&carrier, &sample, &expectation) {
                problems.push_str(&problem);
            }
        }
    }
    assert!(problems.is_empty(), "of {count} samples:\n{problems}");
    assert!(count > 0, "no samples at all");
}

#[test]
fn every_folder_is_compiled_in() {
    for folder in folders() {
        let code = folder.file_name().unwrap().to_string_lossy().into_owned();
        assert!(builtin().get(&code).is_some(), "{code} has a folder and is not in the program");
    }
}

#[test]
fn a_changed_sample_is_told_as_one() {
    let (a, b) = (json!({"a": [1, {"b": 2}], "c": 3}), json!({"a": [1, {"b": 9}], "d": 4}));
    let mut out = String::new();
    differences("p", &a, &b, false, &mut out);
    assert_eq!(out.lines().count(), 5, "{out}");
    assert!(out.contains("p.a[1].b") && out.contains("p.c: expected 3") && out.contains("p.d: is 4"));
    out.clear();
    differences("p", &a, &b, true, &mut out);
    assert!(!out.contains("p.d") && out.contains("p.c"), "{out}");
}

/// What holds of every answer, whatever its bytes.
fn check_answer(asked: &[CallItem], answer: &Answer) {
    let numbers: Vec<_> = answer.parcels.iter().map(|parcel| &parcel.number).collect();
    assert_eq!(numbers, asked.iter().map(|item| &item.number).collect::<Vec<_>>(), "every number once, in order");
    let bad = |c: char| c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    for parcel in &answer.parcels {
        assert!(parcel.observation.is_none() || parcel.outcome == wismo::model::PollOutcome::Ok);
        for event in parcel.observation.iter().flat_map(|seen| &seen.events) {
            let text = event.description.as_deref().unwrap_or_default();
            assert!(text.chars().count() <= 500 && !text.contains(bad) && !event.code.contains(bad), "{text:?}");
            if event.time.precision == Some(Precision::Date) {
                assert!(matches!(event.time.local, Some(Local::Date(_))) && event.time.utc.is_none());
            }
            if let (Some(utc), Some(Local::DateTime(wall))) = (event.time.utc, event.time.local) {
                assert_eq!(event.time.offset.unwrap().to_timestamp(wall).unwrap(), utc);
            }
        }
    }
}

#[test]
fn what_is_kept_of_an_answer_reads_the_same_and_tells_of_nobody_else() {
    let (mut kept, mut batches) = (0, 0);
    for Sample { carrier, body, numbers, status } in all_samples() {
        let items: Vec<CallItem> = asked(numbers).into_iter().map(|item| CallItem { keep: true, ..item }).collect();
        let answer = carrier.read_answer(&items, &answer_to(*status, body.clone()));
        for (item, parcel) in items.iter().zip(&answer.parcels) {
            assert!(parcel.kept.is_none() || parcel.observation.is_some());
            let (Some(whole), Some(seen)) = (&parcel.kept, &parcel.observation) else { continue };
            let again = carrier.reread(item, whole).observation.unwrap();
            assert_eq!((&again.facts, &again.events, &again.headline), (&seen.facts, &seen.events, &seen.headline));
            let text = serde_json::to_string(whole).unwrap();
            for other in items.iter().filter(|other| other.number != item.number) {
                assert!(
                    !text.contains(&other.number),
                    "{}: {} is told of {}",
                    carrier.code(),
                    item.number,
                    other.number
                );
                batches += 1;
            }
            kept += 1;
        }
    }
    assert!(kept > 50 && batches > 5, "{kept} {batches}");
}

/// Values that carriers were seen to send in the place of others, and some that nobody would.
fn strange(choice: usize) -> Value {
    let long = "x\u{202e}\u{0}é ".repeat(400);
    let all = [
        json!(null),
        json!({}),
        json!([]),
        json!(""),
        json!(-1),
        json!(1e300),
        json!(true),
        json!(long),
        json!([[{}]]),
        json!({"_text": "2026-02-30T25:61:00+99:00"}),
    ];
    all[choice % all.len()].clone()
}

/// Replaces the `at`-th value of a document, counted depth first.
fn replace(value: &mut Value, at: &mut usize, with: &Value) -> bool {
    if *at == 0 {
        *value = with.clone();
        return true;
    }
    *at -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| replace(item, at, with)),
        Value::Object(fields) => fields.values_mut().any(|field| replace(field, at, with)),
        _ => false,
    }
}

/// What a tracker keeps of an answer.
fn known_from(answer: &Answer) -> Vec<CallItem> {
    let known = |parcel: &wismo::carrier::ParcelAnswer| CallItem {
        number: parcel.number.clone(),
        known_digest: parcel.observation.as_ref().map(|seen| seen.digest),
        known_bytes: parcel.bytes,
        ..CallItem::default()
    };
    answer.parcels.iter().map(known).collect()
}

fn asked(numbers: &[String]) -> Vec<CallItem> {
    numbers.iter().map(|number| CallItem { number: number.clone(), ..CallItem::default() }).collect()
}

fn builtin() -> &'static Registry {
    static BUILTIN: OnceLock<Registry> = OnceLock::new();
    BUILTIN.get_or_init(Registry::builtin)
}

/// A sample: whose answer it is, its bytes, the numbers that were asked, its status.
struct Sample {
    carrier: Arc<Carrier>,
    body: Vec<u8>,
    numbers: Vec<String>,
    status: u16,
}

fn all_samples() -> &'static [Sample] {
    static ALL: OnceLock<Vec<Sample>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut all = Vec::new();
        for carrier in builtin().all() {
            for (sample, expectation) in samples(&carriers().join(carrier.code().as_str())) {
                let expected: Value = serde_json::from_slice(&std::fs::read(expectation).unwrap()).unwrap();
                all.push(Sample {
                    carrier: carrier.clone(),
                    body: std::fs::read(sample).unwrap(),
                    numbers: serde_json::from_value(expected["numbers"].clone()).unwrap_or_default(),
                    status: response_of(&expected, Vec::new()).status,
                });
            }
        }
        all
    })
}

fn answer_to(status: u16, body: Vec<u8>) -> RawAnswer {
    let headers =
        vec![("Content-Type".to_owned(), "application/json".to_owned()), ("Retry-After".to_owned(), "?".to_owned())];
    RawAnswer { status, headers, body, observed_at: "2026-03-12T12:00:00Z".parse().unwrap() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic_any_carrier(body in prop::collection::vec(any::<u8>(), 0..600), status in 100_u16..600) {
        for carrier in builtin().all() {
            let items = asked(&["1Z12345E0205271686".to_owned(), "B".to_owned()]);
            check_answer(&items, &carrier.read_answer(&items, &answer_to(status, body.clone())));
            carrier.normalize(&[], &answer_to(status, body.clone()), true);
        }
    }

    #[test]
    fn no_damaged_answer_panics(
        which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), length in 0_usize..40,
        with in prop::collection::vec(any::<u8>(), 0..12),
    ) {
        let Sample { carrier, body: whole, numbers, status } = which.get(all_samples());
        let mut body = whole.clone();
        let from = at.index(body.len() + 1);
        let to = (from + length).min(body.len());
        body.splice(from..to, with);
        let items = asked(numbers);
        let response = answer_to(*status, body);
        check_answer(&items, &carrier.read_answer(&items, &response));
        let known = known_from(&carrier.read_answer(&items, &answer_to(*status, whole.clone())));
        let by_digest: Vec<_> = known.iter().map(|item| CallItem { known_bytes: None, ..item.clone() }).collect();
        for response in [response, answer_to(*status, whole.clone())] {
            prop_assert_eq!(carrier.read_answer(&known, &response), carrier.read_answer(&by_digest, &response));
        }
    }

    #[test]
    fn no_strange_value_panics(
        which in any::<prop::sample::Index>(), at in prop::collection::vec(0_usize..300, 1..5), choice in 0_usize..10,
    ) {
        let Sample { carrier, body, numbers, status } = which.get(all_samples());
        let Ok(mut root) = serde_json::from_slice::<Value>(body) else { return Ok(()) };
        for mut at in at {
            replace(&mut root, &mut at, &strange(choice));
        }
        let items = asked(numbers);
        let response = answer_to(*status, root.to_string().into_bytes());
        let answer = carrier.read_answer(&items, &response);
        check_answer(&items, &answer);
        for parcel in &answer.parcels {
            if let Some(observation) = &parcel.observation {
                let _ = wismo::tracking::preview(carrier.code(), &parcel.number, observation);
            }
        }
        // The same answer again changes nothing.
        let known = known_from(&answer);
        let again = carrier.read_answer(&known, &response);
        prop_assert!(again.parcels.iter().zip(&known).all(|(parcel, item)| parcel.unchanged == item.known_digest.is_some()));
    }
}
