//! Housekeeping of the store: repairs, sweeps, trims. Any number of daemons may do it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::store::{Store, StoreError};
use crate::telemetry::Pulse;

const EVERY: Duration = Duration::from_secs(60);

/// Runs until cancelled: at start, then every minute.
pub async fn run(store: Store, pulse: Pulse, cancel: CancellationToken) {
    while !cancel.is_cancelled() {
        if let Err(error) = pulse.step(Box::pin(round(&store))).await {
            tracing::warn!(event = "maintenance_failed", %error, "Housekeeping was not finished; it goes on in a minute.");
        }
        let next = async {
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = cancel.cancelled() => {}
            }
        };
        pulse.step(next).await;
    }
}

async fn round(store: &Store) -> Result<(), StoreError> {
    store.repair_routes().await?;
    let now = store.now().await?;
    store.expire_deliveries(now).await?;
    store.trim_logs(now).await?;
    store.sweep_lookups().await?;
    Ok(())
}
