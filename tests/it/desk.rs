//! What support people do: the command line that only reads, and redis-cli as docs/redis.md tells it, both as the
//! read-only user whose rules stand in that page.

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::house::{House, Plan, Shop, until};
use crate::support::redis::RedisServer;

const PAGE: &str = include_str!("../../docs/redis.md");

/// The fenced blocks of the page that open with this line.
fn blocks(opening: &str) -> Vec<String> {
    let parts = PAGE.split("```");
    let fenced = parts.skip(1).step_by(2).filter_map(|part| part.split_once('\n'));
    fenced.filter(|(first, _)| *first == opening).map(|(_, text)| text.trim().to_owned()).collect()
}

/// Makes the users of the page on a server.
async fn add_users(redis: &RedisServer) {
    let patterns = blocks("").into_iter().find(|block| block.starts_with("%R~")).unwrap();
    let mut raw = redis.raw().await;
    for line in blocks("sh acl") {
        let line = line.replace("READER-KEYS", &patterns);
        let line = line.replace("READER-PASSWORD", "reader").replace("DAEMON-PASSWORD", "daemon");
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.exec_async(&mut raw).await.unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}

/// Runs `wismo` as the read-only user.
fn wismo(house: &House, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wismo"))
        .args(arguments)
        .env_clear()
        .env("WISMO_REDIS", format!("redis://wismo-reader:reader@{}/", house.redis.address()))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn object(output: &Output) -> Value {
    serde_json::from_str(&told(output)).unwrap()
}

async fn delivered(house: &House) -> (Shop, String, String) {
    let shop = house.shop("boutique").await;
    house.shop("other").await;
    let endpoint = shop.endpoint(house, "hook", &["*"]).await;
    let body = json!({
        "number": "SANDBOX-DELIVERED-1", "orders": [{"reference": "1234"}], "customer_ref": "c-77",
        "promised": {"to": "2030-01-01"}, "destination": {"country": "FR"}, "tags": ["gift"],
    });
    let id = shop.register(&body).await;
    shop.shows(&id, "delivery", |tracker| tracker["parcel"]["status"] == "delivered").await;
    house.arrival("the webhook", |arrival| arrival.kind == "tracker.delivered").await;
    (shop, id, endpoint)
}

#[tokio::test(flavor = "multi_thread")]
async fn support_people_find_show_and_list_without_a_key() {
    let house = Plan::new().open().await;
    add_users(&house.redis).await;
    let (_, id, endpoint) = delivered(&house).await;
    for what in ["1234", "c-77", " sandbox-delivered-1 ", "SANDBOX DELIVERED-1", &id] {
        let found = wismo(&house, &["find", what, "--json"]);
        if what == "SANDBOX DELIVERED-1" {
            assert_eq!(found.status.code(), Some(65), "a blank in the place of a dash is another number");
            continue;
        }
        assert_eq!(object(&found)["trackers"][0]["tracker"]["id"], id.as_str(), "{what}");
    }
    assert!(told(&wismo(&house, &["find", "1234"])).contains("SANDBOX-DELIVERED-1"));
    let none = wismo(&house, &["find", "1235"]);
    assert_eq!(none.status.code(), Some(65));
    assert!(String::from_utf8_lossy(&none.stderr).contains("no parcel is known by \"1235\""), "{none:?}");

    let story = until("the delivery's record", || async {
        let story = object(&wismo(&house, &["show", "1234", "--json"]));
        let all = story["told"].as_array().unwrap();
        all.iter().all(|told| told["deliveries"][0]["state"] == "delivered").then_some(story)
    })
    .await;
    assert_eq!((&story["shop"], &story["promise"]["verdict"]), (&json!("boutique"), &json!("kept")));
    assert!(story["told"].as_array().unwrap().iter().any(|told| told["type"] == "tracker.delivered"));
    let shown = told(&wismo(&house, &["show", "1234"]));
    for part in ["boutique", "2030-01-01: kept", "Scans, newest first", "tracker.delivered", &endpoint, "delivered 20"]
    {
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
    }

    let listed = |arguments: &[&str]| {
        let all = [&["list", "--json"], arguments].concat();
        object(&wismo(&house, &all))["trackers"].as_array().unwrap().len()
    };
    assert_eq!(listed(&["--status", "delivered"]), 1);
    assert_eq!(listed(&["--status", "in_transit"]), 0);
    assert_eq!((listed(&["--tag", "gift"]), listed(&["--tag", "x"]), listed(&["--shop", "other"])), (1, 0, 0));
    assert_eq!((listed(&["--since", "2026-01-01"]), listed(&["--since", "2126-01-01"])), (1, 0));
    let lines = told(&wismo(&house, &["export"]));
    assert_eq!(lines.lines().count(), 1);
    assert_eq!(serde_json::from_str::<Value>(&lines).unwrap()["tracker"]["id"], id.as_str());
    let wrong = wismo(&house, &["list", "--shop", "boutiqe"]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("did you mean boutique?"), "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn status_names_the_one_thing_that_is_wrong() {
    let mut house = Plan::new().open().await;
    add_users(&house.redis).await;
    let (shop, ..) = delivered(&house).await;
    let well = until("the daemon's word", || async {
        let status = wismo(&house, &["status", "--json"]);
        let view: Value = serde_json::from_slice(&status.stdout).unwrap();
        (view["daemons"][0]["alive"] == true).then_some(view)
    })
    .await;
    assert_eq!((&well["ok"], &well["wrong"]), (&json!(true), &Value::Null), "{well}");
    assert_eq!(well["accounts"][0]["account"], "sandbox");
    assert_eq!(well["shops"][0]["parcels"]["delivered"], 1);
    assert!(told(&wismo(&house, &["status"])).starts_with("All is well."));

    // An endpoint that takes nothing: its delivery is given up, and that is the one thing to look at.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refusing = json!({"url": format!("http://{nobody}/"), "events": ["endpoint.test"]});
    let (_, made) = shop.post("/v1/endpoints", &refusing).await;
    let id = made["id"].as_str().unwrap();
    assert_eq!(shop.post(&format!("/v1/endpoints/{id}/test"), &json!({})).await.0, 202);
    let wrong = until("the given-up delivery", || async {
        let view: Value = serde_json::from_slice(&wismo(&house, &["status", "--json"]).stdout).unwrap();
        view["wrong"].as_str().filter(|wrong| wrong.contains("given up")).map(str::to_owned)
    })
    .await;
    assert!(wrong.contains(id) && wrong.contains("boutique"), "{wrong}");
    assert_eq!(wismo(&house, &["status"]).status.code(), Some(1));

    // A daemon that stops in order takes leave.
    house.daemons[0].term();
    assert_eq!(house.daemons[0].ended().await, 0);
    let view: Value = serde_json::from_slice(&wismo(&house, &["status", "--json"]).stdout).unwrap();
    assert!(view["wrong"].as_str().unwrap().contains("no daemon has been at work"), "{view}");
}

/// An endpoint that does not take its webhooks: why is told beside "waits", not only when it is given up.
#[tokio::test(flavor = "multi_thread")]
async fn why_deliveries_wait_is_told_while_they_wait() {
    let house = Plan::new().webhook("timeout = \"1s\"\nretry = [\"0s\", \"1h\"]").open().await;
    add_users(&house.redis).await;
    let shop = house.shop("boutique").await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_, made) = shop.post("/v1/endpoints", &json!({"url": format!("http://{nobody}/")})).await;
    let path = format!("/v1/endpoints/{}", made["id"].as_str().unwrap());
    shop.track("SANDBOX-DELIVERED-1").await;
    let error = until("the failed attempt", || async {
        let (_, shown) = shop.get(&path).await;
        shown["last_error"].as_str().filter(|_| shown["waiting"] == 1).map(str::to_owned)
    })
    .await;
    let view: Value = serde_json::from_slice(&wismo(&house, &["status", "--json"]).stdout).unwrap();
    assert_eq!(view["shops"][0]["endpoints"][0]["last_error"], json!(error), "{view}");
    let story = object(&wismo(&house, &["show", "SANDBOX-DELIVERED-1", "--json"]));
    let waits: Vec<&Value> = story["told"].as_array().unwrap().iter().map(|told| &told["deliveries"][0]).collect();
    assert_eq!(waits.last().unwrap()["error"], json!(error), "the first change was tried: {story}");
    let shown = told(&wismo(&house, &["show", "SANDBOX-DELIVERED-1"]));
    assert!(shown.contains(&format!("; failed: {error}")), "{error} is missing in\n{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_page_about_redis_works_for_the_read_only_user() {
    let house = Plan::new().open().await;
    add_users(&house.redis).await;
    let (_, id, endpoint) = delivered(&house).await;
    let mut raw = house.redis.raw().await;
    let lookup = "wismo:{o:boutique:1234}";
    let trackers: Vec<String> = redis::cmd("ZREVRANGE").arg(&[lookup, "0", "-1"]).query_async(&mut raw).await.unwrap();
    let shard = trackers[0].split(['{', '}']).nth(1).unwrap().to_owned();
    let reader =
        format!("redis-cli --no-auth-warning --user wismo-reader --pass reader -p {}", house.redis.address().port());
    let mut run = 0;
    let may_be_empty = ["pending:", "dead:", "open:", ":status:", ":due:", "wismo:daemons"];
    for line in
        blocks("sh").iter().flat_map(|block| block.lines()).filter(|line| line.starts_with("redis-cli -s $SOCK"))
    {
        let command = line.replace("redis-cli -s $SOCK", &reader);
        let output = Command::new("sh")
            .args(["-c", &command])
            .envs([("TRACKER", &trackers[0]), ("SHARD", &shard), ("ID", &id), ("ENDPOINT", &endpoint)])
            .env("NUMBER", "SANDBOX-DELIVERED-1")
            .output()
            .unwrap();
        let answer = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        assert!(output.status.success() && !answer.contains("NOPERM") && !answer.contains("ERR"), "{line}: {output:?}");
        assert!(!answer.is_empty() || may_be_empty.iter().any(|key| line.contains(key)), "{line} answers nothing");
        run += 1;
    }
    assert!(run >= 15, "{run} commands were found in the page");

    // What the page says that this user may not see or do.
    let (key, secret) = ("wismo:key:x".to_owned(), format!("wismo:endpoint:{endpoint}"));
    let forbidden: [&[&str]; 7] = [
        &["GET", &key],
        &["GET", &secret],
        &["GET", "wismo:{sandbox}:token"],
        &["HGETALL", "wismo:meta"],
        &["HSET", &trackers[0], "status", "delivered"],
        &["KEYS", "*"],
        &["EVAL", "return 1", "0"],
    ];
    for words in forbidden {
        let output =
            Command::new("sh").arg("-c").arg(format!("{reader} \"$@\"")).arg("-").args(words).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("NOPERM"), "{words:?}: {output:?}");
    }
}

#[test]
fn without_a_daemon_the_reason_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str], redis: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wismo"));
        command.args(arguments).env_clear().env("HOME", folder.path());
        command.envs(redis.map(|redis| ("WISMO_REDIS", redis))).output().unwrap()
    };
    let no_socket = run(&["list"], None);
    assert_eq!(no_socket.status.code(), Some(69), "{no_socket:?}");
    assert!(String::from_utf8_lossy(&no_socket.stderr).contains("is `wismo run` running"), "{no_socket:?}");
    let nobody = run(&["list"], Some("redis://127.0.0.1:9/"));
    assert_eq!(nobody.status.code(), Some(69), "{nobody:?}");
    assert!(
        String::from_utf8_lossy(&nobody.stderr).contains("Redis at redis://127.0.0.1:9 cannot be read"),
        "{nobody:?}"
    );
    let no_key = run(&["track", "SANDBOX-DELIVERED"], None);
    assert_eq!(no_key.status.code(), Some(64), "{no_key:?}");
    assert!(String::from_utf8_lossy(&no_key.stderr).contains("wismo shops add NAME"), "{no_key:?}");
}
