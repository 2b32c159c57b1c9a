//! Running it: with nothing configured, with a configuration that changes, with clients that are slow, two at once.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;
use wismo::simulator::audit::{Audited, Books};
use wismo::simulator::carriers::{self, Options};
use wismo::simulator::demo;
use wismo::simulator::lives::{Story, Teller};
use wismo::simulator::receiver::Receiver;
use wismo::simulator::time::SimClock;
use wismo::simulator::world::{Network, World};

use crate::support::house::{PATIENCE, Plan, Shop, assert_in_order, assert_trusted, until};

/// A folder with a short path: sockets live in it.
fn short_folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("w").tempdir_in("/tmp").unwrap()
}

/// `wismo run` with an empty configuration: a private Redis, the sandbox, a verified webhook within seconds.
#[tokio::test]
async fn with_nothing_configured_a_sandbox_number_gives_a_verified_webhook() {
    let folder = short_folder();
    let (clock, stop) = (SimClock::start(), CancellationToken::new());
    let receiver = Receiver::start(clock, 0, None, stop.clone()).await.unwrap();
    let config = folder.path().join("wismo.toml");
    std::fs::write(&config, "").unwrap();
    let environment = [
        ("STATE_DIRECTORY", folder.path().display().to_string()),
        ("WISMO__SERVER__LISTEN", "127.0.0.1:0".to_owned()),
        ("WISMO__SANDBOX__DAY", "2s".to_owned()),
        ("WISMO__WEBHOOK__ALLOW_NETS", "127.0.0.1/32".to_owned()),
    ];
    let command = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wismo"));
        command.args(arguments).arg("--config").arg(&config).envs(environment.clone()).kill_on_drop(true);
        command
    };
    let log = folder.path().join("log");
    let mut daemon =
        command(&["run"]).stdin(Stdio::null()).stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
    let read = || std::fs::read_to_string(&log).unwrap_or_default();
    let line = |event: &str| {
        let text = read();
        text.lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .find(|l| l["event"] == event)
    };
    until("readiness", || async { line("ready") }).await;
    let base = format!("http://{}", line("listening").unwrap()["address"].as_str().unwrap());
    let added = command(&["shops", "add", "boutique"]).output().await.unwrap();
    assert!(added.status.success(), "{added:?}\n{}", read());
    let shop = Shop::with_key(&base, String::from_utf8(added.stdout).unwrap().trim());
    let (status, told) = shop.post("/v1/endpoints", &json!({ "url": receiver.url("shop") })).await;
    assert_eq!(status, 201, "{told}");
    receiver.expect("shop", told["secret"].as_str().unwrap());
    let id = shop.track("SANDBOX-DELIVERED-1").await;
    until("the delivery", || async { receiver.arrivals().matching(|a| a.kind == "tracker.delivered").pop() }).await;
    let arrivals = receiver.arrivals().all();
    assert!(arrivals.iter().all(|a| a.subject == id));
    assert_trusted(&arrivals);
    assert_in_order(&arrivals);
    let pid = daemon.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    let ended = tokio::time::timeout(Duration::from_secs(20), daemon.wait()).await.expect("it stops in time").unwrap();
    assert_eq!(ended.code(), Some(0), "{}", read());
    // Its private server stopped with it.
    let left = std::fs::read_dir("/proc").unwrap().flatten().any(|process| {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&folder.path().display().to_string())
    });
    assert!(!left, "something still runs on its folder");
    stop.cancel();
}

#[tokio::test]
async fn a_reload_swaps_all_or_nothing() {
    let house = Plan::new().open().await;
    let shop = house.shop("boutique").await;
    shop.endpoint(&house, "shop", &["tracker.*"]).await;
    let stop = CancellationToken::new();
    let world = Arc::new(World::new(house.clock));
    let ups = carriers::start(Network::Ups, world, Options::default(), stop.clone()).await.unwrap();
    let mut teller = Teller::new(house.clock, 2);
    // Long enough to be on its way still when the account is there.
    let parcel = teller.parcel(Network::Ups, Story::Normal, house.clock.now(), Duration::from_secs(6));
    ups.world.add(parcel.clone());
    let body = json!({ "number": parcel.number, "carrier": "ups" });
    assert_eq!(shop.post("/v1/trackers", &body).await.0, 422, "no account yet");
    let credentials: String = ups.credentials.iter().map(|(name, value)| format!("{name} = \"{value}\"\n")).collect();
    let account = format!(
        "[accounts.ups]\ncarrier = \"ups\"\nbase_url = \"{}\"\nshops = \"*\"\n[accounts.ups.credentials]\n{credentials}",
        ups.base_url()
    );
    // A good account beside a bad key: none of it is taken, and work goes on.
    house.write_config(&format!("{account}\n[nonsense]\nx = 1\n"));
    house.first().hup();
    house.first().logged("reload_refused", 1).await;
    assert_eq!(shop.post("/v1/trackers", &body).await.0, 422, "the old configuration stays in force");
    let meanwhile = shop.track("SANDBOX-DELIVERED-1").await;
    house.write_config(&account);
    house.first().hup();
    house.first().logged("reloaded", 1).await;
    let id = shop.register(&body).await;
    for id in [&id, &meanwhile] {
        // Where its life was over before its first poll, the delivery is told with all the rest of it.
        shop.shows(id, "its delivery", |t| t["parcel"]["status"] == "delivered").await;
        let told = ["tracker.delivered", "tracker.first_seen"];
        house.arrival("word of it", |a| a.subject == *id && told.contains(&a.kind.as_str())).await;
    }
    // Reloads in quick succession lose nothing either.
    let during = shop.track("SANDBOX-ATTEMPT-1").await;
    for _ in 0..5 {
        house.first().hup();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    shop.shows(&during, "its delivery", |t| t["parcel"]["status"] == "delivered").await;
    house.arrival("word of it", |a| a.subject == during && a.kind == "tracker.delivered").await;
    assert_in_order(&house.arrived("shop"));
    assert_trusted(&house.arrived("shop"));
    stop.cancel();
}

#[tokio::test]
async fn slow_idle_and_greedy_clients_hold_nothing_up() {
    let mut house = Plan::new().request_timeout("3s").open().await;
    let shop = house.shop("boutique").await;
    let address = house.first().base.trim_start_matches("http://").to_owned();
    let mut idle = Vec::new();
    for n in 0..200 {
        let mut socket = TcpStream::connect(&address).await.unwrap();
        if n % 2 == 0 {
            socket.write_all(b"POST /v1/trackers HTTP/1.1\r\nhost: x\r\n").await.unwrap();
        }
        idle.push(socket);
    }
    // The head whole, the body never.
    let mut slow = TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /v1/trackers HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 100\r\n\r\n{{\"number\"",
        shop.key
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let id = shop.track("SANDBOX-DELIVERED-1").await;
    shop.shows(&id, "delivery beside slow clients", |t| t["parcel"]["status"] == "delivered").await;
    let mut answer = vec![0; 4096];
    let read =
        tokio::time::timeout(Duration::from_secs(20), slow.read(&mut answer)).await.expect("it is given up").unwrap();
    assert!(
        String::from_utf8_lossy(&answer[..read]).starts_with("HTTP/1.1 408"),
        "{}",
        String::from_utf8_lossy(&answer[..read])
    );
    // Heads that never end are given up, too.
    let mut half = idle.swap_remove(0);
    let ended = tokio::time::timeout(Duration::from_secs(40), async {
        loop {
            match half.read(&mut answer).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
    });
    assert!(ended.await.is_ok(), "a client that never ends its head keeps its connection for ever");
    let huge = format!("{{\"number\":\"{}\"}}", "9".repeat(300_000));
    let (status, told) = shop.ask("POST", "/v1/trackers", Some(&huge)).await;
    assert_eq!(status, 413, "{told}");
    assert_eq!(told["status"], 413, "a problem like any other: {told}");
    for (method, path, status) in
        [("PATCH", "/v1/trackers", 405), ("GET", "/v2/nothing", 404), ("GET", "/v1/trackers/%ff", 404)]
    {
        let (answered, told) = shop.ask(method, path, None).await;
        assert_eq!((answered, &told["status"]), (status, &json!(status)), "{method} {path}: {told}");
    }
    // And they do not keep it from stopping.
    let daemon = &mut house.daemons[0];
    daemon.term();
    let ended = tokio::time::timeout(Duration::from_secs(15), daemon.ended()).await.expect("it stops in time");
    assert_eq!(ended, 0);
}

/// A client that asks and asks and never reads its answers.
#[tokio::test]
async fn a_client_that_does_not_read_does_not_keep_its_place() {
    let house = Plan::new().open().await;
    let address = house.first().base.trim_start_matches("http://").to_owned();
    let mut deaf = TcpStream::connect(&address).await.unwrap();
    let questions = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1_000);
    let given_up = async { while deaf.write_all(questions.as_bytes()).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, given_up).await.expect("its connection is ended");
}

/// Two daemons share one store and one quota; one is stopped, one takes over; nothing is lost, doubled or overcalled.
#[tokio::test]
async fn two_daemons_on_one_store_share_the_work_and_the_quota() {
    let networks = [Network::Ups, Network::FedEx];
    let quotas = networks.map(|network| (network, demo::quota(network)));
    let mut house = Plan::new().quotas(&quotas).carriers(&networks).open().await;
    let second = house.daemon().await;
    house.daemons.push(second);
    let shop = house.shop("boutique").await;
    shop.endpoint(&house, "shop", &["tracker.*"]).await;
    let shops = [shop.clone(), shop.at(&house.daemons[1])];
    let mut teller = Teller::new(house.clock, 9);
    let mut ids = Vec::new();
    for n in 0..12 {
        let network = networks[n % 2];
        let parcel = teller.parcel(network, Story::Normal, house.clock.now(), Duration::from_secs(10));
        let stand_in = house.carrier(network);
        stand_in.world.add(parcel.clone());
        stand_in.ledger.await_number(&parcel.number);
        ids.push(shops[n % 2].register(&json!({ "number": parcel.number, "carrier": network.code() })).await);
    }
    until("some work", || async { (house.arrived("shop").len() > 30).then_some(()) }).await;
    house.daemons[0].term();
    assert_eq!(house.daemons[0].ended().await, 0);
    for id in &ids {
        shops[1].shows(id, "delivery", |t| t["parcel"]["status"] == "delivered").await;
        house.arrival("its webhook", |a| a.subject == *id && a.kind == "tracker.delivered").await;
    }
    let settled = |report: &wismo::simulator::audit::Report| report.is_clean();
    let report = until("a clean audit", || async {
        let books = Books::copy(
            house.clock,
            &house.stand_ins,
            &house.receiver,
            vec![Audited::whole("shop")],
            house.clock.now(),
        );
        let report = books.audit();
        (settled(&report) || report.quota_violations > 0 || report.reordered > 0).then_some(report)
    })
    .await;
    assert!(settled(&report), "{report:?}");
}
