//! The poll loop of one account: hold its lease, take what is due, call inside its limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::account::Account;
use super::batches::batches;
use super::budget::Grant;
use super::call;
use super::lease::{Held, Term};
use super::refusal;
use super::trial::Wishes;
use super::windows::Permit;
use super::worker::{InFlight, Shared, Worker};
use crate::model::{Tracker, TrackerId};
use crate::store::StoreError;
use crate::telemetry::{Pulse, Repeats};

/// One account counted among those held, as long as this lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn among(held: &'a AtomicUsize) -> Self {
        held.fetch_add(1, Ordering::Relaxed);
        Self(held)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Works an account until cancelled: waits for its lease, uses it, gives it back.
/// `owner` names this run of the loop alone.
pub async fn run(shared: Arc<Shared>, account: Account, owner: String, cancel: CancellationToken) {
    let name = account.name.clone();
    let pulse = shared.pulses.begin(format!("account {name}"));
    let mut first_term = true;
    while !cancel.is_cancelled() {
        let window = account.limits.longest_short();
        let taken = pulse.step(Held::take(&shared.store, &name, &owner, shared.lease, window)).await;
        let Some(mut held) = taken else {
            pulse.step(pause_for(shared.tick.max(shared.lease / 16), &cancel)).await;
            continue;
        };
        let counted = Counted::among(&shared.held);
        // A lease that was never away from us knows of no wait, but the calls of the term before still count.
        let ours = if std::mem::take(&mut first_term) { Duration::ZERO } else { window };
        let wait = held.lease().wait_before_first_call.max(ours);
        tracing::info!(event = "lease_taken", account = %name, wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX), "This daemon polls the account now.");
        // A fresh worker for each term: the budget starts empty, as the wait before the first call assumes.
        let worker = Worker::new(Arc::clone(&shared), account.clone(), held.lease().clone());
        if pulse.idle(wait_keeping(&worker, &mut held, wait, &cancel)).await {
            work(&worker, &mut held, &pulse, &cancel).await;
        }
        drop(counted);
        pulse.step(held.release(&shared.store)).await;
    }
}

async fn pause_for(span: Duration, cancel: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(span) => {}
        () = cancel.cancelled() => {}
    }
}

/// Waits and keeps the lease alive meanwhile. `false`: lost or cancelled.
async fn wait_keeping(worker: &Worker, held: &mut Held, wait: Duration, cancel: &CancellationToken) -> bool {
    let end = Instant::now() + wait;
    while Instant::now() < end {
        if cancel.is_cancelled() || !keep(worker, held).await {
            return false;
        }
        pause_for(worker.shared.tick.min(end - Instant::now()), cancel).await;
    }
    true
}

async fn keep(worker: &Worker, held: &mut Held) -> bool {
    let kept = held.keep(&worker.shared.store).await;
    worker.hold(if kept { held.term() } else { Term::over() });
    if !kept {
        tracing::warn!(event = "lease_lost", account = %worker.account.name, "The lease ran out or is another daemon's: no more calls until it is taken again.");
    }
    kept
}

/// Takes over the pause that is stored, unless it was for credentials that the account no longer has.
async fn rest(worker: &Worker) {
    let (store, account) = (&worker.shared.store, &worker.account);
    let Ok(Some(pause)) = store.account_pause(&account.name).await else { return };
    if !refusal::is_over(store.master_key(), account, &pause) {
        worker.pause(pause.until);
    } else if let Err(error) = store.unpause_account(&account.name).await {
        tracing::debug!(event = "pause_error", account = %account.name, %error, "A pause that is over could not be removed.");
    }
}

/// Polls what is due until the lease is lost or the daemon stops; then lets calls in flight end.
async fn work(worker: &Arc<Worker>, held: &mut Held, pulse: &Pulse, cancel: &CancellationToken) {
    let mut calls = JoinSet::new();
    let woken = worker.shared.store.wakeups().due(&worker.account.name);
    pulse.step(rest(worker)).await;
    let (unreadable, mut wishes) = (Repeats::new(), Wishes::default());
    while !cancel.is_cancelled() && pulse.step(keep(worker, held)).await {
        while let Some(ended) = calls.try_join_next() {
            report(ended);
        }
        pulse.step(wishes.look(worker, &mut calls)).await;
        let next = if worker.is_paused(crate::clock::now()) {
            NextLook::Later
        } else {
            match pulse.step(start_calls(worker, held, &mut calls, cancel)).await {
                Ok(next) => next,
                Err(error) => {
                    if let Some(times) = unreadable.count(&error.to_string(), 1) {
                        tracing::warn!(event = "due_unreadable", account = %worker.account.name, %error, times, "What is due cannot be read; trying again.");
                    }
                    NextLook::Later
                }
            }
        };
        if next != NextLook::AtOnce {
            pulse.step(wait(worker, next, &woken, &mut calls, cancel)).await;
        }
    }
    while let Some(ended) = pulse.step(calls.join_next()).await {
        report(ended);
    }
}

/// When to look for due parcels again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NextLook {
    /// There may be more.
    AtOnce,
    /// All places are taken: when a call ends.
    WhenACallEnds,
    /// All that is due is in hand. A call that ends makes nothing due, so it is no reason to look.
    Later,
}

async fn wait(worker: &Worker, next: NextLook, woken: &Notify, calls: &mut JoinSet<()>, cancel: &CancellationToken) {
    let tick = tokio::time::sleep(worker.shared.tick);
    tokio::pin!(tick);
    loop {
        tokio::select! {
            () = &mut tick => return,
            () = woken.notified() => return,
            () = cancel.cancelled() => return,
            Some(ended) = calls.join_next() => report(ended),
        }
        if next == NextLook::WhenACallEnds {
            return;
        }
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(event = "poll_panicked", %error, "A poll broke off; its parcels are left alone for a minute.");
    }
}

/// Starts calls for what is due now, and says when to look again.
async fn start_calls(
    worker: &Arc<Worker>,
    held: &mut Held,
    calls: &mut JoinSet<()>,
    cancel: &CancellationToken,
) -> Result<NextLook, StoreError> {
    let limits = &worker.account.limits;
    let room = limits.numbers_per_call * (limits.concurrent as usize * 2).min(64);
    // Taken before the queue is read: a poll that ends meanwhile is still among the heads as they were.
    let in_flight = worker.in_flight();
    let busy = in_flight.len();
    if busy >= room {
        return Ok(NextLook::WhenACallEnds);
    }
    let now = crate::clock::now();
    let aside = worker.aside();
    let look_at = room + aside.len();
    let heads = worker.shared.store.due(&worker.account.name, now, look_at).await?;
    let full = heads.len() >= look_at;
    let heads = heads.into_iter().map(|(id, _)| id);
    let fresh: Vec<TrackerId> =
        heads.filter(|id| !in_flight.contains(id) && !aside.contains(id)).take(room - busy).collect();
    if fresh.is_empty() {
        // Those in flight fill the heads of the queue: what is behind them shows when some have gone.
        return Ok(if full { NextLook::WhenACallEnds } else { NextLook::Later });
    }
    let trackers = worker.shared.store.load_many(&fresh).await?.into_iter().flatten().collect();
    let account = &worker.account;
    let key_of = |tracker: &Tracker| {
        let item = account.item(tracker, false);
        // One that cannot be asked about would spoil the call for those beside it.
        if account.carrier.input_problems(&item.inputs).is_empty() {
            account.carrier.group_key(&item)
        } else {
            format!("alone {}", tracker.id)
        }
    };
    for batch in batches(trackers, limits.numbers_per_call, key_of) {
        let Some(permit) = permit(worker, held, cancel).await? else { return Ok(NextLook::Later) };
        let Ok(slot) = Arc::clone(&worker.shared.slots).acquire_owned().await else { return Ok(NextLook::Later) };
        if !keep(worker, held).await || worker.is_paused(crate::clock::now()) {
            return Ok(NextLook::Later);
        }
        let ids: Vec<TrackerId> = batch.iter().map(|tracker| tracker.id.clone()).collect();
        worker.take_off(&ids);
        let worker = Arc::clone(worker);
        calls.spawn(async move {
            let mut leave = InFlight { worker: &worker, ids, ended: false };
            call::poll(&worker, batch, permit).await;
            leave.ended = true;
            drop(leave);
            drop(slot);
        });
    }
    Ok(if full { NextLook::AtOnce } else { NextLook::Later })
}

/// Waits for a permit and keeps the lease alive meanwhile.
async fn permit(worker: &Worker, held: &mut Held, cancel: &CancellationToken) -> Result<Option<Permit>, StoreError> {
    let mut wanted = std::pin::pin!(worker.budget.permit(&worker.shared.store));
    loop {
        tokio::select! {
            grant = &mut wanted => return Ok(match grant? {
                Grant::Go(permit) => Some(permit),
                Grant::UsedUp(until) => {
                    tracing::debug!(event = "quota_used_up", account = %worker.account.name, %until, "A window of the quota is used up.");
                    worker.used_up(until);
                    None
                }
            }),
            () = tokio::time::sleep(worker.shared.tick) => {
                if !keep(worker, held).await {
                    return Ok(None);
                }
            }
            () = cancel.cancelled() => return Ok(None),
        }
    }
}
