//! What the measurements share: a Redis of their own, the real daemon as a process, stand-ins, and figures of `/proc`.
//!
//! Each benchmark is a program that prints what it measured beside a baseline of the same run. None asserts a time.
#![allow(dead_code, clippy::unwrap_used, clippy::cast_precision_loss, missing_docs)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::Future;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use wismo::carrier::{AccountContext, CallContext, CallItem, CallRequest, Carrier, RawAnswer, Registry};
use wismo::polling::fetch;
use wismo::simulator::carriers::{self, Options, StandIn};
use wismo::simulator::lives::Teller;
use wismo::simulator::time::{Moment, SimClock};
use wismo::simulator::world::{Network, World};
use wismo::store::{MasterKey, Store, StoreOptions, Target};

/// The shop of all measurements.
pub const SHOP: &str = "bench";

/// A number from the environment, to make a run longer or shorter: `TRACKERS=500 cargo bench --bench polls`.
pub fn setting(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

pub fn runtime() -> tokio::runtime::Runtime {
    wismo::tls::install_provider();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A Redis as the private server is set up: every write on disk before its answer. `FSYNC=everysec` measures the other
/// mode.
pub struct Redis {
    child: Child,
    pub port: u16,
    pub fsync: String,
    _folder: TempDir,
}

impl Redis {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let fsync = std::env::var("FSYNC").unwrap_or_else(|_| "always".to_owned());
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--save", "", "--appendonly", "yes", "--appendfsync", &fsync])
            .args(["--maxmemory-policy", "noeviction", "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let redis = Self { child, port, fsync, _folder: folder };
        while redis.ask(&["PING"]).trim() != "PONG" {
            std::thread::sleep(Duration::from_millis(20));
        }
        redis
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// One command, through `redis-cli`.
    pub fn ask(&self, words: &[&str]) -> String {
        let answer = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(words).output().unwrap();
        String::from_utf8_lossy(&answer.stdout).into_owned()
    }

    /// A number of `INFO`.
    pub fn info(&self, name: &str) -> f64 {
        let all = self.ask(&["INFO", "everything"]);
        let line = all.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|text| text.trim().parse().ok()).unwrap_or(0.0)
    }

    pub fn process(&self) -> Process {
        Process(self.child.id())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the system knows of a process.
#[derive(Clone, Copy)]
pub struct Process(pub u32);

impl Process {
    pub fn own() -> Self {
        Self(std::process::id())
    }

    /// Processor time used so far.
    pub fn cpu(self) -> Duration {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.0)).unwrap_or_default();
        let after = text.rsplit(')').next().unwrap_or_default().to_owned();
        let ticks: u64 = after.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Resident memory in MiB.
    pub fn resident_mib(self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
    }
}

/// The daemon: the program itself, in a process of its own.
pub struct Daemon {
    child: Option<Child>,
    config: PathBuf,
    pub folder: TempDir,
    pub base: String,
    pub redis_url: String,
}

impl Daemon {
    /// Writes its configuration; `accounts` is TOML. [`Daemon::start`] starts it.
    pub fn prepare(redis: &Redis, settings: &str, accounts: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut text = format!(
            "state_dir = \"{dir}/state\"\nruntime_dir = \"{dir}\"\n[server]\nlisten = \"127.0.0.1:{port}\"\nrate = 100000\nburst = 1000000\n[redis]\nurl = \"{url}\"\n",
            dir = folder.path().display(),
            url = redis.url(),
        );
        let _ = write!(text, "{settings}\n{accounts}");
        let config = folder.path().join("wismo.toml");
        std::fs::write(&config, text).unwrap();
        Self { child: None, config, folder, base: format!("http://127.0.0.1:{port}"), redis_url: redis.url() }
    }

    pub async fn start(&mut self) {
        // WISMO_BIN measures another build of the program.
        let program = std::env::var("WISMO_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_wismo").to_owned());
        let child = Command::new(program)
            .arg("run")
            .arg("--config")
            .arg(&self.config)
            .env("WISMO__LOG__FILTER", std::env::var("WISMO_LOG").unwrap_or_else(|_| "error".to_owned()))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        let client = reqwest::Client::new();
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            match client.get(format!("{}/readyz", self.base)).send().await {
                Ok(answer) if answer.status().is_success() => return,
                _ => {}
            }
        }
    }

    pub fn process(&self) -> Process {
        Process(self.child.as_ref().unwrap().id())
    }

    /// Kills it; what it had in hand is in the store.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// A store of our own beside the daemon's.
    pub async fn store(&self) -> Store {
        let state = self.folder.path().join("state");
        std::fs::create_dir_all(&state).unwrap();
        let key = MasterKey::load_or_create(&state.join("master-key")).unwrap();
        let target = Target::Single { url: SecretString::from(self.redis_url.clone()) };
        Store::connect(target, StoreOptions::default(), key).await.unwrap()
    }

    pub async fn shop(&self) -> Shop {
        let key = self.store().await.add_shop(&SHOP.parse().unwrap()).await.unwrap();
        Shop { base: self.base.clone(), key: key.expose().to_owned(), client: reqwest::Client::new() }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The shop's side of the API.
#[derive(Clone)]
pub struct Shop {
    base: String,
    key: String,
    client: reqwest::Client,
}

impl Shop {
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.client.post(format!("{}{path}", self.base)).bearer_auth(&self.key);
        let answer = request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Registers these numbers, with an order and a customer each.
    pub async fn register(&self, carrier: &'static str, numbers: &[String]) {
        at_once(32, numbers.iter().enumerate(), |(index, number)| {
            let shop = self.clone();
            let body = json!({
                "number": number, "carrier": carrier,
                "orders": [{"reference": format!("A-{index:06}")}], "customer_ref": format!("customer-{index:06}"),
                "destination": {"country": "US"}, "promised": {"to": "2031-01-01T00:00:00Z"},
            });
            async move {
                shop.post("/v1/trackers", &body).await;
            }
        })
        .await;
    }
}

/// Runs a task for each item, so many at once.
pub async fn at_once<I, F: Future<Output = ()> + Send + 'static>(
    most: usize,
    items: impl Iterator<Item = I>,
    make: impl Fn(I) -> F,
) {
    let mut running = tokio::task::JoinSet::new();
    for item in items {
        if running.len() >= most {
            running.join_next().await.unwrap().unwrap();
        }
        running.spawn(make(item));
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}

/// A stand-in with so many parcels, each with so many scans behind it.
pub async fn stand_in(
    network: Network,
    parcels: usize,
    scans: u32,
    stop: &CancellationToken,
) -> (StandIn, Vec<String>) {
    let clock = SimClock::start();
    let world = Arc::new(World::new(clock));
    let mut teller = Teller::new(clock, 7);
    let mut numbers = std::collections::BTreeSet::new();
    while numbers.len() < parcels {
        let parcel = teller.unceasing(network, Moment::default(), Duration::ZERO, scans);
        if numbers.insert(parcel.number.clone()) {
            world.add(parcel);
        }
    }
    let stand_in = carriers::start(network, world, Options::default(), stop.clone()).await.unwrap();
    (stand_in, numbers.into_iter().collect())
}

/// The account of a stand-in, with a quota that is never in the way.
pub fn account(stand_in: &StandIn, concurrent: usize) -> String {
    let code = stand_in.code;
    let mut text = format!(
        "[accounts.{code}]\ncarrier = \"{code}\"\nbase_url = \"{}\"\nshops = [\"{SHOP}\"]\n[accounts.{code}.limits]\nper_second = 100000\nconcurrent = {concurrent}\nwindows = []\n[accounts.{code}.credentials]\n",
        stand_in.base_url()
    );
    for (name, value) in &stand_in.credentials {
        let _ = writeln!(text, "{name} = \"{value}\"");
    }
    text
}

/// Builds the daemon's own requests to a stand-in, without the daemon.
pub struct Asking {
    pub carrier: Arc<Carrier>,
    credentials: BTreeMap<String, SecretString>,
    base_url: String,
    token: Option<SecretString>,
    pub client: reqwest::Client,
}

impl Asking {
    pub async fn new(stand_in: &StandIn) -> Self {
        let carrier = Registry::builtin().get(stand_in.code).unwrap();
        let credentials = stand_in
            .credentials
            .iter()
            .map(|(name, value)| ((*name).to_owned(), SecretString::from(value.clone())))
            .collect();
        let client = fetch::client().unwrap();
        let mut asking = Self { carrier, credentials, base_url: stand_in.base_url(), token: None, client };
        let call = CallContext { now: wismo::clock::now(), request_id: "bench".to_owned() };
        let request = asking.carrier.token_call(&asking.context(), &call);
        if let Some(request) = request {
            let raw = asking.send(&request.unwrap()).await;
            asking.token = Some(asking.carrier.read_token(&raw, call.now).unwrap().value);
        }
        asking
    }

    fn context(&self) -> AccountContext<'_> {
        AccountContext {
            environment: "production".to_owned(),
            base_url: Some(self.base_url.clone()),
            credentials: &self.credentials,
            language: None,
        }
    }

    pub fn request(&self, items: &[CallItem]) -> CallRequest {
        let call = CallContext { now: wismo::clock::now(), request_id: "bench".to_owned() };
        self.carrier.plan_call(&self.context(), items, self.token.as_ref(), &call).unwrap()
    }

    pub async fn send(&self, request: &CallRequest) -> RawAnswer {
        fetch::send(&self.client, request).await.unwrap()
    }
}

pub fn items(numbers: &[String]) -> Vec<CallItem> {
    numbers.iter().map(|number| CallItem { number: number.clone(), ..CallItem::default() }).collect()
}

/// What processes used between two looks.
pub struct Used {
    began: Instant,
    processes: Vec<(&'static str, Process, Duration)>,
}

impl Used {
    pub fn since_now(processes: &[(&'static str, Process)]) -> Self {
        let processes = processes.iter().map(|(name, process)| (*name, *process, process.cpu())).collect();
        Self { began: Instant::now(), processes }
    }

    pub fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Milliseconds of processor time for each of `count` things, by process.
    pub fn each(&self, count: usize) -> String {
        let each = |(name, process, before): &(&str, Process, Duration)| {
            let used = process.cpu().saturating_sub(*before).as_secs_f64() * 1000.0;
            format!("{name} {:.3} ms", used / count.max(1) as f64)
        };
        self.processes.iter().map(each).collect::<Vec<_>>().join(", ")
    }

    /// Share of one processor, by process, in percent.
    pub fn share(&self) -> String {
        let seconds = self.seconds();
        let each = |(name, process, before): &(&str, Process, Duration)| {
            format!("{name} {:.2} %", process.cpu().saturating_sub(*before).as_secs_f64() / seconds * 100.0)
        };
        self.processes.iter().map(each).collect::<Vec<_>>().join(", ")
    }
}

/// A counter to share between tasks.
#[derive(Clone, Default)]
pub struct Count(Arc<AtomicUsize>);

impl Count {
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The value below which `share` of these lie.
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index into the values")]
    let index = ((values.len() as f64 - 1.0) * share).round() as usize;
    values.get(index).copied().unwrap_or(f64::NAN)
}
