//! Promise 7: planted secrets appear nowhere: not in logs at their most talkative, errors, answers, the list of
//! processes, or the store; no core file is written that would hold them all. Nor do whole tracking numbers appear in
//! logs.

use std::fs;

use serde_json::{Value, json};
use wismo::simulator::faults::{Fault, Lasting};
use wismo::simulator::receiver::Behaviour;
use wismo::simulator::world::Network;

use crate::support::house::{Plan, Shop, until};

/// Every value in the server, of every type, as text.
async fn store_in_plain(house: &crate::support::house::House) -> String {
    let mut raw = house.redis.raw().await;
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut raw).await.unwrap();
    let mut all = String::new();
    for key in keys {
        let kind: String = redis::cmd("TYPE").arg(&key).query_async(&mut raw).await.unwrap();
        let mut read = match kind.as_str() {
            "string" => redis::cmd("GET"),
            "hash" => redis::cmd("HGETALL"),
            "zset" => redis::cmd("ZRANGE"),
            "list" => redis::cmd("LRANGE"),
            "set" => redis::cmd("SMEMBERS"),
            "stream" => redis::cmd("XRANGE"),
            // It expired in this moment.
            "none" => continue,
            other => panic!("{other}"),
        };
        read.arg(&key);
        match kind.as_str() {
            "zset" | "list" => drop(read.arg(0).arg(-1)),
            "stream" => drop(read.arg("-").arg("+")),
            _ => {}
        }
        let value: redis::Value = read.query_async(&mut raw).await.unwrap();
        all.push_str(&format!("{key} {value:?}\n"));
        if let redis::Value::BulkString(bytes) = &value {
            all.push_str(&String::from_utf8_lossy(bytes));
        }
    }
    all
}

#[tokio::test]
async fn planted_secrets_appear_nowhere() {
    let house = Plan::new().carriers(&Network::ALL).talkative().open().await;
    let shop = house.shop("boutique").await;
    let own_secret = "whsec_cGxhbnRlZC1zZWNyZXQtb2YtdGhlLXNob3AtMDAwMQ==";
    let mut answers: Vec<Value> = Vec::new();
    house.receiver.expect("own", own_secret);
    let url = format!("{}?token=planted-in-the-url", house.receiver.url("own"));
    let (status, mut created) = shop.post("/v1/endpoints", &json!({ "url": url, "secret": own_secret })).await;
    assert_eq!(status, 201, "{created}");
    assert_eq!(created["secret"], own_secret, "shown once");
    created["secret"] = Value::Null;
    let own = created["id"].as_str().unwrap().to_owned();
    answers.push(created);
    let (_, mut made) = shop.post("/v1/endpoints", &json!({ "url": house.receiver.url("made") })).await;
    let made_secret = made["secret"].as_str().unwrap().to_owned();
    made["secret"] = Value::Null;
    answers.push(made);
    let mut numbers = vec!["SANDBOX-DELIVERED-1".to_owned()];
    // All goes wrong that can: refused tokens, faults, garbage, a failing receiver, a wrong key, broken bodies.
    for (index, network) in Network::ALL.into_iter().enumerate() {
        let stand_in = house.carrier(network);
        let mut teller = wismo::simulator::lives::Teller::new(house.clock, 11 + index as u64);
        let faults = [Fault::Status(401), Fault::Reset, Fault::Garbage, Fault::Status(500), Fault::Throttle(None)];
        stand_in.faults.set(faults[index % faults.len()].clone(), Lasting::Calls(2));
        stand_in.faults.set(faults[(index + 2) % faults.len()].clone(), Lasting::Calls(1));
        let parcel = teller.parcel(
            network,
            wismo::simulator::lives::Story::Normal,
            house.clock.now(),
            std::time::Duration::from_secs(1),
        );
        stand_in.world.add(parcel.clone());
        shop.register(&json!({ "number": parcel.number, "carrier": network.code() })).await;
        numbers.push(parcel.number);
    }
    house.receiver.behave("own", Behaviour::Status(500), Some(2));
    house.receiver.behave("made", Behaviour::CutBeforeAnswer, Some(2));
    let id = shop.track("SANDBOX-DELIVERED-1").await;
    answers.push(shop.shows(&id, "delivery", |t| t["parcel"]["status"] == "delivered").await);
    let wrong = Shop::with_key(&house.first().base, &format!("{}x", shop.key));
    answers.push(wrong.get("/v1/endpoints").await.1);
    for path in [
        "/v1/endpoints".to_owned(),
        format!("/v1/endpoints/{own}"),
        format!("/v1/endpoints/{own}/dead"),
        "/readyz".to_owned(),
    ] {
        answers.push(shop.get(&path).await.1);
    }
    answers.push(
        shop.ask("POST", "/v1/endpoints", Some(&format!("{{\"url\":\"https://x\",\"secret\":\"{own_secret}"))).await.1,
    );
    answers.push(shop.post("/v1/endpoints", &json!({ "url": "https://example.com", "secret": 7 })).await.1);
    answers.push(
        shop.post("/v1/endpoints", &json!({ "url": "https://8.8.8.8/", "secret": "whsec_planted-but-short" })).await.1,
    );
    until("a call at every carrier, failed at most", || async {
        Network::ALL.iter().all(|network| house.carrier(*network).ledger.call_count() >= 1).then_some(())
    })
    .await;

    let master = fs::read_to_string(house.folder.path().join("state/master-key")).unwrap();
    let mut secrets = vec![
        ("the shop's key", shop.key.clone()),
        ("an endpoint's own secret", own_secret.to_owned()),
        ("its bytes", "planted-secret-of-the-shop-0001".to_owned()),
        ("an endpoint's made secret", made_secret),
        ("a short secret", "planted-but-short".to_owned()),
        ("the master key", master.trim().to_owned()),
    ];
    for stand_in in &house.stand_ins {
        for (name, value) in &stand_in.credentials {
            // Client ids and brand codes are names, not secrets.
            if ["client_secret", "secret_key", "key", "private_key", "api_key"].contains(name) {
                secrets.push((name, value.clone()));
            }
        }
    }
    assert!(secrets.len() >= 9, "{}", secrets.len());
    let log = house.first().log();
    assert!(log.lines().count() > 50 && log.contains("DEBUG"), "the log is talkative");
    let store = store_in_plain(&house).await;
    assert!(store.contains("tracker"), "{}", store.len());
    let processes = fs::read_to_string(format!("/proc/{}/cmdline", house.first().pid())).unwrap();
    let answers = answers.iter().map(ToString::to_string).collect::<String>();
    for (what, secret) in &secrets {
        assert!(secret.len() >= 8, "{what} is long enough to be found");
        for (place, text) in
            [("log", &log), ("store", &store), ("list of processes", &processes), ("an answer", &answers)]
        {
            assert!(!text.contains(secret.as_str()), "{what} is in the {place}");
        }
    }
    for number in &numbers {
        assert!(!log.contains(number.as_str()), "{number} is in the log, whole");
    }
    for line in log.lines().filter(|line| line.contains("\"target\":\"wismo")) {
        assert!(line.contains("\"event\":\""), "a line without its event: {line}");
    }
    assert!(log.contains("\"target\":\"wismo"), "lines of ours are JSON");
    assert!(!log.contains("planted-in-the-url"), "a URL may hold a secret of the shop's");
}

/// A daemon that is started with leave to write core files gives it up, and so has no right to take it back.
#[tokio::test]
async fn a_daemon_writes_no_core_file() {
    // What a child inherits: all that this machine allows, so that the daemon has something to give up.
    let most = rustix::process::getrlimit(rustix::process::Resource::Core).maximum;
    let allowed = rustix::process::Rlimit { current: most, maximum: most };
    rustix::process::setrlimit(rustix::process::Resource::Core, allowed).unwrap();
    let core_limits = |pid: u32| {
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
        line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_ne!(core_limits(std::process::id()), ["0", "0"], "`ulimit -Hc` is 0 here: nothing can be proven");
    let house = Plan::new().open().await;
    assert_eq!(core_limits(house.first().pid()), ["0", "0"]);
}
