//! One account as the poll loop sees it: its carrier, its credentials, its limits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::windows::ShortWindow;
use crate::carrier::{AccountContext, CallItem, Carrier};
use crate::model::{AccountName, Tracker};
use crate::store::LongWindow;

/// What an account's contract says; built from the carrier's published limits and the operator's own.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Windows of up to five seconds.
    pub short: Vec<ShortWindow>,
    /// Longer windows.
    pub long: Vec<LongWindow>,
    /// Calls at once.
    pub concurrent: u32,
    /// Numbers in one call.
    pub numbers_per_call: usize,
    /// Whether calls for a token count, too.
    pub token_calls_count: bool,
    /// Least time between two polls of one parcel.
    pub per_parcel: Option<Duration>,
}

impl Limits {
    /// The longest window that is kept in memory: a new lease holder waits this long for its predecessor's calls.
    #[must_use]
    pub fn longest_short(&self) -> Duration {
        self.short.iter().map(|window| window.per).max().unwrap_or_default()
    }
}

/// An account, ready to work.
#[derive(Clone)]
pub struct Account {
    /// Its name.
    pub name: AccountName,
    /// Whose it is.
    pub carrier: Arc<Carrier>,
    /// One of the carrier's environments.
    pub environment: String,
    /// Where to call instead of the environment's own address.
    pub base_url: Option<String>,
    /// Language of texts.
    pub language: Option<String>,
    /// By the names of the definition.
    pub credentials: BTreeMap<String, SecretString>,
    /// What it may do.
    pub limits: Limits,
}

impl Account {
    /// What requests are made with.
    #[must_use]
    pub fn context(&self) -> AccountContext<'_> {
        AccountContext {
            environment: self.environment.clone(),
            base_url: self.base_url.clone(),
            credentials: &self.credentials,
            language: self.language.clone(),
        }
    }

    /// A digest of what calls are made with: whose, where and by which credentials. Never to be stored or shown as it
    /// is, since a short password could be guessed from it; it is what secrets are sealed for.
    #[must_use]
    pub fn configured(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |text: &str| hash.update(format!("{}:{text};", text.len()));
        add(self.carrier.code().as_str());
        add(&self.environment);
        add(self.base_url.as_deref().unwrap_or_default());
        for (name, value) in &self.credentials {
            add(name);
            add(value.expose_secret());
        }
        HEXLOWER.encode(&hash.finalize())
    }

    /// Words of the carrier's for the log, without credentials: some carriers repeat the key that they refuse.
    #[must_use]
    pub fn redacted(&self, words: &str) -> String {
        let secrets = self.credentials.values().map(ExposeSecret::expose_secret);
        // A short one is no secret worth its name, and would eat letters out of every word.
        let shown = secrets.filter(|secret| secret.len() >= 6);
        shown.fold(words.to_owned(), |words, secret| words.replace(secret, "***"))
    }

    /// What to ask of a tracker: its number, and the inputs that the definition wants, from what the shop told us.
    /// `keep`: the answer is to be kept as it was read.
    #[must_use]
    pub fn item(&self, tracker: &Tracker, keep: bool) -> CallItem {
        let inputs = self.carrier.inputs(&tracker.registration, tracker.registered_at);
        let known = |hash: u64| (hash != 0).then_some(hash);
        let (known_digest, known_bytes) = (known(tracker.poll.digest), known(tracker.poll.bytes));
        CallItem { number: tracker.number.clone(), inputs, known_digest, known_bytes, keep }
    }
}

/// A rate as a window: whole calls a second, or one call in so many seconds. Rates between are rounded to fewer calls.
#[must_use]
pub fn rate_window(per_second: f64) -> (u32, Duration) {
    if per_second >= 1.0 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate of at least 1, capped")]
        let calls = per_second.min(1_000_000.0).floor() as u32;
        return (calls, Duration::from_secs(1));
    }
    let every = Duration::try_from_secs_f64(1.0 / per_second.max(1e-6)).unwrap_or(Duration::from_secs(1_000_000));
    (1, every)
}
