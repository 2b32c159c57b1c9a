//! What happens when two things happen at once, and what registration takes over.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::house::{Plan, assert_in_order, until};

#[tokio::test]
async fn registrations_at_once_meet_in_one_tracker() {
    let mut house = Plan::new().sandbox_day("1h").open().await;
    let second = house.daemon().await;
    house.daemons.push(second);
    let shop = house.shop("boutique").await;
    shop.endpoint(&house, "shop", &["tracker.created"]).await;
    let shops = [shop.clone(), shop.at(&house.daemons[1])];
    for round in 0..20 {
        let body = json!({ "number": format!("SANDBOX-UNKNOWN-{round}") });
        let answers = join_all((0..8).map(|n| shops[n % 2].post("/v1/trackers", &body))).await;
        let created = answers.iter().filter(|(status, _)| *status == 201).count();
        assert_eq!(created, 1, "{answers:?}");
        assert!(answers.iter().all(|(status, _)| [200, 201].contains(status)), "{answers:?}");
        let ids: HashSet<&str> = answers.iter().map(|(_, told)| told["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), 1, "{ids:?}");
    }
    until("twenty webhooks", || async { (house.arrived("shop").len() >= 20).then_some(()) }).await;
    let subjects: HashSet<String> = house.arrived("shop").into_iter().map(|a| a.subject).collect();
    assert_eq!((house.arrived("shop").len(), subjects.len()), (20, 20), "one `created` each");
}

/// Milliseconds of the store's clock in a change's id.
fn ms_of(change: &str) -> u64 {
    change.split('_').nth(3).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_added_under_load_misses_nothing_after_its_creation() {
    let mut house = Plan::new().quiet().webhook("").sandbox_day("3s").open().await;
    let second = house.daemon().await;
    house.daemons.push(second);
    let shop = house.shop("boutique").await;
    shop.endpoint(&house, "from-the-start", &["tracker.*"]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicUsize::new(0));
    let load: Vec<_> = [shop.clone(), shop.at(&house.daemons[1])]
        .into_iter()
        .enumerate()
        .map(|(lane, shop)| {
            let (stop, count) = (stop.clone(), count.clone());
            tokio::spawn(async move {
                for n in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    shop.track(&format!("SANDBOX-DELIVERED-{lane}-{n}")).await;
                    count.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(15)).await;
                }
            })
        })
        .collect();
    let mut since = Vec::new();
    for n in 0..5 {
        let before = count.load(Ordering::SeqCst);
        until("some load", || async { (count.load(Ordering::SeqCst) >= before + 8).then_some(()) }).await;
        let name = format!("added-{n}");
        shop.endpoint(&house, &name, &["tracker.*"]).await;
        let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(&mut house.redis.raw().await).await.unwrap();
        since.push((name, seconds * 1_000 + micros / 1_000));
    }
    stop.store(true, Ordering::SeqCst);
    join_all(load).await;
    let trackers = count.load(Ordering::SeqCst);
    let accepted = |name: &str| -> HashSet<String> {
        house.arrived(name).into_iter().filter(wismo::simulator::receiver::Arrival::accepted).map(|a| a.id).collect()
    };
    until("every delivery told", || async {
        let delivered = house.arrived("from-the-start").iter().filter(|a| a.kind == "tracker.delivered").count();
        (delivered >= trackers).then_some(())
    })
    .await;
    for (name, at) in &since {
        until(&format!("everything at {name}, and nothing else"), || async {
            let (got, all) = (accepted(name), accepted("from-the-start"));
            (got.is_subset(&all) && all.iter().all(|id| ms_of(id) <= *at || got.contains(id))).then_some(())
        })
        .await;
        assert_in_order(&house.arrived(name));
    }
}

#[tokio::test]
async fn a_tracker_deleted_while_it_is_polled_stays_deleted() {
    let house = Plan::new().sandbox_day("400ms").open().await;
    let shop = house.shop("boutique").await;
    shop.endpoint(&house, "shop", &["tracker.*"]).await;
    let ids = join_all((0..40).map(|n| {
        let shop = shop.clone();
        async move { shop.track(&format!("SANDBOX-ATTEMPTS-{n}")).await }
    }))
    .await;
    for (n, id) in ids.iter().enumerate() {
        // At a different point of its life and of its poll each.
        tokio::time::sleep(Duration::from_millis(n as u64 % 7 * 7)).await;
        assert_eq!(shop.delete(&format!("/v1/trackers/{id}")).await.0, 204);
        let (status, told) = shop.get(&format!("/v1/trackers/{id}")).await;
        assert_eq!(status, 404, "{told}");
        assert_eq!(shop.delete(&format!("/v1/trackers/{id}")).await.0, 404);
    }
    until("every deletion told", || async {
        let told = house.arrived("shop").into_iter().filter(|a| a.kind == "tracker.deleted").map(|a| a.subject);
        (told.collect::<HashSet<_>>().len() == ids.len()).then_some(())
    })
    .await;
    // Any poll that was in flight is over when these, registered later, are delivered.
    let later = shop.track("SANDBOX-DELIVERED-LATER").await;
    shop.shows(&later, "a later delivery", |t| t["parcel"]["status"] == "delivered").await;
    let mut raw = house.redis.raw().await;
    for id in &ids {
        assert_eq!(shop.get(&format!("/v1/trackers/{id}")).await.0, 404);
        let keys: Vec<String> = redis::cmd("KEYS").arg(format!("wismo:*{id}*")).query_async(&mut raw).await.unwrap();
        let rest: Vec<&String> = keys.iter().filter(|key| !key.contains(":sent:") && !key.contains(":log:")).collect();
        assert!(rest.is_empty(), "{rest:?} is left");
        let told: Vec<_> = house.arrived("shop").into_iter().filter(|a| a.subject == *id && a.first).collect();
        assert_eq!(told.last().unwrap().kind, "tracker.deleted", "nothing comes after it");
        assert_eq!(told.iter().filter(|a| a.kind == "tracker.deleted").count(), 1);
    }
    assert_in_order(&house.arrived("shop"));
    // A number that was deleted may be registered again, as a new one.
    assert_eq!(shop.post("/v1/trackers", &json!({ "number": "SANDBOX-ATTEMPTS-0" })).await.0, 201);
}

#[tokio::test]
async fn a_second_registration_takes_over_what_it_gives() {
    let house = Plan::new().sandbox_day("1h").open().await;
    let shop = house.shop("boutique").await;
    shop.endpoint(&house, "shop", &["tracker.updated", "tracker.created"]).await;
    let first = json!({
        "number": " sandbox-unknown-1 ", "carrier": "sandbox", "orders": [{ "reference": "A-1" }, { "reference": "A-2" }],
        "customer_ref": "c-1", "direction": "outbound", "promised": { "to": "2099-11-25", "zone": "Europe/Paris" },
        "destination": { "country": "FR", "postcode": "44000" }, "tags": ["gift", "red"], "metadata": { "k": "v", "l": "w" },
        "locale": "fr", "importance": 3, "history": "send"
    });
    let id = shop.register(&first).await;
    let again = shop.post("/v1/trackers", &first).await;
    assert_eq!((again.0, &again.1["id"]), (200, &json!(id)));
    assert_eq!(again.1["sequence"], shop.get(&format!("/v1/trackers/{id}")).await.1["sequence"]);
    let (status, told) =
        shop.post("/v1/trackers", &json!({ "number": "SANDBOX-UNKNOWN-1", "tags": ["blue"], "orders": [{ "reference": "B-9" }], "customer_ref": "c-2" })).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(
        (&told["tags"], &told["customer_ref"]),
        (&json!(["blue"]), &json!("c-2")),
        "lists are replaced whole: {told}"
    );
    assert_eq!(told["orders"][0]["reference"], "B-9");
    assert_eq!(told["orders"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&told["metadata"], &told["locale"]),
        (&json!({ "k": "v", "l": "w" }), &json!("fr")),
        "what is absent stays"
    );
    assert_eq!(told["promised"]["to"], "2099-11-25", "a date stays a date: {told}");
    house.arrival("word of the update", |a| a.kind == "tracker.updated").await;
    assert_eq!(house.arrived("shop").len(), 2, "one creation, one update, nothing for what changed nothing");
    let (status, told) = shop.post("/v1/trackers", &json!({ "number": "SANDBOX-UNKNOWN-1", "history": "skip" })).await;
    assert!([400, 422].contains(&status) && told["field"] == "history", "{told}");
}

#[tokio::test]
async fn what_cannot_be_read_or_used_is_refused_by_name() {
    let house = Plan::new().open().await;
    let shop = house.shop("boutique").await;
    let refused: [(&str, u16, &str); 13] = [
        (r#"{"number":"SANDBOX-LATE","colour":"red"}"#, 400, "colour"),
        (r#"{"number":"SANDBOX-LATE","promised":{"too":"2026-01-01"}}"#, 400, "promised.too"),
        (r#"{"number":"SANDBOX-LATE","orders":[{"reference":"1"},{"ref":"2"}]}"#, 400, "orders[1].ref"),
        (r#"{"number":"SANDBOX-LATE","promised":{"to":"next week"}}"#, 400, "promised.to"),
        (r#"{"number":7}"#, 400, "number"),
        (r#"{"number":"SANDBOX-LATE","importance":11}"#, 422, "importance"),
        (r#"{"number":"SANDBOX-LATE","destination":{"country":"France"}}"#, 422, "destination.country"),
        (r#"{"number":"SANDBOX-LATE","destination":{"zone":"Mars/Base"}}"#, 422, "destination.zone"),
        (
            r#"{"number":"SANDBOX-LATE","destination":{"postcode":"123456789012345678901"}}"#,
            422,
            "destination.postcode",
        ),
        (r#"{"number":"SANDBOX-LATE","carrier":"nobody"}"#, 422, "carrier"),
        (r#"{"number":"SANDBOX-LATE","account":"nobody"}"#, 422, "account"),
        (r#"{"number":"not one","carrier":"sandbox"}"#, 422, "number"),
        (r#"{"number":""}"#, 422, "number"),
    ];
    for (body, status, field) in refused {
        let (answered, told) = shop.ask("POST", "/v1/trackers", Some(body)).await;
        assert_eq!(answered, status, "{body}: {told}");
        assert_eq!(told["status"], status, "{told}");
        assert!(told["field"] == field || told["detail"].as_str().is_some_and(|d| d.contains(field)), "{body}: {told}");
    }
    for body in ["", "{", "[]", "null", "{\"number\":\"SANDBOX-LATE\"} more"] {
        let (answered, told) = shop.ask("POST", "/v1/trackers", Some(body)).await;
        assert_eq!(answered, 400, "{body}: {told}");
    }
    let (status, told) = shop
        .post("/v1/endpoints", &json!({ "url": "https://8.8.8.8/", "events": ["tracker.delivered", "tracker.flown"] }))
        .await;
    assert_eq!((status, &told["field"]), (422, &json!("events[1]")), "{told}");
    let many = vec!["tracker.*"; 101];
    let (status, told) = shop.post("/v1/endpoints", &json!({ "url": "https://8.8.8.8/", "events": many })).await;
    assert_eq!((status, &told["field"]), (422, &json!("events")), "{told}");
    let long = "x".repeat(501);
    let (status, told) = shop.post("/v1/endpoints", &json!({ "url": "https://8.8.8.8/", "description": long })).await;
    assert_eq!((status, &told["field"]), (422, &json!("description")), "{told}");
    let mut last = (0, Value::Null);
    for n in 0..=100 {
        last = shop.post("/v1/endpoints", &json!({ "url": format!("https://8.8.8.8/{n}") })).await;
    }
    assert_eq!(last.0, 409, "{last:?}");
    let (status, told) = shop.post("/v1/endpoints", &json!({ "uri": "https://8.8.8.8/" })).await;
    assert_eq!(status, 400, "{told}");
    assert!(told.to_string().contains("uri"), "{told}");
}

const FEDEX_AND_MR: &str = "[accounts.fedex]\ncarrier = \"fedex\"\nbase_url = \"http://127.0.0.1:9\"\nshops = \"*\"\n[accounts.fedex.credentials]\nclient_id = \"c\"\nclient_secret = \"s\"\n\
    [accounts.twin]\ncarrier = \"twin\"\nbase_url = \"http://127.0.0.1:9\"\nshops = \"*\"\n";

/// Two carriers with numbers of one shape: the shop is asked which, and told whom it may name.
#[tokio::test]
async fn an_ambiguous_number_is_answered_with_its_candidates() {
    let carriers = tempfile::tempdir().unwrap();
    let definition =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/carriers/sandbox/carrier.toml")).unwrap();
    std::fs::create_dir(carriers.path().join("twin")).unwrap();
    let twin =
        definition.replace("code = \"sandbox\"", "code = \"twin\"").replace("name = \"Sandbox\"", "name = \"Twin\"");
    std::fs::write(carriers.path().join("twin/carrier.toml"), twin).unwrap();
    let more = format!("[carriers]\ndir = \"{}\"\n{FEDEX_AND_MR}", carriers.path().display());
    let house = Plan::new().more(&more).sandbox_day("1h").open().await;
    let shop = house.shop("boutique").await;
    let (status, told) = shop.post("/v1/trackers", &json!({ "number": "SANDBOX-LATE-1" })).await;
    assert_eq!((status, &told["field"]), (422, &json!("carrier")), "{told}");
    let candidates: Vec<&Value> = told["candidates"].as_array().unwrap().iter().map(|c| &c["carrier"]).collect();
    assert_eq!(candidates.len(), 2, "{told}");
    assert!(candidates.contains(&&json!("twin")) && candidates.contains(&&json!("sandbox")), "{told}");
    let named = shop.post("/v1/trackers", &json!({ "number": "SANDBOX-LATE-1", "carrier": "sandbox" })).await;
    assert_eq!(named.0, 201, "{}", named.1);
    let (status, told) = shop.post("/v1/trackers", &json!({ "number": "no carrier has such" })).await;
    assert_eq!((status, &told["candidates"]), (422, &json!([])), "{told}");
}

/// Enabling reads, then writes: a deletion in between must stay one.
#[tokio::test]
async fn an_endpoint_that_is_enabled_and_deleted_at_once_is_deleted() {
    let house = Plan::new().sandbox_day("1h").open().await;
    let shop = house.shop("boutique").await;
    for round in 0..15 {
        let id = shop.endpoint(&house, &format!("e{round}"), &["tracker.*"]).await;
        let path = format!("/v1/endpoints/{id}");
        let enable = format!("{path}/enable");
        let nothing = json!({});
        let enables = join_all((0..4).map(|_| shop.post(&enable, &nothing)));
        let (_, (status, told)) = tokio::join!(enables, shop.delete(&path));
        assert_eq!(status, 204, "{told}");
        assert_eq!(shop.get(&path).await.0, 404, "round {round}");
    }
    assert_eq!(shop.get("/v1/endpoints").await.1, json!({ "endpoints": [] }));
}
