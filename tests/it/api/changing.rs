//! What a shop does with a parcel that is followed: change it, pause it, ask at once, set it by hand.

use serde_json::{Value, json};
use wismo::simulator::chance::Chance;
use wismo::simulator::world::Network;
use wismo::simulator::{demo, numbers};

use crate::support::house::{House, Plan, Shop, until};

async fn patch(shop: &Shop, id: &str, body: &Value) -> (u16, Value) {
    shop.ask("PATCH", &format!("/v1/trackers/{id}"), Some(&body.to_string())).await
}

#[tokio::test]
async fn patch_changes_what_is_given_and_null_empties() {
    let house = Plan::new().sandbox_day("1h").open().await;
    let shop = house.shop("boutique").await;
    shop.endpoint(&house, "shop", &["tracker.updated"]).await;
    let told = json!({
        "number": "SANDBOX-UNKNOWN-1", "orders": [{ "reference": "A-1", "placed_at": "2026-11-20T10:00:00+01:00" }],
        "customer_ref": "c-1", "direction": "return", "related": ["R-1"], "promised": { "to": "2099-11-25" },
        "ship_by": "2099-11-22", "destination": { "country": "FR", "postcode": "44000" }, "locale": "fr",
        "tags": ["gift"], "metadata": { "k": "v" }, "importance": 3
    });
    let id = shop.register(&told).await;
    let (status, shown) =
        patch(&shop, &id, &json!({ "tags": ["a", "b"], "importance": 10, "customer_ref": "c-2" })).await;
    assert_eq!(status, 200, "{shown}");
    assert_eq!(
        (&shown["tags"], &shown["importance"], &shown["customer_ref"]),
        (&json!(["a", "b"]), &json!(10), &json!("c-2"))
    );
    for (field, value) in told.as_object().unwrap() {
        if !["number", "tags", "importance", "customer_ref"].contains(&field.as_str()) {
            assert_eq!(&shown[field], value, "what is absent stays");
        }
    }
    let update = house.arrival("word of it", |a| a.kind == "tracker.updated").await;
    assert_eq!(update.subject, id);
    let fields = [
        "orders",
        "customer_ref",
        "direction",
        "related",
        "promised",
        "ship_by",
        "destination",
        "locale",
        "tags",
        "metadata",
        "importance",
        "inputs",
    ];
    let nulls: Value = fields.iter().map(|field| ((*field).to_owned(), Value::Null)).collect();
    let (status, shown) = patch(&shop, &id, &nulls).await;
    assert_eq!(status, 200, "{shown}");
    for field in fields.iter().filter(|field| **field != "inputs") {
        let empty = match *field {
            "orders" | "related" | "tags" => json!([]),
            "metadata" => json!({}),
            "direction" => json!("outbound"),
            _ => Value::Null,
        };
        assert_eq!(shown[*field], empty, "{field}: {shown}");
    }
    assert_eq!(shop.get(&format!("/v1/trackers/{id}")).await, (200, shown.clone()));
    assert_eq!(patch(&shop, &id, &json!({})).await, (200, shown.clone()), "nothing given, nothing changed");
    // In a registration a null says nothing.
    let (status, again) = shop.post("/v1/trackers", &json!({ "number": "SANDBOX-UNKNOWN-1", "locale": "de" })).await;
    assert_eq!((status, &again["locale"]), (200, &json!("de")));
    let (_, again) = shop.post("/v1/trackers", &json!({ "number": "SANDBOX-UNKNOWN-1", "locale": null })).await;
    assert_eq!(again["locale"], "de");
}

const TWO_ACCOUNTS: &str = "[accounts.sandbox-two]\ncarrier = \"sandbox\"\nbase_url = \"http://127.0.0.1:9\"\nshops = [\"boutique\"]\n\
    [accounts.theirs]\ncarrier = \"sandbox\"\nbase_url = \"http://127.0.0.1:9\"\nshops = [\"other\"]\n";

#[tokio::test]
async fn number_carrier_and_history_stay_and_the_account_is_one_of_the_shops_own() {
    let house = Plan::new().sandbox_day("1h").more(TWO_ACCOUNTS).open().await;
    let shop = house.shop("boutique").await;
    let id = shop.track("SANDBOX-UNKNOWN-1").await;
    for (field, values) in [
        ("number", vec![json!("SANDBOX-UNKNOWN-2"), json!("what is this"), Value::Null]),
        ("carrier", vec![json!("ups"), json!("nobody"), Value::Null]),
        ("history", vec![json!("send"), Value::Null]),
        ("account", vec![json!("nobody"), json!("theirs"), Value::Null]),
    ] {
        for value in values {
            let (status, told) = patch(&shop, &id, &json!({ "tags": ["x"], field: value })).await;
            assert_eq!((status, &told["field"]), (422, &json!(field)), "{told}");
        }
    }
    let same = json!({ "number": " sandbox-unknown-1", "carrier": "sandbox", "history": "collapse", "tags": ["y"] });
    let (status, shown) = patch(&shop, &id, &same).await;
    assert_eq!((status, &shown["tags"]), (200, &json!(["y"])), "the same is no change: {shown}");
    let was = shown["account"].as_str().unwrap().to_owned();
    let next = if was == "sandbox" { "sandbox-two" } else { "sandbox" };
    let (status, shown) = patch(&shop, &id, &json!({ "account": next })).await;
    assert_eq!((status, &shown["account"]), (200, &json!(next)));
    assert_eq!(patch(&shop, &id, &json!({ "account": was })).await.1["account"], json!(was));
    let (foreign, unknown) = (
        patch(&shop, &id, &json!({ "account": "theirs" })).await.1.to_string().replace("theirs", "X"),
        patch(&shop, &id, &json!({ "account": "nobody" })).await.1.to_string().replace("nobody", "X"),
    );
    assert_eq!(foreign, unknown, "a foreign account looks like an unknown one");
}

#[tokio::test]
async fn a_paused_parcel_is_not_asked_for_until_it_is_resumed() {
    let house = Plan::new().carriers(&[Network::Ups]).open().await;
    let shop = house.shop("boutique").await;
    let numbers = ups_numbers(2);
    let (number, beside) = (numbers[0].as_str(), numbers[1].as_str());
    let id = shop.register(&json!({ "number": number, "carrier": "ups" })).await;
    shop.register(&json!({ "number": beside, "carrier": "ups" })).await;
    let path = format!("/v1/trackers/{id}");
    let asked = |number: &str| house.carrier(Network::Ups).ledger.times_asked(number);
    let polls_beside_it = async |count: u64| {
        let from = asked(beside);
        until("polls beside it", || async { (asked(beside) >= from + count).then_some(()) }).await;
    };
    until("first polls", || async { (asked(number) >= 2).then_some(()) }).await;
    let (status, shown) = shop.post(&format!("{path}/pause"), &json!({})).await;
    assert_eq!((status, &shown["poll"]["paused"], &shown["poll"]["next_at"]), (200, &json!(true), &Value::Null));
    assert_eq!(shop.post(&format!("{path}/pause"), &json!({})).await.0, 200, "paused already");
    let (status, told) = shop.post(&format!("{path}/refresh"), &json!({})).await;
    assert_eq!((status, &told["status"]), (409, &json!(409)), "{told}");
    // A call that was under way when it was paused is the last.
    polls_beside_it(2).await;
    let when_paused = asked(number);
    polls_beside_it(4).await;
    assert_eq!(asked(number), when_paused, "it is not asked for");
    assert_eq!(shop.get(&path).await.1["poll"]["paused"], true, "and stays so when an answer came late");
    let (status, shown) = shop.post(&format!("{path}/resume"), &json!({})).await;
    assert_eq!((status, &shown["poll"]["paused"]), (200, &json!(false)));
    assert!(shown["poll"]["next_at"].is_string(), "{shown}");
    until("polls again", || async { (asked(number) > when_paused + 1).then_some(()) }).await;
}

#[tokio::test]
async fn refresh_polls_at_once_and_once_a_minute() {
    let house = Plan::new().carriers(&[Network::Ups]).pace("5h").open().await;
    let shop = house.shop("boutique").await;
    let numbers = ups_numbers(2);
    let register = |number: &str| json!({ "number": number, "carrier": "ups" });
    let id = shop.register(&register(&numbers[0])).await;
    let path = format!("/v1/trackers/{id}");
    let hours_ahead = |shown: &Value| -> Option<i64> {
        let next: jiff::Timestamp = shown["poll"]["next_at"].as_str()?.parse().ok()?;
        Some(next.duration_since(jiff::Timestamp::now()).as_hours())
    };
    let rests = |shown: &Value| shown["poll"]["last_at"].is_string() && hours_ahead(shown) >= Some(3);
    let resting = shop.shows(&id, "a rest of hours after the first poll", rests).await;
    let (status, shown) = shop.post(&format!("{path}/refresh"), &json!({})).await;
    assert_eq!((status, &shown["id"]), (202, &json!(id)), "{shown}");
    shop.shows(&id, "the forced poll", |t| t["poll"]["last_at"] != resting["poll"]["last_at"]).await;
    let (status, told) = shop.post(&format!("{path}/refresh"), &json!({})).await;
    assert_eq!((status, &told["status"]), (429, &json!(429)), "{told}");
    let answer = raw_post(&shop, &house, &format!("{path}/refresh")).await;
    let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    // Pausing and resuming is no way around it: the pace is that of the last poll.
    shop.shows(&id, "a rest again", rests).await;
    shop.post(&format!("{path}/pause"), &json!({})).await;
    let (_, shown) = shop.post(&format!("{path}/resume"), &json!({})).await;
    assert!(hours_ahead(&shown) >= Some(3), "{shown}");
    let other = shop.register(&register(&numbers[1])).await;
    assert_eq!(shop.post(&format!("/v1/trackers/{other}/refresh"), &json!({})).await.0, 202, "each has its own minute");
}

async fn raw_post(shop: &Shop, house: &House, path: &str) -> reqwest::Response {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.post(format!("{}{path}", house.first().base)).bearer_auth(&shop.key).send().await.unwrap()
}

/// A shop that asks for everything at once: the carrier still never sees more than its quota.
#[tokio::test]
async fn refreshing_never_exceeds_the_quota() {
    let quota = demo::quota(Network::Ups);
    let house = Plan::new().quotas(&[(Network::Ups, quota.clone())]).carriers(&[Network::Ups]).open().await;
    let shop = house.shop("boutique").await;
    let mut ids = Vec::new();
    for number in ups_numbers(20) {
        ids.push(shop.register(&json!({ "number": number, "carrier": "ups" })).await);
    }
    for id in &ids {
        assert_eq!(shop.post(&format!("/v1/trackers/{id}/refresh"), &json!({})).await.0, 202);
    }
    let ledger = &house.carrier(Network::Ups).ledger;
    until("many polls", || async { (ledger.calls().len() >= 40).then_some(()) }).await;
    assert!(ledger.is_whole());
    assert!(quota.breaches(&ledger.calls(), house.clock).is_empty());
}

fn ups_numbers(count: usize) -> Vec<String> {
    let mut chance = Chance::new(7);
    (0..count).map(|_| numbers::ups(&mut chance)).collect()
}

#[tokio::test]
async fn set_by_hand_shows_in_the_view_and_the_change() {
    let house = Plan::new().sandbox_day("1h").open().await;
    let shop = house.shop("boutique").await;
    shop.endpoint(&house, "shop", &["tracker.*"]).await;
    let id = shop.track("SANDBOX-UNKNOWN-1").await;
    let path = format!("/v1/trackers/{id}");
    let set = format!("{path}/set");
    for (body, status, field) in [
        (json!({ "status": "in_transit", "who": "a", "why": "b" }), 400, "status"),
        (json!({ "status": "lost", "who": "", "why": "b" }), 422, "who"),
        (json!({ "status": "lost", "who": "a", "why": "x".repeat(501) }), 422, "why"),
        (json!({ "status": "lost", "who": "a" }), 400, "why"),
        (json!({ "status": "lost", "who": "a", "why": "b", "when": "c" }), 400, "when"),
    ] {
        let (answered, told) = shop.post(&set, &body).await;
        assert_eq!(answered, status, "{body}: {told}");
        assert!(told.to_string().contains(field), "{told}");
    }
    assert_eq!(shop.get(&path).await.1["by_hand"], Value::Null);
    for (status, shows, substatus) in [
        ("lost", "exception", "lost"),
        ("delivered", "delivered", "delivered"),
        ("returned", "returned", "returned_to_sender"),
    ] {
        let body = json!({ "status": status, "who": "ann", "why": format!("{status}, says the customer") });
        let (answered, shown) = shop.post(&set, &body).await;
        assert_eq!(answered, 200, "{shown}");
        assert_eq!((&shown["parcel"]["status"], &shown["parcel"]["substatus"]), (&json!(shows), &json!(substatus)));
        assert_eq!((&shown["by_hand"]["who"], &shown["by_hand"]["why"]), (&body["who"], &body["why"]));
        assert!(shown["by_hand"]["at"].is_string() && shown["ended_at"].is_string(), "{shown}");
        let (_, again) = shop.post(&set, &body).await;
        assert_eq!(again["sequence"], shown["sequence"], "said twice, told once");
        let kind = format!("tracker.{shows}");
        house.arrival(&kind, |a| a.kind == kind && a.subject == id).await;
    }
    let (_, told) = shop.get(&format!("{path}/changes")).await;
    let hands: Vec<&Value> =
        told["changes"].as_array().unwrap().iter().filter(|change| change["type"] == "tracker.updated").collect();
    assert_eq!(hands.len(), 3, "{told}");
    assert_eq!(hands[0]["data"]["by_hand"], json!({ "who": "ann", "why": "returned, says the customer" }));
    // It is still there after polls that tell nothing new, and is found under its status.
    let polled = shop.get(&path).await.1["poll"]["last_at"].clone();
    shop.shows(&id, "a poll", |t| t["poll"]["last_at"] != polled).await;
    let (_, shown) = shop.get(&path).await;
    assert_eq!((&shown["parcel"]["status"], &shown["by_hand"]["who"]), (&json!("returned"), &json!("ann")), "{shown}");
    let (_, listed) = shop.get("/v1/trackers?status=returned").await;
    assert_eq!(listed["trackers"][0]["id"], json!(id), "{listed}");
}

/// A missing field is named, and a value of the wrong kind is told what belongs there.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_of_another_kind_is_named() {
    let house = Plan::new().open().await;
    let shop = house.shop("boutique").await;
    let endpoint = shop.endpoint(&house, "hook", &["*"]).await;
    let id = shop.track("SANDBOX-LATE-1").await;
    let (set, replay) = (format!("/v1/trackers/{id}/set"), format!("/v1/endpoints/{endpoint}/replay"));
    for (path, body, field, part) in [
        (set.as_str(), json!({"status": "lost", "why": "b"}), "who", "it is missing"),
        (&replay, json!({}), "change", "it is missing"),
        ("/v1/endpoints", json!({}), "url", "it is missing"),
        ("/v1/trackers", json!({"number": "SANDBOX-LATE-2", "promised": {}}), "promised.to", "it is missing"),
        (
            "/v1/trackers",
            json!({"number": "SANDBOX-LATE-2", "promised": "2030-01-01"}),
            "promised",
            "{\"to\": \"2026-11-28\"}",
        ),
        (
            "/v1/endpoints",
            json!({"url": "https://8.8.8.8/", "events": ["tracker.delivred"]}),
            "events[0]",
            "\"tracker.delivered\"",
        ),
    ] {
        let (status, problem) = shop.post(path, &body).await;
        assert!((400..500).contains(&status), "{problem}");
        assert_eq!(problem["field"], field, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(part), "{problem}");
    }
}
