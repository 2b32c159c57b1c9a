//! One account at work: what its loop, its calls and its tokens share.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::account::Account;
use super::aside::Aside;
use super::backoff::Backoffs;
use super::budget::Budget;
use super::lease::{self, Term};
use super::settle::Policy;
use super::token::{Caller, Got, NoToken, TokenCache};
use crate::carrier::CallContext;
use crate::model::{TrackerId, time};
use crate::store::{Lease, Store};
use crate::telemetry::Pulses;

/// What all accounts of a daemon share.
pub struct Shared {
    /// The store.
    pub store: Store,
    /// The HTTP client.
    pub client: reqwest::Client,
    /// Delay rules and intervals.
    pub policy: Policy,
    /// Names this daemon: unique each time it starts.
    pub owner: String,
    /// Length of a lease.
    pub lease: Duration,
    /// How often to look when nothing wakes us.
    pub tick: Duration,
    /// Calls at once over all accounts.
    pub slots: Arc<Semaphore>,
    /// Where each loop tells that it goes on.
    pub pulses: Pulses,
    /// Accounts whose lease this daemon holds now.
    pub held: Arc<AtomicUsize>,
}

/// Calls made so far: with the daemon's name, an id that no other call bears.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// One account at work in this daemon.
pub struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) account: Account,
    pub(super) budget: Budget,
    tokens: TokenCache,
    pub(super) longest_exchange: Duration,
    term: Mutex<Term>,
    in_flight: Mutex<HashSet<TrackerId>>,
    aside: Mutex<Aside>,
    health: Mutex<Backoffs>,
    store_health: Mutex<Backoffs>,
    pauses: Mutex<Pauses>,
}

/// Until when an account is left alone.
#[derive(Debug, Default)]
struct Pauses {
    /// Nothing is sent: the carrier asked for it, or what it would answer could not be kept.
    silent: Option<Timestamp>,
    /// Nothing new is begun: a window is used up. Calls that have their permits are part of what used it up.
    used_up: Option<Timestamp>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, account: Account, lease: Lease) -> Arc<Self> {
        let budget = Budget::new(account.name.clone(), &account.limits);
        Arc::new(Self {
            longest_exchange: lease::longest_exchange(shared.lease),
            shared,
            account,
            budget,
            tokens: TokenCache::new(lease),
            term: Mutex::new(Term::over()),
            in_flight: Mutex::default(),
            aside: Mutex::default(),
            health: Mutex::new(Backoffs::new(Duration::from_secs(1), Duration::from_secs(60))),
            store_health: Mutex::new(Backoffs::new(Duration::from_millis(250), Duration::from_secs(60))),
            pauses: Mutex::default(),
        })
    }

    /// Whether the lease still allows sending, and the carrier did not just ask to be left alone. Asked right before
    /// each sending.
    pub(super) fn may_send(&self) -> bool {
        lock(&self.term).holds(Instant::now(), crate::clock::asleep()) && !self.is_silent(crate::clock::now())
    }

    /// Whether answers are kept for a second reading.
    pub(super) fn keeps(&self) -> bool {
        !self.shared.policy.keep_answers.is_zero()
    }

    pub(super) fn request_id(&self) -> String {
        format!("{}-{}", self.shared.owner, CALLS.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn carrier_answered(&self) {
        lock(&self.health).succeeded();
    }

    /// Notes a failure; gives the wait it deserves and how many there were in a row.
    pub(super) fn carrier_failed(&self) -> (SignedDuration, u32) {
        let mut health = lock(&self.health);
        let wait = health.failed();
        (SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX), health.failures())
    }

    /// A parcel that cannot be dealt with: the others go on.
    pub(super) fn put_aside(&self, id: TrackerId) {
        lock(&self.aside).put(id, Instant::now());
    }

    /// Notes how the store took the results of a poll. While it does not, asking carriers would burn their quota.
    pub(super) fn stored(&self, all: bool) {
        let mut health = lock(&self.store_health);
        if all {
            health.succeeded();
            return;
        }
        let now = crate::clock::now();
        // Polls that fail together are one failure.
        if !self.is_silent(now) {
            self.pause(time::after(now, SignedDuration::try_from(health.failed()).unwrap_or(SignedDuration::MAX)));
        }
    }

    pub(super) fn pause(&self, until: Timestamp) {
        let mut pauses = lock(&self.pauses);
        pauses.silent = pauses.silent.max(Some(until));
    }

    pub(super) fn used_up(&self, until: Timestamp) {
        let mut pauses = lock(&self.pauses);
        pauses.used_up = pauses.used_up.max(Some(until));
    }

    fn is_silent(&self, now: Timestamp) -> bool {
        lock(&self.pauses).silent.is_some_and(|until| now < until)
    }

    /// Whether to begin nothing now.
    pub(super) fn is_paused(&self, now: Timestamp) -> bool {
        let used_up = lock(&self.pauses).used_up;
        used_up.is_some_and(|until| now < until) || self.is_silent(now)
    }

    /// How long the lease lasts from now on.
    pub(super) fn hold(&self, term: Term) {
        *lock(&self.term) = term;
    }

    /// The token to call with.
    pub(super) async fn token(&self, call: &CallContext) -> Result<Got, NoToken> {
        let caller = Caller {
            store: &self.shared.store,
            client: &self.shared.client,
            account: &self.account,
            longest_exchange: self.longest_exchange,
            may_send: &|| self.may_send(),
        };
        self.tokens.get(&caller, call).await
    }

    /// Forgets a token that the carrier refused.
    pub(super) async fn token_refused(&self, value: &SecretString) {
        self.tokens.refused(&self.shared.store, &self.account, value).await;
    }

    /// The parcels that are being polled now.
    pub(super) fn in_flight(&self) -> HashSet<TrackerId> {
        lock(&self.in_flight).clone()
    }

    /// The parcels that were put aside and are so still.
    pub(super) fn aside(&self) -> HashSet<TrackerId> {
        lock(&self.aside).still(Instant::now())
    }

    /// Counts these parcels among those in flight.
    pub(super) fn take_off(&self, ids: &[TrackerId]) {
        lock(&self.in_flight).extend(ids.iter().cloned());
    }
}

/// Takes parcels out of the set in flight, also when the task that polls them breaks off: then they are put aside.
pub(super) struct InFlight<'a> {
    pub worker: &'a Worker,
    pub ids: Vec<TrackerId>,
    pub ended: bool,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut in_flight = lock(&self.worker.in_flight);
        for id in &self.ids {
            in_flight.remove(id);
            if !self.ended {
                self.worker.put_aside(id.clone());
            }
        }
    }
}
