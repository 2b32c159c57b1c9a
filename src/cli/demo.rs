//! `wismo demo`: the real daemon, real sockets, a private Redis, simulated carriers, and a shop that prints what it
//! hears. At the end an auditor, who knows only the carriers' and the shop's ledgers, says whether all went well.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{UNAVAILABLE, fail, output, runtime};
use crate::daemon::{self, Controls, DaemonError, Started};
use crate::settings::{self, Sources};
use crate::simulator::audit::{Audited, Books, Report};
use crate::simulator::carriers::{self, Options, StandIn};
use crate::simulator::demo::{self, Cast, Narrator, Script};
use crate::simulator::receiver::Receiver;
use crate::simulator::sabotage::{self, Sabotage};
use crate::simulator::time::{Moment, SimClock};
use crate::simulator::world::{Network, World};
use crate::telemetry;

/// The shop of the demonstration, and the last part of its endpoint's address.
const SHOP: &str = "demo";
/// Longest wait for the daemon to be ready, and for the last webhooks after the end.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Args)]
#[command(
    after_help = "Examples:\n  wismo demo                          a minute, told line by line\n  wismo demo --seconds 30 --json      the auditor's figures alone\n  wismo demo --sabotage drop          is the auditor awake? exit code 1"
)]
pub struct DemoArgs {
    /// How long the parcels' lives take together
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=3600))]
    seconds: u64,
    /// Print only the summary, as one JSON object
    #[arg(long)]
    json: bool,
    /// Spoil something on purpose: the matching figure turns wrong and the exit code is 1
    #[arg(long, value_enum)]
    sabotage: Option<Spoil>,
    /// Which of the possible demonstrations
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keep the daemon's log on standard error at this level
    #[arg(long, default_value = "off", value_name = "FILTER")]
    log: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Spoil {
    /// A webhook vanishes on its way
    Drop,
    /// Two webhooks of one parcel change places
    Swap,
    /// A webhook is changed on its way
    Forge,
    /// Somebody calls a carrier in the account's name beyond its quota
    Overcall,
}

/// Runs the demonstration. Exit code 0 only if everything was delivered, verified, and within quota.
pub fn run(args: &DemoArgs) -> ExitCode {
    let log = settings::Log { format: settings::LogFormat::Auto, filter: args.log.clone() };
    if let Err(error) = telemetry::start(&log) {
        return fail(super::USAGE, error);
    }
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let report = runtime.block_on(play(args));
    runtime.shutdown_timeout(Duration::from_secs(1));
    match report {
        Ok(report) => {
            if args.json {
                output::json(&serde_json::to_value(&report).unwrap_or_default());
            } else {
                output::line(report.summary());
            }
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(error) => fail(UNAVAILABLE, format!("the demonstration broke off: {error:#}")),
    }
}

/// The simulated world: carriers and the shop's receiver.
struct Stage {
    clock: SimClock,
    carriers: Vec<StandIn>,
    receiver: Receiver,
    script: Script,
}

async fn play(args: &DemoArgs) -> anyhow::Result<Report> {
    let folder = Folder::new()?;
    let stop = CancellationToken::new();
    let stage = set_up(args, &stop).await?;
    let config = folder.0.join("wismo.toml");
    std::fs::write(&config, configuration(&folder.0, &stage))?;
    let settings = settings::load(&Sources { file: Some(config), environment: Vec::new() })
        .map_err(|problems| anyhow!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))?;
    let (told, mut milestones) = mpsc::channel(4);
    let (_, reload) = mpsc::channel(1);
    let stop_daemon = CancellationToken::new();
    let controls = Controls {
        stop: stop_daemon.clone(),
        reload,
        reread: Box::new(|_| Err(Vec::new())),
        started: Some(told),
        service: Arc::default(),
    };
    let mut running = tokio::spawn(daemon::run(settings, controls));
    let outcome = tokio::select! {
        ended = &mut running => Err(early_end(ended)),
        report = act(args, &stage, &mut milestones) => report,
        _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
    };
    stop_daemon.cancel();
    if !running.is_finished() {
        let _ = tokio::time::timeout(PATIENCE, running).await;
    }
    stop.cancel();
    outcome
}

fn early_end(ended: Result<Result<(), DaemonError>, tokio::task::JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow!("the daemon stopped by itself"),
        Ok(Err(DaemonError::Settings(problems))) => {
            anyhow!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        }
        Ok(Err(error)) => error.into(),
        Err(error) => error.into(),
    }
}

/// A folder in the temporary one, removed at the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let mut name = [0_u8; 6];
        getrandom::fill(&mut name).map_err(|error| anyhow!("no random numbers: {error}"))?;
        // A short path: a unix socket's is limited to about a hundred bytes.
        let path = std::env::temp_dir().join(format!("wismo-{}", data_encoding::HEXLOWER.encode(&name)));
        std::fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn set_up(args: &DemoArgs, stop: &CancellationToken) -> anyhow::Result<Stage> {
    let clock = SimClock::start();
    // Lives begin once the daemon is up and the parcels are registered.
    let begin = clock.now().plus(Duration::from_secs(3));
    let script = demo::script(clock, begin, Duration::from_secs(args.seconds), args.seed);
    let mut stand_ins = Vec::new();
    for network in Network::ALL {
        let options = Options { quota: demo::quota(network), ..Options::default() };
        let world = Arc::new(World::new(clock));
        let stand_in = match network {
            Network::LaPoste => carriers::laposte::start(world, options, stop.clone()).await,
            Network::FedEx => carriers::fedex::start(world, options, stop.clone()).await,
            Network::Ups => carriers::ups::start(world, options, stop.clone()).await,
            Network::MondialRelay => carriers::mondialrelay::start(world, options, stop.clone()).await,
        }?;
        script.stage(network, &stand_in);
        stand_ins.push(stand_in);
    }
    let narrator = Narrator::new(clock, stand_ins.clone());
    let listener = (!args.json).then(|| -> crate::simulator::receiver::Listener {
        Arc::new(move |arrival| output::line(narrator.line(arrival)))
    });
    let receiver = Receiver::start(clock, 0, listener, stop.clone()).await?;
    Ok(Stage { clock, carriers: stand_ins, receiver, script })
}

/// The daemon's configuration: as a real one, but with short days, quick polls, and stand-ins in the carriers' places.
fn configuration(folder: &Path, stage: &Stage) -> String {
    let day = stage.script.day.as_millis();
    let folder = folder.display();
    let mut text = format!(
        r#"state_dir = "{folder}/state"
runtime_dir = "{folder}"
[server]
listen = "127.0.0.1:0"
[polling]
tick = "50ms"
jitter = 0.05
[polling.intervals]
pending = "1s"
info_received = "1s"
in_transit = "1s"
out_for_delivery = "500ms"
available_for_pickup = "1s"
attempt_failed = "1s"
exception = "1s"
return_to_sender = "1s"
ended = "2s"
delivered = "2s"
retry = "500ms"
[delays]
day = "{day}ms"
[webhook]
allow_nets = ["127.0.0.1/32"]
retry = ["0s", "200ms", "500ms", "1s", "2s", "5s"]
[sandbox]
enabled = false
[shutdown]
deadline = "5s"
"#
    );
    for stand_in in &stage.carriers {
        let (code, url) = (stand_in.code, stand_in.base_url());
        let _ = write!(
            text,
            "[accounts.{code}]\ncarrier = \"{code}\"\nbase_url = \"{url}\"\nshops = [\"{SHOP}\"]\n[accounts.{code}.credentials]\n"
        );
        for (name, value) in &stand_in.credentials {
            let _ = writeln!(text, "{name} = \"{value}\"");
        }
    }
    text
}

/// Registers the cast, lets their lives happen, and audits.
async fn act(args: &DemoArgs, stage: &Stage, milestones: &mut mpsc::Receiver<Started>) -> anyhow::Result<Report> {
    let (mut address, mut store) = (None, None);
    while address.is_none() || store.is_none() {
        match tokio::time::timeout(PATIENCE, milestones.recv()).await.context("the daemon is not ready")? {
            Some(Started::Listening(listening)) => address = Some(listening),
            Some(Started::Ready(ready)) => store = Some(ready),
            None => bail!("the daemon stopped while it started"),
        }
    }
    let (Some(address), Some(store)) = (address, store) else { bail!("the daemon did not start") };
    let key = store.add_shop(&SHOP.parse()?).await?;
    let shop = Shop { base: format!("http://{address}"), key: key.expose().to_owned(), client: client()? };
    let endpoint = shop.post("/v1/endpoints", &json!({"url": stage.receiver.url(SHOP)})).await?;
    let secret = endpoint["secret"].as_str().context("the endpoint's answer holds no secret")?;
    stage.receiver.expect(SHOP, secret);
    if !args.json {
        output::line(format!(
            "A shop registers {} parcels at four carriers; webhooks arrive as the parcels move.\n",
            stage.script.cast.len()
        ));
    }
    // Before the parcels: on a slow machine, all may be told when the last of them is registered.
    let spoiling = spoil(args, stage);
    for cast in &stage.script.cast {
        shop.register(cast).await?;
        if let Some(stand_in) = stage.carriers.iter().find(|stand_in| stand_in.code == cast.parcel.network.code()) {
            stand_in.ledger.await_number(&cast.parcel.number);
        }
    }
    Ok(finish(args, stage, spoiling).await)
}

/// Sends the saboteur when a third of the time has passed.
fn spoil(args: &DemoArgs, stage: &Stage) -> Option<JoinHandle<()>> {
    let what = match args.sabotage? {
        Spoil::Drop => Sabotage::Drop,
        Spoil::Swap => Sabotage::Swap,
        Spoil::Forge => Sabotage::Forge,
        Spoil::Overcall => Sabotage::Overcall,
    };
    let wait = Duration::from_secs(args.seconds) / 3;
    let (receiver, victim) =
        (stage.receiver.clone(), stage.carriers.iter().find(|stand_in| stand_in.code == "ups").cloned());
    Some(tokio::spawn(async move {
        tokio::time::sleep(wait).await;
        if matches!(what, Sabotage::Overcall) {
            if let Some(victim) = victim {
                sabotage::overcall(&victim).await;
            }
        } else {
            receiver.saboteur().send(what);
        }
    }))
}

/// Waits until all scans were visible and everything that was told has arrived, then audits.
async fn finish(args: &DemoArgs, stage: &Stage, spoiling: Option<JoinHandle<()>>) -> Report {
    let last = stage.script.last_scan.since(stage.clock.now());
    tokio::time::sleep(last).await;
    if let Some(spoiling) = spoiling {
        let _ = spoiling.await;
    }
    // A last round of polls and deliveries, then patience for what is still on its way.
    let mut quiet = (0, stage.clock.now());
    let deadline = stage.clock.now().plus(PATIENCE.max(Duration::from_secs(args.seconds / 4)));
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = stage.clock.now();
        let seen = stage.receiver.arrivals().count();
        if seen != quiet.0 {
            quiet = (seen, now);
        }
        if now.since(quiet.1) >= Duration::from_secs(4) || now >= deadline {
            return audit(stage, now);
        }
    }
}

fn audit(stage: &Stage, settled: Moment) -> Report {
    Books::copy(stage.clock, &stage.carriers, &stage.receiver, vec![Audited::whole(SHOP)], settled).audit()
}

fn client() -> anyhow::Result<reqwest::Client> {
    crate::tls::install_provider();
    Ok(reqwest::Client::builder().no_proxy().build()?)
}

/// The shop's side of the API.
struct Shop {
    base: String,
    key: String,
    client: reqwest::Client,
}

impl Shop {
    async fn register(&self, cast: &Cast) -> anyhow::Result<Value> {
        let mut body = json!({
            "number": cast.parcel.number,
            "carrier": cast.parcel.network.code(),
            "orders": [{"reference": cast.order}],
        });
        if let Some(promise) = cast.promise {
            body["promised"] = json!({"to": promise.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()});
        }
        let country = cast.parcel.destination.country;
        body["destination"] = json!({"country": country});
        self.post("/v1/trackers", &body).await
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let mut response = self
            .client
            .post(format!("{}{path}", self.base))
            .bearer_auth(&self.key)
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await?;
        let status = response.status();
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            text.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            bail!("{path} answered {status}: {}", String::from_utf8_lossy(&text));
        }
        Ok(serde_json::from_slice(&text)?)
    }
}
