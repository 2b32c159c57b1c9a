//! Each figure turns wrong when a ledger is tampered with, and none does when nothing is.

use std::time::Duration;

use axum::http::HeaderMap;
use serde_json::json;

use super::*;
use crate::simulator::ledger::{Ending, Trace};
use crate::simulator::receiver::{Arrival, Arrivals, sign, verify};
use crate::simulator::world::Network;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn at(ms: u64) -> Moment {
    Moment(ms * 1_000)
}

fn told(number: &str, second: u64) -> Told {
    let trace = Trace {
        codes: vec!["ET1".into()],
        times: vec![format!("2026-03-10T09:00:{second:02}+01:00")],
        text: "en route".into(),
        place: String::new(),
    };
    Told { number: number.into(), visible: at(second * 1_000), told: at(second * 1_000 + 200), trace }
}

fn call(ms: u64) -> Call {
    Call {
        id: 0,
        account: "key".into(),
        kind: CallKind::Track,
        arrived: at(ms),
        ended: Some(at(ms + 20)),
        ending: Ending::Answered,
        status: 200,
        numbers: vec!["A1".into()],
        news: 1,
    }
}

/// A delivery, signed with the right secret.
fn deliver(clock: SimClock, id: &str, sequence: u64, kind: &str, events: &[u64], ms: u64) -> Arrival {
    let events: Vec<_> = events
        .iter()
        .map(|second| json!({ "code": "ET1", "description": "en route", "time": { "raw": format!("2026-03-10T09:00:{second:02}+01:00") } }))
        .collect();
    let data = json!({ "sequence": sequence, "tracker": { "id": "trk_1", "carrier": Network::LaPoste.code(), "number": "A1" },
        "before": null, "parcel": { "number": "A1", "carrier": "laposte", "status": "in_transit", "events": events } });
    let body = json!({ "id": id, "type": kind, "timestamp": "2026-03-10T08:00:00Z", "data": data }).to_string();
    let now = clock.wall(clock.now()).as_second();
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", id.parse().unwrap());
    headers.insert("webhook-timestamp", now.into());
    headers.insert("webhook-signature", sign(SECRET, id, &now.to_string(), body.as_bytes()).unwrap().parse().unwrap());
    let verdict = verify(Some(SECRET), &headers, body.as_bytes(), now);
    Arrival::read(at(ms), "shop", &headers, body.as_bytes(), verdict, 200)
}

fn honest() -> Books {
    let clock = SimClock::start();
    let ledger = Arrivals::default();
    for arrival in [
        deliver(clock, "evt_1", 101, "tracker.created", &[], 50),
        deliver(clock, "evt_2", 102, "tracker.first_seen", &[1, 2], 2_300),
        deliver(clock, "evt_3", 103, "tracker.in_transit", &[3], 3_300),
        deliver(clock, "evt_4", 104, "tracker.event_added", &[3], 3_310),
        deliver(clock, "evt_5", 105, "tracker.event_added", &[4], 4_300),
    ] {
        ledger.add(arrival);
    }
    let book = CarrierBook {
        code: "laposte".into(),
        quota: Quota::rolling(2, Duration::from_secs(1)),
        calls: vec![call(1_200), call(2_200), call(3_200), call(4_200)],
        told: (1..=4).map(|second| told("A1", second)).collect(),
        awaited: HashMap::from([("A1".to_owned(), at(1_500))]),
        whole: true,
        complaints: Vec::new(),
    };
    Books {
        clock,
        carriers: vec![book],
        arrivals: ledger.all(),
        whole: true,
        endpoints: vec![Audited::whole("shop")],
        settled: at(10_000),
    }
}

#[tokio::test]
async fn honest_books_are_clean() {
    let report = honest().audit();
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!((report.calls, report.changes, report.webhooks_delivered, report.webhooks_verified), (4, 5, 5, 5));
    assert_eq!(report.detection_p50_ms, Some(200.0), "scans from before anybody waited do not count");
    assert_eq!(report.webhook_p50_ms, Some(100.0));
    let keys = serde_json::to_value(&report).unwrap();
    for key in [
        "calls",
        "quota_violations",
        "changes",
        "webhooks_delivered",
        "webhooks_verified",
        "lost",
        "reordered",
        "detection_p50_ms",
        "webhook_p50_ms",
    ] {
        assert!(keys.get(key).is_some(), "{key}");
    }
    assert!(report.summary().contains("all delivered, verified and within quota"));
}

#[tokio::test]
async fn a_dropped_delivery_is_a_loss() {
    let mut books = honest();
    books.arrivals.remove(4);
    let report = books.audit();
    assert_eq!((report.lost_scans, report.lost), (1, 1));
    books.settled = at(4_100);
    assert_eq!(books.audit().lost, 0, "what was told a moment ago may still be on its way");
    let mut books = honest();
    books.arrivals.remove(2);
    let report = books.audit();
    assert_eq!(
        (report.lost_scans, report.missing_changes, report.lost),
        (0, 1, 1),
        "a change without events of its own"
    );
}

#[tokio::test]
async fn what_was_not_accepted_was_not_delivered() {
    let mut books = honest();
    books.arrivals[4].answered = 500;
    let report = books.audit();
    assert_eq!((report.lost_scans, report.webhooks_delivered, report.attempts), (1, 4, 5));
}

#[tokio::test]
async fn swapped_deliveries_are_reordered() {
    let mut books = honest();
    books.arrivals.swap(3, 4);
    let report = books.audit();
    assert_eq!((report.reordered, report.lost), (1, 0));
    let mut books = honest();
    let mut repeat = books.arrivals[1].clone();
    repeat.first = false;
    books.arrivals.push(repeat);
    let report = books.audit();
    assert_eq!((report.reordered, report.repeated, report.is_clean()), (0, 1, true), "a repeat may come late");
}

#[tokio::test]
async fn forged_deliveries_are_seen() {
    let mut books = honest();
    books.arrivals[4].events[0].raw_time = Some("1999-01-01T00:00:00+00:00".into());
    books.arrivals[4].problem = Some("no signature matches");
    let report = books.audit();
    assert_eq!((report.invented, report.webhooks_delivered, report.webhooks_verified, report.lost_scans), (1, 5, 4, 1));
    let mut books = honest();
    books.arrivals.push(deliver(books.clock, "evt_6", 106, "tracker.event_added", &[3], 5_000));
    assert_eq!(books.audit().duplicated, 1, "the same scan in two changes");
    let mut books = honest();
    books.arrivals.push(deliver(books.clock, "evt_7", 105, "tracker.updated", &[], 5_000));
    assert_eq!(books.audit().duplicated, 1, "two changes under one sequence");
    let mut books = honest();
    books.arrivals[4].same_bytes = false;
    assert_eq!(books.audit().bytes_differ, 1);
}

#[tokio::test]
async fn calls_beyond_the_quota_are_counted() {
    let mut books = honest();
    books.carriers[0].calls.extend([call(4_300), call(4_400)]);
    let report = books.audit();
    assert_eq!((report.quota_violations, report.calls), (1, 6), "4.2, 4.3 and 4.4 are three in a second");
    assert_eq!(report.carriers[0].quota_violations, 1);
}

#[tokio::test]
async fn a_ledger_with_holes_proves_nothing() {
    let mut books = honest();
    books.carriers[0].whole = false;
    assert!(!books.audit().is_clean());
    let mut books = honest();
    books.arrivals.clear();
    assert!(!books.audit().is_clean(), "nothing delivered is no success");
}
