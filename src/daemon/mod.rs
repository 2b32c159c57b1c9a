//! Starts the tasks, wires them together, stops them in order.

mod figures;
mod glance;
mod maintenance;
mod plan;
mod presence;
mod reload;
mod storage;
mod tasks;
mod trial;

use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;

use futures_util::future::join_all;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api::{self, Api, ApiParts, Face};
use crate::polling;
use crate::settings::{Problem, Settings};
use crate::simulator;
use crate::simulator::carriers::sandbox;
use crate::simulator::time::SimClock;
use crate::store::private::PrivateServer;
use crate::store::{Store, StoreError};
use crate::telemetry::{Pulses, Service, metrics};

/// How long a stop may take beside work in flight: the private server is asked, then told twice more firmly.
const CLOSING: Duration = Duration::from_secs(60);

use figures::Figures;
use presence::Presence;

pub use crate::polling::settle::Policy;
pub use crate::polling::trial::{Tried, TriedAnswer};
pub use plan::{Plan, SANDBOX, carrier_problems, plan, problems_beside};
pub use storage::{private_server_problem, visit as visit_store};
pub use trial::{TrialError, try_call};

/// Why the daemon stopped or could not start.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// The configuration is wrong; every problem.
    #[error("the configuration cannot be used")]
    Settings(Vec<Problem>),
    /// The listener or a folder.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The HTTP client for carriers or webhooks.
    #[error("{0}")]
    Client(String),
}

/// Reads the settings again; called on reload.
pub type Reread = Box<dyn Fn(&crate::carrier::Registry) -> Result<Settings, Vec<Problem>> + Send + Sync>;

/// How the world speaks to a running daemon.
pub struct Controls {
    /// Cancelled: stop in order.
    pub stop: CancellationToken,
    /// Each message: reload.
    pub reload: mpsc::Receiver<()>,
    /// The service manager.
    pub service: Arc<Service>,
    /// How to read the settings again.
    pub reread: Reread,
    /// Told the address of the API and whether the store is ready, once each.
    pub started: Option<mpsc::Sender<Started>>,
}

/// Milestones of a start.
#[derive(Clone)]
pub enum Started {
    /// The API listens here.
    Listening(std::net::SocketAddr),
    /// The store is connected; work begins.
    Ready(Store),
}

/// Runs until told to stop.
pub async fn run(settings: Settings, mut controls: Controls) -> Result<(), DaemonError> {
    let mut plan = plan(&settings).map_err(DaemonError::Settings)?;
    let sandbox = start_sandbox(&settings, &mut plan).await?;
    let listener = TcpListener::bind(settings.server.listen).await.map_err(|error| DaemonError::Io {
        what: format!("cannot listen on {} (server.listen)", settings.server.listen),
        error,
    })?;
    let listening =
        listener.local_addr().map_err(|error| DaemonError::Io { what: "cannot listen".to_owned(), error })?;
    let api = api(&settings, &plan, &controls.stop);
    let stop_api = CancellationToken::new();
    let pulses = Pulses::looked_at_every(controls.service.pings_every());
    let serving = tokio::spawn(api::serve(listener, api.clone(), Face::Shops, pulses.begin("api"), stop_api.clone()));
    let figures = serve_figures(&settings, &api, &pulses, &stop_api).await?;
    tracing::info!(event = "listening", address = %listening, "The API listens.");
    tell(&controls, Started::Listening(listening)).await;
    // Not after the store: a Redis that is away at boot must not fail the unit.
    controls.service.ready();
    let keeping = {
        let (service, pulses, over) = (Arc::clone(&controls.service), pulses.clone(), stop_api.clone());
        tokio::spawn(async move { service.keep(pulses, over).await })
    };
    let sandbox_at = sandbox.as_ref().map(|(address, _)| *address);
    let presence = Presence::new(tasks::owner()?, listening);
    let outcome = Box::pin(work(settings, plan, &api, &mut controls, &pulses, sandbox_at, presence)).await;
    stop_api.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(2), join_all(figures.into_iter().chain([serving]))).await;
    let _ = keeping.await;
    if let Some((_, stop)) = sandbox {
        stop.cancel();
    }
    tracing::info!(event = "stopped", "Stopped.");
    outcome
}

/// The listener for operators, where one is configured.
async fn serve_figures(
    settings: &Settings,
    api: &Api,
    pulses: &Pulses,
    stop: &CancellationToken,
) -> Result<Option<JoinHandle<()>>, DaemonError> {
    let Some(address) = settings.metrics.listen else { return Ok(None) };
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| DaemonError::Io { what: format!("cannot listen on {address} (metrics.listen)"), error })?;
    tracing::info!(event = "metrics_listening", address = ?listener.local_addr().ok(), "Figures can be read.");
    let serving = api::serve(listener, api.clone(), Face::Operators, pulses.begin("metrics"), stop.clone());
    Ok(Some(tokio::spawn(serving)))
}

async fn tell(controls: &Controls, milestone: Started) {
    if let Some(listener) = &controls.started {
        let _ = listener.send(milestone).await;
    }
}

/// The sandbox carrier, inside the daemon, on a free loopback port.
async fn start_sandbox(
    settings: &Settings,
    plan: &mut Plan,
) -> Result<Option<(std::net::SocketAddr, CancellationToken)>, DaemonError> {
    if !settings.sandbox.enabled {
        return Ok(None);
    }
    let stop = CancellationToken::new();
    let clock = SimClock::start();
    let options = simulator::carriers::Options { quota: sandbox::published_quota(), ..Default::default() };
    let stand_in = sandbox::start(clock, settings.sandbox.day, options, stop.clone())
        .await
        .map_err(|error| DaemonError::Io { what: "the sandbox carrier cannot listen on loopback".to_owned(), error })?;
    plan.add_sandbox(stand_in.address, settings);
    Ok(Some((stand_in.address, stop)))
}

fn reloadable(plan: &Plan) -> Arc<api::Reloadable> {
    Arc::new(api::Reloadable {
        registry: Arc::clone(&plan.registry),
        accounts: plan.access.clone(),
        policy: plan.policy.clone(),
        guard: Arc::new(plan.guard.clone()),
    })
}

fn api(settings: &Settings, plan: &Plan, stop: &CancellationToken) -> Api {
    Api(Arc::new(ApiParts {
        store: OnceLock::new(),
        reloadable: RwLock::new(reloadable(plan)),
        stopping: stop.clone(),
        request_timeout: settings.server.request_timeout,
        max_body: settings.server.max_body,
        metrics_here: settings.metrics.listen.is_none() && settings.server.listen.ip().is_loopback(),
        rate: api::Rate::new(settings.server.rate, settings.server.burst),
    }))
}

/// From the store's opening to its closing.
async fn work(
    mut settings: Settings,
    mut plan: Plan,
    api: &Api,
    controls: &mut Controls,
    pulses: &Pulses,
    sandbox: Option<std::net::SocketAddr>,
    presence: Presence,
) -> Result<(), DaemonError> {
    let pulse = pulses.begin("control");
    let service = Arc::clone(&controls.service);
    let Some((store, private)) = storage::open_until(&settings, &service, &pulse, &controls.stop).await? else {
        service.stopping(CLOSING);
        return Ok(());
    };
    let _ = api.store.set(store.clone());
    tell(controls, Started::Ready(store.clone())).await;
    tracing::info!(event = "ready", accounts = plan.accounts.len(), "Ready: the store is connected.");
    let keeping = CancellationToken::new();
    let private = private.map(Arc::new);
    let watching = private.clone().map(|private| {
        let cancel = keeping.clone();
        tokio::spawn(async move { private.watch(cancel).await })
    });
    let figures = Figures::default();
    presence.set(&plan);
    figures.set_accounts(&plan.accounts);
    let housekeeping = {
        let (tended, tending, pulses) = (store.clone(), keeping.clone(), pulses.clone());
        let upkeep = async move {
            let run = |_| maintenance::run(tended.clone(), pulses.begin("housekeeping"), tending.clone());
            polling::unbroken("housekeeping", &tending, run).await;
        };
        let present = presence.clone().run(store.clone(), keeping.clone());
        let figures = figures.clone().run(store.clone(), keeping.clone());
        tokio::spawn(async move {
            tokio::join!(upkeep, present, figures);
        })
    };
    let mut reloaded = false;
    let result = loop {
        let cancel = CancellationToken::new();
        let tasks = match tasks::start(&store, &settings, &plan, &service, pulses, &cancel) {
            Ok(tasks) => tasks,
            Err(error) => break Err(error),
        };
        if reloaded {
            service.ready();
        }
        let next = pulse.idle(until_reload(controls, sandbox, settings.shutdown_deadline, &plan.registry)).await;
        if next.is_none() {
            service.stopping(settings.shutdown_deadline + CLOSING);
        }
        cancel.cancel();
        pulse.step(tasks::stop(tasks, settings.shutdown_deadline)).await;
        match next {
            None => break Ok(()),
            Some((new_settings, new_plan)) => {
                // Listeners and the store stay as they are until a restart; the rest is swapped whole.
                *api.reloadable.write().unwrap_or_else(std::sync::PoisonError::into_inner) = reloadable(&new_plan);
                for key in reload::needs_restart(&settings, &new_settings) {
                    tracing::warn!(event = "restart_needed", key, "This change takes effect after a restart.");
                }
                (settings, plan, reloaded) = (*new_settings, *new_plan, true);
                presence.set(&plan);
                figures.set_accounts(&plan.accounts);
                metrics::reloaded(true);
                tracing::info!(
                    event = "reloaded",
                    accounts = plan.accounts.len(),
                    "The new configuration is in force."
                );
            }
        }
    };
    keeping.cancel();
    pulse.step(close(store, private, housekeeping, watching)).await?;
    result
}

/// Ends what is left once nothing works any more; the private server last.
async fn close(
    store: Store,
    private: Option<Arc<PrivateServer>>,
    housekeeping: JoinHandle<()>,
    watching: Option<JoinHandle<()>>,
) -> Result<(), StoreError> {
    let _ = tokio::time::timeout(Duration::from_secs(2), housekeeping).await;
    if let Some(watching) = watching {
        let _ = watching.await;
    }
    drop(store);
    match private {
        Some(private) => private.stop().await,
        None => Ok(()),
    }
}

/// Waits for the order to stop (nothing) or for a new configuration that can be used.
async fn until_reload(
    controls: &mut Controls,
    sandbox: Option<std::net::SocketAddr>,
    patience: Duration,
    old: &crate::carrier::Registry,
) -> Option<(Box<Settings>, Box<Plan>)> {
    loop {
        tokio::select! {
            () = controls.stop.cancelled() => return None,
            Some(()) = controls.reload.recv() => {}
        }
        controls.service.reloading(patience);
        let read =
            (controls.reread)(old).and_then(|settings| plan::plan_beside(&settings, old).map(|plan| (settings, plan)));
        match read {
            Ok((settings, mut plan)) => {
                if let Some(address) = sandbox.filter(|_| settings.sandbox.enabled) {
                    plan.add_sandbox(address, &settings);
                }
                for (carrier, problem) in &plan.stale {
                    tracing::error!(event = "definition_broken", %carrier, problem, "A carrier's new definition cannot be used; its old one stays in force.");
                }
                metrics::stale_definitions(plan.stale.len());
                controls.service.note(
                    (!plan.stale.is_empty()).then_some("a carrier's definition is broken, the old one stays in force"),
                );
                return Some((Box::new(settings), Box::new(plan)));
            }
            Err(problems) => {
                metrics::reloaded(false);
                for problem in &problems {
                    tracing::error!(event = "reload_refused", %problem, "The new configuration cannot be used; the old one stays in force.");
                }
                controls.service.note(Some("the last reload was refused"));
                controls.service.ready();
            }
        }
    }
}
