//! A whole house for one test: the real program as a child, real Redis, stand-in carriers, a shop's receiver.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use wismo::simulator::carriers::{self, Options, StandIn};
use wismo::simulator::quota::Quota;
use wismo::simulator::receiver::{Arrival, Receiver};
use wismo::simulator::time::SimClock;
use wismo::simulator::world::{Network, World};

use crate::support::redis::RedisServer;

/// Longest wait for anything that must come.
pub const PATIENCE: Duration = Duration::from_secs(60);

const QUICK: &str = r#"
[polling]
lease = "2s"
tick = "20ms"
jitter = 0.0
[polling.intervals]
pending = "150ms"
info_received = "150ms"
in_transit = "150ms"
out_for_delivery = "150ms"
available_for_pickup = "150ms"
attempt_failed = "150ms"
exception = "150ms"
return_to_sender = "150ms"
ended = "150ms"
delivered = "150ms"
retry = "150ms"
[shutdown]
deadline = "3s"
"#;

/// How a house is built.
pub struct Plan {
    carriers: Vec<Network>,
    quotas: Vec<(Network, Quota)>,
    allow: bool,
    sandbox_day: &'static str,
    webhook: &'static str,
    more: String,
    log: &'static str,
    pace: &'static str,
}

impl Plan {
    /// A house with the sandbox, short days, and a receiver that may be reached.
    pub fn new() -> Self {
        Self {
            carriers: Vec::new(),
            quotas: Vec::new(),
            allow: true,
            sandbox_day: "500ms",
            webhook: "timeout = \"1s\"\nretry = [\"0s\", \"100ms\", \"200ms\", \"300ms\"]",
            more: String::new(),
            log: "debug",
            pace: "150ms",
        }
    }

    /// With this interval between polls of a parcel, in place of a very short one.
    pub fn pace(mut self, pace: &'static str) -> Self {
        self.pace = pace;
        self
    }

    /// With these stand-ins, each an account of its code for every shop.
    pub fn carriers(mut self, carriers: &[Network]) -> Self {
        self.carriers = carriers.to_vec();
        self
    }

    /// With these quotas, which the stand-ins enforce and the auditor checks.
    pub fn quotas(mut self, quotas: &[(Network, Quota)]) -> Self {
        self.quotas = quotas.to_vec();
        self
    }

    /// Length of a day of the sandbox.
    pub fn sandbox_day(mut self, day: &'static str) -> Self {
        self.sandbox_day = day;
        self
    }

    /// Lines of `[webhook]`, in place of the usual ones.
    pub fn webhook(mut self, lines: &'static str) -> Self {
        self.webhook = lines;
        self
    }

    /// Without leave to send to loopback.
    pub fn closed(mut self) -> Self {
        self.allow = false;
        self
    }

    /// With a short log: for load.
    pub fn quiet(mut self) -> Self {
        self.log = "info";
        self
    }

    /// With a log that says all it can.
    pub fn talkative(mut self) -> Self {
        self.log = "trace";
        self
    }

    /// More tables of the configuration.
    pub fn more(mut self, text: &str) -> Self {
        self.more = text.to_owned();
        self
    }

    /// Builds it and waits until it is ready.
    pub async fn open(self) -> House {
        let redis = RedisServer::start().await;
        let (clock, stop) = (SimClock::start(), CancellationToken::new());
        let receiver = Receiver::start(clock, 0, None, stop.clone()).await.unwrap();
        let mut stand_ins = Vec::new();
        for network in &self.carriers {
            let world = Arc::new(World::new(clock));
            let quota =
                self.quotas.iter().find(|(of, _)| of == network).map_or_else(Quota::none, |(_, quota)| quota.clone());
            let options = Options { quota, ..Options::default() };
            stand_ins.push(carriers::start(*network, world, options, stop.clone()).await.unwrap());
        }
        let folder = tempfile::tempdir().unwrap();
        let mut house = House { folder, redis, clock, receiver, stand_ins, plan: self, stop, daemons: Vec::new() };
        house.write_config("");
        let daemon = house.daemon().await;
        house.daemons.push(daemon);
        house
    }
}

/// One running daemon.
pub struct Daemon {
    child: Child,
    /// Where its API is.
    pub base: String,
    log: std::path::PathBuf,
}

impl Daemon {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("the daemon runs")
    }

    /// All that it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a signal.
    pub async fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().await.unwrap();
        assert!(sent.success());
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> i32 {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap();
        status.code().unwrap_or(-1)
    }

    /// `kill -9`.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits for an event in its log, the `count`th of this name.
    pub async fn logged(&self, event: &str, count: usize) -> Value {
        until(event, || async {
            let log = self.log();
            let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.by_ref().filter(|line| line["event"] == event).nth(count - 1)
        })
        .await
    }

    /// Resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

/// The house. Everything in it ends with it.
pub struct House {
    pub folder: tempfile::TempDir,
    pub redis: RedisServer,
    pub clock: SimClock,
    pub receiver: Receiver,
    pub stand_ins: Vec<StandIn>,
    plan: Plan,
    stop: CancellationToken,
    pub daemons: Vec<Daemon>,
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
        if std::thread::panicking() {
            for daemon in &self.daemons {
                let log = daemon.log();
                let tail: Vec<&str> = log.lines().rev().filter(|line| !line.contains("\"DEBUG\"")).take(25).collect();
                eprintln!("--- the daemon's last words, newest first:\n{}", tail.join("\n"));
            }
        }
    }
}

impl House {
    /// Writes the configuration; `more` is added to what the plan says.
    pub fn write_config(&self, more: &str) {
        let allow = if self.plan.allow { "allow_nets = [\"127.0.0.1/32\"]\n" } else { "" };
        self.write_config_with(allow, more);
    }

    /// The same with other words about allowed nets.
    pub fn write_config_with(&self, allow: &str, more: &str) {
        let Plan { webhook, sandbox_day, more: planned, log, pace, .. } = &self.plan;
        let quick = QUICK.replace("150ms", pace);
        let (state, redis) = (self.folder.path().display(), self.redis.url());
        let mut text = format!(
            "state_dir = \"{state}/state\"\n[server]\nlisten = \"127.0.0.1:0\"\nrequest_timeout = \"3s\"\nrate = 100000\nburst = 1000000\n[redis]\nurl = \"{redis}\"\n\
             {quick}[log]\nformat = \"json\"\nfilter = \"{log}\"\n[webhook]\n{allow}{webhook}\n[sandbox]\nday = \"{sandbox_day}\"\n{planned}\n{more}\n"
        );
        for stand_in in &self.stand_ins {
            let (code, url) = (stand_in.code, stand_in.base_url());
            let _ = write!(
                text,
                "[accounts.{code}]\ncarrier = \"{code}\"\nbase_url = \"{url}\"\nshops = \"*\"\n[accounts.{code}.credentials]\n"
            );
            for (name, value) in &stand_in.credentials {
                let _ = writeln!(text, "{name} = \"{value}\"");
            }
        }
        fs::write(self.config(), text).unwrap();
    }

    /// The file of its configuration.
    pub fn config(&self) -> String {
        self.folder.path().join("wismo.toml").display().to_string()
    }

    /// Starts a daemon on this house's store and waits until it is ready.
    pub async fn daemon(&self) -> Daemon {
        let log = self.folder.path().join(format!("log-{}", self.daemons.len()));
        let child = Command::new(env!("CARGO_BIN_EXE_wismo"))
            .args(["run", "--config", &self.config()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut daemon = Daemon { child, base: String::new(), log };
        let listening = daemon.logged("listening", 1).await;
        daemon.base = format!("http://{}", listening["address"].as_str().unwrap());
        let ready = format!("{}/readyz", daemon.base);
        until("readiness", || async {
            let answer = client().get(&ready).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        daemon
    }

    /// The daemon of a house that has one.
    pub fn first(&self) -> &Daemon {
        &self.daemons[0]
    }

    /// Adds a shop by the command line, as an operator does.
    pub async fn shop(&self, name: &str) -> Shop {
        let output = Command::new(env!("CARGO_BIN_EXE_wismo"))
            .args(["shops", "add", name, "--json", "--config", &self.config()])
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        Shop::with_key(&self.first().base, told["key"].as_str().unwrap())
    }

    /// The stand-in of a carrier.
    pub fn carrier(&self, network: Network) -> &StandIn {
        self.stand_ins.iter().find(|stand_in| stand_in.code == network.code()).unwrap()
    }

    /// What arrived at one endpoint of the receiver.
    pub fn arrived(&self, endpoint: &str) -> Vec<Arrival> {
        self.receiver.arrivals().matching(|arrival| arrival.endpoint == endpoint)
    }

    /// Waits until something arrives, and gives the first of it.
    pub async fn arrival(&self, what: &str, wanted: impl Fn(&Arrival) -> bool) -> Arrival {
        until(what, || async { self.receiver.arrivals().matching(&wanted).into_iter().next() }).await
    }
}

/// A shop's way to the API.
#[derive(Clone)]
pub struct Shop {
    pub key: String,
    base: String,
    client: reqwest::Client,
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

impl Shop {
    /// Somebody with a key.
    pub fn with_key(base: &str, key: &str) -> Self {
        Self { key: key.to_owned(), base: base.to_owned(), client: client() }
    }

    /// The same shop at another daemon.
    pub fn at(&self, daemon: &Daemon) -> Self {
        Self::with_key(&daemon.base, &self.key)
    }

    /// One request; the answer's body as JSON, or as text where it is none.
    pub async fn ask(&self, method: &str, path: &str, body: Option<&str>) -> (u16, Value) {
        let url = format!("{}{path}", self.base);
        let mut request = self.client.request(method.parse().unwrap(), url).timeout(PATIENCE);
        if !self.key.is_empty() {
            request = request.bearer_auth(&self.key);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.ask("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.ask("POST", path, Some(&body.to_string())).await
    }

    pub async fn delete(&self, path: &str) -> (u16, Value) {
        self.ask("DELETE", path, None).await
    }

    /// Registers a parcel that is new, and gives its id.
    pub async fn track(&self, number: &str) -> String {
        self.register(&json!({ "number": number })).await
    }

    /// Registers a parcel that is new with more than its number.
    pub async fn register(&self, body: &Value) -> String {
        let (status, told) = self.post("/v1/trackers", body).await;
        assert_eq!(status, 201, "{told}");
        told["id"].as_str().unwrap().to_owned()
    }

    /// Adds an endpoint of the house's receiver, which knows its secret before the first webhook.
    pub async fn endpoint(&self, house: &House, name: &str, events: &[&str]) -> String {
        let secret = format!("whsec_{}", data_encoding::BASE64.encode(format!("{name:_<32}").as_bytes()));
        house.receiver.expect(name, &secret);
        let body = json!({ "url": house.receiver.url(name), "events": events, "secret": secret });
        let (status, told) = self.post("/v1/endpoints", &body).await;
        assert_eq!(status, 201, "{told}");
        told["id"].as_str().unwrap().to_owned()
    }

    /// Waits until a parcel shows what is wanted.
    pub async fn shows(&self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        until(what, || async {
            let (status, tracker) = self.get(&format!("/v1/trackers/{id}")).await;
            assert_eq!(status, 200, "{tracker}");
            wanted(&tracker).then_some(tracker)
        })
        .await
    }
}

/// Asks again and again until there is an answer; panics with the name of what did not come.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Sequences of the first arrivals, tracker by tracker, rise.
pub fn assert_in_order(arrivals: &[Arrival]) {
    let mut highest = std::collections::HashMap::new();
    for arrival in arrivals.iter().filter(|arrival| arrival.first && !arrival.subject.is_empty()) {
        let sequence = arrival.sequence.unwrap();
        let last = highest.insert(arrival.subject.clone(), sequence).unwrap_or(0);
        assert!(sequence > last, "{} came with {sequence} after {last}", arrival.subject);
    }
}

/// Every delivery is signed right, and repeats have the same bytes.
pub fn assert_trusted(arrivals: &[Arrival]) {
    for arrival in arrivals {
        assert!(arrival.verified(), "{arrival:?}");
        assert!(arrival.same_bytes, "other bytes under the same id: {arrival:?}");
    }
}
