//! Figures for Prometheus: what was done, counted where it is done, and what stands, looked at now and then.
//!
//! Labels are few and bounded: carriers, accounts, outcomes, types. Never a shop, a number, an endpoint or a URL.

use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// What `/metrics` answers with.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;
type Counters = Family<Labels, Counter>;
type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;
type Histograms = Family<Labels, Histogram>;

/// Bounds of times, in seconds: from a store on this machine to a carrier that is nearly given up.
const SECONDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];
/// Bounds of the time from a change to its arrival.
const LATENCY: [f64; 11] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 600.0, 3600.0, 86400.0];

/// Every figure of this process.
struct Figures {
    registry: Registry,
    calls: Counters,
    call_seconds: Histograms,
    polls: Counters,
    unmapped: Counters,
    quota_used: Gauges,
    tracked: Gauges,
    due: Gauges,
    due_lag: Gauges,
    paused: Gauges,
    changes: Counters,
    attempts: Counters,
    attempt_seconds: Histogram,
    latency_seconds: Histogram,
    pending: Gauge,
    oldest_seconds: Gauge<f64, AtomicU64>,
    dead: Gauge,
    redis_up: Gauge,
    redis_commands: Counter,
    redis_errors: Counters,
    redis_seconds: Histogram,
    reload_good: Gauge,
    stale_definitions: Gauge,
    requests: Counters,
    resident: Gauge,
    descriptors: Gauge,
}

static FIGURES: LazyLock<Figures> = LazyLock::new(Figures::new);

impl Figures {
    fn new() -> Self {
        let seconds = || Histogram::new(SECONDS);
        let mut figures = Self {
            registry: Registry::with_prefix("wismo"),
            calls: Counters::default(),
            call_seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            polls: Counters::default(),
            unmapped: Counters::default(),
            quota_used: Gauges::default(),
            tracked: Gauges::default(),
            due: Gauges::default(),
            due_lag: Gauges::default(),
            paused: Gauges::default(),
            changes: Counters::default(),
            attempts: Counters::default(),
            attempt_seconds: seconds(),
            latency_seconds: Histogram::new(LATENCY),
            pending: Gauge::default(),
            oldest_seconds: Gauge::default(),
            dead: Gauge::default(),
            redis_up: Gauge::default(),
            redis_commands: Counter::default(),
            redis_errors: Counters::default(),
            redis_seconds: seconds(),
            reload_good: Gauge::default(),
            stale_definitions: Gauge::default(),
            requests: Counters::default(),
            resident: Gauge::default(),
            descriptors: Gauge::default(),
        };
        figures.reload_good.set(1);
        figures.register();
        figures
    }

    fn register(&mut self) {
        let start = Gauge::<i64>::default();
        start.set(crate::clock::now().as_second());
        let build = Gauges::default();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        build.get_or_create(&vec![("version", version)]).set(1.0);
        let r = &mut self.registry;
        r.register("build_info", "1, with the version", build);
        r.register_with_unit("start_time", "When this process started", Unit::Seconds, start);
        r.register("carrier_requests", "Calls to carriers by outcome", self.calls.clone());
        let help = "Time from the sending of a call to its whole answer";
        r.register_with_unit("carrier_request_duration", help, Unit::Seconds, self.call_seconds.clone());
        r.register("polls", "Parcels that a carrier was asked about, by what it said of them", self.polls.clone());
        r.register("unmapped_codes", "Scans with a code that the carrier's table does not know", self.unmapped.clone());
        let help = "Part of a long quota window that is used, as last reserved";
        r.register("quota_used_ratio", help, self.quota_used.clone());
        r.register("tracked_parcels", "Parcels that wait for a poll, soon or late", self.tracked.clone());
        r.register("due_parcels", "Parcels whose poll is due", self.due.clone());
        let help = "Since when the longest waiting poll is due";
        r.register_with_unit("due_lag", help, Unit::Seconds, self.due_lag.clone());
        r.register("account_paused", "1 while an account is not polled because of a failure", self.paused.clone());
        r.register("changes", "Changes stored, by type", self.changes.clone());
        r.register("webhook_attempts", "Attempts to deliver, by outcome", self.attempts.clone());
        let help = "Time of one attempt";
        r.register_with_unit("webhook_duration", help, Unit::Seconds, self.attempt_seconds.clone());
        let help = "Time from the storing of a change to its arrival";
        r.register_with_unit("webhook_latency", help, Unit::Seconds, self.latency_seconds.clone());
        r.register("webhook_pending", "Changes that wait to be delivered", self.pending.clone());
        let help = "Age of the oldest change that waits to be delivered";
        r.register_with_unit("webhook_oldest_age", help, Unit::Seconds, self.oldest_seconds.clone());
        r.register("webhook_dead", "Deliveries that were given up and are listed", self.dead.clone());
        r.register("redis_up", "1 while Redis answers", self.redis_up.clone());
        r.register("redis_commands", "Commands and scripts sent", self.redis_commands.clone());
        r.register("redis_errors", "Commands that failed, repeats included, by kind", self.redis_errors.clone());
        let help = "Time of one round trip, of many commands where they were sent together";
        r.register_with_unit("redis_duration", help, Unit::Seconds, self.redis_seconds.clone());
        r.register("config_last_reload_successful", "0 after a reload was refused", self.reload_good.clone());
        r.register(
            "stale_definitions",
            "Carriers that go by an old definition, since their new one is broken",
            self.stale_definitions.clone(),
        );
        r.register("api_requests", "Requests to the API, by route and status", self.requests.clone());
        r.register_with_unit("resident_memory", "Resident memory", Unit::Bytes, self.resident.clone());
        r.register("open_descriptors", "Open file descriptors", self.descriptors.clone());
    }
}

/// A carrier was called. `operation`: `track` or `token`.
pub fn carrier_call(carrier: &str, operation: &'static str, outcome: &str, took: Duration) {
    let labels = vec![("carrier", carrier.to_owned()), ("operation", operation.to_owned())];
    FIGURES.call_seconds.get_or_create(&labels).observe(took.as_secs_f64());
    FIGURES.calls.get_or_create(&[labels, vec![("outcome", outcome.to_owned())]].concat()).inc();
}

/// A carrier was asked about a parcel, and said so much of it.
pub fn poll(carrier: &str, outcome: &str) {
    FIGURES.polls.get_or_create(&vec![("carrier", carrier.to_owned()), ("outcome", outcome.to_owned())]).inc();
}

/// So many new scans have codes that the carrier's table does not know.
pub fn unmapped(carrier: &str, count: u64) {
    if count > 0 {
        FIGURES.unmapped.get_or_create(&vec![("carrier", carrier.to_owned())]).inc_by(count);
    }
}

/// A long window of an account is used to this part.
pub fn quota_used(account: &str, window: Duration, part: f64) {
    let window = format!("{}s", window.as_secs());
    FIGURES.quota_used.get_or_create(&vec![("account", account.to_owned()), ("window", window)]).set(part);
}

/// How an account stands.
pub fn account(account: &str, tracked: u64, due: u64, lag: Duration, paused: bool) {
    let labels = vec![("account", account.to_owned())];
    #[expect(clippy::cast_precision_loss, reason = "counts of parcels are small beside 2^53")]
    {
        FIGURES.tracked.get_or_create(&labels).set(tracked as f64);
        FIGURES.due.get_or_create(&labels).set(due as f64);
    }
    FIGURES.due_lag.get_or_create(&labels).set(lag.as_secs_f64());
    FIGURES.paused.get_or_create(&labels).set(f64::from(u8::from(paused)));
}

/// A change of this type was stored.
pub fn change(kind: &str) {
    FIGURES.changes.get_or_create(&vec![("type", kind.to_owned())]).inc();
}

/// A delivery was attempted.
pub fn webhook_attempt(outcome: &'static str) {
    FIGURES.attempts.get_or_create(&vec![("outcome", outcome.to_owned())]).inc();
}

/// An attempt took so long.
pub fn webhook_took(time: Duration) {
    FIGURES.attempt_seconds.observe(time.as_secs_f64());
}

/// A change arrived so long after it was stored.
pub fn webhook_arrived(latency: Duration) {
    FIGURES.latency_seconds.observe(latency.as_secs_f64());
}

/// What waits to be delivered, how old the oldest of it is, and what was given up.
pub fn deliveries(pending: u64, oldest: Duration, dead: u64) {
    FIGURES.pending.set(i64::try_from(pending).unwrap_or(i64::MAX));
    FIGURES.oldest_seconds.set(oldest.as_secs_f64());
    FIGURES.dead.set(i64::try_from(dead).unwrap_or(i64::MAX));
}

/// Redis answers, or does not.
pub fn redis_up(up: bool) {
    FIGURES.redis_up.set(i64::from(up));
}

/// So many commands were sent together; nothing: they were answered; else the kind of error.
pub fn redis(commands: usize, took: Duration, error: Option<&str>) {
    FIGURES.redis_commands.inc_by(u64::try_from(commands).unwrap_or(u64::MAX));
    FIGURES.redis_seconds.observe(took.as_secs_f64());
    if let Some(kind) = error {
        FIGURES.redis_errors.get_or_create(&vec![("kind", kind.to_owned())]).inc();
    }
}

/// A reload was taken over or refused.
pub fn reloaded(good: bool) {
    FIGURES.reload_good.set(i64::from(good));
}

/// So many carriers go by an old definition, since their new one is broken.
pub fn stale_definitions(count: usize) {
    FIGURES.stale_definitions.set(i64::try_from(count).unwrap_or(i64::MAX));
}

/// The API answered a request to this route.
pub fn request(route: &str, status: u16) {
    let labels = vec![("route", route.to_owned()), ("status", status.to_string())];
    FIGURES.requests.get_or_create(&labels).inc();
}

/// Everything, as text for Prometheus.
#[must_use]
pub fn render() -> String {
    look_at_process();
    let mut text = String::new();
    // Writing to a text cannot fail.
    let _ = encode(&mut text, &FIGURES.registry);
    text
}

/// From `/proc`, which the unit lets a process see of itself.
fn look_at_process() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: Option<i64> = resident.and_then(|text| text.split_whitespace().next()?.parse().ok());
    if let Some(kib) = kib {
        FIGURES.resident.set(kib.saturating_mul(1024));
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        FIGURES.descriptors.set(i64::try_from(open.count()).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_in_the_text_format() {
        carrier_call("testers", "track", "ok", Duration::from_millis(20));
        poll("testers", "not_found");
        account("a1", 5, 2, Duration::from_secs(3), false);
        webhook_attempt("delivered");
        redis(3, Duration::from_millis(1), Some("timeout"));
        request("/v1/trackers", 201);
        let text = render();
        for line in [
            "wismo_carrier_requests_total{carrier=\"testers\",operation=\"track\",outcome=\"ok\"} 1",
            "wismo_carrier_request_duration_seconds_count{carrier=\"testers\",operation=\"track\"} 1",
            "wismo_polls_total{carrier=\"testers\",outcome=\"not_found\"} 1",
            "wismo_due_parcels{account=\"a1\"} 2.0",
            "wismo_due_lag_seconds{account=\"a1\"} 3.0",
            "wismo_redis_errors_total{kind=\"timeout\"} 1",
            "wismo_api_requests_total{route=\"/v1/trackers\",status=\"201\"} 1",
            "wismo_config_last_reload_successful 1",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert!(text.contains("wismo_resident_memory_bytes ") && text.trim_end().ends_with("# EOF"));
    }
}
