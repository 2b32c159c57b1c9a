//! Opening the store: is the server fit, is the store of our schema and sealed with our key?

use std::sync::Arc;

use secrecy::SecretSlice;

use super::connection::{Connection, Target};
use super::durable::Durability;
use super::error::StoreError;
use super::routing::RouteCache;
use super::seal::{MasterKey, random};
use super::{Shared, Store, StoreOptions, Wakeups, fitness, keys};
use crate::model::time::to_millis;

/// Version of what the keys hold. Another one needs a migration.
const SCHEMA: u32 = 2;

/// The store's secret from which ids of trackers are derived.
const ID_SECRET: &str = "ids";

impl Store {
    /// Connects, and refuses a server that would lose data, a store of another schema, and a wrong master key.
    pub async fn connect(target: Target, options: StoreOptions, master_key: MasterKey) -> Result<Self, StoreError> {
        let open = || Connection::open(&target, options.connect_timeout, options.response_timeout);
        let connection = open().await?;
        let fitness = fitness::check(&connection, &target).await?;
        for warning in &fitness.warnings {
            tracing::warn!(event = "redis_unsafe_config", "{warning}");
        }
        check_meta(&connection, &master_key).await?;
        let id_secret = id_secret(&connection, &master_key).await?;
        let durability = Durability::new(if fitness.can_wait_for_disk() { Some(open().await?) } else { None });
        let shared = Shared {
            connection,
            durability,
            options,
            master_key,
            id_secret,
            routes: RouteCache::default(),
            wakeups: Wakeups::default(),
            fitness,
        };
        Ok(Self { shared: Arc::new(shared) })
    }
}

async fn check_meta(connection: &Connection, master_key: &MasterKey) -> Result<(), StoreError> {
    let connection = &mut connection.clone();
    let (seconds, micros): (i64, i64) = redis::cmd("TIME").query_async(connection).await?;
    let now = crate::model::time::from_millis(seconds.saturating_mul(1000).saturating_add(micros / 1000));
    let ours = [
        ("schema", SCHEMA.to_string()),
        ("key_check", master_key.check_hash()),
        ("created_at", to_millis(now).to_string()),
    ];
    // Whoever comes first writes; two at once write the same schema, and one of two keys.
    for (name, value) in &ours {
        redis::cmd("HSETNX").arg(keys::META).arg(*name).arg(value).query_async::<()>(connection).await?;
    }
    let (schema, key_check): (u32, String) =
        redis::cmd("HMGET").arg(keys::META).arg(&["schema", "key_check"]).query_async(connection).await?;
    if schema != SCHEMA {
        return Err(StoreError::Unfit(format!("its data has schema {schema}, and this wismo reads schema {SCHEMA}")));
    }
    if key_check != master_key.check_hash() {
        return Err(StoreError::Secret(
            "this is not the master key that the store's secrets are sealed with: give the key that was used when the store was created"
                .to_owned(),
        ));
    }
    Ok(())
}

async fn id_secret(connection: &Connection, master_key: &MasterKey) -> Result<SecretSlice<u8>, StoreError> {
    let connection = &mut connection.clone();
    let key = keys::secret(ID_SECRET);
    let fresh = master_key.seal(&key, &random::<32>()?)?;
    redis::cmd("SET").arg(&key).arg(fresh).arg("NX").query_async::<redis::Value>(connection).await?;
    let sealed: String = redis::cmd("GET").arg(&key).query_async(connection).await?;
    master_key.open(&key, &sealed)
}
