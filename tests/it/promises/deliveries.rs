//! Promise 2: every delivery is attempted until it is received, given up and listed, or nobody is left to receive it;
//! under one id, with the same bytes, first arrivals in order.

use std::time::Duration;

use serde_json::json;
use wismo::simulator::receiver::Behaviour;

use crate::support::house::{Plan, assert_in_order, assert_trusted, until};

const PATIENT: &str =
    "timeout = \"500ms\"\nretry = [\"0s\", \"100ms\", \"200ms\", \"300ms\", \"500ms\", \"1s\", \"2s\", \"5s\"]";

/// A simple one of promises 1 and 3 as well: all that happened arrives, and no call was beyond the quota.
#[tokio::test]
async fn endpoints_that_fail_for_a_while_get_everything_in_order_with_the_same_bytes() {
    let house = Plan::new().webhook(PATIENT).open().await;
    let shop = house.shop("boutique").await;
    let faults = [
        ("errors", Behaviour::Status(500)),
        ("resets", Behaviour::CutBeforeAnswer),
        ("hangs", Behaviour::Hang),
        ("drips", Behaviour::Drip(Duration::from_millis(50))),
    ];
    shop.endpoint(&house, "healthy", &["tracker.*"]).await;
    for (name, fault) in &faults {
        shop.endpoint(&house, name, &["tracker.*"]).await;
        house.receiver.behave(name, fault.clone(), Some(3));
    }
    let mut trackers = Vec::new();
    for number in ["SANDBOX-DELIVERED-1", "SANDBOX-ATTEMPT-1", "SANDBOX-PICKUP-1"] {
        trackers.push(shop.track(number).await);
    }
    for id in &trackers {
        shop.shows(id, "delivery", |tracker| tracker["parcel"]["status"] == "delivered").await;
    }
    let wanted = |name: &str| {
        let mut ids: Vec<String> = house
            .arrived(name)
            .into_iter()
            .filter(wismo::simulator::receiver::Arrival::accepted)
            .map(|a| a.id)
            .collect();
        ids.sort();
        ids.dedup();
        ids
    };
    let rows: usize = until("the log's end", || async {
        let healthy = house.arrived("healthy");
        let delivered = healthy.iter().filter(|arrival| arrival.kind == "tracker.delivered").count();
        (delivered == 3).then_some(healthy.len())
    })
    .await;
    assert!(rows > 20, "{rows}");
    for (name, _) in &faults {
        until(&format!("everything at {name}"), || async { (wanted(name) == wanted("healthy")).then_some(()) }).await;
        let arrivals = house.arrived(name);
        assert_in_order(&arrivals);
        assert_trusted(&arrivals);
        assert_eq!(arrivals.iter().filter(|arrival| !arrival.accepted()).count(), 3, "{name}: three attempts failed");
        assert!(arrivals.iter().any(|arrival| !arrival.first), "{name}: the same id came again");
    }
    assert_in_order(&house.arrived("healthy"));
}

#[tokio::test]
async fn an_exhausted_delivery_is_listed_as_dead_and_replayed_with_the_same_id_and_bytes() {
    let house = Plan::new().webhook("timeout = \"500ms\"\nretry = [\"0s\", \"100ms\", \"100ms\"]").open().await;
    let shop = house.shop("boutique").await;
    let endpoint = shop.endpoint(&house, "shop", &["tracker.created"]).await;
    house.receiver.behave("shop", Behaviour::Status(500), None);
    let tracker = shop.track("SANDBOX-UNKNOWN-1").await;
    let dead = until("a dead delivery", || async {
        let (_, list) = shop.get(&format!("/v1/endpoints/{endpoint}/dead")).await;
        list["dead"].as_array().unwrap().first().cloned()
    })
    .await;
    assert_eq!((&dead["tracker"], &dead["attempts"]), (&json!(tracker), &json!(3)), "{dead}");
    assert!(dead["error"].as_str().unwrap().contains("500"), "{dead}");
    let attempts = house.arrived("shop");
    assert_eq!(attempts.len(), 3);
    assert_eq!(json!(attempts[0].id), dead["change"]);

    house.receiver.behave_well("shop");
    let replay = format!("/v1/endpoints/{endpoint}/replay");
    let (status, told) = shop.post(&replay, &json!({ "change": dead["change"] })).await;
    assert_eq!(status, 202, "{told}");
    let arrival = house.arrival("the replay", wismo::simulator::receiver::Arrival::accepted).await;
    assert_eq!(arrival.id, attempts[0].id);
    assert_trusted(&house.arrived("shop"));
    until("an empty list", || async {
        let (_, list) = shop.get(&format!("/v1/endpoints/{endpoint}/dead")).await;
        list["dead"].as_array().unwrap().is_empty().then_some(())
    })
    .await;
    // A second replay of what arrived is the shop's right, too: same id, same bytes.
    assert_eq!(shop.post(&replay, &json!({ "change": dead["change"] })).await.0, 202);
    until("the second replay", || async {
        (house.arrived("shop").iter().filter(|arrival| arrival.accepted()).count() == 2).then_some(())
    })
    .await;
    assert_trusted(&house.arrived("shop"));
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_and_the_others_are_told() {
    let house = Plan::new().open().await;
    let shop = house.shop("boutique").await;
    let gone = shop.endpoint(&house, "gone", &["tracker.*"]).await;
    shop.endpoint(&house, "other", &["tracker.*", "endpoint.*"]).await;
    house.receiver.behave("gone", Behaviour::Status(410), None);
    shop.track("SANDBOX-DELIVERED-1").await;
    let told = house.arrival("word of the disabling", |a| a.kind == "endpoint.disabled").await;
    assert_eq!(told.endpoint, "other");
    let path = format!("/v1/endpoints/{gone}");
    let (_, shown) = shop.get(&path).await;
    assert_eq!((&shown["state"], &shown["disabled_reason"]), (&json!("disabled"), &json!("gone")), "{shown}");
    assert!(shown["undelivered_since"].is_string(), "{shown}");
    house.arrival("the delivery elsewhere", |a| a.endpoint == "other" && a.kind == "tracker.delivered").await;
    assert_eq!(house.arrived("gone").len(), 1, "nothing more leaves for a disabled endpoint");
    assert_eq!(shop.post(&format!("{path}/test"), &json!({})).await.0, 409);
    let replay = json!({ "change": house.arrived("gone")[0].id });
    assert_eq!(shop.post(&format!("{path}/replay"), &replay).await.0, 409, "nobody would deliver it");

    house.receiver.behave_well("gone");
    assert_eq!(shop.post(&format!("{path}/enable"), &json!({})).await.0, 200);
    shop.track("SANDBOX-UNKNOWN-1").await;
    house.arrival("a change after the enabling", |a| a.endpoint == "gone" && a.accepted()).await;
    assert_in_order(&house.arrived("gone"));
}

#[tokio::test]
async fn a_deleted_endpoint_is_attempted_no_more() {
    let house = Plan::new().webhook(PATIENT).open().await;
    let shop = house.shop("boutique").await;
    let failing = shop.endpoint(&house, "failing", &["tracker.*"]).await;
    house.receiver.behave("failing", Behaviour::Status(500), None);
    shop.track("SANDBOX-DELIVERED-1").await;
    house.arrival("an attempt", |a| a.endpoint == "failing").await;
    assert_eq!(shop.delete(&format!("/v1/endpoints/{failing}")).await.0, 204);
    let attempts = house.arrived("failing").len();
    shop.endpoint(&house, "witness", &["tracker.delivered"]).await;
    for number in ["SANDBOX-DELIVERED-2", "SANDBOX-DELIVERED-3"] {
        let later = shop.track(number).await;
        house.arrival("a later delivery elsewhere", |a| a.endpoint == "witness" && a.subject == later).await;
        assert!(house.arrived("failing").iter().all(|a| a.subject != later), "it hears nothing of what comes later");
    }
    let more = house.arrived("failing").len() - attempts;
    assert!(more <= 1, "one attempt may have been in flight, not {more}");
}

#[tokio::test]
async fn retry_after_is_honoured_for_the_whole_endpoint() {
    let house = Plan::new().open().await;
    let shop = house.shop("boutique").await;
    shop.endpoint(&house, "busy", &["tracker.*"]).await;
    house.receiver.behave("busy", Behaviour::RetryAfter(503, "3".to_owned()), Some(1));
    shop.track("SANDBOX-UNKNOWN-1").await;
    house.arrival("the first attempt", |_| true).await;
    shop.track("SANDBOX-UNKNOWN-2").await;
    until("both", || async { (house.arrived("busy").iter().filter(|a| a.accepted()).count() == 2).then_some(()) })
        .await;
    let arrivals = house.arrived("busy");
    for later in arrivals.iter().filter(|a| a.accepted()) {
        assert!(later.at.since(arrivals[0].at) >= Duration::from_millis(2_900), "{later:?}");
    }
    assert_trusted(&arrivals);
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_never_followed() {
    let house = Plan::new().webhook("retry = [\"0s\", \"100ms\"]").open().await;
    let shop = house.shop("boutique").await;
    let endpoint = shop.endpoint(&house, "moved", &["tracker.*"]).await;
    house.receiver.behave("moved", Behaviour::Redirect(house.receiver.url("elsewhere")), None);
    shop.track("SANDBOX-UNKNOWN-1").await;
    let dead = until("a dead delivery", || async {
        let (_, list) = shop.get(&format!("/v1/endpoints/{endpoint}/dead")).await;
        list["dead"].as_array().unwrap().first().cloned()
    })
    .await;
    assert!(dead["error"].as_str().unwrap().contains("302"), "{dead}");
    assert_eq!((house.arrived("moved").len(), house.arrived("elsewhere").len()), (2, 0));
}

#[tokio::test]
async fn a_test_reaches_its_endpoint_alone() {
    let house = Plan::new().open().await;
    let shop = house.shop("boutique").await;
    let asked = shop.endpoint(&house, "asked", &["tracker.delivered"]).await;
    shop.endpoint(&house, "other", &["*"]).await;
    let (status, told) = shop.post(&format!("/v1/endpoints/{asked}/test"), &json!({})).await;
    assert_eq!(status, 202, "{told}");
    let arrival = house.arrival("the test", |a| a.endpoint == "asked").await;
    assert_eq!((arrival.kind.as_str(), json!(arrival.id)), ("endpoint.test", told["id"].clone()));
    assert!(arrival.verified(), "{arrival:?}");
    shop.track("SANDBOX-UNKNOWN-1").await;
    house.arrival("another change", |a| a.endpoint == "other").await;
    assert!(house.arrived("other").iter().all(|a| a.kind != "endpoint.test"));
}

/// An answer of 200 MiB costs no memory, and it came with a 200: it is received.
#[tokio::test]
async fn a_huge_answer_is_not_read() {
    let house = Plan::new().open().await;
    let shop = house.shop("boutique").await;
    shop.endpoint(&house, "huge", &["tracker.created"]).await;
    house.receiver.behave("huge", Behaviour::Huge(200 * 1024 * 1024), None);
    let before = house.first().resident_kib();
    for number in 0..5 {
        shop.track(&format!("SANDBOX-UNKNOWN-{number}")).await;
    }
    until("all five", || async { (house.arrived("huge").len() >= 5).then_some(()) }).await;
    let grown = house.first().resident_kib().saturating_sub(before);
    assert!(grown < 40 * 1024, "{grown} KiB for five answers");
}
