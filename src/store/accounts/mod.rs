//! Accounts: the lease that lets one daemon call a carrier, the long windows of its quota, pauses, price and token.
//!
//! Everything of an account lies in one slot and goes by the server's clock.

mod lease;
mod periods;
mod windows;
mod wishes;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Store, StoreError, keys};
use crate::model::AccountName;
use crate::model::time::from_millis;

pub use lease::{IN_MEMORY_WINDOW, Lease};
pub use windows::{LongWindow, Reservation};

/// A script, read once.
macro_rules! script {
    ($name:ident, $file:literal) => {
        static $name: std::sync::LazyLock<redis::Script> =
            std::sync::LazyLock::new(|| redis::Script::new(include_str!(concat!("scripts/", $file))));
    };
}
use script;

script!(PAUSE, "pause.lua");
script!(TOKEN, "token.lua");
script!(PRICE, "price.lua");

/// Why an account is not polled, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountPause {
    /// Until when.
    pub until: Timestamp,
    /// In words, for the operator.
    pub why: String,
    /// Where the carrier refused the credentials: a seal that only they open.
    pub refused: Option<String>,
}

impl Store {
    /// Nobody calls with this account until the pause is over. Of two pauses the longer wins.
    pub async fn pause_account(&self, account: &AccountName, pause: &AccountPause) -> Result<(), StoreError> {
        let mut call = PAUSE.key(keys::account_pause(account));
        call.arg(pause.until.as_millisecond()).arg(&pause.why).arg(pause.refused.as_deref().unwrap_or_default());
        let _: u8 = call.invoke_async(&mut self.connection()).await?;
        Ok(())
    }

    /// Until when nobody calls with this account; nothing where it is not paused.
    pub async fn account_pause(&self, account: &AccountName) -> Result<Option<AccountPause>, StoreError> {
        let mut command = redis::cmd("HMGET");
        command.arg(keys::account_pause(account)).arg("until").arg("why").arg("refused");
        let (until, why, refused): (Option<i64>, Option<String>, Option<String>) =
            command.query_async(&mut self.connection()).await?;
        let refused = refused.filter(|refused| !refused.is_empty());
        Ok(until.map(|until| AccountPause { until: from_millis(until), why: why.unwrap_or_default(), refused }))
    }

    /// Ends a pause before its time.
    pub async fn unpause_account(&self, account: &AccountName) -> Result<(), StoreError> {
        let mut command = redis::cmd("DEL");
        let _: u8 = command.arg(keys::account_pause(account)).query_async(&mut self.connection()).await?;
        Ok(())
    }

    /// Keeps the carrier's token, sealed by the caller, until it expires. False: the lease is no longer ours.
    pub async fn save_token(
        &self,
        account: &AccountName,
        lease: &Lease,
        sealed: &str,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut call = TOKEN.key(keys::lease(account));
        call.key(keys::token(account)).arg(lease.token).arg(sealed).arg(expires_at.as_millisecond().max(1));
        let kept: u8 = call.invoke_async(&mut self.connection()).await?;
        Ok(kept == 1)
    }

    /// The carrier's token as it was sealed, while it is valid.
    pub async fn load_token(&self, account: &AccountName) -> Result<Option<String>, StoreError> {
        Ok(redis::cmd("GET").arg(keys::token(account)).query_async(&mut self.connection()).await?)
    }

    /// Forgets the carrier's token: it was refused.
    pub async fn forget_token(&self, account: &AccountName) -> Result<(), StoreError> {
        let _: u8 = redis::cmd("DEL").arg(keys::token(account)).query_async(&mut self.connection()).await?;
        Ok(())
    }

    /// Keeps what the lease holder reckons of its calls' price. False: the lease is no longer ours.
    pub async fn save_price(
        &self,
        account: &AccountName,
        lease: &Lease,
        price: &BTreeMap<String, String>,
    ) -> Result<bool, StoreError> {
        let mut call = PRICE.key(keys::lease(account));
        call.key(keys::price(account)).arg(lease.token);
        for (name, value) in price {
            call.arg(name).arg(value);
        }
        let kept: u8 = call.invoke_async(&mut self.connection()).await?;
        Ok(kept == 1)
    }

    /// What the last lease holder reckoned; empty where none did.
    pub async fn load_price(&self, account: &AccountName) -> Result<BTreeMap<String, String>, StoreError> {
        Ok(redis::cmd("HGETALL").arg(keys::price(account)).query_async(&mut self.connection()).await?)
    }
}
