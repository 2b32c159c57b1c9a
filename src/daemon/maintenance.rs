//! Housekeeping of the store: repairs, sweeps, trims. Any number of daemons may do it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::store::{Store, StoreError};
use crate::telemetry::Pulse;

const EVERY: Duration = Duration::from_secs(60);

/// Runs until cancelled: at start, then every minute.
pub async fn run(store: Store, pulse: Pulse, cancel: CancellationToken) {
    while !cancel.is_cancelled() {
        pulse.step(Box::pin(round(&store))).await;
        let next = async {
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = cancel.cancelled() => {}
            }
        };
        pulse.step(next).await;
    }
}

/// Each step by itself: what one of them cannot do must not keep the others from their work for ever.
async fn round(store: &Store) {
    note("routes", store.repair_routes().await);
    match store.now().await {
        Ok(now) => {
            note("deliveries", store.expire_deliveries(now).await.map(drop));
            note("logs", store.trim_logs(now).await.map(drop));
        }
        Err(error) => note("time", Err(error)),
    }
    note("lookups", store.sweep_lookups().await.map(drop));
}

fn note(step: &str, ended: Result<(), StoreError>) {
    if let Err(error) = ended {
        tracing::warn!(event = "maintenance_failed", step, %error, "Housekeeping was not finished; it goes on in a minute.");
    }
}
