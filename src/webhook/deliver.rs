//! The delivery loop: claims what is due, makes one attempt each, tells the store what came of it.
//!
//! Nothing is only in memory: a claim is a lease, so a daemon that dies loses no delivery, and work in flight is
//! capped, so a backlog of any size stays in Redis.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use secrecy::ExposeSecret;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::attempt::{Attempt, AttemptRules, Exchange, Sender};
use super::client::ClientError;
use super::fault::Fault;
use super::guard::Guard;
use super::limits::{LimitRules, Limits, Slot};
use super::outcome::{self, Delivery, Judgement, Verdict};
use super::queue::{Answered, Claim, Queue};
use super::retry::Schedule;
use super::sign;
use crate::clock;
use crate::model::time::after;
use crate::model::{Change, Endpoint, EndpointState};
use crate::telemetry::{Pulse, Repeats, metrics};

/// How webhooks are delivered.
#[derive(Debug, Clone)]
pub struct WebhookRules {
    /// Of one attempt.
    pub attempt: AttemptRules,
    /// Of all at once.
    pub limits: LimitRules,
    /// Of the attempts of one delivery.
    pub schedule: Schedule,
    /// How often the queue is looked at when nothing calls.
    pub look_every: Duration,
    /// How much longer than an attempt's deadline a claim holds, for the store's part before and after it.
    pub lease_margin: Duration,
}

impl Default for WebhookRules {
    fn default() -> Self {
        Self {
            attempt: AttemptRules::default(),
            limits: LimitRules::default(),
            schedule: Schedule::default(),
            look_every: Duration::from_millis(250),
            lease_margin: Duration::from_secs(10),
        }
    }
}

/// What the loop works with.
pub struct WebhookDeps<Q> {
    /// The store's deliveries.
    pub queue: Q,
    /// The address guard, the same as at registration.
    pub guard: Guard,
    /// Settings.
    pub rules: WebhookRules,
    /// Tells that the loop goes on.
    pub pulse: Pulse,
}

/// Claimed in one go at most.
const BATCH: usize = 64;

/// How long an endpoint that should not have been claimed is left alone.
const MISPLACED: jiff::SignedDuration = jiff::SignedDuration::from_secs(5);

/// Waits before an acknowledgement is sent again when the store did not take it.
const ACK_AGAIN: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(500), Duration::from_secs(2)];

/// Longest wait between claims while the store fails.
const LONGEST_TROUBLE_WAIT: Duration = Duration::from_secs(5);

const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Delivers until cancelled, then lets the attempts in flight end.
///
/// # Errors
/// When no HTTP client can be made at the start.
pub async fn run<Q: Queue>(deps: WebhookDeps<Q>, cancel: CancellationToken) -> Result<(), ClientError> {
    let sender = Sender::new(deps.guard, deps.rules.attempt)?;
    let (margin, pulse) = (deps.rules.lease_margin, deps.pulse);
    let lease = sender.deadline() + margin;
    let limits = Limits::new(deps.rules.limits);
    let desk = Arc::new(Desk { queue: deps.queue, sender, limits, schedule: deps.rules.schedule, margin });
    let mut tasks = JoinSet::new();
    let mut trouble = Duration::ZERO;
    let mut swept = Instant::now();
    let unclaimed = Repeats::new();
    while !cancel.is_cancelled() {
        while tasks.try_join_next().is_some() {}
        let limit = desk.limits.free().min(BATCH);
        // Claims run from before they are asked for: a slow store uses up their time.
        let at = Instant::now();
        let (claimed, more_likely) = match pulse.step(desk.claim(limit, lease)).await {
            Ok(claims) => {
                trouble = Duration::ZERO;
                let more_likely = limit > 0 && claims.len() == limit;
                (claims, more_likely)
            }
            Err(error) => {
                trouble = (trouble * 2).clamp(deps.rules.look_every, LONGEST_TROUBLE_WAIT);
                if let Some(times) = unclaimed.count(&error.to_string(), 1) {
                    tracing::warn!(event = "deliveries_unclaimed", %error, times, wait = ?trouble, "Deliveries cannot be claimed; asking again.");
                }
                (Vec::new(), false)
            }
        };
        for claim in claimed {
            pulse.step(desk.start(claim, at, &mut tasks)).await;
        }
        if !more_likely {
            pulse.step(wait(&desk, &cancel, deps.rules.look_every, trouble)).await;
        }
        if swept.elapsed() > SWEEP_EVERY {
            desk.limits.sweep(clock::now());
            swept = Instant::now();
        }
    }
    pulse.step(drain(tasks, lease)).await;
    Ok(())
}

async fn wait<Q: Queue>(desk: &Desk<Q>, cancel: &CancellationToken, look_every: Duration, trouble: Duration) {
    if trouble > Duration::ZERO {
        tokio::select! {
            () = cancel.cancelled() => {}
            () = sleep(trouble) => {}
        }
        return;
    }
    tokio::select! {
        () = cancel.cancelled() => {}
        () = desk.queue.woken() => {}
        () = desk.limits.freed() => {}
        () = sleep(look_every) => {}
    }
}

/// Lets what is in flight end; each attempt has its own deadline, so this has one too.
async fn drain(mut tasks: JoinSet<()>, longest: Duration) {
    let ended = timeout(longest, async { while tasks.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        tracing::warn!(
            event = "deliveries_abandoned",
            abandoned = tasks.len(),
            "Deliveries in flight were abandoned; their claims will run out."
        );
    }
}

struct Desk<Q> {
    queue: Q,
    sender: Sender,
    limits: Limits,
    schedule: Schedule,
    margin: Duration,
}

/// What came of preparing and making an attempt.
enum Worked {
    Judged(Judgement),
    /// There was nothing to send: what to do instead.
    Misplaced,
    Erased(&'static str),
}

impl<Q: Queue> Desk<Q> {
    async fn claim(&self, limit: usize, lease: Duration) -> Answered<Vec<Claim>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let now = clock::now();
        self.queue.claim_deliveries(now, limit, lease, &|endpoint| self.limits.free_for(endpoint, now)).await
    }

    async fn start(self: &Arc<Self>, claim: Claim, claimed_at: Instant, tasks: &mut JoinSet<()>) {
        if let Ok(slot) = self.limits.begin(&claim.endpoint, clock::now()) {
            let desk = self.clone();
            tasks.spawn(async move { desk.work(claim, claimed_at, slot).await });
        } else {
            // The breaker opened, or the slots went, since the claim: as if it had never been claimed.
            self.give_back(&claim).await;
        }
    }

    async fn work(&self, claim: Claim, claimed_at: Instant, slot: Slot) {
        match AssertUnwindSafe(self.attempt(&claim, claimed_at)).catch_unwind().await {
            Ok(Ok(Some(Worked::Judged(judgement)))) => self.settle(&claim, judgement, slot).await,
            Ok(Ok(Some(Worked::Misplaced))) => self.put_aside(&claim).await,
            Ok(Ok(Some(Worked::Erased(why)))) => {
                tracing::debug!(event = "delivery_void", endpoint = %claim.endpoint, change = %claim.change, why, "There is nothing left to deliver.");
                self.told(&claim, "erased", || self.queue.delivery_erased(&claim, clock::now())).await;
            }
            Ok(Ok(None)) => self.give_back(&claim).await,
            Ok(Err(error)) => {
                tracing::warn!(event = "delivery_unprepared", %error, endpoint = %claim.endpoint, change = %claim.change,
                    "A delivery could not be prepared; it comes back when its claim runs out.");
            }
            Err(_) => {
                tracing::error!(event = "delivery_panicked", endpoint = %claim.endpoint, change = %claim.change,
                    "A delivery panicked. It counts as an attempt, so that it ends.");
                let fault = Exchange::Failed(Fault::Internal("the delivery failed inside wismo".to_owned()));
                self.settle(&claim, self.judge(&claim, &fault), slot).await;
            }
        }
    }

    /// Loads what is to be sent, and sends it. Nothing means that it is too late for this claim.
    async fn attempt(&self, claim: &Claim, claimed_at: Instant) -> Answered<Option<Worked>> {
        let (endpoint, change) = tokio::join!(self.queue.endpoint(&claim.endpoint), self.queue.change(&claim.change));
        let Some(endpoint) = endpoint? else { return Ok(Some(Worked::Erased("the endpoint was deleted"))) };
        if endpoint.state != EndpointState::Enabled {
            return Ok(Some(Worked::Misplaced));
        }
        let Some(change) = change? else { return Ok(Some(Worked::Erased("erased"))) };
        if claimed_at.elapsed() > self.margin / 2 {
            // The store was slow. Sent now, the attempt could outlive the claim and meet its own repetition.
            return Ok(None);
        }
        let exchange = self.send(claim, &endpoint, &change).await;
        Ok(Some(Worked::Judged(self.judge(claim, &exchange))))
    }

    async fn send(&self, claim: &Claim, endpoint: &Endpoint, change: &Change) -> Exchange {
        let key = match self.queue.secret_of(endpoint).map_err(|error| error.to_string()) {
            Ok(written) => sign::decode(&written).map_err(|problem| problem.to_string()),
            Err(why) => Err(why),
        };
        let key = match key {
            Ok(key) => key,
            Err(why) => {
                tracing::error!(event = "secret_unreadable", endpoint = %endpoint.id, why, "The secret of an endpoint cannot be opened.");
                return Exchange::Failed(Fault::Internal("the signing secret cannot be opened".to_owned()));
            }
        };
        let attempt = Attempt {
            shop: &endpoint.shop,
            url: &endpoint.url,
            id: &change.id.to_string(),
            number: claim.attempts.saturating_add(1),
            body: &change.body(),
            key: key.expose_secret(),
            at: clock::now(),
        };
        let begun = Instant::now();
        let exchange = self.sender.send(attempt).await;
        metrics::webhook_took(begun.elapsed());
        exchange
    }

    fn judge(&self, claim: &Claim, exchange: &Exchange) -> Judgement {
        let id = format!("{}:{}", claim.endpoint, claim.change);
        let delivery = Delivery { id: &id, attempt: claim.attempts.saturating_add(1), now: clock::now() };
        outcome::judge(exchange, delivery, &self.schedule)
    }

    /// Tells the store, then frees the slot, so that the next claim sees what this one did.
    async fn settle(&self, claim: &Claim, judgement: Judgement, slot: Slot) {
        let now = clock::now();
        log(claim, &judgement.verdict);
        count(claim, &judgement.verdict, now);
        match &judgement.verdict {
            Verdict::Delivered => {
                self.told(claim, "delivered", || self.queue.delivered(claim, now)).await;
            }
            Verdict::Retry { at, pause_endpoint, error } => {
                if let Some(until) = pause_endpoint {
                    self.pause(claim, *until).await;
                }
                self.told(claim, "failed", || self.queue.delivery_failed(claim, error, *at, now)).await;
            }
            Verdict::Dead { error } => {
                self.told(claim, "dead", || self.queue.delivery_dead(claim, error, now)).await;
            }
            Verdict::Disable { reason, error } => {
                // Paused first: else the parcel's next change leaves between the two steps. Then listed: disabling
                // drops what waits, and this one is to stay findable.
                self.pause(claim, after(now, MISPLACED)).await;
                self.told(claim, "dead", || self.queue.delivery_dead(claim, error, now)).await;
                self.again("disable", || self.queue.disable_endpoint(&claim.endpoint, reason)).await;
            }
        }
        if let Some(until) = slot.finish(judgement.signal, now) {
            tracing::warn!(event = "endpoint_paused", endpoint = %claim.endpoint, %until, "An endpoint keeps failing; it is left alone for a while.");
            self.pause(claim, until).await;
        }
    }

    async fn give_back(&self, claim: &Claim) {
        self.again("release", || self.queue.release(claim)).await;
    }

    /// A claim that should not have been given out, of a paused or disabled endpoint: back, and not at once again.
    async fn put_aside(&self, claim: &Claim) {
        self.pause(claim, after(clock::now(), MISPLACED)).await;
        self.give_back(claim).await;
    }

    async fn pause(&self, claim: &Claim, until: jiff::Timestamp) {
        self.again("pause", || self.queue.pause_endpoint(&claim.endpoint, until)).await;
    }

    /// An acknowledgement; one that comes too late is no error, since another claim has the delivery now.
    async fn told<F: Future<Output = Answered<bool>>>(&self, claim: &Claim, what: &str, tell: impl Fn() -> F) {
        if self.again(what, tell).await == Some(false) {
            tracing::debug!(event = "claim_ran_out", endpoint = %claim.endpoint, change = %claim.change, what, "The claim had run out.");
        }
    }

    /// Asks the store a few times. Gives up in the end: then the claim runs out and the delivery is made again.
    async fn again<T, F: Future<Output = Answered<T>>>(&self, what: &str, ask: impl Fn() -> F) -> Option<T> {
        let mut waits = ACK_AGAIN.iter();
        loop {
            match (ask().await, waits.next()) {
                (Ok(done), _) => return Some(done),
                (Err(_), Some(wait)) => sleep(*wait).await,
                (Err(error), None) => {
                    tracing::warn!(event = "delivery_unsettled", %error, what, "The store did not take the result of a delivery.");
                    return None;
                }
            }
        }
    }
}

/// The figures of one attempt.
fn count(claim: &Claim, verdict: &Verdict, now: jiff::Timestamp) {
    metrics::webhook_attempt(match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Retry { .. } => "failed",
        Verdict::Dead { .. } => "dead",
        Verdict::Disable { .. } => "disabled",
    });
    if matches!(verdict, Verdict::Delivered) {
        let stored = u64::try_from(now.as_millisecond()).unwrap_or(0).saturating_sub(claim.change.ms);
        metrics::webhook_arrived(Duration::from_millis(stored));
    }
}

/// One line a delivery. Never the URL: it may carry a secret of the shop's.
fn log(claim: &Claim, verdict: &Verdict) {
    let (endpoint, change, attempt) = (&claim.endpoint, &claim.change, claim.attempts.saturating_add(1));
    match verdict {
        Verdict::Delivered => tracing::debug!(event = "delivered", %endpoint, %change, attempt, "Webhook delivered."),
        Verdict::Retry { at, error, .. } => {
            tracing::info!(event = "delivery_failed", %endpoint, %change, attempt, again_at = %at, error, "Webhook failed.");
        }
        Verdict::Dead { error } => {
            tracing::warn!(event = "delivery_dead", %endpoint, %change, attempt, error, "Webhook given up.");
        }
        Verdict::Disable { reason, error } => {
            tracing::warn!(event = "endpoint_disabled", %endpoint, %change, attempt, reason, error, "Endpoint disabled.");
        }
    }
}
