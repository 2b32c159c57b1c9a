//! Asking carriers: may I call (budget), whom next (schedule), the call itself (fetch), and the loop around them.
//!
//! One [`worker`] for each account holds the account's lease and polls what is due; [`timers`] tell what time alone
//! brings. What an answer says goes through `tracking` into one commit ([`settle`]).

pub mod account;
mod backoff;
mod budget;
mod call;
pub mod fetch;
mod lease;
pub mod schedule;
pub mod settle;
mod timers;
mod token;
pub mod windows;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use account::{Account, Limits};
pub use lease::longest_exchange;
pub use worker::Shared;

/// Wait before a loop that panicked begins again.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// Polls these accounts and runs timers until cancelled. Returns when calls in flight have ended and leases are back.
pub async fn run(shared: Arc<Shared>, accounts: Vec<Account>, cancel: CancellationToken) {
    let tasks = TaskTracker::new();
    for account in accounts {
        let (shared, stop, name) = (Arc::clone(&shared), cancel.clone(), account.name.to_string());
        let work = move || worker::run(Arc::clone(&shared), account.clone(), stop.clone());
        tasks.spawn(supervise(name, work, cancel.clone()));
    }
    let stop = cancel.clone();
    tasks.spawn(supervise("timers".to_owned(), move || timers::run(Arc::clone(&shared), stop.clone()), cancel));
    tasks.close();
    tasks.wait().await;
}

/// Runs a loop, and again after a panic: one parcel that breaks it must not end it for all others.
async fn supervise<F>(name: String, work: impl Fn() -> F, cancel: CancellationToken)
where
    F: Future<Output = ()> + Send + 'static,
{
    while let Err(error) = tokio::spawn(work()).await {
        tracing::error!(event = "loop_panicked", name, %error, "A loop broke off; it begins again in a moment.");
        tokio::select! {
            () = tokio::time::sleep(AFTER_PANIC) => {}
            () = cancel.cancelled() => return,
        }
    }
}
