//! The only room that speaks Redis.
//!
//! [`keys`] names every key. A commit is one Lua script over keys of one shard: tracker, next poll, timers, changes
//! and their deliveries are written together or not at all.

mod accounts;
mod answers;
mod codec;
mod commit;
mod connection;
mod daemons;
mod delivery;
mod durable;
mod endpoints;
mod error;
mod feed;
mod fitness;
pub mod keys;
mod listing;
mod load;
mod log;
mod lookups;
mod open;
pub mod private;
mod queues;
pub mod reader;
mod routing;
mod scripts;
mod seal;
mod shops;
mod wakeups;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use redis::{Cmd, FromRedisValue, Value};
use secrecy::{ExposeSecret, SecretSlice};

pub use accounts::{AccountPause, IN_MEMORY_WINDOW, Lease, LongWindow, Reservation};
pub use answers::{UnmappedCode, UnmappedScan};
pub use commit::{Commit, Registered};
pub use connection::Target;
pub use daemons::Beat;
pub use delivery::{Backlog, Claim, DeadDelivery, Sent};
pub use error::StoreError;
pub use feed::{FeedPage, FeedPlace};
pub use fitness::Fitness;
pub use listing::{Entry, Listed, Newest, Position};
pub use lookups::Lookup;
pub use reader::Reader;
pub use seal::MasterKey;
pub use shops::{KEY_PREFIX, Shop, ShopKey};
pub use wakeups::Wakeups;

use crate::model::{CarrierCode, ShopId, TrackerId};
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
    /// How long a look-up's tracker must be missing before the look-up is removed.
    pub lookup_grace: Duration,
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
            lookup_grace: Duration::from_secs(3600),
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
    durability: durable::Durability,
    options: StoreOptions,
    master_key: MasterKey,
    /// Derives the ids of trackers.
    id_secret: SecretSlice<u8>,
    routes: routing::RouteCache,
    wakeups: Wakeups,
    fitness: Fitness,
}

impl Store {
    /// The shared connection, to send commands over.
    fn connection(&self) -> Connection {
        self.shared.connection.clone()
    }

    /// Sends a command that may be repeated, and repeats it while its outcome is unknown.
    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let answer = scripts::patiently(&self.shared.connection, std::slice::from_ref(command)).await?.pop();
        Ok(T::from_redis_value(answer.unwrap_or(Value::Nil)).map_err(redis::RedisError::from)?)
    }

    /// As [`Store::ask`], for commands whose keys may lie in different slots; answers come in order.
    async fn ask_all(&self, commands: &[Cmd]) -> Result<Vec<Value>, StoreError> {
        scripts::patiently(&self.shared.connection, commands).await
    }

    /// The same store for those who only read.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::over(self.connection())
    }

    /// How the store behaves.
    #[must_use]
    pub fn options(&self) -> &StoreOptions {
        &self.shared.options
    }

    /// What seals secrets.
    #[must_use]
    pub fn master_key(&self) -> &MasterKey {
        &self.shared.master_key
    }

    /// What was found at the start.
    #[must_use]
    pub fn fitness(&self) -> &Fitness {
        &self.shared.fitness
    }

    /// Whether a registration is waited for until it is on disk.
    #[must_use]
    pub fn waits_for_disk(&self) -> bool {
        self.shared.durability.is_supported()
    }

    /// Where this process's own commits wake its loops.
    #[must_use]
    pub fn wakeups(&self) -> &Wakeups {
        &self.shared.wakeups
    }

    /// The id of a shop's parcel. `number` is the carrier's normalised form.
    #[must_use]
    pub fn tracker_id(&self, shop: &ShopId, carrier: &CarrierCode, number: &str) -> TrackerId {
        TrackerId::derive(self.shared.id_secret.expose_secret(), shop, carrier, number)
    }

    /// The time by the store's clock, which all daemons share, to the millisecond.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        let (seconds, micros): (i64, i64) = self.ask(&redis::cmd("TIME")).await?;
        Ok(crate::model::time::from_millis(seconds.saturating_mul(1000).saturating_add(micros / 1000)))
    }
}
