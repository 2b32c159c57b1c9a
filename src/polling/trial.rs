//! One call that a person asked for, made by whoever polls the account, within its quota: the command line beside a
//! daemon must not call on its own, since it knows nothing of the calls of the last seconds.

use std::collections::BTreeMap;
use std::sync::Arc;

use data_encoding::BASE64;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::call::{self, Asked, Failure};
use super::worker::Worker;
use crate::carrier::{CallItem, RawAnswer, ShownRequest};
use crate::model::{AccountName, PollOutcome};
use crate::store::{Store, StoreError};

/// What is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Wish {
    /// Names it.
    pub id: String,
    /// The number.
    pub number: String,
    /// What the carrier asks for beside it.
    pub inputs: BTreeMap<String, String>,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tried {
    /// The request without its secrets; nothing where none could be made.
    pub request: Option<ShownRequest>,
    /// Whether a token was fetched for it.
    pub fetched_token: bool,
    /// The answer, where one came.
    pub answer: Option<TriedAnswer>,
    /// Why none came.
    pub failure: Option<String>,
}

/// An answer on its way between processes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TriedAnswer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    observed_at: Timestamp,
    /// How long it took, with the token call where there was one.
    pub took_ms: u64,
}

impl TriedAnswer {
    /// The answer as it came.
    #[must_use]
    pub fn raw(&self) -> RawAnswer {
        RawAnswer {
            status: self.status,
            headers: self.headers.clone(),
            body: BASE64.decode(self.body.as_bytes()).unwrap_or_default(),
            observed_at: self.observed_at,
        }
    }
}

/// Seals what passes through the store: it holds people's data.
pub fn sealed<T: Serialize>(store: &Store, account: &AccountName, what: &T) -> Result<String, StoreError> {
    let plain = serde_json::to_vec(what).map_err(|error| StoreError::Secret(error.to_string()))?;
    store.master_key().seal(&purpose(account), &plain)
}

/// Opens it.
pub fn opened<T: DeserializeOwned>(store: &Store, account: &AccountName, sealed: &str) -> Result<T, StoreError> {
    let plain = store.master_key().open(&purpose(account), sealed)?;
    serde_json::from_slice(plain.expose_secret()).map_err(|error| StoreError::Secret(error.to_string()))
}

fn purpose(account: &AccountName) -> String {
    format!("carrier-trial {account}")
}

/// Looks for wishes, once a tick.
#[derive(Default)]
pub(super) struct Wishes {
    looked: Option<Instant>,
}

impl Wishes {
    /// Starts the call of the oldest wish, where there is one.
    pub(super) async fn look(&mut self, worker: &Arc<Worker>, calls: &mut JoinSet<()>) {
        let now = Instant::now();
        if self.looked.is_some_and(|at| now < at + worker.shared.tick) {
            return;
        }
        self.looked = Some(now);
        let (store, account) = (&worker.shared.store, &worker.account.name);
        let Ok(Some(text)) = store.next_wish(account).await else { return };
        match opened::<Wish>(store, account, &text) {
            Ok(wish) => {
                let worker = Arc::clone(worker);
                calls.spawn(async move { grant(&worker, wish).await });
            }
            Err(error) => {
                tracing::debug!(event = "wish_unreadable", %account, %error, "Somebody asked for a call in words that cannot be read.");
            }
        }
    }
}

async fn grant(worker: &Worker, wish: Wish) {
    let (store, account) = (&worker.shared.store, &worker.account.name);
    tracing::info!(event = "trial", carrier = %worker.account.carrier.code(), %account, "A call is made because somebody asked for it.");
    let tried = make(worker, &wish).await;
    let left = match sealed(store, account, &tried) {
        Ok(text) => store.grant(account, &wish.id, &text).await,
        Err(error) => Err(error),
    };
    if let Err(error) = left {
        tracing::debug!(event = "trial_lost", %account, %error, "What came of a call that somebody asked for could not be left for them.");
    }
}

async fn make(worker: &Worker, wish: &Wish) -> Tried {
    let Ok(_slot) = Arc::clone(&worker.shared.slots).acquire_owned().await else {
        return Tried {
            request: None,
            fetched_token: false,
            answer: None,
            failure: Some("the daemon stops".to_owned()),
        };
    };
    let items = [CallItem { number: wish.number.clone(), inputs: wish.inputs.clone(), ..CallItem::default() }];
    let began = Instant::now();
    let asked = call::ask(worker, &items, None).await;
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let context = asked.as_ref().map_or_else(|_| call::context(worker), |asked| asked.call.clone());
    let request = worker.account.carrier.shown_call(&worker.account.context(), &items, &context);
    let (answer, failure, fetched_token) = match asked {
        Ok(Asked { answer, raw, fetched, .. }) => {
            match answer.call {
                PollOutcome::Ok | PollOutcome::NotFound | PollOutcome::InvalidNumber => worker.carrier_answered(),
                outcome => {
                    let message = answer.message.unwrap_or_else(|| format!("HTTP {}", raw.status));
                    call::trouble(worker, Vec::new(), outcome, &message, answer.retry_after).await;
                }
            }
            let RawAnswer { status, headers, body, observed_at } = raw;
            (Some(TriedAnswer { status, headers, body: BASE64.encode(&body), observed_at, took_ms }), None, fetched)
        }
        Err(failure) => (None, Some(why(worker, failure).await), false),
    };
    Tried { request: request.ok(), fetched_token, answer, failure }
}

async fn why(worker: &Worker, failure: Failure) -> String {
    match failure {
        Failure::NotSent => match worker.shared.store.account_pause(&worker.account.name).await {
            Ok(Some(pause)) => format!("nothing was sent: the account rests until {} ({})", pause.until, pause.why),
            _ => "nothing was sent: the quota is used up, or the daemon is about to hand the account over".to_owned(),
        },
        Failure::Unaskable(message) => format!("no request could be made: {message}"),
        Failure::Failed(outcome, message, retry_after) => {
            call::trouble(worker, Vec::new(), outcome, &message, retry_after).await;
            format!("{}: {}", outcome.name(), worker.account.redacted(&message))
        }
    }
}
