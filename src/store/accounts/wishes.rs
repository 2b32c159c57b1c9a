//! Calls that a person asks for: noted by whoever asks, made by the daemon that polls the account.

use std::time::Duration;

use crate::model::AccountName;
use crate::store::{Store, StoreError, keys};

/// A wish that nobody granted by then is forgotten, and so is an answer that nobody fetched.
const KEPT: Duration = Duration::from_secs(120);

impl Store {
    /// Whether some daemon polls this account now.
    pub async fn is_polled(&self, account: &AccountName) -> Result<bool, StoreError> {
        let mut held = redis::cmd("HMGET");
        held.arg(keys::lease(account)).arg("owner").arg("expires");
        let (owner, expires): (Option<String>, Option<i64>) = self.ask(&held).await?;
        let now = self.now().await?.as_millisecond();
        Ok(owner.is_some() && expires.is_some_and(|expires| expires > now))
    }

    /// Asks the daemon that polls this account for a call. `sealed` is for its eyes.
    pub async fn wish(&self, account: &AccountName, sealed: &str) -> Result<(), StoreError> {
        let key = keys::wishes(account);
        let _: u64 = redis::cmd("RPUSH").arg(&key).arg(sealed).query_async(&mut self.connection()).await?;
        self.ask::<()>(redis::cmd("EXPIRE").arg(key).arg(KEPT.as_secs())).await
    }

    /// The oldest wish, which is then nobody else's.
    pub async fn next_wish(&self, account: &AccountName) -> Result<Option<String>, StoreError> {
        Ok(redis::cmd("LPOP").arg(keys::wishes(account)).query_async(&mut self.connection()).await?)
    }

    /// Leaves what came of a wish for whoever asked.
    pub async fn grant(&self, account: &AccountName, wish: &str, sealed: &str) -> Result<(), StoreError> {
        let mut leave = redis::cmd("SET");
        leave.arg(keys::granted(account, wish)).arg(sealed).arg("EX").arg(KEPT.as_secs());
        self.ask(&leave).await
    }

    /// What came of a wish, once.
    pub async fn granted(&self, account: &AccountName, wish: &str) -> Result<Option<String>, StoreError> {
        Ok(redis::cmd("GETDEL").arg(keys::granted(account, wish)).query_async(&mut self.connection()).await?)
    }
}
