//! The right of one daemon to call with an account.
//!
//! A carrier cannot check our tokens. So the holder stops by itself, by a clock that only goes forward, a margin before
//! its lease ends; and whoever takes over waits until nothing that the last holder may have called still counts.

use std::time::Duration;

use super::script;
use crate::model::AccountName;
use crate::store::{Store, StoreError, keys};

script!(ACQUIRE, "acquire.lua");
script!(RENEW, "renew.lua");

/// Windows up to this length are kept in the holder's memory; longer ones in the store.
pub const IN_MEMORY_WINDOW: Duration = Duration::from_secs(5);
/// Added to every wait that stands for a holder we know nothing of.
const MARGIN: Duration = Duration::from_secs(1);

/// A lease that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Rises with every holder of the account.
    pub token: u64,
    /// How long the last holder's calls may still count somewhere: wait so long before the first call, renewing
    /// meanwhile, then start with an empty window.
    pub wait_before_first_call: Duration,
}

impl Store {
    /// Takes an account's lease; nothing while another holds it. `owner` names this start of this process alone.
    /// Count the lease's end from the moment before the call, on a clock that only goes forward.
    pub async fn acquire_lease(
        &self,
        account: &AccountName,
        owner: &str,
        lease: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        self.acquire_lease_for(account, owner, lease, IN_MEMORY_WINDOW).await
    }

    /// As [`Store::acquire_lease`], for an account whose longest window in memory is shorter than five seconds.
    pub async fn acquire_lease_for(
        &self,
        account: &AccountName,
        owner: &str,
        lease: Duration,
        window: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        // An account that was never leased may have been, where the server lost its last writes: then wait as for
        // anybody. A store younger than that wait has lost nobody.
        let unknown = lease + window + MARGIN;
        let wait = if self.is_younger_than(unknown).await? { Duration::ZERO } else { unknown };
        let mut call = ACQUIRE.key(keys::lease(account));
        call.arg(owner).arg(millis(lease)).arg(millis(window)).arg(millis(wait)).arg(millis(MARGIN));
        let (token, wait): (u64, u64) = call.invoke_async(&mut self.connection()).await?;
        Ok((token > 0).then(|| Lease { token, wait_before_first_call: Duration::from_millis(wait) }))
    }

    /// Prolongs a lease from now on. False: another has it; stop calling.
    pub async fn renew_lease(&self, account: &AccountName, lease: &Lease, time: Duration) -> Result<bool, StoreError> {
        let mut call = RENEW.key(keys::lease(account));
        call.arg(lease.token).arg(millis(time).max(1));
        let renewed: u8 = call.invoke_async(&mut self.connection()).await?;
        Ok(renewed == 1)
    }

    /// Gives a lease back, with no call under way any more: the next holder waits for the windows alone.
    /// False: another has it already.
    pub async fn release_lease(&self, account: &AccountName, lease: &Lease) -> Result<bool, StoreError> {
        let mut call = RENEW.key(keys::lease(account));
        let released: u8 = call.arg(lease.token).arg(0).invoke_async(&mut self.connection()).await?;
        Ok(released == 1)
    }

    async fn is_younger_than(&self, age: Duration) -> Result<bool, StoreError> {
        let created: Option<i64> =
            redis::cmd("HGET").arg(keys::META).arg("created_at").query_async(&mut self.connection()).await?;
        let now = self.now().await?.as_millisecond();
        Ok(created
            .is_some_and(|created| now.saturating_sub(created) < i64::try_from(age.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// Whole milliseconds, never less than given.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
