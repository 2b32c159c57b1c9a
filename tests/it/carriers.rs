//! Every folder in `carriers/` and what its samples become.
//!
//! What `wismo carriers test` does, over the folders of the project. `WISMO_WRITE_SAMPLES=fill` completes partial
//! expectations that hold; `WISMO_WRITE_SAMPLES=anew` writes all of them after a change that was meant. Read the diff.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use proptest::prelude::*;
use serde_json::{Value, json};
use wismo::carrier::{Answer, CallItem, Carrier, RawAnswer, Registry};
use wismo::model::{Local, Precision};
use wismo::proving::{self, House, Rewrite};

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

fn house() -> House {
    House::read(&carriers())
}

#[test]
fn every_folder_proves_itself() {
    let house = house();
    assert!(house.problems.is_empty(), "{:?}", house.problems);
    let how = match std::env::var("WISMO_WRITE_SAMPLES").unwrap_or_default().as_str() {
        "fill" => Some(Rewrite::Fill),
        "anew" => Some(Rewrite::Anew),
        _ => None,
    };
    let mut problems = String::new();
    for folder in &house.carriers {
        if let (Some(how), Ok(carrier)) = (how, house.load(folder)) {
            for sample in folder.samples.iter().flatten() {
                proving::rewrite(sample, &carrier, how).unwrap();
            }
        }
    }
    let house = if how.is_some() { self::house() } else { house };
    for folder in &house.carriers {
        let report = proving::prove(&house, folder);
        assert!(report.samples > 0 || !report.findings.is_empty(), "{}", folder.code);
        for finding in report.problems() {
            writeln!(problems, "  {}: {finding:#?}", folder.code).unwrap();
        }
    }
    assert!(problems.is_empty(), "\n{problems}");
    assert!(!house.carriers.is_empty(), "no carriers at all");
}

/// `WISMO_WRITE_DOCS=1` writes the table anew.
#[test]
fn the_table_of_carriers_is_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/carriers.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let table = proving::table::markdown(&house()).unwrap();
    let wanted = proving::table::placed(&page, &table).expect("docs/carriers.md holds both marks of the table");
    if std::env::var_os("WISMO_WRITE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
        return;
    }
    assert!(page == wanted, "docs/carriers.md is old: WISMO_WRITE_DOCS=1 writes its table anew\n{table}");
}

/// French shops come first: nothing of these carriers can change without a sample or a call that notices.
mod nothing_changes_unnoticed {
    macro_rules! of {
        ($($carrier:ident)+) => {
            $(
                #[test]
                fn $carrier() {
                    super::check_that_nothing_changes_unnoticed(stringify!($carrier));
                }
            )+
        };
    }
    of! {
        laposte chronopost mondialrelay colisprive relaiscolis geodis dpd dpd_be dpd_nl dpd_de gls dhl ups fedex tnt
    }
}

/// Of the carrier and of the tables that it shares.
fn check_that_nothing_changes_unnoticed(carrier: &str) {
    let mut survivors = String::new();
    for hunted in proving::mutate::hunt(&house(), &[carrier.to_owned()], &|_, _| {}) {
        let least = if hunted.carrier == carrier { 100 } else { 1 };
        assert!(hunted.refused.is_none() && hunted.mutants > least, "{}: {:?}", hunted.carrier, hunted.refused);
        for survivor in hunted.survivors {
            writeln!(survivors, "  {}: {survivor:?}", hunted.carrier).unwrap();
        }
    }
    assert!(survivors.is_empty(), "\n{survivors}");
}

#[test]
fn every_folder_is_compiled_in() {
    for folder in folders() {
        let code = folder.file_name().unwrap().to_string_lossy().into_owned();
        assert!(builtin().get(&code).is_some(), "{code} has a folder and is not in the program");
    }
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
            let again = carrier.reread(None, item, whole).observation.unwrap();
            assert_eq!((&again.facts, &again.events, &again.headline), (&seen.facts, &seen.events, &seen.headline));
            for other in items.iter().filter(|other| other.number != item.number) {
                let told = carrier.reread(None, other, whole);
                assert_eq!(told.observation, None, "{}: {} is told of {}", carrier.code(), item.number, other.number);
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
        for folder in house().carriers {
            let carrier = builtin().get(&folder.code).unwrap();
            for sample in folder.samples.into_iter().flatten() {
                all.push(Sample {
                    carrier: carrier.clone(),
                    body: sample.response.body,
                    numbers: sample.expected.numbers,
                    status: sample.response.status,
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
