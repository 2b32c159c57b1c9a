//! The one line that `systemctl status` shows: what is polled, what lags, what waits, whether Redis is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::model::AccountName;
use crate::store::{Store, StoreError};
use crate::telemetry::Service;

/// How often the line is made anew.
const EVERY: Duration = Duration::from_secs(2);
/// A store that takes longer is not there.
const PATIENCE: Duration = Duration::from_secs(2);

/// Endpoints whose deliveries are counted one by one; counting must not become work.
const MOST_COUNTED: usize = 50;

/// What the line is made from.
pub struct Glance {
    /// Asked for what lags and waits.
    pub store: Store,
    /// All accounts.
    pub accounts: Vec<AccountName>,
    /// How many of them this daemon polls.
    pub held: Arc<AtomicUsize>,
}

/// Keeps the line current until cancelled.
pub async fn run(glance: Glance, service: Arc<Service>, cancel: CancellationToken) {
    let mut seen = Instant::now();
    loop {
        let rest = if let Ok(Ok((lag, waiting))) = timeout(PATIENCE, glance.figures()).await {
            seen = Instant::now();
            format!("due lag {} | deliveries {waiting} pending | redis ok", short(lag))
        } else {
            format!("redis away for {}", short(seen.elapsed()))
        };
        if cancel.is_cancelled() {
            return;
        }
        service.status(&format!("accounts {}/{} | {rest}", glance.held.load(Ordering::Relaxed), glance.accounts.len()));
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = cancel.cancelled() => return,
        }
    }
}

impl Glance {
    /// How long the longest waiting parcel is due, and what waits to be delivered.
    async fn figures(&self) -> Result<(Duration, String), StoreError> {
        let now = clock::now();
        let mut lag = Duration::ZERO;
        for account in &self.accounts {
            if let Some((_, due)) = self.store.due(account, now, 1).await?.first() {
                lag = lag.max(now.duration_since(*due).try_into().unwrap_or_default());
            }
        }
        let endpoints = self.store.waited_for(MOST_COUNTED + 1).await?;
        if endpoints.len() > MOST_COUNTED {
            return Ok((lag, format!("to more than {MOST_COUNTED} endpoints")));
        }
        let mut pending = 0;
        for endpoint in endpoints {
            pending += self.store.pending_count(&endpoint).await?;
        }
        Ok((lag, pending.to_string()))
    }
}

/// A span in its largest unit.
fn short(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds @ 3600..86_400 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        for (seconds, shown) in [(0, "0s"), (59, "59s"), (61, "1m"), (7200, "2h"), (200_000, "2d")] {
            assert_eq!(short(Duration::from_secs(seconds)), shown);
        }
    }
}
