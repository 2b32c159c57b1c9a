//! A life as the service manager hears it: start without Redis, reloads, a Redis that stands still, a stop with work in
//! flight, starts that fail.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::manager::{Manager, Start, ask, until};
use crate::support::redis::RedisServer;

fn external(redis: &RedisServer) -> String {
    format!("[redis]\nurl = \"{}\"\n[webhook]\nallow_nets = [\"127.0.0.1/32\"]\n", redis.url())
}

async fn process_of(redis: &RedisServer) -> String {
    let info: redis::InfoDict = redis::cmd("INFO").arg("server").query_async(&mut redis.raw().await).await.unwrap();
    info.get("process_id").unwrap()
}

fn kill(signal: &str, pid: &str) {
    assert!(Command::new("kill").args([signal, pid]).status().unwrap().success());
}

/// Whether the messages hold these beginnings in this order.
fn in_order(heard: &[String], wanted: &[&str]) -> bool {
    let mut rest = heard.iter();
    wanted.iter().all(|start| rest.any(|message| message.starts_with(start)))
}

#[tokio::test]
async fn the_manager_hears_a_life_in_order() {
    let mut redis = RedisServer::start().await;
    let config = external(&redis);
    redis.kill();
    let manager = Manager::listen();
    let mut service = Start::new(&manager, &config).go();
    // Ready without Redis, and it says what it waits for.
    manager.hears(0, "STATUS=waiting for redis").await;
    let heard = manager.heard();
    assert!(in_order(&heard, &["READY=1", "STATUS=connecting to redis", "STATUS=waiting for redis"]), "{heard:?}");
    let base = service.base().await;
    let ready = format!("{base}/readyz");
    assert_eq!(ask("GET", &ready, "", "").await.0, 503);
    assert_eq!(ask("GET", &format!("{base}/livez"), "", "").await.0, 200);
    redis.restart().await;
    manager.hears(0, "STATUS=accounts 1/1 | due lag 0s | deliveries 0 pending | redis ok").await;
    until("readiness", async || (ask("GET", &ready, "", "").await.0 == 200).then_some(())).await;

    // A good reload.
    let before = manager.count();
    service.signal("HUP").await;
    let reloading = manager.hears(before, "RELOADING=1\nMONOTONIC_USEC=").await;
    manager.hears(reloading, "READY=1").await;
    let micros = &manager.heard()[reloading]["RELOADING=1\nMONOTONIC_USEC=".len()..];
    assert!(micros.lines().next().unwrap().parse::<u64>().unwrap() > 0, "{micros}");

    // A bad one: still ready, and the status says so until a good one.
    fs::write(service.path("wismo.toml"), format!("{config}\n[nonsense]\n")).unwrap();
    let before = manager.count();
    service.signal("HUP").await;
    let reloading = manager.hears(before, "RELOADING=1").await;
    let ready_again = manager.hears(reloading, "READY=1").await;
    let refused = "STATUS=accounts 1/1 | due lag 0s | deliveries 0 pending | redis ok | the last reload was refused";
    manager.hears(ready_again, refused).await;
    fs::write(service.path("wismo.toml"), &config).unwrap();
    let before = manager.count();
    service.signal("HUP").await;
    let ready_again = manager.hears(before, "READY=1").await;
    manager.hears(ready_again, "STATUS=accounts 1/1 | due lag 0s | deliveries 0 pending | redis ok").await;
    assert!(!manager.heard().last().unwrap().contains("refused"), "{:?}", manager.heard().last());

    // A stop while a webhook is on its way: it may arrive.
    let receiver = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let key = service.shop(&[], std::path::Path::new(env!("CARGO_BIN_EXE_wismo"))).await;
    let url = format!("{{\"url\":\"http://{}/\"}}", receiver.local_addr().unwrap());
    let (status, made) = ask("POST", &format!("{base}/v1/endpoints"), &key, &url).await;
    assert_eq!(status, 201, "{made}");
    let id = serde_json::from_str::<Value>(&made).unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(ask("POST", &format!("{base}/v1/endpoints/{id}/test"), &key, "").await.0, 202);
    let (mut webhook, _) = receiver.accept().await.unwrap();
    let before = manager.count();
    service.signal("TERM").await;
    let stopping = manager.hears(before, "STOPPING=1\nSTATUS=stopping").await;
    assert!(manager.heard()[stopping].contains("EXTEND_TIMEOUT_USEC="), "{:?}", manager.heard()[stopping]);
    let (status, told) = ask("GET", &ready, "", "").await;
    assert_eq!(status, 503, "no more requests are to come: {told}");
    // The manager gives more time as long as the webhook takes.
    manager.hears(stopping + 1, "EXTEND_TIMEOUT_USEC=").await;
    webhook.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    assert_eq!(service.ends().await, Some(0), "{}", service.log());
    let delivered = service.lines().iter().any(|(_, line)| line["event"] == "stopped");
    assert!(delivered, "{}", service.log());
    assert!(!service.log().contains("stop_forced"), "the webhook ended by itself");
    let heard = manager.heard();
    assert!(!heard[stopping..].iter().any(|m| m.starts_with("READY") || m.contains("accounts")), "{heard:?}");
}

/// Redis frozen for many periods: every loop waits for it, none is stuck, and the watchdog stays quiet.
#[tokio::test]
async fn a_redis_that_stands_still_does_not_stop_the_pings() {
    let redis = RedisServer::start().await;
    let manager = Manager::listen();
    let config = external(&redis);
    let watched = [("WATCHDOG_USEC", "1000000".to_owned())];
    let mut service = Start { environment: &watched, ..Start::new(&manager, &config) }.go();
    manager.hears(0, "STATUS=accounts 1/1").await;
    let pid = process_of(&redis).await;
    kill("-STOP", &pid);
    let frozen = manager.count();
    let away = manager.hears(frozen, "STATUS=accounts 1/1 | redis away for").await;
    let mut from = away;
    for _ in 0..20 {
        from = manager.hears(from, "WATCHDOG=1").await + 1;
    }
    kill("-CONT", &pid);
    manager.hears(from, "STATUS=accounts 1/1 | due lag 0s | deliveries 0 pending | redis ok").await;
    assert!(!service.log().contains("loop_behind"), "{}", service.log());
    service.signal("TERM").await;
    assert_eq!(service.ends().await, Some(0), "{}", service.log());
}

#[tokio::test]
async fn a_watchdog_of_another_process_is_not_fed() {
    let redis = RedisServer::start().await;
    let manager = Manager::listen();
    let config = external(&redis);
    let watched = [("WATCHDOG_USEC", "100000".to_owned()), ("WATCHDOG_PID", "1".to_owned())];
    let mut service = Start { environment: &watched, ..Start::new(&manager, &config) }.go();
    manager.hears(0, "STATUS=accounts 1/1").await;
    service.signal("TERM").await;
    assert_eq!(service.ends().await, Some(0), "{}", service.log());
    assert!(!manager.heard().iter().any(|message| message.contains("WATCHDOG")), "{:?}", manager.heard());
}

/// Credentials as systemd hands them over, the private server, and every line filed under its priority.
#[tokio::test]
async fn credentials_are_found_and_lines_carry_their_priority() {
    let manager = Manager::listen();
    let credentials = tempfile::tempdir().unwrap();
    fs::write(credentials.path().join("master-key"), "5".repeat(64)).unwrap();
    fs::write(credentials.path().join("okapi-key"), "planted-okapi-key\n").unwrap();
    let config = "[accounts.colissimo]\ncarrier = \"laposte\"\nshops = \"*\"\n[accounts.colissimo.credentials]\nkey = { credential = \"okapi-key\" }\n[log]\nfilter = \"trace\"\n";
    let given = [("CREDENTIALS_DIRECTORY", credentials.path().display().to_string())];
    let mut service = Start { environment: &given, ..Start::new(&manager, config) }.go();
    manager.hears(0, "STATUS=accounts 2/2").await;
    assert!(manager.heard().contains(&"STATUS=starting the private redis".to_owned()), "{:?}", manager.heard());
    fs::write(service.path("wismo.toml"), "[nonsense]\n").unwrap();
    service.signal("HUP").await;
    service.logged("reload_refused").await;
    service.signal("TERM").await;
    assert_eq!(service.ends().await, Some(0), "{}", service.log());
    assert!(!service.path("state/master-key").exists(), "the one from the credentials is used");
    assert!(!service.log().contains("planted-okapi-key") && !service.log().contains(&"5".repeat(64)));
    let lines = service.lines();
    for (priority, line) in &lines {
        let level = match line["level"].as_str().unwrap() {
            "ERROR" => 3,
            "WARN" => 4,
            "INFO" => 6,
            _ => 7,
        };
        assert_eq!(*priority, level, "{line}");
        let target = line["target"].as_str().unwrap();
        assert!(!target.starts_with("wismo") || line["event"].is_string(), "no event: {line}");
        assert!(target.starts_with("wismo") || line["level"] != "TRACE", "a library traces: {line}");
    }
    assert!(lines.iter().any(|(priority, _)| *priority == 3) && lines.iter().any(|(priority, _)| *priority == 6));
}

#[tokio::test]
async fn starts_that_fail_say_why_and_have_their_codes() {
    let manager = Manager::listen();
    let status = |code: i32, start: &'static str, config: &'static str, given: &'static [&'static str]| {
        let manager = &manager;
        async move {
            let from = manager.count();
            let environment: Vec<(&str, String)> = given.chunks(2).map(|pair| (pair[0], pair[1].to_owned())).collect();
            let mut service = Start { environment: &environment, ..Start::new(manager, config) }.go();
            assert_eq!(service.ends().await, Some(code), "{}", service.log());
            manager.hears(from, start).await;
            service.log()
        }
    };
    let log = status(78, "STATUS=the configuration cannot be used", "[nonsense]\nx = 1\n", &[]).await;
    assert!(log.contains("wismo.toml") && log.contains("nonsense"), "{log}");
    let missing = "[private_redis]\nprogram = \"/nowhere/redis-server\"\n";
    let log = status(69, "STATUS=failed: there is no program /nowhere/redis-server", missing, &[]).await;
    assert!(log.contains("private_redis.program"), "{log}");
    let holder = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let environment = [("WISMO__SERVER__LISTEN", taken.clone())];
    let from = manager.count();
    let mut service = Start { environment: &environment, ..Start::new(&manager, "") }.go();
    assert_eq!(service.ends().await, Some(69), "{}", service.log());
    manager.hears(from, &format!("STATUS=failed: cannot listen on {taken}")).await;
    assert!(!manager.heard()[from..].contains(&"READY=1".to_owned()), "not ready without its listener");
    let wrong = Command::new(env!("CARGO_BIN_EXE_wismo")).args(["run", "--nonsense"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(64));
}
