//! How often a key may ask.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::problem::Problem;

/// Requests of each key, spread over time. Only keys that belong to a shop get here, so it stays small.
pub struct Rate {
    limiter: RateLimiter<u64, HashMapStateStore<u64>, DefaultClock>,
    hasher: RandomState,
    clock: DefaultClock,
    per_second: NonZeroU32,
}

impl Rate {
    /// So many requests a second, and so many at once after a quiet time.
    #[must_use]
    pub fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(burst);
        let limiter = RateLimiter::hashmap(quota);
        Self { limiter, hasher: RandomState::new(), clock: DefaultClock::default(), per_second }
    }

    /// Counts a request of this key, or says when it may come again.
    pub fn check(&self, key: &str) -> Result<(), Problem> {
        let Err(not_until) = self.limiter.check_key(&self.hasher.hash_one(key)) else { return Ok(()) };
        let wait = not_until.wait_time_from(self.clock.now());
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let detail = format!("this key may ask {} times a second (server.rate)", self.per_second);
        Err(Problem::too_soon(seconds, detail))
    }
}
