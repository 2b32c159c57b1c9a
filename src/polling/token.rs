//! The token of an account: kept until shortly before its end, fetched by one call at a time, shared through the store.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::account::Account;
use super::fetch;
use crate::carrier::{CallContext, Token, TokenProblem};
use crate::model::PollOutcome;
use crate::store::Store;

/// Why there is no token.
pub struct NoToken {
    /// As a poll would end.
    pub outcome: PollOutcome,
    /// For the log.
    pub message: String,
}

/// The token of one account.
#[derive(Default)]
pub struct TokenCache {
    held: Mutex<Option<Token>>,
}

impl TokenCache {
    /// The token to call with; `None` where the carrier needs none. Whoever comes while one is being fetched waits for it.
    pub async fn get(&self, store: &Store, client: &reqwest::Client, account: &Account, call: &CallContext) -> Result<Option<SecretString>, NoToken> {
        let Some(request) = account.carrier.token_call(&account.context(), call) else { return Ok(None) };
        let mut held = self.held.lock().await;
        if held.is_none() {
            *held = stored(store, account).await;
        }
        if let Some(token) = held.as_ref().filter(|token| token.expires_at > call.now) {
            return Ok(Some(token.value.clone()));
        }
        let request = request.map_err(|problem| NoToken { outcome: PollOutcome::AuthFailed, message: problem.to_string() })?;
        let answer = fetch::send(client, &request)
            .await
            .map_err(|fault| NoToken { outcome: PollOutcome::CarrierFault, message: format!("token call: {fault}") })?;
        let token = account
            .carrier
            .read_token(&answer, call.now)
            .map_err(|TokenProblem { outcome, message, .. }| NoToken { outcome, message: format!("token call: {message}") })?;
        keep(store, account, &token).await;
        let value = token.value.clone();
        *held = Some(token);
        Ok(Some(value))
    }

    /// Forgets a token that the carrier refused, unless another call has replaced it already.
    pub async fn refused(&self, store: &Store, account: &Account, value: &SecretString) {
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|token| token.value.expose_secret() == value.expose_secret()) {
            *held = None;
            if let Err(error) = store.drop_token(&account.name).await {
                tracing::debug!(event = "token_error", account = %account.name, %error, "A refused token could not be dropped from the store.");
            }
        }
    }
}

async fn stored(store: &Store, account: &Account) -> Option<Token> {
    match store.load_token(&account.name).await {
        Ok(found) => found.map(|(value, expires_at)| Token { value, expires_at }),
        Err(error) => {
            tracing::debug!(event = "token_error", account = %account.name, %error, "The stored token could not be read.");
            None
        }
    }
}

async fn keep(store: &Store, account: &Account, token: &Token) {
    let expires_at: Timestamp = token.expires_at;
    if let Err(error) = store.save_token(&account.name, &token.value, expires_at).await {
        tracing::debug!(event = "token_error", account = %account.name, %error, "The token could not be stored; others will fetch their own.");
    }
}
