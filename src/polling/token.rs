//! The token of an account: kept until shortly before its end, fetched by one call at a time, shared through the store.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::account::Account;
use super::fetch;
use crate::carrier::{CallContext, CallProblem, CallRequest, Token, TokenProblem};
use crate::model::{PollOutcome, time};
use crate::store::{Lease, Store, StoreError};
use crate::telemetry::metrics;

/// What a token is sealed for: one that was got with other credentials, or elsewhere, does not open. It would go on
/// working under the old contract, or be shown to a host that it is not for.
fn purpose(account: &Account) -> String {
    format!("carrier-token {}", account.configured())
}

/// How long a renewal that failed is not tried again while the old token still works.
const RENEW_AGAIN: SignedDuration = SignedDuration::from_secs(30);

/// A token to call with.
pub struct Got {
    /// Nothing where the carrier needs none.
    pub token: Option<SecretString>,
    /// Whether it took a call to get it.
    pub fetched: bool,
}

/// Who asks for a token, and with what.
pub struct Caller<'a> {
    /// Where tokens are kept.
    pub store: &'a Store,
    /// The HTTP client.
    pub client: &'a reqwest::Client,
    /// The account whose token it is.
    pub account: &'a Account,
    /// The longest that a call may take.
    pub longest_exchange: Duration,
    /// Whether calls may be sent now.
    pub may_send: &'a (dyn Fn() -> bool + Sync),
}

/// Why there is no token.
#[derive(Clone)]
pub enum NoToken {
    /// Nothing was asked: calls may not be sent now.
    NotSent,
    /// How a poll ends for it, and words for the log.
    Failed(PollOutcome, String),
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
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    token: Option<Token>,
    /// The newest fetch that failed: when it ended, and how.
    failed: Option<(Instant, NoToken)>,
}

impl TokenCache {
    /// Empty: the first call looks into the store.
    #[must_use]
    pub fn new(lease: Lease) -> Self {
        Self { lease, held: Mutex::default() }
    }

    /// The token to call with. Whoever comes while one is being fetched waits for it, and for its failure, too: one
    /// try with bad credentials may be forgiven, one for each call at once may lock the account.
    pub async fn get(&self, caller: &Caller<'_>, call: &CallContext) -> Result<Got, NoToken> {
        let account = caller.account;
        let Some(request) = account.carrier.token_call(&account.context(), call) else {
            return Ok(Got { token: None, fetched: false });
        };
        let asked_at = Instant::now();
        let mut held = self.held.lock().await;
        if held.token.is_none() {
            held.token = stored(caller.store, account).await;
        }
        let now = crate::clock::now();
        let valid = held.token.clone().filter(|token| token.expires_at > now);
        if let Some(token) = valid.as_ref().filter(|token| token.renew_at > now) {
            return Ok(Got { token: Some(token.value.clone()), fetched: false });
        }
        if let Some((_, why)) = held.failed.as_ref().filter(|(at, _)| asked_at <= *at) {
            return Err(why.clone());
        }
        if !(caller.may_send)() {
            return Err(NoToken::NotSent);
        }
        match fetch_token(caller, request, now).await {
            Ok(token) => {
                self.keep(caller.store, account, &token).await;
                let value = token.value.clone();
                *held = Held { token: Some(token), failed: None };
                Ok(Got { token: Some(value), fetched: true })
            }
            Err(missing) => {
                held.failed = Some((Instant::now(), missing.clone()));
                // It was time to renew it, but the old one still works: to its end, without a try for each call.
                let Some(old) = valid else { return Err(missing) };
                let value = old.value.clone();
                held.token = Some(Token { renew_at: time::after(crate::clock::now(), RENEW_AGAIN), ..old });
                Ok(Got { token: Some(value), fetched: true })
            }
        }
    }

    /// Forgets a token that the carrier refused, unless another call has replaced it already.
    pub async fn refused(&self, store: &Store, account: &Account, value: &SecretString) {
        let mut held = self.held.lock().await;
        if held.token.as_ref().is_some_and(|token| token.value.expose_secret() == value.expose_secret()) {
            held.token = None;
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
        let sealed = store.master_key().seal(&purpose(account), &plain)?;
        store.save_token(&account.name, &self.lease, &sealed, token.expires_at).await.map(drop)
    }
}

async fn fetch_token(
    caller: &Caller<'_>,
    request: Result<CallRequest, CallProblem>,
    now: Timestamp,
) -> Result<Token, NoToken> {
    let failed = |outcome, message: &dyn std::fmt::Display| NoToken::Failed(outcome, format!("token call: {message}"));
    let mut request = request.map_err(|problem| NoToken::Failed(PollOutcome::AuthFailed, problem.to_string()))?;
    request.timeout = request.timeout.min(caller.longest_exchange);
    let sent = Instant::now();
    let answer = fetch::send(caller.client, &request).await;
    let carrier = caller.account.carrier.code().as_str();
    metrics::carrier_call(carrier, "token", fetch::outcome(&answer), sent.elapsed());
    let answer = answer.map_err(|fault| failed(PollOutcome::CarrierFault, &fault))?;
    let read = caller.account.carrier.read_token(&answer, now);
    read.map_err(|TokenProblem { outcome, message }| failed(outcome, &message))
}

/// The token that this or another daemon stored; nothing where there is none that can be read.
async fn stored(store: &Store, account: &Account) -> Option<Token> {
    let sealed = store.load_token(&account.name).await.ok()??;
    let plain = store.master_key().open(&purpose(account), &sealed).ok()?;
    let kept: Kept = serde_json::from_slice(plain.expose_secret()).ok()?;
    Some(Token { value: kept.value.into(), expires_at: kept.expires_at, renew_at: kept.renew_at })
}
