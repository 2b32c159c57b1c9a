//! The loop against receivers over real sockets: order, isolation, ends of a delivery, bounds.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::loopback;
use super::memory::Memory;
use super::receiver::{Receiver, Request, bare};
use crate::clock;
use crate::model::EndpointState;
use crate::telemetry::Pulse;
use crate::webhook::attempt::AttemptRules;
use crate::webhook::breaker::BreakerRules;
use crate::webhook::deliver::{WebhookDeps, WebhookRules, run};
use crate::webhook::limits::LimitRules;
use crate::webhook::retry::Schedule;

struct Running {
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(queue: &Memory, rules: WebhookRules) -> Self {
        let cancel = CancellationToken::new();
        let deps = WebhookDeps { queue: queue.clone(), guard: loopback(), rules, pulse: Pulse::unwatched() };
        let (token, task) = (cancel.clone(), async move { run(deps, cancel).await.unwrap() });
        Self { cancel: token, task: tokio::spawn(task) }
    }

    async fn stop(self) {
        self.cancel.cancel();
        timeout(Duration::from_secs(10), self.task).await.expect("it stops").unwrap();
    }
}

/// Retries after milliseconds, an attempt may take half a second, the breaker stays out of the way.
fn quick(attempts: usize) -> WebhookRules {
    let mut waits = vec![Duration::ZERO];
    waits.resize(attempts, Duration::from_millis(30));
    WebhookRules {
        attempt: AttemptRules { deadline: Duration::from_millis(500), ..AttemptRules::default() },
        limits: LimitRules { breaker: never_opens(), ..LimitRules::default() },
        schedule: Schedule::new(waits, 20),
        look_every: Duration::from_millis(20),
        lease_margin: Duration::from_secs(5),
    }
}

fn never_opens() -> BreakerRules {
    BreakerRules { failures_in_row: u32::MAX, least_attempts: u32::MAX, ..BreakerRules::default() }
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(20), "never came: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

type Seen = Arc<Mutex<Vec<Request>>>;

/// Answers the n-th request (from 0) with the status that `status` gives, and keeps the requests.
async fn scripted(status: impl Fn(usize) -> u16 + Send + Sync + 'static) -> (Receiver, Seen) {
    let seen: Seen = Arc::default();
    let (keep, status) = (seen.clone(), Arc::new(status));
    let receiver = Receiver::start(move |request, mut stream| {
        let turn = {
            let mut seen = keep.lock().unwrap();
            seen.push(request);
            seen.len() - 1
        };
        let answer = bare(status(turn));
        async move { stream.write_all(answer.as_bytes()).await.unwrap_or_default() }
    })
    .await;
    (receiver, seen)
}

#[tokio::test]
async fn first_arrivals_of_a_tracker_are_in_order_while_attempts_fail() {
    let (receiver, seen) = scripted(|turn| if turn % 3 == 0 { 500 } else { 204 }).await;
    let queue = Memory::default();
    let endpoint = queue.endpoint_at(1, &receiver.url());
    let running = Running::start(&queue, quick(50));
    let mut wanted: HashMap<String, Vec<String>> = HashMap::new();
    for turn in 0..60 {
        let subject = format!("trk_{}", turn % 4);
        wanted.entry(subject.clone()).or_default().push(queue.tell(&endpoint, &subject).to_string());
    }
    until("all delivered", || queue.delivered_count() == 60).await;
    running.stop().await;
    let mut firsts: HashMap<String, Vec<String>> = HashMap::new();
    for request in seen.lock().unwrap().iter() {
        let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        let firsts = firsts.entry(body["data"]["subject"].as_str().unwrap().to_owned()).or_default();
        let id = request.header("webhook-id").unwrap().to_owned();
        if !firsts.contains(&id) {
            firsts.push(id);
        }
    }
    assert_eq!(firsts, wanted);
}

#[tokio::test]
async fn every_attempt_has_the_same_id_and_bytes_until_it_is_dead() {
    let (receiver, seen) = scripted(|_| 500).await;
    let queue = Memory::default();
    let endpoint = queue.endpoint_at(1, &receiver.url());
    let change = queue.tell(&endpoint, "trk_1");
    let running = Running::start(&queue, quick(4));
    until("dead", || !queue.dead_list().is_empty()).await;
    running.stop().await;
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 4);
    for (turn, request) in seen.iter().enumerate() {
        assert_eq!(request.header("webhook-id"), Some(change.to_string().as_str()));
        assert_eq!(request.header("webhook-attempt"), Some((turn + 1).to_string().as_str()));
        assert_eq!(request.body, seen[0].body);
    }
    let (claim, error) = queue.dead_list().remove(0);
    assert_eq!((claim.change, error.as_str()), (change, "answered 500"));
}

#[tokio::test]
async fn a_hanging_endpoint_delays_nobody_and_holds_no_more_than_its_share() {
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now_open, peak) = (open.clone(), most.clone());
    let hanging = Receiver::start(move |_, mut stream| {
        peak.fetch_max(now_open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let now_open = now_open.clone();
        async move {
            // Ends when the other side hangs up.
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            now_open.fetch_sub(1, Ordering::SeqCst);
        }
    })
    .await;
    let (healthy, _) = scripted(|_| 204).await;
    let queue = Memory::default();
    let (bad, good) = (queue.endpoint_at(1, &hanging.url()), queue.endpoint_at(2, &healthy.url()));
    for turn in 0..1000 {
        queue.tell(&bad, &format!("trk_{turn}"));
    }
    let mut rules = quick(50);
    rules.limits = LimitRules { total: 32, per_endpoint: 4, breaker: never_opens() };
    let running = Running::start(&queue, rules);
    until("the hanging endpoint has its share", || most.load(Ordering::SeqCst) > 0).await;
    let mut slowest = Duration::ZERO;
    for turn in 0..50 {
        let (started, before) = (Instant::now(), queue.delivered_count());
        queue.tell(&good, &format!("trk_good_{turn}"));
        until("a healthy delivery", || queue.delivered_count() > before).await;
        slowest = slowest.max(started.elapsed());
    }
    assert!(slowest < Duration::from_millis(300), "the slowest healthy one took {slowest:?}");
    assert!(most.load(Ordering::SeqCst) <= 4, "{most:?} at once to the hanging endpoint");
    running.stop().await;
}

#[tokio::test]
async fn an_open_breaker_costs_no_attempts_and_closes_by_a_probe() {
    let up = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_up = up.clone();
    let (receiver, seen) = scripted(move |_| if is_up.load(Ordering::SeqCst) { 204 } else { 500 }).await;
    let queue = Memory::default();
    let endpoint = queue.endpoint_at(1, &receiver.url());
    for turn in 0..30 {
        queue.tell(&endpoint, &format!("trk_{turn}"));
    }
    let mut rules = quick(12);
    rules.limits.per_endpoint = 1;
    rules.limits.breaker = BreakerRules { probe_after: vec![Duration::from_millis(200)], ..BreakerRules::default() };
    let running = Running::start(&queue, rules);
    until("the breaker opens", || queue.paused_until(&endpoint).is_some()).await;
    sleep(Duration::from_secs(1)).await;
    let tried = seen.lock().unwrap().len();
    assert!((5..=12).contains(&tried), "five, and one probe each 200 ms: {tried}");
    let counted: u32 = (0..30).map(|turn| queue.attempts_of(&endpoint, &format!("trk_{turn}"))).sum();
    assert!(usize::try_from(counted).unwrap() <= seen.lock().unwrap().len(), "only what was sent was counted");
    up.store(true, Ordering::SeqCst);
    until("all delivered", || queue.delivered_count() == 30).await;
    assert!(queue.dead_list().is_empty());
    running.stop().await;
}

#[tokio::test]
async fn gone_disables_at_once_and_keeps_the_delivery_findable() {
    let (receiver, seen) = scripted(|_| 410).await;
    let queue = Memory::default();
    let endpoint = queue.endpoint_at(1, &receiver.url());
    queue.tell(&endpoint, "trk_1");
    let running = Running::start(&queue, quick(12));
    until("disabled", || queue.endpoint_now(&endpoint).state == EndpointState::Disabled).await;
    queue.tell(&endpoint, "trk_2");
    sleep(Duration::from_millis(150)).await;
    running.stop().await;
    assert_eq!(queue.endpoint_now(&endpoint).disabled_reason.as_deref(), Some("gone"));
    assert_eq!(seen.lock().unwrap().len(), 1);
    assert_eq!(queue.dead_list().len(), 1);
}

#[tokio::test]
async fn an_endpoint_at_a_refused_address_is_disabled_without_a_connection() {
    let queue = Memory::default();
    let endpoint = queue.endpoint_at(1, "https://169.254.169.254/latest/meta-data");
    queue.tell(&endpoint, "trk_1");
    let running = Running::start(&queue, quick(12));
    until("disabled", || queue.endpoint_now(&endpoint).state == EndpointState::Disabled).await;
    running.stop().await;
    assert_eq!(queue.endpoint_now(&endpoint).disabled_reason.as_deref(), Some("blocked_address"));
}

#[tokio::test]
async fn retry_after_pauses_the_whole_endpoint() {
    let slow_down = "HTTP/1.1 429 X\r\nretry-after: 40\r\ncontent-length: 0\r\n\r\n";
    let receiver = Receiver::saying(slow_down).await;
    let queue = Memory::default();
    let endpoint = queue.endpoint_at(1, &receiver.url());
    let mut rules = quick(12);
    rules.limits.per_endpoint = 1;
    for turn in 0..10 {
        queue.tell(&endpoint, &format!("trk_{turn}"));
    }
    let running = Running::start(&queue, rules);
    until("paused", || queue.paused_until(&endpoint).is_some()).await;
    sleep(Duration::from_millis(200)).await;
    running.stop().await;
    let pause = queue.paused_until(&endpoint).unwrap().duration_since(clock::now()).as_secs();
    assert!((35..=40).contains(&pause), "{pause} s");
    assert_eq!(receiver.connections(), 1, "the others wait as well");
}

#[tokio::test]
async fn a_delivery_that_panics_ends_as_dead_and_others_go_on() {
    let (receiver, seen) = scripted(|_| 204).await;
    let queue = Memory::default();
    let endpoint = queue.endpoint_at(1, &receiver.url());
    queue.panic_on_secrets();
    queue.tell(&endpoint, "trk_1");
    let running = Running::start(&queue, quick(3));
    until("dead", || queue.dead_list().len() == 1).await;
    queue.tell(&endpoint, "trk_2");
    until("dead too: the loop lives", || queue.dead_list().len() == 2).await;
    running.stop().await;
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_store_that_fails_for_a_while_loses_nothing() {
    let (receiver, _) = scripted(|_| 204).await;
    let queue = Memory::default();
    let endpoint = queue.endpoint_at(1, &receiver.url());
    queue.break_it(true);
    queue.tell(&endpoint, "trk_1");
    let running = Running::start(&queue, quick(3));
    sleep(Duration::from_millis(200)).await;
    assert_eq!(queue.delivered_count(), 0);
    queue.break_it(false);
    until("delivered", || queue.delivered_count() == 1).await;
    running.stop().await;
}

#[tokio::test]
async fn a_paused_endpoint_that_was_claimed_all_the_same_is_put_aside() {
    let (receiver, seen) = scripted(|_| 204).await;
    let queue = Memory::default();
    let endpoint = queue.endpoint_at(1, &receiver.url());
    queue.set_state(&endpoint, EndpointState::Paused);
    queue.tell(&endpoint, "trk_1");
    let running = Running::start(&queue, quick(3));
    sleep(Duration::from_millis(200)).await;
    running.stop().await;
    assert_eq!((queue.released_count(), seen.lock().unwrap().len()), (1, 0), "once, and nothing spins");
}

#[tokio::test]
async fn cancelling_lets_the_attempt_in_flight_end() {
    let receiver = Receiver::start(|_, mut stream| async move {
        sleep(Duration::from_millis(200)).await;
        stream.write_all(bare(204).as_bytes()).await.unwrap_or_default();
    })
    .await;
    let queue = Memory::default();
    let endpoint = queue.endpoint_at(1, &receiver.url());
    queue.tell(&endpoint, "trk_1");
    let running = Running::start(&queue, quick(3));
    until("in flight", || receiver.connections() == 1).await;
    running.stop().await;
    assert_eq!(queue.delivered_count(), 1);
}
