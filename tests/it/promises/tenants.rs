//! Promise 9: a shop's key never reads, changes, hears of or infers anything of another shop.

use std::fs;

use serde_json::{Value, json};

use crate::support::house::{Plan, Shop, assert_in_order};

const NOBODY: &str = "trk_aaaaaaaaaaaaaaaaaaaaaaaaaa";
const NOWHERE: &str = "ep_aaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Every route with an id, as method and path; what the router holds is held against this list.
const WITH_ID: [(&str, &str); 15] = [
    ("GET", "/v1/trackers/{id}"),
    ("PATCH", "/v1/trackers/{id}"),
    ("POST", "/v1/trackers/{id}/pause"),
    ("POST", "/v1/trackers/{id}/resume"),
    ("POST", "/v1/trackers/{id}/refresh"),
    ("POST", "/v1/trackers/{id}/set"),
    ("GET", "/v1/trackers/{id}/changes"),
    ("DELETE", "/v1/trackers/{id}"),
    ("GET", "/v1/endpoints/{id}"),
    ("PATCH", "/v1/endpoints/{id}"),
    ("DELETE", "/v1/endpoints/{id}"),
    ("POST", "/v1/endpoints/{id}/test"),
    ("POST", "/v1/endpoints/{id}/enable"),
    ("GET", "/v1/endpoints/{id}/dead"),
    ("POST", "/v1/endpoints/{id}/replay"),
];
const WITHOUT_ID: [(&str, &str); 9] = [
    ("POST", "/v1/trackers"),
    ("POST", "/v1/trackers/batch"),
    ("GET", "/v1/trackers"),
    ("POST", "/v1/endpoints"),
    ("GET", "/v1/endpoints"),
    ("GET", "/v1/changes"),
    ("GET", "/v1/carriers"),
    // Carriers are no shop's own: what a shop sees of one are its accounts.
    ("GET", "/v1/carriers/detect"),
    ("GET", "/v1/carriers/{code}"),
];

#[test]
fn the_lists_here_name_every_route() {
    let source = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/mod.rs")).unwrap();
    let mut known = Vec::new();
    for line in source.lines().filter(|line| line.trim_start().starts_with(".route(\"/v1")) {
        let path = line.split('"').nth(1).unwrap();
        for method in ["get", "post", "delete", "put", "patch"] {
            if line.contains(&format!(" {method}(")) || line.contains(&format!(".{method}(")) {
                known.push((method.to_uppercase(), path.to_owned()));
            }
        }
    }
    let mut listed: Vec<_> =
        WITH_ID.iter().chain(&WITHOUT_ID).map(|(m, p)| ((*m).to_owned(), (*p).to_owned())).collect();
    known.sort();
    listed.sort();
    assert_eq!(known, listed, "a new route belongs in these lists");
}

const MORE: &str = "[accounts.own]\ncarrier = \"laposte\"\nbase_url = \"http://127.0.0.1:9\"\nshops = [\"one\"]\n\
                    [accounts.own.credentials]\nkey = \"k\"\n[accounts.other]\ncarrier = \"ups\"\nbase_url = \"http://127.0.0.1:9\"\nshops = [\"two\"]\n\
                    [accounts.other.credentials]\nclient_id = \"c\"\nclient_secret = \"s\"\n";

#[tokio::test]
async fn foreign_things_look_like_nothing_on_every_route() {
    let house = Plan::new().more(MORE).open().await;
    let (one, two) = (house.shop("one").await, house.shop("two").await);
    let endpoint = one.endpoint(&house, "one", &["*"]).await;
    let tracker = one.track("SANDBOX-DELIVERED-1").await;
    let change = house.arrival("a change", |a| a.kind == "tracker.created").await.id;
    let body = json!({ "change": change }).to_string();
    let before = one.get(&format!("/v1/trackers/{tracker}")).await.1;
    for (method, path) in WITH_ID {
        let (mine, nobodys) = if path.contains("trackers") { (&tracker, NOBODY) } else { (&endpoint, NOWHERE) };
        let (mine, nobodys) = (path.replace("{id}", mine), path.replace("{id}", nobodys));
        let sent = ["POST", "PATCH"].contains(&method).then_some(body.as_str());
        let foreign = two.ask(method, &mine, sent).await;
        let nothing = two.ask(method, &nobodys, sent).await;
        assert_eq!(foreign.0, 404, "{method} {mine}: {}", foreign.1);
        assert_eq!(foreign, nothing, "{method} {path}: somebody else's and nobody's look the same");
        let garbage = two.ask(method, &path.replace("{id}", "..%2f..%2fetc"), sent).await;
        assert_eq!(garbage, nothing, "{method} {path}");
    }
    for (method, path) in WITH_ID.iter().chain(&WITHOUT_ID) {
        let path = path.replace("{id}", if path.contains("trackers") { &tracker } else { &endpoint });
        let no_key = Shop::with_key(&house.first().base, "").ask(method, &path, Some(&body)).await;
        assert_eq!(no_key.0, 401, "{method} {path}: {}", no_key.1);
        let half = &one.key[..one.key.len() - 1];
        for wrong in ["wsk_wrong", half, &format!("{} ", one.key.to_uppercase()), "a b", "*"] {
            assert_eq!(
                Shop::with_key(&house.first().base, wrong).ask(method, &path, Some(&body)).await,
                no_key,
                "{method} {path}"
            );
        }
    }
    // Nothing of that touched what is there.
    let after = one.get(&format!("/v1/trackers/{tracker}")).await.1;
    assert_eq!((&after["poll"]["paused"], &after["by_hand"]), (&json!(false), &Value::Null), "{after}");
    assert_eq!((&after["id"], &after["tags"]), (&before["id"], &before["tags"]));
    let (_, shown) = one.get(&format!("/v1/endpoints/{endpoint}")).await;
    assert_eq!(shown["state"], "enabled", "{shown}");
    assert_eq!(two.get("/v1/endpoints").await.1, json!({ "endpoints": [] }));
    house.arrival("the delivery", |a| a.endpoint == "one" && a.kind == "tracker.delivered").await;
    assert!(house.arrived("one").iter().all(|a| a.kind != "endpoint.test"));
}

#[tokio::test]
async fn another_shops_changes_cannot_be_replayed_nor_its_accounts_named() {
    let house = Plan::new().more(MORE).open().await;
    let (one, two) = (house.shop("one").await, house.shop("two").await);
    one.endpoint(&house, "one", &["*"]).await;
    let theirs = two.endpoint(&house, "two", &["*"]).await;
    one.track("SANDBOX-UNKNOWN-1").await;
    let change = house.arrival("a change", |a| a.endpoint == "one").await.id;
    let replay = format!("/v1/endpoints/{theirs}/replay");
    let foreign = two.post(&replay, &json!({ "change": change })).await;
    let mut parts: Vec<&str> = change.split('_').collect();
    parts[3] = "1700000000000";
    let nothing = two.post(&replay, &json!({ "change": parts.join("_") })).await;
    assert_eq!(foreign.0, 404, "{}", foreign.1);
    assert_eq!(foreign, nothing);
    // The number of the shop in the id is no key to anything either.
    for number in 0..4 {
        let mut parts: Vec<String> = change.split('_').map(str::to_owned).collect();
        parts[2] = number.to_string();
        assert_eq!(two.post(&replay, &json!({ "change": parts.join("_") })).await.0, 404);
    }
    let naming = |name: &str, carrier: &str| json!({ "number": "6A10020030045", "carrier": carrier, "account": name });
    let told = |(status, body): (u16, Value), name: &str| (status, body.to_string().replace(name, "NAME"));
    let foreign = told(two.post("/v1/trackers", &naming("own", "laposte")).await, "own");
    let unknown = told(two.post("/v1/trackers", &naming("nix", "laposte")).await, "nix");
    assert_eq!(foreign.0, 422, "{}", foreign.1);
    assert_eq!(foreign, unknown, "a foreign account looks like an unknown one");
    assert_eq!(one.post("/v1/trackers", &naming("own", "laposte")).await.0, 201);
}

/// The same number at two shops is two parcels, and neither hears of the other's.
#[tokio::test]
async fn the_same_number_at_two_shops_is_two_parcels() {
    let house = Plan::new().open().await;
    let (one, two) = (house.shop("one").await, house.shop("two").await);
    one.endpoint(&house, "one", &["*"]).await;
    two.endpoint(&house, "two", &["*"]).await;
    let body = |tag: &str| json!({ "number": "SANDBOX-DELIVERED-1", "tags": [tag], "customer_ref": tag });
    let (first, second) = (one.register(&body("only-one-knows")).await, two.register(&body("only-two-knows")).await);
    assert_ne!(first, second);
    for (shop, endpoint, own, other) in
        [(&one, "one", &first, "only-two-knows"), (&two, "two", &second, "only-one-knows")]
    {
        let shown = shop.shows(own, "delivery", |t| t["parcel"]["status"] == "delivered").await;
        assert!(!shown.to_string().contains(other), "{shown}");
        house.arrival("the delivery", |a| a.endpoint == endpoint && a.kind == "tracker.delivered").await;
        assert!(house.arrived(endpoint).iter().all(|a| a.subject == **own));
        assert_in_order(&house.arrived(endpoint));
    }
    assert_eq!(one.delete(&format!("/v1/trackers/{first}")).await.0, 204);
    assert_eq!(two.get(&format!("/v1/trackers/{second}")).await.0, 200, "its twin stays");
    assert!(house.arrived("two").iter().all(|a| a.kind != "tracker.deleted"));
}
