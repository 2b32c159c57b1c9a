//! Tells the store that this daemon is at work, for whoever reads it (`wismo status`).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::plan::Plan;
use crate::store::{Beat, Store};

/// How often.
const EVERY: Duration = Duration::from_secs(10);

/// What this daemon tells. Clones share it.
#[derive(Clone)]
pub struct Presence(Arc<Mutex<Beat>>);

impl Presence {
    /// For a daemon that listens there and has this name.
    pub fn new(owner: String, listen: std::net::SocketAddr) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self(Arc::new(Mutex::new(Beat {
            owner,
            host,
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            listen: listen.to_string(),
            started_at: crate::clock::now(),
            accounts: Vec::new(),
            stale: Vec::new(),
        })))
    }

    fn beat(&self) -> Beat {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is in force now: the accounts, and the carriers whose new definition is broken.
    pub fn set(&self, plan: &Plan) {
        let mut beat = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        beat.accounts = plan.access.keys().cloned().collect();
        beat.stale = plan.stale.keys().cloned().collect();
    }

    /// Tells it until cancelled, then takes leave.
    pub async fn run(self, store: Store, cancel: CancellationToken) {
        while !cancel.is_cancelled() {
            if let Err(error) = store.beat(&self.beat()).await {
                tracing::debug!(event = "presence_failed", %error, "The store could not be told that this daemon is at work.");
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = cancel.cancelled() => {}
            }
        }
        // Missed: it is forgotten after a day.
        let _ = store.leave(&self.beat().owner).await;
    }
}
