//! The token of an account: kept until shortly before its end, fetched by one call at a time, shared through the store.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::account::Account;
use super::fetch;
use crate::carrier::{CallContext, CallProblem, CallRequest, Token, TokenProblem};
use crate::model::PollOutcome;
use crate::store::{Lease, Store, StoreError};
use crate::telemetry::metrics;

/// What sealed tokens are sealed for.
const PURPOSE: &str = "carrier-token";

/// Why there is no token.
pub struct NoToken {
    /// As a poll would end.
    pub outcome: PollOutcome,
    /// For the log.
    pub message: String,
}

/// A token as the store keeps it, sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    value: String,
    expires_at: Timestamp,
    renew_at: Timestamp,
}

/// The token of one account, for one term of its lease.
pub struct TokenCache {
    lease: Lease,
    held: Mutex<Option<Token>>,
}

impl TokenCache {
    /// Empty: the first call looks into the store.
    #[must_use]
    pub fn new(lease: Lease) -> Self {
        Self { lease, held: Mutex::new(None) }
    }

    /// The token to call with; `None` where the carrier needs none. Whoever comes while one is being fetched waits for it.
    pub async fn get(
        &self,
        store: &Store,
        client: &reqwest::Client,
        account: &Account,
        call: &CallContext,
    ) -> Result<Option<SecretString>, NoToken> {
        let Some(request) = account.carrier.token_call(&account.context(), call) else { return Ok(None) };
        let mut held = self.held.lock().await;
        if held.is_none() {
            *held = stored(store, account).await;
        }
        let valid = held.as_ref().filter(|token| token.expires_at > call.now).cloned();
        if let Some(token) = valid.as_ref().filter(|token| token.renew_at > call.now) {
            return Ok(Some(token.value.clone()));
        }
        match fetch_token(client, account, request, call).await {
            Ok(token) => {
                self.keep(store, account, &token).await;
                let value = token.value.clone();
                *held = Some(token);
                Ok(Some(value))
            }
            // It was time to renew it, but the old one still works.
            Err(missing) => valid.map(|token| Some(token.value)).ok_or(missing),
        }
    }

    /// Forgets a token that the carrier refused, unless another call has replaced it already.
    pub async fn refused(&self, store: &Store, account: &Account, value: &SecretString) {
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|token| token.value.expose_secret() == value.expose_secret()) {
            *held = None;
            if let Err(error) = store.forget_token(&account.name).await {
                tracing::debug!(event = "token_error", account = %account.name, %error, "A refused token could not be dropped from the store.");
            }
        }
    }

    async fn keep(&self, store: &Store, account: &Account, token: &Token) {
        if let Err(error) = self.try_keep(store, account, token).await {
            tracing::debug!(event = "token_error", account = %account.name, %error, "The token could not be stored; others will fetch their own.");
        }
    }

    async fn try_keep(&self, store: &Store, account: &Account, token: &Token) -> Result<(), StoreError> {
        let kept = Kept {
            value: token.value.expose_secret().to_owned(),
            expires_at: token.expires_at,
            renew_at: token.renew_at,
        };
        let plain = serde_json::to_vec(&kept).map_err(|error| StoreError::Secret(error.to_string()))?;
        let sealed = store.master_key().seal(PURPOSE, &plain)?;
        store.save_token(&account.name, &self.lease, &sealed, token.expires_at).await.map(drop)
    }
}

async fn fetch_token(
    client: &reqwest::Client,
    account: &Account,
    request: Result<CallRequest, CallProblem>,
    call: &CallContext,
) -> Result<Token, NoToken> {
    let request =
        request.map_err(|problem| NoToken { outcome: PollOutcome::AuthFailed, message: problem.to_string() })?;
    let sent = Instant::now();
    let answer = fetch::send(client, &request).await;
    metrics::carrier_call(account.carrier.code().as_str(), "token", fetch::outcome(&answer), sent.elapsed());
    let answer = answer
        .map_err(|fault| NoToken { outcome: PollOutcome::CarrierFault, message: format!("token call: {fault}") })?;
    account
        .carrier
        .read_token(&answer, call.now)
        .map_err(|TokenProblem { outcome, message }| NoToken { outcome, message: format!("token call: {message}") })
}

/// The token that this or another daemon stored; nothing where there is none that can be read.
async fn stored(store: &Store, account: &Account) -> Option<Token> {
    let sealed = store.load_token(&account.name).await.ok()??;
    let plain = store.master_key().open(PURPOSE, &sealed).ok()?;
    let kept: Kept = serde_json::from_slice(plain.expose_secret()).ok()?;
    Some(Token { value: kept.value.into(), expires_at: kept.expires_at, renew_at: kept.renew_at })
}
