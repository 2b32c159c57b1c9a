//! A whole house for one test: the real program as a child, real Redis, stand-in carriers, a shop's receiver.
//!
//! ```ignore
//! let mut house = Plan::new().carriers(&[Network::Ups]).open().await; // one daemon, ready; its Redis; all gone at the end
//! let shop = house.shop("boutique").await;                            // by `wismo shops add`, with its key
//! shop.endpoint(&house, "hook", &["tracker.*"]).await;                // at the house's receiver, which checks signatures
//! let id = shop.track("SANDBOX-DELIVERED-1").await;                   // or `follow` a parcel that the test staged
//! shop.shows(&id, "delivery", |t| t["parcel"]["status"] == "delivered").await;  // waits; names what did not come
//! let first = house.arrival("a webhook", |a| a.endpoint == "hook").await;       // waits; `arrived` looks, `audit` judges
//! house.daemons[0].restart().await;                                   // also kill, spawn, ready, hup, term, stop, freeze
//! house.first().logged("lease_taken", 1).await;                       // waits for an event in the log; `events` looks
//! let second = house.daemon().await;                                  // another daemon on the same store
//! let printed = house.wismo(&["check", "--json"]).await;              // the command line, with the house's configuration
//! ```
//!
//! `house.redis.raw()` looks behind the store's back; `Plan::redis` takes another server, a cluster, or the daemon's own.
//! What a [`Plan`] has no word for goes into `Plan::more` as text. With `WISMO_TEST_KEEP` set, the folder stays.

use std::fmt::Write as _;
use std::fs;
use std::ops::Deref;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use wismo::simulator::carriers::{Options, StandIn};
use wismo::simulator::demo;
use wismo::simulator::quota::Quota;
use wismo::simulator::world::Network;

use super::daemon::WISMO;
use super::redis::{RedisCluster, RedisServer};

pub use super::daemon::Daemon;
pub use super::shop::{PATIENCE, Shop, until};
pub use super::world::{World, assert_in_order, assert_trusted};

/// Every status has an interval; here all have the same.
const INTERVALS: [&str; 11] = [
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
];

/// Where the store of a house is.
pub enum Redis {
    /// A server of the house, whose data live in memory.
    Own,
    /// A server of the house, whose data survive it.
    Durable,
    /// Three servers of the house.
    Cluster,
    /// One that the daemon runs for itself.
    Private,
    /// The test's own, or a wire to it.
    At(String),
}

/// The store's server, while the house stands. As a [`RedisServer`] where there is exactly one of the house.
pub enum Servers {
    One(RedisServer),
    Three(RedisCluster),
    Elsewhere(String),
    Private,
}

impl Deref for Servers {
    type Target = RedisServer;

    fn deref(&self) -> &RedisServer {
        match self {
            Self::One(server) => server,
            _ => panic!("this house has no single server of its own"),
        }
    }
}

impl Servers {
    async fn start(redis: &Redis) -> Self {
        match redis {
            Redis::Own => Self::One(RedisServer::start().await),
            Redis::Durable => Self::One(RedisServer::start_durable().await),
            Redis::Cluster => Self::Three(RedisCluster::start().await),
            Redis::Private => Self::Private,
            Redis::At(url) => Self::Elsewhere(url.clone()),
        }
    }

    fn settings(&self) -> String {
        match self {
            Self::One(server) => format!("[redis]\nurl = \"{}\"\n", server.url()),
            Self::Three(cluster) => format!("[redis]\ncluster = {:?}\n", cluster.urls()),
            Self::Elsewhere(url) => format!("[redis]\nurl = \"{url}\"\nresponse_timeout = \"2s\"\n"),
            Self::Private => String::new(),
        }
    }
}

/// How a house is built.
pub struct Plan {
    carriers: Vec<Network>,
    quotas: Vec<(Network, Quota)>,
    latency: Duration,
    redis: Redis,
    allow: bool,
    sandbox: String,
    pace: &'static str,
    lease: Duration,
    deadline: &'static str,
    calls_at_once: usize,
    request_timeout: &'static str,
    webhook: &'static str,
    more: String,
    log: &'static str,
}

impl Plan {
    /// A house with the sandbox, short days, and a receiver that may be reached.
    pub fn new() -> Self {
        Self {
            carriers: Vec::new(),
            quotas: Vec::new(),
            latency: Duration::ZERO,
            redis: Redis::Own,
            allow: true,
            sandbox: "day = \"500ms\"".to_owned(),
            pace: "150ms",
            lease: Duration::from_secs(2),
            deadline: "3s",
            calls_at_once: 64,
            request_timeout: "30s",
            webhook: "timeout = \"1s\"\nretry = [\"0s\", \"100ms\", \"200ms\", \"300ms\"]",
            more: String::new(),
            log: "debug",
        }
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

    /// With the quotas that these carriers publish, and with them.
    pub fn published(self, carriers: &[Network]) -> Self {
        let quotas: Vec<_> = carriers.iter().map(|network| (*network, demo::quota(*network))).collect();
        self.carriers(carriers).quotas(&quotas)
    }

    /// With carriers that take so long to answer.
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// With this store.
    pub fn redis(mut self, redis: Redis) -> Self {
        self.redis = redis;
        self
    }

    /// Length of a day of the sandbox.
    pub fn sandbox_day(mut self, day: &'static str) -> Self {
        self.sandbox = format!("day = \"{day}\"");
        self
    }

    /// Without the sandbox.
    pub fn no_sandbox(mut self) -> Self {
        self.sandbox = "enabled = false".to_owned();
        self
    }

    /// With this interval between polls of a parcel, in place of a very short one.
    pub fn pace(mut self, pace: &'static str) -> Self {
        self.pace = pace;
        self
    }

    /// Length of an account's lease.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// How long an ordered stop may take.
    pub fn deadline(mut self, deadline: &'static str) -> Self {
        self.deadline = deadline;
        self
    }

    /// Calls to carriers that may be in flight at once.
    pub fn calls_at_once(mut self, calls: usize) -> Self {
        self.calls_at_once = calls;
        self
    }

    /// How long a request to the API may take: by default so long that a busy machine needs no more.
    pub fn request_timeout(mut self, timeout: &'static str) -> Self {
        self.request_timeout = timeout;
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

    /// Builds it, starts its first daemon, and waits until that is ready.
    pub async fn open(self) -> House {
        let mut house = self.build().await;
        let daemon = house.daemon().await;
        house.daemons.push(daemon);
        house
    }

    /// Builds it without a daemon.
    pub async fn build(self) -> House {
        let options = |network| {
            let quota = self.quotas.iter().find(|(of, _)| *of == network);
            let quota = quota.map_or_else(Quota::none, |(_, quota)| quota.clone());
            Options { quota, latency: self.latency, ..Options::default() }
        };
        let world = Arc::new(World::with(&self.carriers, options).await);
        let redis = Servers::start(&self.redis).await;
        // A short path: a unix socket's is limited to about a hundred bytes.
        let mut folder = tempfile::Builder::new().prefix("wismo-it-").tempdir().unwrap();
        folder.disable_cleanup(std::env::var_os("WISMO_TEST_KEEP").is_some());
        let house = House { daemons: Vec::new(), world, redis, folder, plan: self };
        house.write_config("");
        house
    }

    fn settings(&self, allow: &str) -> String {
        let Self { webhook, sandbox, log, pace, deadline, calls_at_once, .. } = self;
        let lease = self.lease.as_millis();
        let mut text = format!(
            "[polling]\nlease = \"{lease}ms\"\nconcurrency = {calls_at_once}\ntick = \"20ms\"\njitter = 0.0\n[polling.intervals]\n"
        );
        for status in INTERVALS {
            let _ = writeln!(text, "{status} = \"{pace}\"");
        }
        let _ = write!(
            text,
            "[shutdown]\ndeadline = \"{deadline}\"\n[log]\nformat = \"json\"\nfilter = \"{log}\"\n[webhook]\n{allow}{webhook}\n[sandbox]\n{sandbox}\n{}\n",
            self.more
        );
        text
    }
}

/// The house. Everything in it ends with it.
pub struct House {
    /// Its daemons, as far as the test put them here.
    pub daemons: Vec<Daemon>,
    /// What is around them. All of it is at hand on the house itself, too.
    pub world: Arc<World>,
    /// The store's server.
    pub redis: Servers,
    /// Configuration, state and logs.
    pub folder: tempfile::TempDir,
    plan: Plan,
}

impl Deref for House {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        for daemon in &self.daemons {
            if failed {
                eprintln!("--- the daemon's last words:\n{}", daemon.last_words());
            } else if let Some(line) = self.leak(&daemon.log()) {
                panic!("a secret is in the log: {line}");
            }
        }
        self.daemons.clear();
        // The private server outlives a killed daemon on purpose: it must not outlive the test.
        if let Some(pid) = self.private_redis() {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

impl House {
    /// The first line of a log that holds a shop's key, a webhook's secret or a carrier's credential: no test of the
    /// suite ends well with one.
    fn leak(&self, log: &str) -> Option<String> {
        let own: Vec<&String> = self.stand_ins.iter().flat_map(|s| s.credentials.iter().map(|(_, v)| v)).collect();
        let held = |line: &str| {
            let written = |start: &str| {
                line.split(start).skip(1).any(|rest| rest.chars().take_while(char::is_ascii_alphanumeric).count() > 15)
            };
            written("wsk_") || written("whsec_") || own.iter().any(|value| value.len() > 11 && line.contains(*value))
        };
        log.lines().find(|line| held(line)).map(str::to_owned)
    }

    /// Writes the configuration; `more` is added to what the plan says.
    pub fn write_config(&self, more: &str) {
        let allow = if self.plan.allow { "allow_nets = [\"127.0.0.1/32\"]\n" } else { "" };
        self.write_config_with(allow, more);
    }

    /// The same with other words about allowed nets.
    pub fn write_config_with(&self, allow: &str, more: &str) {
        let (folder, timeout) = (self.folder.path().display(), self.plan.request_timeout);
        let mut text = format!(
            "state_dir = \"{folder}/state\"\nruntime_dir = \"{folder}\"\n[server]\nlisten = \"127.0.0.1:0\"\nrequest_timeout = \"{timeout}\"\nrate = 100000\nburst = 1000000\n"
        );
        text.push_str(&self.redis.settings());
        text.push_str(&self.plan.settings(allow));
        text.push_str(more);
        text.push('\n');
        for stand_in in &self.stand_ins {
            text.push_str(&account(stand_in));
        }
        fs::write(self.config(), text).unwrap();
    }

    /// The file of its configuration.
    pub fn config(&self) -> String {
        self.folder.path().join("wismo.toml").display().to_string()
    }

    /// Starts a daemon on this house's store and waits until it is ready.
    pub async fn daemon(&self) -> Daemon {
        let log = (0..100).map(|n| self.folder.path().join(format!("log-{n}"))).find(|log| !log.exists()).unwrap();
        Daemon::start(self.config(), log).await
    }

    /// The daemon of a house that has one.
    pub fn first(&self) -> &Daemon {
        &self.daemons[0]
    }

    /// Runs the program with this house's configuration.
    pub async fn wismo(&self, arguments: &[&str]) -> Output {
        let mut command = tokio::process::Command::new(WISMO);
        command.args(arguments).args(["--config", &self.config()]).kill_on_drop(true).output().await.unwrap()
    }

    /// Adds a shop by the command line, as an operator does.
    pub async fn shop(&self, name: &str) -> Shop {
        let output = self.wismo(&["shops", "add", name, "--json"]).await;
        assert!(output.status.success(), "{output:?}");
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        Shop::with_key(&self.first().base, told["key"].as_str().unwrap())
    }

    /// The private server that works on this house's data, by its working folder: exact, where a process id from a log
    /// may be somebody else's by now.
    pub fn private_redis(&self) -> Option<Pid> {
        let folder = self.folder.path().join("state/redis").canonicalize().ok()?;
        fs::read_dir("/proc").ok()?.flatten().find_map(|process| works_in(&process.path(), &folder))
    }
}

fn works_in(process: &Path, folder: &Path) -> Option<Pid> {
    let pid = process.file_name()?.to_str()?.parse().ok()?;
    (fs::read_link(process.join("cwd")).ok()? == folder).then(|| Pid::from_raw(pid))?
}

fn account(stand_in: &StandIn) -> String {
    let (code, url) = (stand_in.code, stand_in.base_url());
    let mut text = format!(
        "[accounts.{code}]\ncarrier = \"{code}\"\nbase_url = \"{url}\"\nshops = \"*\"\n[accounts.{code}.credentials]\n"
    );
    for (name, value) in &stand_in.credentials {
        let _ = writeln!(text, "{name} = \"{value}\"");
    }
    text
}
