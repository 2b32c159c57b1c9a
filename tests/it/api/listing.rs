//! Lists: every filter, every page, whatever else goes on, and nothing of another shop.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::house::{Plan, Shop, until};

/// All pages of a list; the ids in the order in which they came.
async fn all(shop: &Shop, query: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let more = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let (status, page) = shop.get(&format!("/v1/trackers?{query}{more}")).await;
        assert_eq!(status, 200, "{page}");
        ids.extend(page["trackers"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return ids,
        }
    }
}

async fn fill(shop: &Shop, from: usize, count: usize, more: &Value) -> Vec<String> {
    let mut ids = Vec::new();
    for start in (from..from + count).step_by(100) {
        let item = |n: usize| {
            let mut body = more.clone();
            body["number"] = json!(format!("SANDBOX-UNKNOWN-{n}"));
            body
        };
        let items: Vec<Value> = (start..(from + count).min(start + 100)).map(item).collect();
        let (status, told) = shop.post("/v1/trackers/batch", &json!({ "trackers": items })).await;
        assert_eq!(status, 200, "{told}");
        ids.extend(told["results"].as_array().unwrap().iter().map(|r| r["tracker"]["id"].as_str().unwrap().to_owned()));
    }
    ids
}

#[tokio::test]
async fn pages_miss_none_and_show_none_twice_while_others_are_registered() {
    let house = Plan::new().sandbox_day("10h").pace("5h").quiet().open().await;
    let shop = house.shop("boutique").await;
    let more = json!({ "customer_ref": "c-1", "orders": [{ "reference": "all" }, { "reference": "every" }] });
    let mine: HashSet<String> = fill(&shop, 0, 250, &more).await.into_iter().collect();
    assert_eq!(mine.len(), 250);
    let others = async {
        for round in 0..12 {
            fill(&shop, 1000 + round * 10, 10, &more).await;
        }
    };
    let queries = [
        "limit=7",
        "limit=100",
        "status=pending&limit=9",
        "customer_ref=c-1&limit=13",
        "order=all&order=every&limit=17",
        "tag=none&limit=5",
    ];
    let reads = async {
        for query in queries {
            let shown = all(&shop, query).await;
            let distinct: HashSet<&String> = shown.iter().collect();
            assert_eq!(distinct.len(), shown.len(), "{query}: none twice");
            if query.starts_with("tag") {
                assert_eq!(shown.len(), 0);
            } else {
                assert!(mine.iter().all(|id| distinct.contains(id)), "{query}: none missing");
            }
        }
    };
    tokio::join!(others, reads);
    for query in &queries[..5] {
        assert_eq!(all(&shop, query).await.len(), 370, "{query}");
    }
    assert_eq!(all(&shop, "limit=100").await, all(&shop, "limit=3").await, "the same order whatever the page");
}

#[tokio::test]
async fn each_filter_finds_what_it_names() {
    let house = Plan::new().sandbox_day("1h").open().await;
    let shop = house.shop("boutique").await;
    let plain = shop.track("SANDBOX-UNKNOWN-1").await;
    let tagged = shop
        .register(&json!({ "number": "SANDBOX-UNKNOWN-2", "tags": ["red", "gift"], "customer_ref": "c 2", "orders": [{ "reference": "A&1" }, { "reference": "A-2" }] }))
        .await;
    let late = shop
        .register(&json!({ "number": "SANDBOX-UNKNOWN-3", "promised": { "to": "2020-01-01" }, "tags": ["blue"], "orders": [{ "reference": "A-2" }] }))
        .await;
    let lost = shop.track("SANDBOX-UNKNOWN-4").await;
    shop.post(&format!("/v1/trackers/{lost}/set"), &json!({ "status": "lost", "who": "a", "why": "b" })).await;
    shop.shows(&late, "an alarm", |t| t["conditions"][0]["kind"] == "late").await;
    let all_of_them = [&plain, &tagged, &late, &lost];
    let cases: [(&str, &[&String]); 22] = [
        ("", &all_of_them),
        ("status=exception", &[&lost]),
        ("status=pending", &[&plain, &tagged, &late]),
        ("status=pending&status=exception", &all_of_them),
        ("status=delivered", &[]),
        ("carrier=sandbox", &all_of_them),
        ("carrier=ups", &[]),
        ("carrier=ups&carrier=sandbox&status=exception", &[&lost]),
        ("number=SANDBOX-UNKNOWN-2", &[&tagged]),
        ("number=%20sandbox-unknown-2&number=SANDBOX-UNKNOWN-1", &[&tagged, &plain]),
        ("number=SANDBOX-UNKNOWN-2&carrier=ups", &[]),
        ("number=nonsense", &[]),
        ("order=A%261", &[&tagged]),
        ("order=A-2", &[&tagged, &late]),
        ("order=A-2&order=A%261&limit=1", &[&tagged, &late]),
        ("order=A-2&condition=late", &[&late]),
        ("customer_ref=c+2", &[&tagged]),
        ("customer_ref=c+2&tag=blue", &[]),
        ("tag=red&tag=blue", &[&tagged, &late]),
        ("condition=late", &[&late]),
        ("condition=late&condition=stalled&status=pending", &[&late]),
        ("condition=stalled", &[]),
    ];
    for (query, wanted) in cases {
        let found: HashSet<String> = all(&shop, query).await.into_iter().collect();
        assert_eq!(found, wanted.iter().map(|id| (*id).clone()).collect(), "{query}");
    }
    assert_eq!(all(&shop, "").await[0], lost, "the newest status comes first");
    let since = |at: &str| format!("updated_since={at}");
    assert_eq!(all(&shop, &since("2020-01-01T00:00:00Z")).await.len(), 4);
    let now = shop.get(&format!("/v1/trackers/{lost}")).await.1["by_hand"]["at"].as_str().unwrap().to_owned();
    assert!(all(&shop, &since(&now)).await.contains(&lost));
    assert_eq!(all(&shop, &since("2999-01-01T00:00:00%2B01:00")).await.len(), 0);
    let patched = shop.ask("PATCH", &format!("/v1/trackers/{plain}"), Some(r#"{"tags":["new"]}"#)).await.1;
    let told = shop.get(&format!("/v1/trackers/{plain}/changes")).await.1["changes"][0]["timestamp"].clone();
    assert!(all(&shop, &since(told.as_str().unwrap())).await.contains(&plain), "an update counts: {patched}");
    // A parcel that left an order or a status is found there no more.
    shop.ask("PATCH", &format!("/v1/trackers/{tagged}"), Some(r#"{"orders":null,"customer_ref":"c 3"}"#)).await;
    assert_eq!(all(&shop, "order=A-2").await, std::slice::from_ref(&late));
    assert_eq!(all(&shop, "customer_ref=c+2&customer_ref=c+3").await, std::slice::from_ref(&tagged));
    shop.delete(&format!("/v1/trackers/{late}")).await;
    for query in ["order=A-2", "condition=late", "number=SANDBOX-UNKNOWN-3"] {
        assert!(all(&shop, query).await.is_empty(), "{query}");
    }
    let (_, rows) = shop.get("/v1/trackers?number=SANDBOX-UNKNOWN-1").await;
    assert!(rows["trackers"][0]["parcel"].get("events").is_none(), "{rows}");
    let (_, rows) = shop.get("/v1/trackers?number=SANDBOX-UNKNOWN-1&include=events").await;
    assert!(rows["trackers"][0]["parcel"]["events"].is_array(), "{rows}");
}

#[tokio::test]
async fn queries_that_cannot_be_used_are_refused_by_name() {
    let house = Plan::new().sandbox_day("1h").open().await;
    let shop = house.shop("boutique").await;
    let id = shop.track("SANDBOX-UNKNOWN-1").await;
    let many: String = (0..21).map(|n| format!("tag={n}&")).collect();
    for (query, field) in [
        ("colour=red", "colour"),
        ("Status=pending", "Status"),
        ("=", ""),
        ("status=", "status"),
        ("status=flying", "status"),
        ("status=pending,delivered", "status"),
        ("carrier=nobody", "carrier"),
        ("number=", "number"),
        ("order=%00", "order"),
        ("customer_ref=", "customer_ref"),
        (many.as_str(), "tag"),
        ("condition=tired", "condition"),
        ("updated_since=yesterday", "updated_since"),
        ("updated_since=2026-11-25", "updated_since"),
        ("updated_since=2026-11-25T00:00:00Z&updated_since=2026-11-25T00:00:00Z", "updated_since"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=5&limit=5", "limit"),
        ("include=everything", "include"),
        ("include=", "include"),
    ] {
        let (status, told) = shop.get(&format!("/v1/trackers?{query}")).await;
        assert_eq!((status, &told["field"]), (422, &json!(field)), "{query}: {told}");
    }
    for (query, field) in [("limit=0", "limit"), ("limit=x", "limit"), ("after=1", "after")] {
        let (status, told) = shop.get(&format!("/v1/trackers/{id}/changes?{query}")).await;
        assert_eq!((status, &told["field"]), (422, &json!(field)), "{query}: {told}");
    }
}

#[tokio::test]
async fn a_parcels_changes_are_paged_with_the_bytes_of_its_webhooks() {
    let house = Plan::new().sandbox_day("1h").open().await;
    let shop = house.shop("boutique").await;
    let (url, bodies) = keeper().await;
    assert_eq!(shop.post("/v1/endpoints", &json!({ "url": url, "events": ["tracker.*"] })).await.0, 201);
    let id = shop.track("SANDBOX-UNKNOWN-1").await;
    for n in 0..7 {
        let body = json!({ "tags": [format!("t{n}")] }).to_string();
        assert_eq!(shop.ask("PATCH", &format!("/v1/trackers/{id}"), Some(&body)).await.0, 200);
    }
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let (status, page) = shop.get(&format!("/v1/trackers/{id}/changes?limit=3{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        ids.extend(page["changes"].as_array().unwrap().iter().map(|change| change["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(ids.len(), 8, "registered once, updated seven times");
    let (_, whole) = shop.get(&format!("/v1/trackers/{id}/changes")).await;
    let sequences: Vec<u64> =
        whole["changes"].as_array().unwrap().iter().map(|c| c["data"]["sequence"].as_u64().unwrap()).collect();
    assert!(sequences.is_sorted_by(|newer, older| newer > older), "newest first: {sequences:?}");
    assert_eq!(whole["changes"][7]["type"], "tracker.created");
    until("all webhooks", || async { (bodies.lock().unwrap().len() >= 8).then_some(()) }).await;
    let path = format!("{}/v1/trackers/{id}/changes", house.first().base);
    let answer = reqwest::Client::builder().no_proxy().build().unwrap().get(path).bearer_auth(&shop.key).send().await;
    let text = answer.unwrap().text().await.unwrap();
    for body in bodies.lock().unwrap().iter() {
        assert!(text.contains(body.as_str()), "{body} is not in {text}");
    }
}

/// A receiver that keeps the bodies as they came.
async fn keeper() -> (String, Arc<Mutex<Vec<String>>>) {
    let bodies: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&bodies);
    let keep = axum::routing::post(move |body: String| async move { kept.lock().unwrap().push(body) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/", keep)).await });
    (url, bodies)
}

/// Promise 9 for lists: whatever a shop asks, with whatever it got hold of, it hears only of its own.
#[tokio::test]
async fn no_filter_and_no_cursor_tells_of_another_shop() {
    let house = Plan::new().sandbox_day("1h").open().await;
    let (one, two) = (house.shop("one").await, house.shop("two").await);
    let told = json!({
        "orders": [{ "reference": "A-1" }], "customer_ref": "c-1", "tags": ["red"], "promised": { "to": "2020-01-01" }
    });
    let theirs = fill(&one, 0, 12, &told).await;
    one.shows(&theirs[0], "an alarm", |t| t["conditions"][0]["kind"] == "late").await;
    for n in 0..4 {
        let body = json!({ "tags": [format!("t{n}")] }).to_string();
        one.ask("PATCH", &format!("/v1/trackers/{}", theirs[0]), Some(&body)).await;
    }
    let filters = [
        "status=pending",
        "carrier=sandbox",
        "number=SANDBOX-UNKNOWN-1",
        "order=A-1",
        "customer_ref=c-1",
        "tag=red",
        "condition=late",
        "updated_since=2020-01-01T00:00:00Z",
        "include=events",
        "limit=5",
    ];
    let nothing = json!({ "trackers": [], "next_cursor": null });
    for filter in filters.iter().chain(&[""]) {
        for limit in ["", "&limit=1"] {
            if !filter.starts_with("limit") || limit.is_empty() {
                assert_eq!(
                    two.get(&format!("/v1/trackers?{filter}{limit}")).await,
                    (200, nothing.clone()),
                    "{filter}{limit}"
                );
            }
        }
    }
    // A cursor of another shop, list or filter is as good as any nonsense, even for a shop that has the same.
    fill(&two, 0, 12, &told).await;
    let garbage = two.get("/v1/trackers?limit=5&cursor=garbage").await;
    assert_eq!((garbage.0, &garbage.1["field"]), (400, &json!("cursor")), "{}", garbage.1);
    let changes = format!("/v1/trackers/{}/changes", theirs[0]);
    let mut cursors = vec![one.get(&format!("{changes}?limit=1")).await.1["next_cursor"].as_str().unwrap().to_owned()];
    for filter in [
        "limit=5",
        "order=A-1&limit=5",
        "status=pending&limit=5",
        "number=SANDBOX-UNKNOWN-1&number=SANDBOX-UNKNOWN-2&limit=1",
    ] {
        let (_, page) = one.get(&format!("/v1/trackers?{filter}")).await;
        let cursor = page["next_cursor"].as_str().unwrap().to_owned();
        assert_eq!(one.get(&format!("/v1/trackers?{filter}&cursor={cursor}")).await.0, 200, "{filter}");
        assert_eq!(two.get(&format!("/v1/trackers?{filter}&cursor={cursor}")).await, garbage, "{filter}");
        let altered = format!("{}{}", &cursor[..cursor.len() - 1], if cursor.ends_with('A') { "B" } else { "A" });
        for wrong in [altered, cursor[..cursor.len() / 2].to_owned(), String::new(), "x".repeat(2000)] {
            assert_eq!(one.get(&format!("/v1/trackers?{filter}&cursor={wrong}")).await, garbage, "{filter}");
        }
        assert_eq!(one.get(&format!("/v1/trackers?{filter}&tag=red&cursor={cursor}")).await, garbage, "other filters");
        assert_eq!(one.get(&format!("{changes}?cursor={cursor}")).await, garbage, "another list");
        cursors.push(cursor);
    }
    let (_, own) = two.get("/v1/trackers?limit=1").await;
    let own = own["trackers"][0]["id"].as_str().unwrap().to_owned();
    for cursor in &cursors {
        for path in ["/v1/trackers?".to_owned(), format!("/v1/trackers/{own}/changes?")] {
            assert_eq!(two.get(&format!("{path}cursor={cursor}")).await, garbage, "{path}");
        }
    }
    assert_eq!(all(&two, "").await.len(), 12);
    assert!(all(&two, "").await.iter().all(|id| !theirs.contains(id)));
}
