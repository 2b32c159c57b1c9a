//! The only room that speaks Redis.
//!
//! [`keys`] names every key. A commit is one Lua script over keys of one shard: tracker, next poll, timers, changes
//! and their deliveries are written together or not at all.

mod accounts;
mod codec;
mod connection;
mod delivery;
mod error;
pub mod keys;
pub mod private;
mod seal;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use accounts::{AccountPause, IN_MEMORY_WINDOW, Lease, LongWindow, Reservation};
pub use connection::Target;
pub use delivery::{Backlog, Claim, DeadDelivery, Sent};
pub use error::StoreError;
pub use seal::MasterKey;

use connection::Connection;

/// How the store behaves.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for an answer.
    pub response_timeout: Duration,
    /// How long changes are kept.
    pub log_max_age: Duration,
    /// A delivery that waited longer than this becomes dead.
    pub delivery_max_age: Duration,
    /// How long dead deliveries are listed.
    pub dead_retention: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        const DAY: u64 = 24 * 3600;
        Self {
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(5),
            log_max_age: Duration::from_secs(14 * DAY),
            delivery_max_age: Duration::from_secs(5 * DAY),
            dead_retention: Duration::from_secs(30 * DAY),
        }
    }
}

/// The store. Cheap to clone; clones share their connection and caches.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    connection: Connection,
    options: StoreOptions,
}

impl Store {
    /// The shared connection, to send commands over.
    fn connection(&self) -> Connection {
        self.shared.connection.clone()
    }

    /// How the store behaves.
    #[must_use]
    pub fn options(&self) -> &StoreOptions {
        &self.shared.options
    }

    /// The time by the store's clock, which all daemons share, to the millisecond.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        let (seconds, micros): (i64, i64) = redis::cmd("TIME").query_async(&mut self.connection()).await?;
        Ok(crate::model::time::from_millis(seconds.saturating_mul(1000).saturating_add(micros / 1000)))
    }
}
