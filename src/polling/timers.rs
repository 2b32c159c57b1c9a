//! Facts that time alone brings: a promise passed, silence, retention. No carrier is asked.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{FutureExt, StreamExt, stream};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::settle::Policy;
use super::worker::Shared;
use crate::model::{TimerKind, Tracker, TrackerId, time};
use crate::store::{Commit, Store, StoreError};
use crate::telemetry::Repeats;
use crate::tracking::{self, Input};

/// Timers handled in one round, and how many of them at once: at midnight many promises pass together.
const ROUND: usize = 256;
const AT_ONCE: usize = 32;

/// Runs due timers until cancelled. Any number of daemons may do so: a timer that two of them run tells one change,
/// because the second finds the tracker changed.
pub async fn run(shared: Arc<Shared>, cancel: CancellationToken) {
    let pulse = shared.pulses.begin("timers");
    let woken = &shared.store.wakeups().timers;
    let unreadable = Repeats::new();
    while !cancel.is_cancelled() {
        match pulse.step(round(&shared.store, &shared.policy)).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => {
                if let Some(times) = unreadable.count(&error.to_string(), 1) {
                    tracing::warn!(event = "timers_unreadable", %error, times, "Timers cannot be run now; trying again.");
                }
            }
        }
        let next = async {
            tokio::select! {
                () = tokio::time::sleep(shared.tick) => {}
                () = woken.notified() => {}
                () = cancel.cancelled() => {}
            }
        };
        pulse.step(next).await;
    }
}

/// Runs what is due now. True: there may be more, and looking again at once makes sense. Where a timer failed it does
/// not: it is still due, and the store that did not take it needs a moment.
async fn round(store: &Store, policy: &Policy) -> Result<bool, StoreError> {
    let due = store.due_timers(crate::clock::now(), ROUND).await?;
    let full = due.len() >= ROUND;
    let failed = AtomicUsize::new(0);
    let run_one = |(kind, id, at): (TimerKind, TrackerId, Timestamp)| {
        let failed = &failed;
        async move {
            let fired = AssertUnwindSafe(fire(store, policy, kind, &id, at)).catch_unwind().await;
            let why = match fired {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "it panicked, which is a defect".to_owned(),
            };
            // A store that takes nothing fails them all: one line tells as much as hundreds.
            if failed.fetch_add(1, Ordering::Relaxed) == 0 {
                tracing::warn!(event = "timer_failed", tracker = %id, kind = kind.name(), error = why, "A timer could not be run; it stays due.");
            }
        }
    };
    stream::iter(due).for_each_concurrent(AT_ONCE, run_one).await;
    Ok(full && failed.into_inner() == 0)
}

async fn fire(
    store: &Store,
    policy: &Policy,
    kind: TimerKind,
    id: &TrackerId,
    at: Timestamp,
) -> Result<(), StoreError> {
    loop {
        // One that is damaged counts as absent, and its timers were put off: clearing one as it was finds it moved.
        let Some(tracker) = store.load_many(std::slice::from_ref(id)).await?.pop().flatten() else {
            return store.clear_timer(kind, id, at).await.map(drop);
        };
        let now = crate::clock::now();
        let step = tracking::advance(&tracker, Input::Clock, now, &policy.rules(&tracker.account));
        if kind == TimerKind::Retention && kept_long_enough(&tracker, now, policy) {
            tracing::info!(event = "tracker_expired", tracker = %id, "A parcel was kept long enough and is deleted.");
            if gone(&store.delete(&tracker, &[]).await?) {
                return Ok(());
            }
            continue;
        }
        if let Commit::Done { .. } | Commit::Gone =
            store.commit(&tracker, &step.tracker, &step.changes, &step.timers).await?
        {
            return Ok(());
        }
    }
}

/// Whether a parcel's life ended so long ago that it is to be deleted.
fn kept_long_enough(tracker: &Tracker, now: Timestamp, policy: &Policy) -> bool {
    tracker.ended_at.is_some_and(|ended| now >= time::after(ended, policy.rules.retention))
}

/// Whether a deletion is done; a lost race is run again.
fn gone(outcome: &Commit) -> bool {
    !matches!(outcome, Commit::LostRace)
}
