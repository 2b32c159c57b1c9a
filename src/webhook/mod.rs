//! Webhooks: signing, the address guard, attempts, and the loop that delivers what the store has queued.
//!
//! [`attempt`] makes one exchange with a receiver; everything that follows from it is decided in pure code:
//! [`outcome`] (what an answer means), [`retry`] (when again), [`breaker`] and [`limits`] (how much, to whom).
//! [`deliver`] is the loop around them.

pub mod attempt;
pub mod breaker;
pub mod client;
pub mod deliver;
pub mod fault;
pub mod guard;
pub mod limits;
pub mod outcome;
pub mod queue;
pub mod ranges;
pub mod retry;
pub mod sign;
#[cfg(test)]
mod testing;

pub use deliver::{WebhookDeps, WebhookRules, run};
pub use guard::Guard;
