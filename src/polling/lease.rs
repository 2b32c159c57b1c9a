//! The right to work an account, kept alive while it is used.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::AccountName;
use crate::store::{Lease, Store};

/// A lease that this daemon holds, and until when it may send.
pub struct Held {
    lease: Lease,
    account: AccountName,
    span: Duration,
    margin: Duration,
    send_until: Instant,
    renew_at: Instant,
}

/// Longest exchange that fits a lease of this length: half of it.
#[must_use]
pub fn longest_exchange(span: Duration) -> Duration {
    span / 2
}

impl Held {
    /// Takes the lease if it is free. The call may take a while to come back: time counts from before it.
    pub async fn take(
        store: &Store,
        account: &AccountName,
        owner: &str,
        span: Duration,
        window: Duration,
    ) -> Option<Self> {
        let asked_at = Instant::now();
        let lease = match store.acquire_lease_for(account, owner, span, window).await {
            Ok(lease) => lease?,
            Err(error) => {
                tracing::debug!(event = "lease_error", %account, %error, "The lease could not be asked for.");
                return None;
            }
        };
        // Sending stops early enough that the last exchange ends inside the lease, a second (a tenth of a short lease) spare.
        let margin = longest_exchange(span) + (span / 10).min(Duration::from_secs(1));
        Some(Self {
            lease,
            account: account.clone(),
            span,
            margin,
            send_until: asked_at + span.saturating_sub(margin),
            renew_at: asked_at + span / 8,
        })
    }

    /// What the store knows it by.
    #[must_use]
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Until when calls may be sent, if nothing renews it.
    #[must_use]
    pub fn send_until(&self) -> Instant {
        self.send_until
    }

    /// Renews when it is time to. `false`: the lease is lost, stop at once.
    pub async fn keep(&mut self, store: &Store) -> bool {
        let asked_at = Instant::now();
        if asked_at < self.renew_at {
            return true;
        }
        match store.renew_lease(&self.account, &self.lease, self.span).await {
            Ok(true) => {
                self.send_until = asked_at + self.span.saturating_sub(self.margin);
                self.renew_at = asked_at + self.span / 8;
                true
            }
            Ok(false) => false,
            Err(error) => {
                // The store is away: go on as long as the old term allows, and try again soon.
                tracing::debug!(event = "lease_error", account = %self.account, %error, "The lease could not be renewed.");
                self.renew_at = asked_at + self.span / 32;
                Instant::now() < self.send_until
            }
        }
    }

    /// Gives it back, so that another daemon need not wait for its end.
    pub async fn release(self, store: &Store) {
        if let Err(error) = store.release_lease(&self.account, &self.lease).await {
            tracing::debug!(event = "lease_error", account = %self.account, %error, "The lease could not be released; it runs out by itself.");
        }
    }
}
