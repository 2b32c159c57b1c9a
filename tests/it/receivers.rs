//! The receivers that the documentation shows to shops, run with their own interpreters against our own sender.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};
use wismo::webhook::attempt::{Attempt, AttemptRules, Exchange, Sender};
use wismo::webhook::guard::{Guard, Ports};
use wismo::webhook::sign;

use crate::support::house::Plan;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const BODY: &str = r#"{"id":"evt_1_1_7_0","type":"tracker.delivered","data":{"città":"Forlì","emoji":"📦"}}"#;

struct Receiver {
    url: String,
    lines: Lines<BufReader<ChildStdout>>,
    // Killed when dropped.
    _child: Child,
}

impl Receiver {
    async fn start(interpreter: &str, file: &str) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut child = Command::new(interpreter)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/receivers/").to_owned() + file)
            .env("PORT", port.to_string())
            .env("SECRET", SECRET)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{interpreter} does not run ({error}): `make test` installs it"));
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut receiver = Self { url: format!("http://127.0.0.1:{port}/hook"), lines, _child: child };
        assert_eq!(receiver.line().await, format!("listening on {port}"));
        receiver
    }

    async fn line(&mut self) -> String {
        let line = timeout(Duration::from_secs(20), self.lines.next_line()).await.expect("it prints a line");
        line.unwrap().unwrap_or_default().trim().to_owned()
    }
}

async fn send(sender: &Sender, url: &str, secret: &str, at: Timestamp) -> u16 {
    let key = sign::decode(&secret.to_owned().into()).unwrap();
    let attempt = Attempt {
        shop: &"shop".parse().unwrap(),
        url,
        id: "evt_1_1_7_0",
        number: 1,
        body: BODY,
        key: key.expose_secret(),
        at,
    };
    for _ in 0..100 {
        match sender.send(attempt).await {
            Exchange::Answered(answer) => return answer.status,
            // PHP says that it listens a moment before it does.
            Exchange::Failed(_) => sleep(Duration::from_millis(50)).await,
        }
    }
    panic!("{url} never answered");
}

async fn verifies(interpreter: &str, file: &str) {
    let mut receiver = Receiver::start(interpreter, file).await;
    let guard = Guard::new(vec!["127.0.0.1/32".parse().unwrap()], Ports::default());
    let sender = Sender::new(guard, AttemptRules::default()).unwrap();
    let now = wismo::clock::now();
    assert_eq!(send(&sender, &receiver.url, SECRET, now).await, 204, "a good one");
    assert_eq!(receiver.line().await, "verified evt_1_1_7_0");
    assert_eq!(send(&sender, &receiver.url, OTHER, now).await, 401, "signed with another secret");
    assert_eq!(receiver.line().await, "refused");
    for away in [-301, 310] {
        let at = now + SignedDuration::from_secs(away);
        assert_eq!(send(&sender, &receiver.url, SECRET, at).await, 401, "{away} s from now");
        assert_eq!(receiver.line().await, "refused");
    }
    let at = now - SignedDuration::from_secs(240);
    assert_eq!(send(&sender, &receiver.url, SECRET, at).await, 204, "a few minutes late");
}

#[test]
fn the_documentation_shows_exactly_these_receivers() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/webhooks.md")).unwrap();
    for file in ["receiver.py", "receiver.js", "receiver.php"] {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/receivers/").to_owned() + file;
        assert!(page.contains(&std::fs::read_to_string(path).unwrap()), "docs/webhooks.md shows another {file}");
    }
}

#[tokio::test]
async fn python_verifies() {
    verifies("python3", "receiver.py").await;
}

#[tokio::test]
async fn javascript_verifies() {
    verifies("node", "receiver.js").await;
}

#[tokio::test]
async fn php_verifies() {
    verifies("php", "receiver.php").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_receiver_verifies_what_a_daemon_sends() {
    let house = Plan::new().open().await;
    let shop = house.shop("boutique").await;
    for (interpreter, file) in [("python3", "receiver.py"), ("node", "receiver.js"), ("php", "receiver.php")] {
        let mut receiver = Receiver::start(interpreter, file).await;
        let body = json!({"url": receiver.url, "secret": SECRET, "events": ["tracker.created", "endpoint.test"]});
        let (status, made) = shop.post("/v1/endpoints", &body).await;
        assert_eq!(status, 201, "{made}");
        let test = format!("/v1/endpoints/{}/test", made["id"].as_str().unwrap());
        assert_eq!(shop.post(&test, &json!({})).await.0, 202);
        let line = receiver.line().await;
        assert!(line.starts_with("verified evt_"), "{interpreter}: {line}");
        shop.track(&format!("SANDBOX-DELIVERED-{}", interpreter.len())).await;
        let line = receiver.line().await;
        assert!(line.starts_with("verified evt_"), "{interpreter}: {line}");
    }
}
