//! Shops and their API keys. A key is stored as its hash: what was shown once cannot be read again.

use std::fmt;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use redis::FromRedisValue;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::Store;
use super::error::StoreError;
use super::keys;
use super::seal::random;
use crate::model::ShopId;

/// How an API key starts, so that a leaked one is recognised.
pub const KEY_PREFIX: &str = "wsk_";

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shop {
    /// Its name.
    pub id: ShopId,
    /// Its number, which stands in the ids of its changes.
    pub number: u32,
}

/// An API key in plain, to be shown once.
pub struct ShopKey(SecretString);

impl ShopKey {
    /// The key.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for ShopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShopKey(…)")
    }
}

impl Store {
    /// A key for this shop, which is created where it is new.
    pub async fn add_shop(&self, shop: &ShopId) -> Result<ShopKey, StoreError> {
        self.ensure_shop(shop).await?;
        let key = format!("{KEY_PREFIX}{}", BASE32_NOPAD.encode(&random::<32>()?).to_ascii_lowercase());
        let mut command = redis::cmd("SET");
        command.arg(keys::api_key(&hash(&key))).arg(shop.as_str());
        self.ask::<()>(&command).await?;
        self.make_durable().await?;
        Ok(ShopKey(SecretString::from(key)))
    }

    /// Creates the shop where it is new, and gives its number.
    pub async fn ensure_shop(&self, shop: &ShopId) -> Result<u32, StoreError> {
        let key = keys::shop(shop);
        let known: Option<u32> = self.ask(redis::cmd("HGET").arg(&key).arg("number")).await?;
        let number = if let Some(number) = known {
            number
        } else {
            // Two at once take two numbers and keep one.
            let next: u32 = self.ask(redis::cmd("HINCRBY").arg(keys::META).arg("shops").arg(1)).await?;
            self.ask::<()>(redis::cmd("HSETNX").arg(&key).arg("number").arg(next)).await?;
            self.ask(redis::cmd("HGET").arg(&key).arg("number")).await?
        };
        // Also where it was known: the process that created it may have died before this.
        let mut list = redis::cmd("HSET");
        list.arg(keys::SHOPS).arg(number).arg(shop.as_str());
        self.ask::<()>(&list).await?;
        Ok(number)
    }

    /// The shop that a key belongs to.
    pub async fn shop_of_key(&self, key: &str) -> Result<Option<ShopId>, StoreError> {
        if !key.starts_with(KEY_PREFIX) || key.len() > 100 {
            return Ok(None);
        }
        let shop: Option<String> = self.ask(redis::cmd("GET").arg(keys::api_key(&hash(key)))).await?;
        Ok(shop.and_then(|shop| shop.parse().ok()))
    }

    /// Takes a key back. False: nobody had it.
    pub async fn revoke_key(&self, key: &str) -> Result<bool, StoreError> {
        let gone: u32 = self.ask(redis::cmd("DEL").arg(keys::api_key(&hash(key)))).await?;
        self.make_durable().await?;
        Ok(gone > 0)
    }

    /// Every shop, by number.
    pub async fn shops(&self) -> Result<Vec<Shop>, StoreError> {
        let answer: redis::Value = self.ask(redis::cmd("HGETALL").arg(keys::SHOPS)).await?;
        let pairs = Vec::<(u32, String)>::from_redis_value(answer).map_err(redis::RedisError::from)?;
        let mut shops: Vec<Shop> =
            pairs.into_iter().filter_map(|(number, id)| Some(Shop { id: id.parse().ok()?, number })).collect();
        shops.sort_by_key(|shop| shop.number);
        Ok(shops)
    }

    /// The shop of this number.
    pub(super) async fn shop_of_number(&self, number: u32) -> Result<Option<ShopId>, StoreError> {
        let shop: Option<String> = self.ask(redis::cmd("HGET").arg(keys::SHOPS).arg(number)).await?;
        Ok(shop.and_then(|shop| shop.parse().ok()))
    }
}

/// Keys are 32 random bytes, so a plain hash is enough: there is nothing to guess.
fn hash(key: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(key.as_bytes()))
}
