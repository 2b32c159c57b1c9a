//! How commits of this process wake its own loops, so that they need not wait for their next scan.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::model::AccountName;

/// One bell for each loop. A bell that rings while nobody listens is heard by the next who does.
#[derive(Debug, Default)]
pub struct Wakeups {
    /// Something may have to be delivered.
    pub deliveries: Notify,
    /// A timer was set.
    pub timers: Notify,
    accounts: Mutex<HashMap<AccountName, Arc<Notify>>>,
}

impl Wakeups {
    /// A tracker of this account has a new time to be polled.
    #[must_use]
    pub fn due(&self, account: &AccountName) -> Arc<Notify> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = accounts.get(account) {
            return Arc::clone(bell);
        }
        Arc::clone(accounts.entry(account.clone()).or_default())
    }
}
