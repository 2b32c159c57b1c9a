//! How long a definition takes to read an answer, beside parsing the same bytes and doing nothing with them.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss, clippy::disallowed_methods, missing_docs)]

mod support;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use support::{Asking, items, setting, stand_in};
use tokio_util::sync::CancellationToken;
use wismo::carrier::{CallItem, Carrier, RawAnswer, Registry};
use wismo::simulator::carriers::{Options, StandIn, sandbox};
use wismo::simulator::time::SimClock;
use wismo::simulator::world::Network;

/// `CARRIER=code` measures the sample of one carrier alone.
fn main() {
    let only = std::env::var("CARRIER").ok();
    if only.is_none() {
        whole_calls();
    }
    let registry = Registry::builtin();
    let wanted = |carrier: &&Arc<Carrier>| only.as_deref().is_none_or(|code| carrier.code().as_str() == code);
    println!("the same in other forms: the sample of a delivered parcel, its scans repeated to twelve");
    head();
    for carrier in registry.all().filter(wanted) {
        if let Some(rows) = GROWN.iter().find(|(code, _)| carrier.code().as_str() == *code).map(|(_, rows)| rows) {
            println!("{}", sample(carrier, Some(rows)).unwrap().1);
        }
    }
    println!("\nthe sample of a delivered parcel of every carrier, by ratio");
    head();
    let mut rows: Vec<(f64, String)> =
        registry.all().filter(wanted).filter_map(|carrier| sample(carrier, None)).collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (_, row) in &rows {
        println!("{row}");
    }
    let (count, above) = (rows.len(), rows.iter().filter(|(ratio, _)| *ratio > 4.0).count());
    let middle = rows.get(count / 2).map_or(f64::NAN, |(ratio, _)| *ratio);
    println!("{count} carriers, {above} above 4, half of them below {middle:.1}");
}

/// Where the scans stand in the samples of some carriers: an element of XML, or a place in JSON.
const GROWN: &[(&str, &str)] = &[
    ("bpost", "stateInfo"),
    ("canadapost", "occurrence"),
    ("chronopost", "events"),
    ("dhl_express", "/shipments/0/events"),
    ("dpd", "clsTrace"),
    ("gls", "/parcels/0/events"),
    ("royalmail", "/mailPieces/events"),
    ("tnt", "StatusData"),
];

/// Twelve rows: the first and the last (acceptance and delivery, in either order) stay alone, those between are repeated.
fn twelve<T: Clone>(rows: &[T]) -> Vec<T> {
    let [first, between @ .., last] = rows else { return rows.to_vec() };
    let between = if between.is_empty() { &rows[..1] } else { between };
    let middle = between.iter().cycle().take(10).cloned();
    std::iter::once(first.clone()).chain(middle).chain([last.clone()]).collect()
}

/// The body with its rows repeated until there are twelve.
fn grown(body: &[u8], rows: &str) -> Vec<u8> {
    let text = std::str::from_utf8(body).unwrap();
    if rows.starts_with('/') {
        let mut json: serde_json::Value = serde_json::from_str(text).unwrap();
        let list = json.pointer_mut(rows).unwrap().as_array_mut().unwrap();
        *list = twelve(list);
        return serde_json::to_vec(&json).unwrap();
    }
    let (open, close) = (format!("<{rows}>"), format!("</{rows}>"));
    let (first, end) = (text.find(&open).unwrap(), text.rfind(&close).unwrap() + close.len());
    let all: Vec<&str> = text[first..end].split_inclusive(&close).collect();
    [&text[..first], &twelve(&all).concat(), &text[end..]].concat().into_bytes()
}

fn head() {
    println!(
        "{:<17} {:>6} {:>6} {:>7} {:>8} {:>8} {:>8} {:>8}",
        "carrier", "kind", "events", "bytes", "parse", "read", "map", "ratio"
    );
}

fn whole_calls() {
    let stop = CancellationToken::new();
    support::runtime().block_on(async {
        println!("12 scans a parcel, as many parcels as one call carries; microseconds for one parcel, best of many");
        println!("read: from bytes to observation; map: what of it is not parsing; ratio: map / parse");
        println!(
            "{:<13} {:>7} {:>8} {:>8} {:>8} {:>8} {:>8} {:>10} {:>11}",
            "carrier", "parcels", "bytes", "parse", "read", "map", "ratio", "unchanged", "same bytes"
        );
        for network in Network::ALL {
            let (stand_in, numbers) = stand_in(network, 30, 12, &stop).await;
            measure(&stand_in, &numbers).await;
        }
        let options = Options::default();
        let stand_in =
            sandbox::start(SimClock::start(), Duration::from_millis(1), options, stop.clone()).await.unwrap();
        let numbers: Vec<String> = (0..30).map(|n| format!("SANDBOX-DELIVERED-{n}")).collect();
        measure(&stand_in, &numbers).await;
    });
    stop.cancel();
    println!();
}

/// Ratio and row of a carrier's `delivered` sample, or of the one like it that its folder has; with its rows repeated
/// where it is said where they stand.
fn sample(carrier: &Carrier, rows: Option<&str>) -> Option<(f64, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("carriers").join(carrier.code().as_str());
    let mut files: Vec<_> =
        std::fs::read_dir(folder.join("samples")).ok()?.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let named = |name: &str| {
        let fits =
            |file: &&std::path::PathBuf| file.file_stem().is_some_and(|stem| stem.to_string_lossy().starts_with(name));
        files.iter().filter(|file| !file.to_string_lossy().ends_with(".expect.json")).find(fits)
    };
    let file = named("delivered").or_else(|| named("moving"))?;
    let expected: serde_json::Value =
        serde_json::from_slice(&std::fs::read(file.with_extension("expect.json")).unwrap()).unwrap();
    let numbers: Vec<String> = serde_json::from_value(expected["numbers"].clone()).unwrap_or_default();
    let items = items(&numbers);
    let raw = RawAnswer {
        status: expected["http_status"].as_u64().map_or(200, |status| u16::try_from(status).unwrap()),
        headers: Vec::new(),
        body: rows.map_or_else(|| std::fs::read(file).unwrap(), |rows| grown(&std::fs::read(file).unwrap(), rows)),
        observed_at: "2026-03-12T12:00:00Z".parse().unwrap(),
    };
    let answer = carrier.read_answer(&items, &raw);
    let seen: usize = answer.parcels.iter().filter_map(|p| p.observation.as_ref()).map(|seen| seen.events.len()).sum();
    let parse = best(|| parse(&raw));
    let read = best(|| drop(black_box(carrier.read_answer(&items, &raw))));
    let kind = file.extension()?.to_string_lossy().into_owned();
    let (code, bytes, map) = (carrier.code().as_str(), raw.body.len(), read - parse);
    let ratio = map / parse;
    Some((ratio, format!("{code:<17} {kind:>6} {seen:>6} {bytes:>7} {parse:>8.1} {read:>8.1} {map:>8.1} {ratio:>8.1}")))
}

async fn measure(stand_in: &StandIn, numbers: &[String]) {
    let asking = Asking::new(stand_in).await;
    let carrier = &asking.carrier;
    let most = carrier.limits("production").numbers_per_call as usize;
    let mut items = items(&numbers[..most.min(numbers.len())]);
    let _ = asking.send(&asking.request(&items)).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let raw = asking.send(&asking.request(&items)).await;
    let answer = carrier.read_answer(&items, &raw);
    assert!(answer.parcels.iter().all(|parcel| parcel.observation.is_some()), "{}: {answer:?}", stand_in.code);
    let count = items.len() as f64;
    let parse = best(|| parse(&raw)) / count;
    let read = best(|| drop(black_box(carrier.read_answer(&items, &raw)))) / count;
    for (item, parcel) in items.iter_mut().zip(&answer.parcels) {
        let digest = parcel.observation.as_ref().map(|seen| seen.digest);
        *item = CallItem { known_digest: digest, ..item.clone() };
    }
    let unchanged = best(|| drop(black_box(carrier.read_answer(&items, &raw)))) / count;
    for (item, parcel) in items.iter_mut().zip(&answer.parcels) {
        item.known_bytes = parcel.bytes;
    }
    // An answer about several parcels has no such hash.
    let same = items[0].known_bytes.map(|_| best(|| drop(black_box(carrier.read_answer(&items, &raw)))) / count);
    let same = same.map_or("-".to_owned(), |same| format!("{same:.1}"));
    println!(
        "{:<13} {:>7} {:>8} {parse:>8.1} {read:>8.1} {:>8.1} {:>8.1} {unchanged:>10.1} {same:>11}",
        stand_in.code,
        items.len(),
        raw.body.len(),
        read - parse,
        (read - parse) / parse
    );
}

fn parse(raw: &RawAnswer) {
    let text = std::str::from_utf8(&raw.body).unwrap();
    if text.trim_start().starts_with('<') {
        black_box(roxmltree::Document::parse(text).unwrap());
    } else {
        black_box(serde_json::from_str::<serde_json::Value>(text).unwrap());
    }
}

/// Microseconds of the fastest of many runs: the one that was disturbed least.
fn best(mut work: impl FnMut()) -> f64 {
    let end = Instant::now() + Duration::from_millis(setting("MILLIS", 700) as u64);
    let mut best = f64::INFINITY;
    while Instant::now() < end {
        let began = Instant::now();
        work();
        best = best.min(began.elapsed().as_secs_f64() * 1e6);
    }
    best
}
