//! Each section from its table, and the rules between sections.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use tracing_subscriber::EnvFilter;

use super::reader::Reader;
use super::sources::Sources;
use super::units::{DAY, HOUR, MINUTE, MS, SECOND};
use super::{
    Delays, Log, LogFormat, MaxMemory, Metrics, Polling, PrivateRedis, Redis, Retention, Sandbox, Server, Settings,
    Webhook, units,
};
use crate::model::Status;
use crate::spelling::nearest;

/// The least memory that a private server is given.
const LEAST_MEMORY: u64 = 32 << 20;

/// Everything, or nothing when a key is wrong (the reader then holds why).
pub(super) fn settings(root: &Reader<'_>, sources: &Sources) -> Option<Settings> {
    let folders = root.text("state_dir").zip(root.text("runtime_dir"));
    let folders = folders.map(|(state, runtime)| self::folders(&state, &runtime, sources));
    let master_key_file = root.given("master_key_file").map(PathBuf::from).or_else(|| {
        let file = Path::new(sources.variable("CREDENTIALS_DIRECTORY")?).join("master-key");
        file.exists().then_some(file)
    });
    let carriers = root.section("carriers");
    let carriers_dir = carriers.given("dir").map(PathBuf::from);
    carriers.finish();
    let shutdown = root.section("shutdown");
    let shutdown_deadline = shutdown.duration("deadline", MS * 100, HOUR);
    shutdown.finish();
    let (server, metrics, redis, private_redis) = (server(root), metrics(root), redis(root), private_redis(root));
    let (polling, delays) = (polling(root), delays(root));
    let (webhook, retention, sandbox, log) = (webhook(root), retention(root), sandbox(root), log(root));
    if let (Some(webhook), Some(retention)) = (&webhook, &retention) {
        let span: Duration = webhook.retry.iter().sum();
        if retention.changes < span + 7 * DAY {
            let (kept, tried) = (retention.changes.as_secs() / 3600, span.as_secs() / 3600);
            let section = root.section("retention");
            if section.is_default("changes") {
                let message = format!(
                    "takes {tried} hours in all: changes are kept for {kept} hours (retention.changes), and that must be 7 days more"
                );
                root.section("webhook").wrong("retry", message);
            } else {
                let message = format!(
                    "{kept} hours is too short: webhook.retry takes {tried} hours in all, and 7 days more are kept for replay"
                );
                section.wrong("changes", message);
            }
        }
    }
    let accounts = super::accounts::accounts(root, sources);
    let (state_dir, runtime_dir) = folders?;
    Some(Settings {
        state_dir,
        runtime_dir,
        master_key_file,
        server: server?,
        metrics: metrics?,
        redis: redis?,
        private_redis: private_redis?,
        carriers_dir,
        polling: polling?,
        delays: delays?,
        webhook: webhook?,
        retention: retention?,
        sandbox: sandbox?,
        shutdown_deadline: shutdown_deadline?,
        log: log?,
        accounts,
    })
}

/// The state folder and the folder for sockets, from what is configured for them.
pub(super) fn folders(state_dir: &str, runtime_dir: &str, sources: &Sources) -> (PathBuf, PathBuf) {
    let state = self::state_dir(state_dir, sources);
    let runtime = match (runtime_dir, sources.variable("RUNTIME_DIRECTORY")) {
        ("", Some(systemd)) => PathBuf::from(systemd),
        ("", None) => state.join("run"),
        (given, _) => PathBuf::from(given),
    };
    (state, runtime)
}

fn state_dir(given: &str, sources: &Sources) -> PathBuf {
    if !given.is_empty() {
        return PathBuf::from(given);
    }
    if let Some(systemd) = sources.variable("STATE_DIRECTORY") {
        return PathBuf::from(systemd);
    }
    let home = sources.variable("HOME").unwrap_or("/var/lib");
    sources.variable("XDG_STATE_HOME").map_or_else(|| Path::new(home).join(".local/state"), PathBuf::from).join("wismo")
}

fn server(root: &Reader<'_>) -> Option<Server> {
    let s = root.section("server");
    let listen = s.listen("listen");
    let request_timeout = s.duration("request_timeout", MS * 100, HOUR);
    let max_body = s.number("max_body", 1024..=64 * 1024 * 1024);
    let rate = s.number("rate", 1..=100_000);
    let burst = s.number("burst", 1..=1_000_000);
    s.finish();
    Some(Server {
        listen: listen?,
        request_timeout: request_timeout?,
        max_body: usize::try_from(max_body?).ok()?,
        rate: u32::try_from(rate?).ok()?.try_into().ok()?,
        burst: u32::try_from(burst?).ok()?.try_into().ok()?,
    })
}

fn metrics(root: &Reader<'_>) -> Option<Metrics> {
    let s = root.section("metrics");
    let listen = match s.given("listen") {
        None => Some(None),
        Some(_) => s.listen("listen").map(Some),
    };
    s.finish();
    Some(Metrics { listen: listen? })
}

fn redis(root: &Reader<'_>) -> Option<Redis> {
    let s = root.section("redis");
    let address = |text: &str| {
        let known = ["redis://", "rediss://", "unix://", "redis+unix://", "valkey://"];
        if known.iter().any(|start| text.starts_with(start)) {
            Ok(SecretString::from(text))
        } else {
            Err("a Redis address starts with redis://, rediss:// or unix://".to_owned())
        }
    };
    let url = s.given("url").and_then(|text| address(&text).map_err(|message| s.wrong("url", message)).ok());
    let cluster = s.list("cluster", address);
    // Read by the command line alone (`reach`); checked here, so that `wismo check` tells what is wrong with it.
    s.list("reader", address);
    if url.is_some() && cluster.as_ref().is_some_and(|nodes| !nodes.is_empty()) {
        s.wrong("cluster", "give either url or cluster, not both");
    }
    let connect_timeout = s.duration("connect_timeout", MS * 10, MINUTE);
    let response_timeout = s.duration("response_timeout", MS * 10, MINUTE);
    s.finish();
    Some(Redis { url, cluster: cluster?, connect_timeout: connect_timeout?, response_timeout: response_timeout? })
}

fn private_redis(root: &Reader<'_>) -> Option<PrivateRedis> {
    let s = root.section("private_redis");
    let program = s.given("program").map(PathBuf::from);
    let max_memory = match s.text("max_memory").as_deref() {
        Some("half") => Some(MaxMemory::Half),
        Some("none") => Some(MaxMemory::Unlimited),
        Some(text) => match units::bytes(text) {
            Ok(bytes) if bytes >= LEAST_MEMORY => Some(MaxMemory::Bytes(bytes)),
            Ok(_) => {
                s.wrong(
                    "max_memory",
                    format!("{text:?} is too little for a server that holds anything: 32mb at least"),
                );
                None
            }
            Err(message) => {
                s.wrong("max_memory", message);
                None
            }
        },
        None => None,
    };
    s.finish();
    Some(PrivateRedis { program, max_memory: max_memory? })
}

fn polling(root: &Reader<'_>) -> Option<Polling> {
    let s = root.section("polling");
    let lease = s.duration("lease", MS * 500, HOUR);
    let concurrency = s.number("concurrency", 1..=10_000);
    let tick = s.duration("tick", MS * 10, MINUTE);
    let jitter = s.fraction("jitter", 0.0, 0.5);
    let i = s.section("intervals");
    let every = |name: &str| i.duration(name, MS * 50, 365 * DAY);
    let polled = [
        Status::Pending,
        Status::InfoReceived,
        Status::InTransit,
        Status::OutForDelivery,
        Status::AvailableForPickup,
        Status::AttemptFailed,
        Status::Exception,
        Status::ReturnToSender,
    ];
    let intervals: BTreeMap<Status, Duration> =
        polled.into_iter().filter_map(|status| Some((status, every(status.name())?))).collect();
    let (ended, ended_for) = (every("ended"), every("ended_for"));
    let (delivered, delivered_for, retry) = (every("delivered"), every("delivered_for"), every("retry"));
    i.finish();
    s.finish();
    Some(Polling {
        lease: lease?,
        concurrency: usize::try_from(concurrency?).ok()?,
        tick: tick?,
        jitter: jitter?,
        intervals,
        ended: ended?,
        ended_for: ended_for?,
        delivered: delivered?,
        delivered_for: delivered_for?,
        retry: retry?,
    })
}

fn delays(root: &Reader<'_>) -> Option<Delays> {
    let s = root.section("delays");
    let days = |name| s.number(name, 1..=365).and_then(|days| u32::try_from(days).ok());
    let (not_handed_over, stalled_domestic, stalled_international) =
        (days("not_handed_over"), days("stalled_domestic"), days("stalled_international"));
    let expire = s.duration("expire", MS * 100, 365 * DAY);
    let day = s.duration("day", MS * 10, DAY);
    s.finish();
    Some(Delays {
        not_handed_over: not_handed_over?,
        stalled_domestic: stalled_domestic?,
        stalled_international: stalled_international?,
        expire: expire?,
        day: day?,
    })
}

fn webhook(root: &Reader<'_>) -> Option<Webhook> {
    let s = root.section("webhook");
    let allow_nets = s.list("allow_nets", |text| {
        text.parse().map_err(|_| format!("{text:?} is no network: write 10.1.2.0/24 or 127.0.0.1/32"))
    });
    let extra_ports = s.list("extra_ports", |text| text.parse().map_err(|_| format!("{text:?} is no port")));
    let timeout = s.duration("timeout", MS * 100, 5 * MINUTE);
    let claim_margin = s.duration("claim_margin", SECOND, 10 * MINUTE);
    let per_endpoint = s.number("per_endpoint", 1..=1000);
    let concurrency = s.number("concurrency", 1..=10_000);
    let retry = s.list("retry", units::duration);
    if retry.as_ref().is_some_and(Vec::is_empty) {
        s.wrong("retry", "one wait at least belongs here: the first is the wait before the first attempt");
    }
    let max_age = s.duration("max_age", SECOND, 365 * DAY);
    s.finish();
    Some(Webhook {
        allow_nets: allow_nets?,
        extra_ports: extra_ports?,
        timeout: timeout?,
        claim_margin: claim_margin?,
        per_endpoint: usize::try_from(per_endpoint?).ok()?,
        concurrency: usize::try_from(concurrency?).ok()?,
        retry: retry?,
        max_age: max_age?,
    })
}

fn retention(root: &Reader<'_>) -> Option<Retention> {
    let s = root.section("retention");
    let long = |name| s.duration(name, MINUTE, 3650 * DAY);
    let (changes, finished, dead) = (long("changes"), long("finished"), long("dead"));
    let answers = s.duration("answers", Duration::ZERO, 365 * DAY);
    s.finish();
    Some(Retention { changes: changes?, finished: finished?, dead: dead?, answers: answers? })
}

fn sandbox(root: &Reader<'_>) -> Option<Sandbox> {
    let s = root.section("sandbox");
    let enabled = s.flag("enabled");
    let day = s.duration("day", MS * 10, DAY);
    s.finish();
    Some(Sandbox { enabled: enabled?, day: day? })
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Why the log would not start with this filter, or would say nothing: a misspelt level counts as a module's name.
fn wrong_filter(text: &str) -> Option<String> {
    if let Err(error) = EnvFilter::try_new(text) {
        return Some(format!("{text:?} is no filter ({error}): write info, or warn,wismo=debug"));
    }
    let words = text.split(',').map(|word| word.trim().to_ascii_lowercase());
    words.filter(|word| !word.contains('=')).find_map(|word| {
        let near = nearest(&word, LEVELS).filter(|near| *near != word)?;
        Some(format!("{word:?} is no level: did you mean {near:?}?"))
    })
}

fn log(root: &Reader<'_>) -> Option<Log> {
    let s = root.section("log");
    let format = s.text("format").and_then(|text| match text.as_str() {
        "auto" => Some(LogFormat::Auto),
        "human" => Some(LogFormat::Human),
        "json" => Some(LogFormat::Json),
        other => {
            s.wrong("format", format!("{other:?} is none of auto, human, json"));
            None
        }
    });
    let filter = s.text("filter").filter(|text| {
        let wrong = wrong_filter(text);
        let right = wrong.is_none();
        if let Some(wrong) = wrong {
            s.wrong("filter", wrong);
        }
        right
    });
    s.finish();
    Some(Log { format: format?, filter: filter? })
}
