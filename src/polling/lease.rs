//! The right to work an account, kept alive while it is used.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::AccountName;
use crate::store::{Lease, Store};

/// A machine that slept longer than this in a term has to take its lease anew.
const NAP: Duration = Duration::from_millis(100);

/// Until when calls may be sent. Its clock only goes forward, but it stands still while the machine sleeps: the lease
/// ends meanwhile, so sleep ends the term.
#[derive(Debug, Clone, Copy)]
pub struct Term {
    until: Instant,
    asleep: Duration,
}

impl Term {
    /// One in which nothing may be sent.
    #[must_use]
    pub fn over() -> Self {
        Self { until: Instant::now(), asleep: Duration::ZERO }
    }

    /// Whether a call may be sent now; `asleep` is [`crate::clock::asleep`] now.
    #[must_use]
    pub fn holds(&self, now: Instant, asleep: Duration) -> bool {
        now < self.until && !self.slept(asleep)
    }

    fn slept(&self, asleep: Duration) -> bool {
        asleep.saturating_sub(self.asleep) > NAP
    }
}

/// A lease that this daemon holds, and until when it may send.
pub struct Held {
    lease: Lease,
    account: AccountName,
    span: Duration,
    margin: Duration,
    term: Term,
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
        let (asked_at, asleep) = (Instant::now(), crate::clock::asleep());
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
            term: Term { until: asked_at + span.saturating_sub(margin), asleep },
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
    pub fn term(&self) -> Term {
        self.term
    }

    /// Renews when it is time to. `false`: the lease is lost, stop at once.
    pub async fn keep(&mut self, store: &Store) -> bool {
        // What was reserved and remembered before a sleep is worth nothing after it, also where the lease is still ours.
        if self.term.slept(crate::clock::asleep()) {
            return false;
        }
        let asked_at = Instant::now();
        if asked_at < self.renew_at {
            return true;
        }
        match store.renew_lease(&self.account, &self.lease, self.span).await {
            Ok(true) => {
                self.term.until = asked_at + self.span.saturating_sub(self.margin);
                self.renew_at = asked_at + self.span / 8;
                true
            }
            Ok(false) => false,
            Err(error) => {
                // The store is away: go on as long as the old term allows, and try again soon.
                tracing::debug!(event = "lease_error", account = %self.account, %error, "The lease could not be renewed.");
                self.renew_at = asked_at + self.span / 32;
                Instant::now() < self.term.until
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_slept_may_not_send_although_its_clock_stood_still() {
        let now = Instant::now();
        let before = Duration::from_secs(3_600);
        let term = Term { until: now + Duration::from_secs(14), asleep: before };
        assert!(term.holds(now, before));
        assert!(term.holds(now, before + Duration::from_millis(1)), "two readings are never equal");
        assert!(!term.holds(now, before + Duration::from_secs(60)));
        assert!(!term.holds(now + Duration::from_secs(14), before));
        assert!(!Term::over().holds(Instant::now(), Duration::ZERO));
    }
}
