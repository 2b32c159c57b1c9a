//! Registering: one by one, many at once, and everything that is refused.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::house::Plan;

/// Every field with something that cannot be used, and the name that the answer gives it.
fn unusable() -> Vec<(Value, &'static str)> {
    let long = |count: usize| "x".repeat(count);
    let many = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
    let map = |count: usize, size: usize| (0..count).map(|n| (format!("k{n}"), json!(long(size)))).collect::<Value>();
    vec![
        (json!({ "number": long(101) }), "number"),
        (json!({ "number": "a\u{7}b" }), "number"),
        (json!({ "carrier": "" }), "carrier"),
        (json!({ "orders": [{ "reference": "1" }, { "reference": "2" }, { "reference": "" }] }), "orders[2].reference"),
        (json!({ "orders": [{ "reference": long(201) }] }), "orders[0].reference"),
        (json!({ "orders": many(51).iter().map(|n| json!({ "reference": n })).collect::<Vec<_>>() }), "orders"),
        (json!({ "customer_ref": "" }), "customer_ref"),
        (json!({ "customer_ref": "a\nb" }), "customer_ref"),
        (json!({ "related": ["fine", long(101)] }), "related[1]"),
        (json!({ "related": many(51) }), "related"),
        (json!({ "promised": { "to": "2026-11-25", "zone": "Europe/Nowhere" } }), "promised.zone"),
        (json!({ "promised": { "from": "2026-11-26", "to": "2026-11-25" } }), "promised.from"),
        (json!({ "destination": { "country": "fr" } }), "destination.country"),
        (json!({ "destination": { "country": "FRA" } }), "destination.country"),
        (json!({ "destination": { "country": "XX" } }), "destination.country"),
        (json!({ "destination": { "country": "UK" } }), "destination.country"),
        (json!({ "destination": { "postcode": "44000; DROP" } }), "destination.postcode"),
        (json!({ "destination": { "zone": "" } }), "destination.zone"),
        (json!({ "locale": "fr_FR" }), "locale"),
        (json!({ "locale": "" }), "locale"),
        (json!({ "tags": ["", "b"] }), "tags[0]"),
        (json!({ "tags": ["a", "b", long(101)] }), "tags[2]"),
        (json!({ "tags": many(51) }), "tags"),
        (json!({ "metadata": { "k": long(501) } }), "metadata.k"),
        (json!({ "metadata": { "": "v" } }), "metadata."),
        (json!({ "metadata": map(51, 1) }), "metadata"),
        (json!({ "metadata": map(20, 490) }), "metadata"),
        (json!({ "importance": 0 }), "importance"),
        (json!({ "importance": 11 }), "importance"),
        (json!({ "importance": -1 }), "importance"),
        (json!({ "importance": 300 }), "importance"),
        (json!({ "inputs": { "colour": "red" } }), "inputs.colour"),
        (json!({ "account": "nobody" }), "account"),
    ]
}

/// Every field with something that is no JSON of its kind.
fn unreadable() -> Vec<(Value, &'static str)> {
    vec![
        (json!({ "number": 7 }), "number"),
        (json!({ "orders": "A-1" }), "orders"),
        (json!({ "orders": [{ "reference": "1", "placed_at": "yesterday" }] }), "orders[0].placed_at"),
        (json!({ "orders": [{ "reference": "1" }, { "ref": "2" }] }), "orders[1].ref"),
        (json!({ "direction": "sideways" }), "direction"),
        (json!({ "promised": { "to": "25/11/2026" } }), "promised.to"),
        (json!({ "ship_by": 5 }), "ship_by"),
        (json!({ "destination": { "city": "Nantes" } }), "destination.city"),
        (json!({ "tags": [1] }), "tags[0]"),
        (json!({ "metadata": { "k": 1 } }), "metadata.k"),
        (json!({ "importance": 5.5 }), "importance"),
        (json!({ "history": "skip" }), "history"),
        (json!({ "colour": "red" }), "colour"),
    ]
}

fn with_number(body: &Value) -> Value {
    let mut body = body.clone();
    if body.get("number").is_none() {
        body["number"] = json!("SANDBOX-UNKNOWN-1");
    }
    body
}

#[tokio::test]
async fn every_field_is_judged_and_named_in_post_patch_and_batch() {
    let house = Plan::new().sandbox_day("1h").open().await;
    let shop = house.shop("boutique").await;
    let id = shop.track("SANDBOX-UNKNOWN-9").await;
    let path = format!("/v1/trackers/{id}");
    let (_, before) = shop.get(&path).await;
    let all = unusable().into_iter().chain(unreadable());
    for (body, field) in all {
        let (status, told) = shop.post("/v1/trackers", &with_number(&body)).await;
        assert!([400, 422].contains(&status), "{body}: {status} {told}");
        let names = told["field"] == field || told["detail"].as_str().is_some_and(|detail| detail.contains(field));
        assert!(names, "{body}: {told}");
        let (_, batch) = shop.post("/v1/trackers/batch", &json!({ "trackers": [with_number(&body)] })).await;
        let result = &batch["results"][0];
        assert_eq!((&result["status"], &result["problem"]), (&json!(status), &told), "{batch}");
        let (patched, told) = shop.ask("PATCH", &path, Some(&body.to_string())).await;
        assert_eq!(patched, status, "{body}: {told}");
        assert!(told["title"].is_string() && told["detail"].is_string(), "{told}");
    }
    let (_, after) = shop.get(&path).await;
    assert_eq!(
        (&after["sequence"], &after["tags"]),
        (&before["sequence"], &json!([])),
        "nothing of that was taken over"
    );
    let (_, list) = shop.get("/v1/trackers").await;
    assert_eq!(list["trackers"].as_array().unwrap().len(), 1, "nothing of that was registered: {list}");
    for body in [json!({}), json!({ "number": null }), json!({ "tags": ["a"] })] {
        let (status, told) = shop.post("/v1/trackers", &body).await;
        assert_eq!((status, &told["field"]), (422, &json!("number")), "{told}");
    }
}

#[tokio::test]
async fn a_batch_answers_for_each_and_one_bad_item_harms_no_other() {
    let house = Plan::new().sandbox_day("1h").open().await;
    let shop = house.shop("boutique").await;
    let known = shop.track("SANDBOX-UNKNOWN-0").await;
    let items = json!([
        { "number": "SANDBOX-UNKNOWN-0", "tags": ["again"] },
        { "number": "SANDBOX-UNKNOWN-1" },
        { "number": "no carrier has such" },
        { "number": "SANDBOX-UNKNOWN-2", "orders": [{ "reference": "A" }, {}] },
        "not an object",
        { "number": "SANDBOX-UNKNOWN-1" },
        { "number": "SANDBOX-UNKNOWN-3", "orders": [{ "reference": "A-3" }] },
    ]);
    let (status, told) = shop.post("/v1/trackers/batch", &json!({ "trackers": items })).await;
    assert_eq!(status, 200, "{told}");
    let results = told["results"].as_array().unwrap();
    let indexes: Vec<u64> = results.iter().map(|result| result["index"].as_u64().unwrap()).collect();
    assert_eq!(indexes, (0..7).collect::<Vec<u64>>());
    let status = |index: usize| results[index]["status"].as_u64().unwrap();
    assert_eq!((status(0), &results[0]["tracker"]["id"]), (200, &json!(known)));
    assert_eq!(results[0]["tracker"]["tags"], json!(["again"]));
    let mut twins = [status(1), status(5)];
    twins.sort_unstable();
    assert_eq!(twins, [200, 201], "the same parcel twice in one batch is one parcel");
    assert_eq!(results[1]["tracker"]["id"], results[5]["tracker"]["id"]);
    assert_eq!((status(2), &results[2]["problem"]["field"]), (422, &json!("carrier")));
    assert_eq!(status(3), 400);
    assert!(results[3]["problem"].to_string().contains("orders[1]"), "{}", results[3]);
    assert_eq!((status(4), status(6)), (400, 201));
    assert!(results[2].get("tracker").is_none() && results[1].get("problem").is_none());

    let fill = |count: usize| json!({ "trackers": (0..count).map(|n| json!({ "number": format!("SANDBOX-UNKNOWN-{n}") })).collect::<Vec<_>>() });
    let (status, told) = shop.post("/v1/trackers/batch", &fill(100)).await;
    assert_eq!((status, told["results"].as_array().unwrap().len()), (200, 100));
    assert!(told["results"].as_array().unwrap().iter().all(|result| result["tracker"]["id"].is_string()), "{told}");
    for wrong in [fill(101), json!({ "trackers": [] })] {
        let (status, told) = shop.post("/v1/trackers/batch", &wrong).await;
        assert_eq!((status, &told["field"]), (422, &json!("trackers")), "{told}");
    }
    for wrong in ["{}", "[]", r#"{"trackers":{}}"#, r#"{"trackers":[],"more":1}"#, r#"{"trackers":[{]}"#] {
        let (status, told) = shop.ask("POST", "/v1/trackers/batch", Some(wrong)).await;
        assert_eq!(status, 400, "{wrong}: {told}");
    }
}

/// Each request says something of its own about the same parcels; nothing that was said is lost, nothing is made twice.
#[tokio::test]
async fn requests_at_once_meet() {
    let mut house = Plan::new().sandbox_day("1h").open().await;
    let second = house.daemon().await;
    house.daemons.push(second);
    let shop = house.shop("boutique").await;
    let other = shop.at(&house.daemons[1]);
    let shops = [&shop, &other];
    let id = shop.track("SANDBOX-UNKNOWN-1").await;
    let path = format!("/v1/trackers/{id}");
    let bodies = [
        json!({ "tags": ["t"] }),
        json!({ "customer_ref": "c" }),
        json!({ "locale": "fr" }),
        json!({ "importance": 9 }),
        json!({ "metadata": { "k": "v" } }),
        json!({ "related": ["r"] }),
        json!({ "ship_by": "2026-11-22" }),
        json!({ "orders": [{ "reference": "o" }] }),
    ];
    let texts: Vec<String> = bodies.iter().map(Value::to_string).collect();
    let patches =
        join_all(texts.iter().enumerate().map(|(n, body)| shops[n % 2].ask("PATCH", &path, Some(body)))).await;
    assert!(patches.iter().all(|(status, _)| *status == 200), "{patches:?}");
    let (_, shown) = shop.get(&path).await;
    for body in &bodies {
        for (field, value) in body.as_object().unwrap() {
            assert_eq!(&shown[field], value, "{shown}");
        }
    }
    let batch =
        json!({ "trackers": (0..20).map(|n| json!({ "number": format!("SANDBOX-UNKNOWN-{n}") })).collect::<Vec<_>>() });
    let answers = join_all((0..4).map(|n| shops[n % 2].post("/v1/trackers/batch", &batch))).await;
    let made = answers.iter().flat_map(|(_, told)| told["results"].as_array().unwrap());
    let (mut created, mut known) = (0, 0);
    for result in made {
        match result["status"].as_u64().unwrap() {
            201 => created += 1,
            200 => known += 1,
            other => panic!("{other}: {result}"),
        }
    }
    assert_eq!((created, known), (19, 61), "one of them was known before");
}
