//! Webhooks a second of one daemon out of a queued backlog, beside a bare reqwest loop that signs and posts the same
//! bodies to the same receiver with as many at once in the same run; then the delay at a steady, low rate.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss, clippy::disallowed_methods, missing_docs)]

mod support;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use support::{Daemon, Process, Redis, SHOP, Used, at_once, quantile, setting};
use tokio_util::sync::CancellationToken;
use wismo::model::{CarrierCode, Registration, Tracker};
use wismo::simulator::world::Network;
use wismo::store::Store;
use wismo::tracking::{self, Input, Rules};
use wismo::webhook::sign;

type Arrivals = Arc<Mutex<Vec<(Instant, Bytes)>>>;

fn main() {
    support::runtime().block_on(async {
        // As many at once as the receiver takes, and as many as an endpoint gets by default.
        backlog(setting("CONCURRENT", 200)).await;
        backlog(8).await;
        steady().await;
    });
}

/// A receiver that answers 200 at once and keeps what came.
async fn receiver() -> (String, Arrivals) {
    let arrivals = Arrivals::default();
    let keep = |State(arrivals): State<Arrivals>, body: Bytes| async move {
        arrivals.lock().unwrap().push((Instant::now(), body));
    };
    let router = Router::new().route("/hook", post(keep)).with_state(arrivals.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, arrivals)
}

fn settings(per_endpoint: usize) -> String {
    let total = (per_endpoint * 2 + 1).max(256);
    format!(
        "[webhook]\nallow_nets = [\"127.0.0.1/32\"]\nper_endpoint = {per_endpoint}\nconcurrency = {total}\n[sandbox]\nenabled = false"
    )
}

async fn backlog(per_endpoint: usize) {
    let count = setting("CHANGES", 5000);
    let redis = Redis::start();
    let (url, arrivals) = receiver().await;
    let mut daemon = Daemon::prepare(&redis, &settings(per_endpoint), "");
    // The endpoint is made by a daemon that stops before anything is queued.
    daemon.start().await;
    let shop = daemon.shop().await;
    let endpoint = shop.post("/v1/endpoints", &json!({"url": url})).await;
    let secret = sign::decode(&endpoint["secret"].as_str().unwrap().to_owned().into()).unwrap();
    daemon.stop();
    queue(&daemon.store().await, count).await;
    daemon.start().await;
    let used =
        Used::since_now(&[("daemon", daemon.process()), ("redis", redis.process()), ("receiver", Process::own())]);
    while arrivals.lock().unwrap().len() < count {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let costs = used.each(count);
    drop(daemon);
    let bodies: Vec<Bytes> = arrivals.lock().unwrap().iter().map(|(_, body)| body.clone()).collect();
    let spread = |arrivals: &Arrivals| {
        let arrivals = arrivals.lock().unwrap();
        count as f64 / (arrivals[count - 1].0 - arrivals[0].0).as_secs_f64()
    };
    let rate = spread(&arrivals);
    let mean = bodies.iter().map(Bytes::len).sum::<usize>() / bodies.len();
    println!(
        "backlog of {count} webhooks of {mean} bytes, at most {per_endpoint} at once, appendfsync {}",
        redis.fsync
    );
    println!("  daemon:    {rate:>7.0} webhooks/s; one costs {costs}");
    arrivals.lock().unwrap().clear();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    at_once(per_endpoint, bodies.into_iter(), |body| {
        let (client, url, key) = (client.clone(), url.clone(), secret.expose_secret().to_vec());
        async move {
            let now = wismo::clock::now().as_second();
            let signature = sign::signature(&key, "chg_bench", now, &body);
            let request = client.post(url).header("content-type", "application/json").header("webhook-id", "chg_bench");
            let request = request.header("webhook-timestamp", now).header("webhook-signature", signature).body(body);
            assert!(request.send().await.unwrap().status().is_success());
        }
    })
    .await;
    let bare = spread(&arrivals);
    println!("  bare loop: {bare:>7.0} webhooks/s\n  ratio: {:.2}", rate / bare);
}

/// Registers trackers that are never polled: one change each.
async fn queue(store: &Store, count: usize) {
    let carrier: CarrierCode = "ups".parse().unwrap();
    at_once(32, 0..count, |index| {
        let (store, carrier) = (store.clone(), carrier.clone());
        async move {
            let (shop, number) = (SHOP.parse().unwrap(), format!("1ZTEST{index:012}"));
            let id = store.tracker_id(&shop, &carrier, &number);
            let now = wismo::clock::now();
            let fresh =
                Tracker::new(id, shop, carrier.clone(), number, "ups".parse().unwrap(), Registration::default(), now);
            let mut step = tracking::advance(&fresh, Input::Registered, now, &Rules::default());
            step.tracker.poll.next_at = None;
            store.register(&step.tracker, &step.changes, &step.timers).await.unwrap();
        }
    })
    .await;
}

/// From the registration over HTTP to the webhook that tells of it, while the daemon also polls.
async fn steady() {
    let (rate, count) = (setting("RATE", 100), setting("STEADY", 600));
    let stop = CancellationToken::new();
    let (stand_in, numbers) = support::stand_in(Network::Ups, count, 6, &stop).await;
    let redis = Redis::start();
    let (url, arrivals) = receiver().await;
    let mut daemon = Daemon::prepare(&redis, &settings(8), &support::account(&stand_in, 8));
    daemon.start().await;
    let shop = daemon.shop().await;
    shop.post("/v1/endpoints", &json!({"url": url, "events": ["tracker.created"]})).await;
    let asked: Arc<Mutex<HashMap<String, (Instant, f64)>>> = Arc::default();
    let mut every = tokio::time::interval(Duration::from_secs(1) / u32::try_from(rate).unwrap());
    let mut posts = tokio::task::JoinSet::new();
    let used = Used::since_now(&[("daemon", daemon.process()), ("redis", redis.process())]);
    for number in numbers {
        every.tick().await;
        let (shop, asked) = (shop.clone(), Arc::clone(&asked));
        posts.spawn(async move {
            let began = Instant::now();
            shop.post("/v1/trackers", &json!({"number": number, "carrier": "ups"})).await;
            asked.lock().unwrap().insert(number, (began, began.elapsed().as_secs_f64() * 1000.0));
        });
    }
    while posts.join_next().await.is_some() {}
    while arrivals.lock().unwrap().len() < count {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let costs = used.each(count);
    let asked = asked.lock().unwrap();
    let mut delays: Vec<f64> = arrivals
        .lock()
        .unwrap()
        .iter()
        .filter_map(|(at, body)| {
            let body: Value = serde_json::from_slice(body).ok()?;
            let (began, _) = asked.get(body["data"]["tracker"]["number"].as_str()?)?;
            Some((*at - *began).as_secs_f64() * 1000.0)
        })
        .collect();
    let mut answers: Vec<f64> = asked.values().map(|(_, ms)| *ms).collect();
    let line = |values: &mut Vec<f64>| {
        format!(
            "p50 {:.1} ms, p90 {:.1}, p99 {:.1}",
            quantile(values, 0.5),
            quantile(values, 0.9),
            quantile(values, 0.99)
        )
    };
    println!("steady {rate}/s, {count} registrations, each polled once and told once, appendfsync {}", redis.fsync);
    println!("  POST /v1/trackers to webhook: {}", line(&mut delays));
    println!("  POST /v1/trackers answered:   {}; one costs {costs}", line(&mut answers));
    stop.cancel();
}
