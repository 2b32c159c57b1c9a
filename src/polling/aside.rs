//! Parcels that are left alone for a moment although they stand at the head of the queue: asking for them again at
//! once would burn the quota for nothing.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::TrackerId;

/// How long.
const SPAN: Duration = Duration::from_secs(60);
/// More are not remembered: what does not fit is asked for again.
const MOST: usize = 1_000;

/// Who is left alone until when.
#[derive(Debug, Default)]
pub struct Aside(HashMap<TrackerId, Instant>);

impl Aside {
    /// Leaves a parcel alone from `now` on.
    pub fn put(&mut self, id: TrackerId, now: Instant) {
        if self.0.len() < MOST {
            self.0.insert(id, now + SPAN);
        }
    }

    /// Those that are still left alone.
    pub fn still(&mut self, now: Instant) -> HashSet<TrackerId> {
        self.0.retain(|_, until| now < *until);
        self.0.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_and_is_bounded() {
        let (mut aside, now) = (Aside::default(), Instant::now());
        for n in 0..=u16::try_from(MOST).unwrap() {
            let mut bytes = [0; 16];
            bytes[..2].copy_from_slice(&n.to_be_bytes());
            aside.put(TrackerId::from_bytes(bytes), now);
        }
        assert_eq!(aside.still(now).len(), MOST);
        assert_eq!(aside.still(now + SPAN).len(), 0);
        aside.put(TrackerId::from_bytes([7; 16]), now + SPAN);
        assert_eq!(aside.still(now + SPAN).len(), 1);
    }
}
