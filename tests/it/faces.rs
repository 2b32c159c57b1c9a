//! The API's other faces: the feed of changes, carriers, limits; and the commands that use them.

use std::collections::HashSet;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::house::{House, Plan, Shop, until};

fn wismo(house: &House, shop: &Shop, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wismo"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command.env("WISMO_URL", &house.first().base).env("WISMO_API_KEY", &shop.key);
    command
}

fn ids(page: &Value) -> Vec<String> {
    page["changes"].as_array().unwrap().iter().map(|change| change["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_tells_each_change_once_whatever_the_page() {
    let house = Plan::new().open().await;
    let (shop, other) = (house.shop("boutique").await, house.shop("other").await);
    shop.endpoint(&house, "hook", &["*"]).await;
    let (status, end) = shop.get("/v1/changes?after=now").await;
    assert_eq!((status, ids(&end).len(), &end["more"]), (200, 0, &json!(false)));
    let mut cursor = end["cursor"].as_str().unwrap().to_owned();
    let mut seen = Vec::new();
    for number in 0..6 {
        let id = shop.track(&format!("SANDBOX-DELIVERED-{number}")).await;
        other.track(&format!("SANDBOX-DELIVERED-{number}")).await;
        // Read while they go on.
        let (status, page) = shop.get(&format!("/v1/changes?after={cursor}&limit=2")).await;
        assert_eq!(status, 200, "{page}");
        assert!(ids(&page).len() <= 2);
        seen.extend(ids(&page));
        cursor = page["cursor"].as_str().unwrap().to_owned();
        if number == 5 {
            shop.shows(&id, "delivery", |tracker| tracker["parcel"]["status"] == "delivered").await;
        }
    }
    let arrived = until("every webhook", || async {
        let arrived: HashSet<String> = house.arrived("hook").iter().map(|arrival| arrival.id.clone()).collect();
        let mut page = shop.get(&format!("/v1/changes?after={cursor}&limit=3")).await.1;
        let mut more = ids(&page);
        while page["more"] == true {
            page = shop.get(&format!("/v1/changes?after={}&limit=3", page["cursor"].as_str().unwrap())).await.1;
            more.extend(ids(&page));
        }
        let all: HashSet<String> = seen.iter().cloned().chain(more.iter().cloned()).collect();
        assert_eq!(all.len(), seen.len() + more.len(), "none comes twice");
        (all == arrived && all.len() > 30).then_some(arrived)
    })
    .await;
    // From the oldest on, and by type; the body is that of the webhook, byte for byte.
    let (_, all) = shop.get("/v1/changes?limit=500").await;
    assert_eq!(ids(&all).into_iter().collect::<HashSet<_>>(), arrived);
    let (_, delivered) = shop.get("/v1/changes?limit=500&type=tracker.delivered").await;
    assert_eq!(ids(&delivered).len(), 6);
    let one = house.arrived("hook").into_iter().find(|arrival| arrival.kind == "tracker.delivered").unwrap();
    let told = delivered["changes"].as_array().unwrap().iter().find(|told| told["id"] == one.id.as_str()).unwrap();
    assert_eq!(told["data"]["sequence"].as_u64(), one.sequence);

    // Nobody else's cursor opens it, nor a changed one; and nobody else hears of it.
    let foreign = other.get(&format!("/v1/changes?after={cursor}")).await;
    let nonsense = other.get("/v1/changes?after=e1.abc.def.ghi").await;
    assert_eq!((foreign.0, &foreign.1["field"]), (400, &json!("after")));
    assert_eq!(foreign.1, nonsense.1, "as if it had never been one");
    let others = ids(&other.get("/v1/changes?limit=500").await.1);
    assert!(others.iter().all(|id| !arrived.contains(id)));
    for (query, field) in [("limit=0", "limit"), ("limit=501", "limit"), ("type=tracker.x", "type"), ("aft=1", "aft")] {
        let (status, problem) = shop.get(&format!("/v1/changes?{query}")).await;
        assert_eq!((status, &problem["field"]), (422, &json!(field)), "{problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_older_than_the_log_is_told_so() {
    let house = Plan::new().open().await;
    let shop = house.shop("boutique").await;
    let old = shop.get("/v1/changes?after=now").await.1["cursor"].as_str().unwrap().to_owned();
    let id = shop.track("SANDBOX-DELIVERED-1").await;
    shop.shows(&id, "delivery", |tracker| tracker["parcel"]["status"] == "delivered").await;
    let store = wismo::store::Store::connect(
        house.redis.target(),
        wismo::store::StoreOptions { log_max_age: std::time::Duration::ZERO, ..Default::default() },
        wismo::store::MasterKey::load_or_create(&house.folder.path().join("state/master-key")).unwrap(),
    )
    .await
    .unwrap();
    assert!(store.trim_logs(store.now().await.unwrap()).await.unwrap() > 0);
    let (status, problem) = shop.get(&format!("/v1/changes?after={old}")).await;
    assert_eq!((status, &problem["code"], &problem["field"]), (410, &json!("cursor_expired"), &json!("after")));
    let (status, page) = shop.get(&format!("/v1/changes?after={}", problem["oldest"].as_str().unwrap())).await;
    assert_eq!(status, 200, "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn carriers_are_told_with_the_shops_own_accounts() {
    let house = Plan::new().open().await;
    let shop = house.shop("boutique").await;
    let (_, all) = shop.get("/v1/carriers").await;
    assert!(all["carriers"].as_array().unwrap().len() >= 5);
    let (status, sandbox) = shop.get("/v1/carriers/sandbox").await;
    assert_eq!((status, &sandbox["accounts"]), (200, &json!(["sandbox"])));
    assert_eq!(shop.get("/v1/carriers/ups").await.1["accounts"], json!([]));
    assert_eq!(shop.get("/v1/carriers/nobody").await.0, 404);
    let (_, found) = shop.get("/v1/carriers/detect?number=1z%2012345e0205271686").await;
    assert_eq!(found["candidates"][0]["carrier"], "ups", "{found}");
    let (_, mistyped) = shop.get("/v1/carriers/detect?number=1z%2012345e0205271687").await;
    assert_eq!(
        (&mistyped["candidates"], &mistyped["mistyped"][0]["carrier"]),
        (&json!([]), &json!("ups")),
        "{mistyped}"
    );
    let (_, common) = shop.get("/v1/carriers/detect?number=12345678").await;
    assert!(common["detail"].as_str().unwrap().contains("too common"), "{common}");
    let (status, refused) = shop.post("/v1/trackers", &json!({"number": "1Z12345E0205271687"})).await;
    assert_eq!(status, 422);
    assert!(refused["detail"].as_str().unwrap().contains("check digit is wrong"), "{refused}");
    assert_eq!(shop.get("/v1/carriers/detect").await.0, 422);
    let nobody = Shop::with_key(&house.first().base, "wsk_none");
    for path in ["/v1/carriers", "/v1/carriers/ups", "/v1/carriers/detect?number=1", "/v1/changes"] {
        assert_eq!(nobody.get(path).await.0, 401, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_changed_paused_and_goes_on() {
    let house = Plan::new().open().await;
    let (shop, other) = (house.shop("boutique").await, house.shop("other").await);
    let id = shop.endpoint(&house, "hook", &["tracker.*"]).await;
    let path = format!("/v1/endpoints/{id}");
    let patch = |body: Value| async move { body.to_string() };
    let (status, told) =
        shop.ask("PATCH", &path, Some(&patch(json!({"state": "paused", "description": "d"})).await)).await;
    assert_eq!((status, &told["state"], &told["description"]), (200, &json!("paused"), &json!("d")));
    let parcel = shop.track("SANDBOX-DELIVERED-1").await;
    shop.shows(&parcel, "delivery", |tracker| tracker["parcel"]["status"] == "delivered").await;
    assert!(house.arrived("hook").is_empty(), "paused");
    let body = json!({"state": "enabled", "description": null}).to_string();
    let (_, told) = shop.ask("PATCH", &path, Some(&body)).await;
    assert_eq!((&told["state"], &told["description"]), (&json!("enabled"), &Value::Null));
    house.arrival("what waited", |arrival| arrival.kind == "tracker.delivered").await;
    for (body, field) in [
        (json!({"url": "https://10.0.0.1/"}), "url"),
        (json!({"events": ["tracker.x"]}), "events[0]"),
        (json!({"secret": "x"}), "secret"),
        (json!({"state": "off"}), "state"),
    ] {
        let (status, problem) = shop.ask("PATCH", &path, Some(&body.to_string())).await;
        assert!(
            (400..500).contains(&status) && problem.to_string().contains(field.split('[').next().unwrap()),
            "{problem}"
        );
    }
    assert_eq!(other.ask("PATCH", &path, Some("{}")).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_asks_too_often_is_told_when_to_come_again() {
    let house = Plan::new().open().await;
    let (shop, other) = (house.shop("boutique").await, house.shop("other").await);
    house.write_config("");
    let text = std::fs::read_to_string(house.config()).unwrap();
    std::fs::write(house.config(), text.replace("rate = 100000", "rate = 1").replace("burst = 1000000", "burst = 3"))
        .unwrap();
    let daemon = house.daemon().await;
    let (shop, other) = (shop.at(&daemon), other.at(&daemon));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut refused = None;
    for _ in 0..20 {
        let answer = client.get(format!("{}/v1/endpoints", daemon.base)).bearer_auth(&shop.key).send().await.unwrap();
        if answer.status() == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("twenty requests at once are too many");
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=3).contains(&wait));
    assert!(refused.text().await.unwrap().contains("server.rate"));
    assert_eq!(other.get("/v1/endpoints").await.0, 200, "another key is another key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_csv_is_imported_line_by_line_and_again() {
    let house = Plan::new().open().await;
    let shop = house.shop("boutique").await;
    let file = house.folder.path().join("parcels.csv");
    let mut text = "number,carrier,order,promised_to,tags,metadata.warehouse,importance\n".to_owned();
    for number in 0..130 {
        text.push_str(&format!("SANDBOX-DELIVERED-{number},,o-{number},2030-01-01,a|b,north,5\n"));
    }
    text.push_str("NOT A NUMBER,,x,,,,\nSANDBOX-LATE-1,,y,soon,,,\nSANDBOX-LOST-1,,z,,,,eleven\nSANDBOX-LOST-2,short\n,,n,,,,\n\"SANDBOX-LOST-3\",sandbox,\"o, with comma\",,,,\n");
    std::fs::write(&file, &text).unwrap();
    let name = file.to_str().unwrap();
    let output = wismo(&house, &shop, &["import", name, "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(65), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["created"], &told["updated"]), (&json!(131), &json!(0)), "{told}");
    let lines: Vec<u64> = told["bad"].as_array().unwrap().iter().map(|bad| bad["line"].as_u64().unwrap()).collect();
    let mut sorted = lines.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [132, 133, 134, 135, 136], "{told}");
    assert!(told.to_string().contains("promised") && told.to_string().contains("eleven"), "{told}");
    let again: Value =
        serde_json::from_slice(&wismo(&house, &shop, &["import", name, "--json"]).output().unwrap().stdout).unwrap();
    assert_eq!((&again["created"], &again["updated"]), (&json!(0), &json!(131)));
    std::fs::write(&file, "nummer\n1\n").unwrap();
    let wrong = wismo(&house, &shop, &["import", name]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(65));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("did you mean \"number\"?"), "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_developer_listens_without_opening_the_guard() {
    let house = Plan::new().closed().open().await;
    let shop = house.shop("boutique").await;
    let secret = format!("whsec_{}", data_encoding::BASE64.encode(&[b'l'; 32]));
    house.receiver.expect("dev", &secret);
    let target = house.receiver.url("dev");
    let mut listening =
        wismo(&house, &shop, &["listen", "--forward-to", &target, "--from-start", "--events", "tracker.*"])
            .env("WISMO_LISTEN_SECRET", &secret)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
    shop.track("SANDBOX-DELIVERED-1").await;
    house.arrival("a forwarded webhook", |arrival| arrival.kind == "tracker.delivered").await;
    let arrived = house.arrived("dev");
    assert!(arrived.iter().all(wismo::simulator::receiver::Arrival::verified), "{arrived:?}");
    listening.kill().ok();
    let output = listening.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("SANDBOX-DELIVERED-1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_tracks_and_subscribes_from_the_command_line() {
    let house = Plan::new().open().await;
    let shop = house.shop("boutique").await;
    let run = |arguments: &[&str]| wismo(&house, &shop, arguments).output().unwrap();
    let made: Value = serde_json::from_slice(
        &run(&["endpoints", "add", &house.receiver.url("hook"), "--events", "endpoint.test", "--json"]).stdout,
    )
    .unwrap();
    let id = made["id"].as_str().unwrap();
    house.receiver.expect("hook", made["secret"].as_str().unwrap());
    assert!(run(&["endpoints", "test", id]).status.success());
    let arrival = house.arrival("the test", |arrival| arrival.kind == "endpoint.test").await;
    assert!(arrival.verified());
    let listed = run(&["endpoints", "list"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains(id));
    assert!(String::from_utf8_lossy(&run(&["endpoints", "dead", id]).stdout).contains("Nothing was given up."));
    let tracked: Value = serde_json::from_slice(
        &run(&["track", "SANDBOX-LATE-1", "--order", "77", "--promised", "2030-01-01", "--tag", "gift", "--json"])
            .stdout,
    )
    .unwrap();
    assert_eq!((&tracked["orders"][0]["reference"], &tracked["tags"]), (&json!("77"), &json!(["gift"])), "{tracked}");
    let wrong = run(&["track", "SANDBOX-LATE-1", "--promised", "soon"]);
    assert_eq!(wrong.status.code(), Some(65), "{wrong:?}");
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("promised"), "{wrong:?}");
    assert!(run(&["endpoints", "delete", id]).status.success());
    assert!(String::from_utf8_lossy(&run(&["endpoints", "list"]).stdout).contains("No endpoint yet"));
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_there_for_operators_and_not_through_a_proxy() {
    let house = Plan::new().open().await;
    let shop = house.shop("boutique").await;
    shop.endpoint(&house, "hook", &["*"]).await;
    let id = shop.track("SANDBOX-DELIVERED-1").await;
    shop.shows(&id, "delivery", |tracker| tracker["parcel"]["status"] == "delivered").await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/metrics", house.first().base);
    let text = until("figures", || async {
        let text = client.get(&url).send().await.unwrap().text().await.unwrap();
        text.contains("wismo_tracked_parcels{account=\"sandbox\"} 1").then_some(text)
    })
    .await;
    for family in [
        "wismo_carrier_requests_total{carrier=\"sandbox\",operation=\"track\",outcome=\"ok\"}",
        "wismo_polls_total{carrier=\"sandbox\",outcome=\"ok\"}",
        "wismo_changes_total{type=\"tracker.delivered\"} 1",
        "wismo_webhook_attempts_total{outcome=\"delivered\"}",
        "wismo_webhook_latency_seconds_count",
        "wismo_due_lag_seconds{account=\"sandbox\"}",
        "wismo_webhook_pending",
        "wismo_webhook_oldest_age_seconds",
        "wismo_webhook_dead 0",
        "wismo_redis_up 1",
        "wismo_redis_commands_total",
        "wismo_api_requests_total{route=\"/v1/trackers\",status=\"201\"} 1",
    ] {
        assert!(text.contains(family), "{family} is missing in\n{text}");
    }
    for hidden in ["boutique", "SANDBOX-DELIVERED-1", id.as_str(), "http://"] {
        assert!(!text.contains(hidden), "{hidden} is in\n{text}");
    }
    let proxied = client.get(&url).header("x-forwarded-for", "192.0.2.1").send().await.unwrap();
    assert_eq!(proxied.status(), 404);
    // On a listener of its own it is nowhere else.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    house.write_config(&format!("[metrics]\nlisten = \"{port}\"\n"));
    let daemon = house.daemon().await;
    assert_eq!(client.get(format!("{}/metrics", daemon.base)).send().await.unwrap().status(), 404);
    let own = client.get(format!("http://{port}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(own.contains("wismo_build_info") && own.ends_with("# EOF\n"), "{own}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_leaked_is_taken_back() {
    let house = Plan::new().open().await;
    let (shop, second) = (house.shop("boutique").await, house.shop("boutique").await);
    let listed: Value = serde_json::from_slice(&house.wismo(&["shops", "list", "--json"]).await.stdout).unwrap();
    assert_eq!(listed["shops"], json!([{"shop": "boutique", "number": 1}]));
    let revoke = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wismo"));
        let mut child =
            command.args(["shops", "revoke", "--config", &house.config()]).stdin(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), shop.key.as_bytes()).unwrap();
        child.wait().unwrap().code()
    };
    assert_eq!((revoke(), revoke()), (Some(0), Some(65)));
    assert_eq!((shop.get("/v1/endpoints").await.0, second.get("/v1/endpoints").await.0), (401, 200));
}
