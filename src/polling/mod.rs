//! Asking carriers: may I call (budget), whom next (schedule), the call itself (fetch), and the loop around them.
//!
//! One [`worker`] for each account; its [`rounds`] hold the account's lease and poll what is due; [`timers`] tell what time alone
//! brings. What an answer says goes through `tracking` into one commit ([`settle`]).

pub mod account;
mod aside;
mod backoff;
mod batches;
mod budget;
mod call;
pub mod fetch;
mod kept;
mod lease;
mod refusal;
mod rounds;
pub mod schedule;
pub mod settle;
mod timers;
mod token;
pub mod trial;
pub mod windows;
mod worker;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use account::{Account, Limits};
pub use lease::longest_exchange;
pub use worker::Shared;

/// Polls these accounts and runs timers until cancelled. Returns when calls in flight have ended and leases are back.
pub async fn run(shared: Arc<Shared>, accounts: Vec<Account>, cancel: CancellationToken) {
    let tasks = TaskTracker::new();
    for account in accounts {
        let (shared, cancel) = (Arc::clone(&shared), cancel.clone());
        tasks.spawn(async move {
            let work = |run| {
                // Another owner each time: what a run that broke off still had under way is waited for.
                let owner = if run == 0 { shared.owner.clone() } else { format!("{}-{run}", shared.owner) };
                rounds::run(Arc::clone(&shared), account.clone(), owner, cancel.clone())
            };
            unbroken(account.name.as_str(), &cancel, work).await;
        });
    }
    tasks.spawn(async move { unbroken("timers", &cancel, |_| timers::run(Arc::clone(&shared), cancel.clone())).await });
    tasks.close();
    tasks.wait().await;
}

/// Wait before a loop that broke off is started again.
const RESTART: Duration = Duration::from_secs(1);

/// Runs a loop that ends only when it is told to; one that panics is started again, or what it works for would stand
/// still and nobody would notice. `start` is told how often it broke off.
pub async fn unbroken<F: Future<Output = ()>>(name: &str, cancel: &CancellationToken, start: impl Fn(u32) -> F) {
    for broken in 0.. {
        if AssertUnwindSafe(start(broken)).catch_unwind().await.is_ok() {
            return;
        }
        tracing::error!(event = "loop_broke_off", name, "A loop panicked, which is a defect; it is started again.");
        tokio::select! {
            () = tokio::time::sleep(RESTART) => {}
            () = cancel.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_panics_is_started_again_until_it_ends() {
        let (cancel, runs) = (CancellationToken::new(), AtomicU32::new(0));
        let run = |broken| {
            runs.fetch_add(1, Ordering::Relaxed);
            async move { assert!(broken == 2, "breaks off") }
        };
        unbroken("test", &cancel, run).await;
        assert_eq!(runs.load(Ordering::Relaxed), 3);
        cancel.cancel();
        unbroken("test", &cancel, |_| async { panic!("breaks off") }).await;
    }
}
