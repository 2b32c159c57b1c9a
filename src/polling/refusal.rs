//! Credentials that a carrier refused: the account rests, since each try may lock it, but only as long as it has them.

use super::account::Account;
use crate::model::PollOutcome;
use crate::store::{AccountPause, MasterKey};

fn purpose(account: &Account) -> String {
    format!("refused-account {}", account.configured())
}

/// What a pause for this outcome keeps of the credentials: a seal that they alone open, and that tells nothing of them.
pub fn seal(key: &MasterKey, account: &Account, outcome: PollOutcome) -> Option<String> {
    let refused = outcome == PollOutcome::AuthFailed;
    refused.then(|| key.seal(&purpose(account), b"refused").ok()).flatten()
}

/// Whether others were refused than the account has now: there is nothing left to wait for.
pub fn is_over(key: &MasterKey, account: &Account, pause: &AccountPause) -> bool {
    pause.refused.as_deref().is_some_and(|sealed| key.open(&purpose(account), sealed).is_err())
}
