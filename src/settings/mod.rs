//! Typed configuration: one struct a section, validated whole before anything is opened.
//!
//! `config/wismo.toml` is compiled in: it is the default and the reference of every key.

mod accounts;
mod load;
mod origins;
mod reach;
mod reader;
mod sections;
mod sources;
mod units;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use crate::model::{AccountName, ShopId, Status};

pub use load::{load, load_and_judge};
pub use reach::{Reach, ReadPlace, reach};
pub use reader::Problem;
pub use sources::Sources;

/// The default configuration, which documents every key.
pub const DEFAULT: &str = include_str!("../../config/wismo.toml");

/// Everything that can be configured.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "config/wismo.toml documents every key")]
pub struct Settings {
    pub state_dir: PathBuf,
    pub runtime_dir: PathBuf,
    pub master_key_file: Option<PathBuf>,
    pub server: Server,
    pub metrics: Metrics,
    pub redis: Redis,
    pub private_redis: PrivateRedis,
    pub carriers_dir: Option<PathBuf>,
    pub polling: Polling,
    pub delays: Delays,
    pub webhook: Webhook,
    pub retention: Retention,
    pub sandbox: Sandbox,
    pub shutdown_deadline: Duration,
    pub log: Log,
    pub accounts: BTreeMap<AccountName, Account>,
}

/// `[server]`
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "config/wismo.toml documents every key")]
pub struct Server {
    pub listen: SocketAddr,
    pub request_timeout: Duration,
    pub max_body: usize,
    pub rate: std::num::NonZeroU32,
    pub burst: std::num::NonZeroU32,
}

/// `[metrics]`
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "config/wismo.toml documents every key")]
pub struct Metrics {
    pub listen: Option<SocketAddr>,
}

/// `[redis]`
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "config/wismo.toml documents every key")]
pub struct Redis {
    pub url: Option<SecretString>,
    pub cluster: Vec<SecretString>,
    pub connect_timeout: Duration,
    pub response_timeout: Duration,
}

/// `[private_redis]`
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "config/wismo.toml documents every key")]
pub struct PrivateRedis {
    pub program: Option<PathBuf>,
    pub max_memory: MaxMemory,
}

/// How much memory the private server may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxMemory {
    /// Half of the machine's.
    Half,
    /// As much as there is.
    Unlimited,
    /// So many bytes.
    Bytes(u64),
}

/// `[polling]`
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "config/wismo.toml documents every key")]
pub struct Polling {
    pub lease: Duration,
    pub concurrency: usize,
    pub tick: Duration,
    pub jitter: f64,
    pub intervals: BTreeMap<Status, Duration>,
    pub ended: Duration,
    pub ended_for: Duration,
    pub delivered: Duration,
    pub delivered_for: Duration,
    pub retry: Duration,
}

/// `[delays]`
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "config/wismo.toml documents every key")]
pub struct Delays {
    pub not_handed_over: u32,
    pub stalled_domestic: u32,
    pub stalled_international: u32,
    pub expire: Duration,
    pub day: Duration,
}

/// `[webhook]`
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "config/wismo.toml documents every key")]
pub struct Webhook {
    pub allow_nets: Vec<IpNet>,
    pub extra_ports: Vec<u16>,
    pub timeout: Duration,
    pub claim_margin: Duration,
    pub per_endpoint: usize,
    pub concurrency: usize,
    pub retry: Vec<Duration>,
    pub max_age: Duration,
}

/// `[retention]`
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "config/wismo.toml documents every key")]
pub struct Retention {
    pub changes: Duration,
    pub finished: Duration,
    pub dead: Duration,
    pub answers: Duration,
}

/// `[sandbox]`
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "config/wismo.toml documents every key")]
pub struct Sandbox {
    pub enabled: bool,
    pub day: Duration,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Human on a terminal, JSON otherwise.
    Auto,
    /// For eyes.
    Human,
    /// For journald and machines.
    Json,
}

/// `[log]`
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "config/wismo.toml documents every key")]
pub struct Log {
    pub format: LogFormat,
    pub filter: String,
}

/// Who may use an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shops {
    /// Everybody.
    All,
    /// These.
    Only(Vec<ShopId>),
}

impl Shops {
    /// Whether this shop may.
    #[must_use]
    pub fn admits(&self, shop: &ShopId) -> bool {
        match self {
            Self::All => true,
            Self::Only(shops) => shops.contains(shop),
        }
    }
}

/// A window of an account's quota, where the contract differs from what the carrier publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Calls allowed in it.
    pub calls: u32,
    /// Its length.
    pub per: Duration,
    /// Zone at whose midnight it starts anew; none: it rolls.
    pub reset: Option<String>,
}

/// An account's own limits; what is absent is as the carrier publishes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountLimits {
    /// Calls a second.
    pub per_second: Option<u32>,
    /// Calls at once.
    pub concurrent: Option<u32>,
    /// Numbers in one call.
    pub numbers_per_call: Option<u32>,
    /// Longer windows.
    pub windows: Option<Vec<Window>>,
    /// Least time between two polls of one parcel.
    pub per_parcel: Option<Duration>,
}

/// `[accounts.NAME]`
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "config/wismo.toml documents every key")]
pub struct Account {
    pub carrier: String,
    pub environment: String,
    pub base_url: Option<String>,
    pub language: Option<String>,
    pub credentials: BTreeMap<String, SecretString>,
    pub limits: AccountLimits,
    pub shops: Shops,
}
