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

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use account::{Account, Limits};
pub use lease::longest_exchange;
pub use worker::Shared;

/// Polls these accounts and runs timers until cancelled. Returns when calls in flight have ended and leases are back.
pub async fn run(shared: Arc<Shared>, accounts: Vec<Account>, cancel: CancellationToken) {
    let tasks = TaskTracker::new();
    for account in accounts {
        tasks.spawn(worker::run(Arc::clone(&shared), account, cancel.clone()));
    }
    tasks.spawn(timers::run(shared, cancel));
    tasks.close();
    tasks.wait().await;
}
