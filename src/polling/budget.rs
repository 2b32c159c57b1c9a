//! May I call? Every window of an account's quota has to agree.
//!
//! Short windows live in memory, long ones in the store, where calls are reserved in small blocks: a crash wastes
//! the rest of a block and exceeds nothing.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::time::Instant;

use super::account::Limits;
use super::windows::{Permit, ShortWindows};
use crate::model::AccountName;
use crate::store::{LongWindow, Store, StoreError};

/// Calls reserved in the store and not yet used.
#[derive(Debug)]
struct Block {
    left: u32,
    void_at: Instant,
}

/// What comes of asking for a permit.
pub enum Grant {
    /// Call now.
    Go(Permit),
    /// A long window is used up until then.
    UsedUp(Timestamp),
}

/// The budget of one account, in the hands of its lease holder. A new holder starts with an empty one.
pub struct Budget {
    account: AccountName,
    short: Arc<ShortWindows>,
    long: Vec<(LongWindow, Mutex<Option<Block>>)>,
}

impl Budget {
    /// An empty budget: nothing reserved, nothing sent.
    #[must_use]
    pub fn new(account: AccountName, limits: &Limits) -> Self {
        Self {
            account,
            short: ShortWindows::new(limits.short.clone(), limits.concurrent),
            long: limits.long.iter().map(|window| (window.clone(), Mutex::new(None))).collect(),
        }
    }

    /// Waits for the short windows, then takes one call out of every long one.
    pub async fn permit(&self, store: &Store) -> Result<Grant, StoreError> {
        let mut permit = self.short.permit().await;
        for (window, block) in &self.long {
            if let Some(void_at) = take(block) {
                permit.must_end_by(void_at + window.deadline);
                continue;
            }
            let asked_at = Instant::now();
            let reservation = store.reserve_calls(&self.account, window, window.largest_block()).await?;
            if reservation.granted == 0 {
                return Ok(Grant::UsedUp(reservation.retry_at.unwrap_or_else(crate::clock::now)));
            }
            let fresh = Block { left: reservation.granted - 1, void_at: asked_at + reservation.void_after };
            permit.must_end_by(fresh.void_at + window.deadline);
            *block.lock().unwrap_or_else(PoisonError::into_inner) = Some(fresh);
        }
        Ok(Grant::Go(permit))
    }
}

/// Takes a call out of a block; gives the moment at which the block is void.
fn take(block: &Mutex<Option<Block>>) -> Option<Instant> {
    let mut block = block.lock().unwrap_or_else(PoisonError::into_inner);
    match block.as_mut() {
        Some(block) if block.left > 0 && Instant::now() < block.void_at => {
            block.left -= 1;
            Some(block.void_at)
        }
        _ => None,
    }
}
