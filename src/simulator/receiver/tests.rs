//! The receiver over a socket: what it verifies, notes, and how it misbehaves.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::simulator::sabotage::Sabotage;
use crate::simulator::testing::{Got, send};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn receiver(stop: &CancellationToken) -> Receiver {
    let receiver = Receiver::start(SimClock::start(), 0, None, stop.clone()).await.unwrap();
    receiver.expect("shop", SECRET);
    receiver
}

fn body(id: &str, tracker: &str, sequence: u64) -> String {
    let event = json!({ "code": "ET1", "description": "x", "time": { "raw": "2026-03-10T09:00:00+01:00" } });
    let data = json!({ "sequence": sequence, "tracker": { "id": tracker, "carrier": "laposte", "number": "A1" },
        "parcel": { "status": "in_transit", "events": [event] } });
    json!({ "id": id, "type": "tracker.event_added", "data": data }).to_string()
}

async fn post(receiver: &Receiver, id: &str, body: &str, secret: &str) -> Option<Got> {
    let now = receiver.clock.wall(receiver.clock.now()).as_second().to_string();
    let signature = sign(secret, id, &now, body.as_bytes()).unwrap();
    let headers = [
        ("webhook-id", id),
        ("webhook-timestamp", &now),
        ("webhook-signature", &signature),
        ("content-type", "application/json"),
    ];
    send(receiver.address(), "POST /hooks/shop", &headers, body).await
}

#[tokio::test]
async fn it_notes_what_came_and_whether_to_trust_it() {
    let stop = CancellationToken::new();
    let receiver = receiver(&stop).await;
    let first = body("evt_1", "trk_1", 7);
    assert_eq!(post(&receiver, "evt_1", &first, SECRET).await.unwrap().status, 200);
    post(&receiver, "evt_1", &first, SECRET).await.unwrap();
    post(&receiver, "evt_1", &body("evt_1", "trk_1", 8), SECRET).await.unwrap();
    post(&receiver, "evt_2", &body("evt_2", "trk_1", 9), "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await.unwrap();
    post(&receiver, "evt_3", &body("evt_9", "trk_1", 9), SECRET).await.unwrap();
    let all = receiver.arrivals().all();
    let flags: Vec<_> = all.iter().map(|arrival| (arrival.verified(), arrival.first, arrival.same_bytes)).collect();
    assert_eq!(flags[..4], [(true, true, true), (true, false, true), (true, false, false), (false, true, true)]);
    assert_eq!(all[4].problem, Some("the body names another id"));
    assert_eq!((all[0].sequence, all[0].subject.as_str(), all[0].number.as_str()), (Some(7), "trk_1", "A1"));
    assert_eq!(all[0].events[0].raw_time.as_deref(), Some("2026-03-10T09:00:00+01:00"));
    assert!(all[0].accepted() && all[0].brings_events());
    stop.cancel();
}

#[tokio::test]
async fn it_misbehaves_as_told_and_then_behaves_again() {
    let stop = CancellationToken::new();
    let receiver = receiver(&stop).await;
    let ask = || async { post(&receiver, "evt_1", &body("evt_1", "trk_1", 7), SECRET).await };
    receiver.behave("shop", Behaviour::Status(500), Some(1));
    assert_eq!(ask().await.unwrap().status, 500);
    receiver.behave("shop", Behaviour::RetryAfter(429, "3".into()), Some(1));
    let throttled = ask().await.unwrap();
    assert!(throttled.status == 429 && throttled.head.contains("retry-after: 3"));
    receiver.behave("shop", Behaviour::Redirect("http://127.0.0.1:1/".into()), Some(1));
    assert!(ask().await.unwrap().head.contains("location: http://127.0.0.1:1/"));
    receiver.behave("shop", Behaviour::CutBeforeAnswer, Some(1));
    assert!(ask().await.is_none(), "the shop has it and the sender cannot know");
    receiver.behave("shop", Behaviour::Hang, Some(1));
    assert!(tokio::time::timeout(Duration::from_millis(100), ask()).await.is_err());
    receiver.behave("shop", Behaviour::Drip(Duration::from_millis(20)), Some(1));
    assert!(tokio::time::timeout(Duration::from_millis(200), ask()).await.is_err());
    receiver.behave("shop", Behaviour::Huge(100_000), Some(1));
    assert_eq!(ask().await.unwrap().body.len(), 100_000);
    assert_eq!(ask().await.unwrap().status, 200);
    let answered: Vec<_> = receiver.arrivals().all().iter().map(|arrival| arrival.answered).collect();
    assert_eq!(answered, [500, 429, 302, 0, 0, 0, 200, 200]);
    stop.cancel();
}

#[tokio::test]
async fn a_saboteur_spoils_once_each_way() {
    let stop = CancellationToken::new();
    for (what, expected) in [
        (Sabotage::Drop, vec![("evt_2", true), ("evt_3", true)]),
        (Sabotage::Swap, vec![("evt_2", true), ("evt_1", true), ("evt_3", true)]),
        (Sabotage::Forge, vec![("evt_1", false), ("evt_2", true), ("evt_3", true)]),
    ] {
        let receiver = receiver(&stop).await;
        receiver.saboteur().send(what);
        for (sequence, id) in ["evt_1", "evt_2", "evt_3"].into_iter().enumerate() {
            let got = post(&receiver, id, &body(id, "trk_1", sequence as u64), SECRET).await.unwrap();
            assert_eq!(got.status, 200, "the daemon notices nothing");
        }
        let all = receiver.arrivals().all();
        let seen: Vec<_> = all.iter().map(|arrival| (arrival.id.as_str(), arrival.verified())).collect();
        assert_eq!(seen, expected, "{what:?}");
        assert!(receiver.saboteur().is_done());
    }
    stop.cancel();
}

#[tokio::test]
async fn the_listener_hears_each_arrival() {
    let stop = CancellationToken::new();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = heard.clone();
    let listener: Listener = Arc::new(move |arrival| ears.lock().unwrap().push(arrival.id.clone()));
    let receiver = Receiver::start(SimClock::start(), 0, Some(listener), stop.clone()).await.unwrap();
    receiver.expect("shop", SECRET);
    post(&receiver, "evt_1", &body("evt_1", "trk_1", 1), SECRET).await.unwrap();
    assert_eq!(*heard.lock().unwrap(), ["evt_1"]);
    stop.cancel();
}
