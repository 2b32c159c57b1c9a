//! Figures that nobody counts as they happen: how accounts stand, what waits, what was given up.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::model::AccountName;
use crate::polling::account::Account;
use crate::store::{LongWindow, Store, StoreError};
use crate::telemetry::metrics;

/// How often.
const EVERY: Duration = Duration::from_secs(10);
/// Endpoints that are looked at each time; looking must not become work.
const MOST_ENDPOINTS: usize = 200;

/// What is looked at. Clones share it.
#[derive(Clone, Default)]
pub struct Figures(Arc<Mutex<Accounts>>);

/// Accounts with their long windows.
type Accounts = Vec<(AccountName, Vec<LongWindow>)>;

impl Figures {
    /// The accounts that are configured now.
    pub fn set_accounts(&self, accounts: &[Account]) {
        let named = accounts.iter().map(|account| (account.name.clone(), account.limits.long.clone()));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = named.collect();
    }

    /// Looks until cancelled.
    pub async fn run(self, store: Store, cancel: CancellationToken) {
        loop {
            let looked = self.look(&store).await;
            metrics::redis_up(looked.is_ok());
            if let Err(error) = looked {
                tracing::debug!(event = "figures_failed", %error, "The store could not be looked at for figures.");
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = cancel.cancelled() => return,
            }
        }
    }

    async fn look(&self, store: &Store) -> Result<(), StoreError> {
        let accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let reader = store.reader();
        for (name, windows) in &accounts {
            let now = clock::now();
            let account = reader.account(name, now).await?;
            let lag = account
                .due_since
                .map_or(Duration::ZERO, |since| Duration::try_from(now.duration_since(since)).unwrap_or_default());
            metrics::account(name.as_str(), account.tracked, account.due, lag, account.pause.is_some());
            for window in windows {
                let used = store.calls_counted(name, window).await?;
                #[expect(clippy::cast_precision_loss, reason = "a part of a quota, for a figure")]
                metrics::quota_used(name.as_str(), window.per, used as f64 / f64::from(window.calls.max(1)));
            }
        }
        let (mut pending, mut oldest) = (0, None);
        for endpoint in store.waited_for(MOST_ENDPOINTS).await? {
            let backlog = store.backlog(&endpoint).await?;
            pending += backlog.count;
            oldest = [oldest, backlog.oldest].into_iter().flatten().min();
        }
        let age =
            oldest.map_or(Duration::ZERO, |at| Duration::try_from(clock::now().duration_since(at)).unwrap_or_default());
        metrics::deliveries(pending, age, store.dead_count(MOST_ENDPOINTS).await?);
        Ok(())
    }
}
