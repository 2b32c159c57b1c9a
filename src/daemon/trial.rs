//! Asking the daemon that polls an account for one call.

use std::collections::BTreeMap;
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;

use super::{DaemonError, tasks};
use crate::model::AccountName;
use crate::polling::trial::{Tried, Wish, opened, sealed};
use crate::settings::Settings;
use crate::store::StoreError;

/// How often to look whether the daemon answered.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A quota may make it wait, the carrier take its time, and a token be fetched before.
const PATIENCE: Duration = Duration::from_secs(90);

/// Why there is nothing to show.
#[derive(Debug, Error)]
pub enum TrialError {
    /// The store could not be opened.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// The store could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody polls it.
    #[error(
        "no daemon polls the account {0} now, and only the one that does knows how much of its quota is used: start `wismo run` with it, or reload one that runs"
    )]
    NotPolled(AccountName),
    /// Nobody answered.
    #[error("the daemon that polls the account {0} did not answer within {PATIENCE:?}; its log may say why")]
    Silent(AccountName),
}

/// Has the daemon that polls this account ask its carrier about a number, and waits for what comes of it.
pub async fn try_call(
    settings: &Settings,
    account: &AccountName,
    number: &str,
    inputs: BTreeMap<String, String>,
) -> Result<Tried, TrialError> {
    let store = super::visit_store(settings).await?;
    if !store.is_polled(account).await? {
        return Err(TrialError::NotPolled(account.clone()));
    }
    let wish = Wish { id: tasks::owner()?, number: number.to_owned(), inputs };
    store.wish(account, &sealed(&store, account, &wish)?).await?;
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(text) = store.granted(account, &wish.id).await? {
            return Ok(opened(&store, account, &text)?);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(TrialError::Silent(account.clone()))
}
