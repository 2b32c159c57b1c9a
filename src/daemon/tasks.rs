//! The loops that poll and deliver: started on a plan, stopped within a deadline.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{DaemonError, Plan, glance};
use crate::polling;
use crate::settings::Settings;
use crate::store::Store;
use crate::telemetry::{Pulses, Service};
use crate::webhook;
use crate::webhook::attempt::AttemptRules;
use crate::webhook::limits::LimitRules;
use crate::webhook::retry::Schedule;

/// Spread of the waits between attempts, so that a receiver that comes back is not met by all at once.
const RETRY_JITTER_PERCENT: u32 = 20;

/// Polling and delivering: what ends and begins again at a reload.
pub struct Tasks {
    polling: JoinHandle<()>,
    webhook: JoinHandle<()>,
}

/// Starts them.
pub fn start(
    store: &Store,
    settings: &Settings,
    plan: &Plan,
    service: &Arc<Service>,
    pulses: &Pulses,
    cancel: &CancellationToken,
) -> Result<Tasks, DaemonError> {
    let held = Arc::new(AtomicUsize::new(0));
    let accounts = plan.accounts.iter().map(|account| account.name.clone()).collect();
    let glance = glance::Glance { store: store.clone(), accounts, held: Arc::clone(&held) };
    if service.is_there() {
        tokio::spawn(glance::run(glance, Arc::clone(service), cancel.clone()));
    }
    let shared = Arc::new(polling::Shared {
        store: store.clone(),
        client: polling::fetch::client().map_err(|fault| DaemonError::Client(fault.to_string()))?,
        policy: plan.policy.clone(),
        owner: owner()?,
        lease: settings.polling.lease,
        tick: settings.polling.tick,
        slots: Arc::new(Semaphore::new(settings.polling.concurrency)),
        pulses: pulses.clone(),
        held,
    });
    let pulses = pulses.clone();
    let (queue, guard, rules, stop) = (store.clone(), plan.guard.clone(), webhook_rules(settings), cancel.clone());
    let deliver = async move {
        let one_run = |_| {
            let deps = webhook::WebhookDeps {
                queue: queue.clone(),
                guard: guard.clone(),
                rules: rules.clone(),
                pulse: pulses.begin("deliveries"),
            };
            let run = webhook::run(deps, stop.clone());
            async {
                if let Err(error) = run.await {
                    tracing::error!(event = "webhooks_stopped", %error, "Webhooks are not delivered.");
                }
            }
        };
        polling::unbroken("deliveries", &stop, one_run).await;
    };
    Ok(Tasks {
        polling: tokio::spawn(polling::run(shared, plan.accounts.clone(), cancel.clone())),
        webhook: tokio::spawn(deliver),
    })
}

/// A name for this start of this daemon: never used again.
pub fn owner() -> Result<String, DaemonError> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).map_err(|error| DaemonError::Client(format!("no random numbers: {error}")))?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}

fn webhook_rules(settings: &Settings) -> webhook::WebhookRules {
    let given = &settings.webhook;
    webhook::WebhookRules {
        attempt: AttemptRules {
            deadline: given.timeout,
            kept_connections: given.per_endpoint,
            ..AttemptRules::default()
        },
        limits: LimitRules { total: given.concurrency, per_endpoint: given.per_endpoint, ..LimitRules::default() },
        lease_margin: given.claim_margin,
        schedule: Schedule::new(given.retry.clone(), RETRY_JITTER_PERCENT),
        look_every: settings.polling.tick,
    }
}

/// Waits for the tasks to end; after the deadline they are cut off: what they had in hand stays queued in the store.
pub async fn stop(tasks: Tasks, deadline: Duration) {
    let (polling, webhook) = (tasks.polling.abort_handle(), tasks.webhook.abort_handle());
    let both = async { (tasks.polling.await, tasks.webhook.await) };
    if tokio::time::timeout(deadline, both).await.is_err() {
        tracing::warn!(
            event = "stop_forced",
            ?deadline,
            "Work in flight did not end in time and is cut off; it stays queued."
        );
        polling.abort();
        webhook.abort();
    }
}
