//! The real program at work: its configuration, its process, stand-in carriers and a receiver around it, and a shop
//! that speaks to its API and is not put off by a daemon that is down for a moment.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::fmt::Write as _;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};
use wismo::simulator::audit::{Audited, Books, Report};
use wismo::simulator::carriers::{self, Options, StandIn};
use wismo::simulator::demo;
use wismo::simulator::ledger::CallKind;
use wismo::simulator::receiver::Receiver;
use wismo::simulator::time::{Moment, SimClock};
use wismo::simulator::world::{self, Network, Parcel};

/// The program under test.
pub const WISMO: &str = env!("CARGO_BIN_EXE_wismo");
/// Longest wait for a start, an answer, an end: generous, because it is only waited for in full when all is lost.
pub const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(10);

/// Everything around the daemon: stand-ins, a receiver, a folder for its state. Gone when dropped.
pub struct World {
    /// The clock of all ledgers.
    pub clock: SimClock,
    /// The carriers.
    pub carriers: Vec<StandIn>,
    /// The shops' receiver.
    pub receiver: Receiver,
    folder: TempDir,
    _stop: DropGuard,
}

impl World {
    /// All four carriers, each with the quota that it publishes, which is enforced.
    pub async fn new() -> Self {
        Self::with(&Network::ALL, |network| Options { quota: demo::quota(network), ..Options::default() }).await
    }

    /// Some carriers, set up as told.
    pub async fn with(networks: &[Network], options: impl Fn(Network) -> Options) -> Self {
        let (clock, stop) = (SimClock::start(), CancellationToken::new());
        let mut stand_ins = Vec::new();
        for &network in networks {
            let parcels = Arc::new(world::World::new(clock));
            stand_ins.push(carriers::start(network, parcels, options(network), stop.clone()).await.unwrap());
        }
        let receiver = Receiver::start(clock, 0, None, stop.clone()).await.unwrap();
        // A short path: a unix socket's is limited to about a hundred bytes.
        let mut folder = tempfile::Builder::new().prefix("wismo-it-").tempdir().unwrap();
        // Kept on request, to look into logs and data after a failure.
        folder.disable_cleanup(std::env::var_os("WISMO_TEST_KEEP").is_some());
        Self { clock, carriers: stand_ins, receiver, folder, _stop: stop.drop_guard() }
    }

    /// The folder of configurations, state and logs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The stand-in of a carrier.
    pub fn carrier(&self, network: Network) -> &StandIn {
        self.carriers.iter().find(|stand_in| stand_in.code == network.code()).unwrap()
    }

    /// Puts a parcel into its carrier's world.
    pub fn stage(&self, parcel: &Parcel) {
        self.carrier(parcel.network).world.add(parcel.clone());
    }

    /// Writes a configuration for daemon `name` and gives its file.
    pub fn configure(&self, name: &str, setup: &Setup) -> Config {
        let port = setup.port.unwrap_or_else(free_port);
        let folder = self.folder.path();
        let mut text = format!(
            "state_dir = \"{0}/state\"\nruntime_dir = \"{0}\"\n[server]\nlisten = \"127.0.0.1:{port}\"\nrate = 100000\nburst = 1000000\n",
            folder.display()
        );
        text.push_str(&setup.text());
        if let Some(extra) = &setup.extra {
            text.push_str(extra);
            text.push('\n');
        }
        for stand_in in &self.carriers {
            let own = setup.accounts.iter().filter(|(network, _)| network.code() == stand_in.code);
            let lines: Vec<&str> = own.map(|(_, lines)| *lines).chain([setup.account_extra.as_str()]).collect();
            text.push_str(&account(stand_in, &lines.join("\n")));
        }
        let own = folder.join(name);
        std::fs::create_dir_all(&own).unwrap();
        let file = own.join("wismo.toml");
        std::fs::write(&file, text).unwrap();
        Config { file, port, log: own.join("log") }
    }

    /// A shop with this name, and its key, made by the program itself. A daemon (or the external Redis) must run.
    pub async fn shop(&self, config: &Config, name: &str) -> Shop {
        Shop::new(config.base(), shop_key(config, name).await)
    }

    /// Registers an endpoint of the shop at the receiver, under a name, and tells the receiver its secret.
    pub async fn endpoint(&self, shop: &Shop, name: &str) -> Value {
        let endpoint = shop.post("/v1/endpoints", &json!({"url": self.receiver.url(name)})).await;
        self.receiver.expect(name, endpoint["secret"].as_str().expect("the answer holds the secret"));
        endpoint
    }

    /// Registers a parcel for the shop; from now on somebody waits for its news.
    pub async fn register(&self, shop: &Shop, parcel: &Parcel) -> Value {
        let tracker = shop.register(parcel).await;
        self.carrier(parcel.network).ledger.await_number(&parcel.number);
        tracker
    }

    /// The auditor's report now. What was told up to now must have arrived at every one of `endpoints`.
    pub fn audit(&self, endpoints: &[&str]) -> Report {
        let audited = endpoints.iter().map(|name| Audited::whole(name)).collect();
        Books::copy(self.clock, &self.carriers, &self.receiver, audited, self.clock.now()).audit()
    }

    /// Waits until every scan of every parcel was told, everything told has arrived, and then nothing new for `quiet`.
    /// Gives the last report, clean or not, after `patience` at the latest.
    pub async fn settle(&self, endpoints: &[&str], quiet: Duration, patience: Duration) -> Report {
        let last = self.carriers.iter().filter_map(|stand_in| stand_in.world.last_scan()).max();
        self.clock.until(last.unwrap_or_default()).await;
        let deadline = self.clock.now().plus(patience);
        let (mut seen, mut since) = (self.seen(), self.clock.now());
        loop {
            sleep(Duration::from_millis(100)).await;
            let (now, seen_now) = (self.clock.now(), self.seen());
            if seen_now != seen {
                (seen, since) = (seen_now, now);
            }
            if now >= deadline {
                return self.audit(endpoints);
            }
            // An audit reads whole ledgers: only when it may be the last.
            if now.since(since) >= quiet {
                let report = self.audit(endpoints);
                if report.lost == 0 && self.all_told() {
                    return report;
                }
                since = now;
            }
        }
    }

    fn seen(&self) -> (u64, usize) {
        let told = self.carriers.iter().map(|stand_in| stand_in.ledger.told_count()).sum();
        (self.receiver.arrivals().count(), told)
    }

    /// True when the carriers told every scan that they can tell by now.
    pub fn all_told(&self) -> bool {
        self.carriers.iter().all(|stand_in| stand_in.ledger.told_count() >= stand_in.world.visible_scans())
    }

    /// Tracking calls that came in so far, at all carriers.
    pub fn calls(&self) -> u64 {
        self.carriers.iter().map(|stand_in| stand_in.ledger.call_count()).sum()
    }

    /// When the last tracking call came in, at any carrier.
    pub fn last_call(&self) -> Option<Moment> {
        let calls = self.carriers.iter().flat_map(|stand_in| stand_in.ledger.calls());
        calls.filter(|call| call.kind == CallKind::Track).map(|call| call.arrived).max()
    }
}

fn account(stand_in: &StandIn, extra: &str) -> String {
    let (code, url) = (stand_in.code, stand_in.base_url());
    let mut text = format!("[accounts.{code}]\ncarrier = \"{code}\"\nbase_url = \"{url}\"\nshops = \"*\"\n{extra}\n");
    let _ = writeln!(text, "[accounts.{code}.credentials]");
    for (name, value) in &stand_in.credentials {
        let _ = writeln!(text, "{name} = \"{value}\"");
    }
    text
}

/// What a test chooses of the configuration.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where the store is.
    pub redis: Redis,
    /// Lease of an account.
    pub lease: Duration,
    /// Time between polls, whatever the status.
    pub interval: Duration,
    /// Length of a day for the delay rules.
    pub day: Duration,
    /// Waits before the attempts of a delivery, as in the configuration file.
    pub retry: &'static str,
    /// Longest exchange with an endpoint.
    pub timeout: Duration,
    /// Filter of the log.
    pub log: &'static str,
    /// The API's port; a free one where not given.
    pub port: Option<u16>,
    /// Whole sections to add, as text.
    pub extra: Option<String>,
    /// Lines to add to each account.
    pub account_extra: String,
    /// Lines to add to one carrier's account.
    pub accounts: Vec<(Network, &'static str)>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            redis: Redis::Private,
            lease: Duration::from_secs(2),
            interval: Duration::from_millis(500),
            day: Duration::from_secs(3600),
            retry: r#"["0s", "200ms", "500ms", "1s", "1s", "2s", "2s", "2s", "2s", "5s", "5s", "10s"]"#,
            timeout: Duration::from_secs(5),
            log: "info",
            port: None,
            extra: None,
            account_extra: String::new(),
            accounts: Vec::new(),
        }
    }
}

/// Where the store of a daemon is.
#[derive(Debug, Clone)]
pub enum Redis {
    /// The daemon runs one for itself.
    Private,
    /// One server.
    Url(String),
    /// A cluster, by some nodes.
    Cluster(Vec<String>),
}

impl Setup {
    fn text(&self) -> String {
        let ms = |span: Duration| format!("\"{}ms\"", span.as_millis());
        let (interval, lease, day) = (ms(self.interval), ms(self.lease), ms(self.day));
        let mut text = match &self.redis {
            Redis::Private => String::new(),
            Redis::Url(url) => format!("[redis]\nurl = \"{url}\"\nresponse_timeout = \"2s\"\n"),
            Redis::Cluster(urls) => format!("[redis]\ncluster = {urls:?}\nresponse_timeout = \"2s\"\n"),
        };
        let _ = writeln!(text, "[polling]\ntick = \"50ms\"\njitter = 0.05\nlease = {lease}\n[polling.intervals]");
        for status in [
            "pending",
            "info_received",
            "in_transit",
            "out_for_delivery",
            "available_for_pickup",
            "attempt_failed",
            "exception",
            "return_to_sender",
            "ended",
            "delivered",
            "retry",
        ] {
            let _ = writeln!(text, "{status} = {interval}");
        }
        let _ = writeln!(text, "[delays]\nday = {day}");
        let (retry, timeout) = (self.retry, ms(self.timeout));
        let _ = writeln!(text, "[webhook]\nallow_nets = [\"127.0.0.1/32\"]\nretry = {retry}\ntimeout = {timeout}");
        let _ = writeln!(text, "[sandbox]\nenabled = false\n[shutdown]\ndeadline = \"10s\"");
        let _ = writeln!(text, "[log]\nformat = \"json\"\nfilter = \"{}\"", self.log);
        text
    }
}

/// A configuration on disk.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file.
    pub file: PathBuf,
    /// Where the API listens.
    pub port: u16,
    /// Where a daemon's log goes.
    pub log: PathBuf,
}

impl Config {
    /// The API's address.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What daemons on this configuration logged so far.
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// A running `wismo run`. Killed when dropped, and so is the private Redis that it left, if any.
pub struct Daemon {
    /// What it runs on.
    pub config: Config,
    child: Option<Child>,
}

impl Daemon {
    /// Starts it and waits until it is ready.
    pub async fn start(config: &Config) -> Self {
        let mut daemon = Self { config: config.clone(), child: None };
        daemon.spawn();
        daemon.ready().await;
        daemon
    }

    /// Starts the process and waits for nothing.
    pub fn spawn(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let log = File::options().create(true).append(true).open(&self.config.log).unwrap();
        let child = Command::new(WISMO)
            .args(["run", "--config"])
            .arg(&self.config.file)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Waits until it says that it is of use.
    pub async fn ready(&mut self) {
        let client = http();
        let url = format!("{}/readyz", self.config.base());
        let start = Instant::now();
        loop {
            if let Ok(answer) = client.get(&url).timeout(Duration::from_secs(5)).send().await
                && answer.status().is_success()
            {
                return;
            }
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().unwrap()) {
                panic!("the daemon ended while it started ({status}):\n{}", self.tail());
            }
            assert!(start.elapsed() < PATIENCE, "the daemon does not become ready:\n{}", self.tail());
            sleep(LOOK).await;
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap(), signal).unwrap();
    }

    /// `kill -9`.
    pub fn kill9(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks it to read its configuration again.
    pub fn hup(&self) {
        self.signal(Signal::HUP);
    }

    /// Asks it to stop and waits for its end.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.as_mut().expect("it runs").try_wait().unwrap() {
                self.child = None;
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the daemon does not end:\n{}", self.tail());
            sleep(LOOK).await;
        }
    }

    /// `kill -9`, and a new start, ready.
    pub async fn restart(&mut self) {
        self.kill9();
        self.spawn();
        self.ready().await;
    }

    /// Everything that it and its predecessors on this configuration logged.
    pub fn log(&self) -> String {
        self.config.log_text()
    }

    /// The process id of the private Redis that its log names last.
    pub fn private_redis_pid(&self) -> Option<u32> {
        last_redis_pid(&self.log())
    }

    fn tail(&self) -> String {
        let text = self.log();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill9();
        }
        // The private server outlives a killed daemon on purpose: it must not outlive the test.
        let lock = self.config.file.ancestors().nth(2).map(|world| world.join("state/redis"));
        if let Some(pid) = lock.filter(|folder| folder.exists()).and_then(|folder| redis_in(&folder)) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// The server whose working folder is this one: exact, where a process id from a log may be somebody else's by now.
pub fn redis_in(folder: &Path) -> Option<Pid> {
    let folder = folder.canonicalize().ok()?;
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        (std::fs::read_link(entry.path().join("cwd")).ok()? == folder).then(|| Pid::from_raw(pid))?
    })
}

fn last_redis_pid(log: &str) -> Option<u32> {
    let of_line = |line: &str| -> Option<u32> {
        let entry: Value = serde_json::from_str(line).ok()?;
        let fields = entry.get("fields").unwrap_or(&entry);
        (fields["event"] == "private_redis_ready").then(|| fields["pid"].as_u64()?.try_into().ok())?
    };
    log.lines().rev().find_map(of_line)
}

/// A key for a shop, by `wismo shops add`; tried again while the store is down.
pub async fn shop_key(config: &Config, name: &str) -> String {
    let start = Instant::now();
    loop {
        let output = tokio::process::Command::new(WISMO)
            .args(["shops", "add", name, "--json", "--config"])
            .arg(&config.file)
            .output()
            .await
            .unwrap();
        if output.status.success() {
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            return answer["key"].as_str().unwrap().to_owned();
        }
        assert!(start.elapsed() < PATIENCE, "no shop: {}", String::from_utf8_lossy(&output.stderr));
        sleep(Duration::from_millis(100)).await;
    }
}

/// An HTTP client without proxies.
pub fn http() -> reqwest::Client {
    wismo::tls::install_provider();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A shop's side of the API. Requests that meet no daemon, or one that cannot serve them just now, are sent again.
#[derive(Clone)]
pub struct Shop {
    base: String,
    key: String,
    client: reqwest::Client,
}

impl Shop {
    /// A shop that calls this address with this key.
    pub fn new(base: String, key: String) -> Self {
        Self { base, key, client: http() }
    }

    /// Its key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// One request, tried once: status and body, or no answer.
    pub async fn once(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        let mut request = self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.timeout(Duration::from_secs(10)).send().await.ok()?;
        let status = answer.status().as_u16();
        let text = answer.text().await.ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// One request, sent until it is answered with anything but a 5xx.
    pub async fn request(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let start = Instant::now();
        loop {
            let answer = self.once(method.clone(), path, body).await;
            if let Some((status, body)) = answer.clone().filter(|(status, _)| *status < 500) {
                return (status, body);
            }
            assert!(start.elapsed() < PATIENCE, "{method} {path} is not served: {answer:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// A POST that must succeed.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.request(reqwest::Method::POST, path, Some(body)).await;
        assert!((200..300).contains(&status), "{path} answered {status}: {answer}");
        answer
    }

    /// A GET that must succeed.
    pub async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.request(reqwest::Method::GET, path, None).await;
        assert!((200..300).contains(&status), "{path} answered {status}: {answer}");
        answer
    }

    /// Registers a parcel.
    pub async fn register(&self, parcel: &Parcel) -> Value {
        let country = parcel.destination.country;
        let body = json!({
            "number": parcel.number, "carrier": parcel.network.code(), "destination": {"country": country},
        });
        self.post("/v1/trackers", &body).await
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
