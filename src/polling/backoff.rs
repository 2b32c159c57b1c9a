//! How long to leave a failing carrier alone. The only file that names the `backoff` crate: it is unmaintained, and
//! replacing it means changing this file (see docs/dependencies.md).

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;

/// Waits that double from a first one up to a longest, spread at random by a fifth.
pub struct Backoffs {
    waits: ExponentialBackoff,
    failures: u32,
}

impl Backoffs {
    /// From `first` up to `longest`, for ever.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        let waits = ExponentialBackoff {
            current_interval: first,
            initial_interval: first,
            randomization_factor: 0.2,
            multiplier: 2.0,
            max_interval: longest,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        Self { waits, failures: 0 }
    }

    /// Notes a failure and gives the wait that follows it.
    pub fn failed(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.waits.next_backoff().unwrap_or(self.waits.max_interval)
    }

    /// Failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Notes a success: the next wait is the first one again.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.waits.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_the_longest_and_start_again() {
        let mut waits = Backoffs::new(Duration::from_secs(1), Duration::from_secs(60));
        let first = waits.failed();
        assert!((800..=1200).contains(&first.as_millis()), "{first:?}");
        for _ in 0..20 {
            waits.failed();
        }
        assert!(waits.failed() >= Duration::from_secs(48));
        assert_eq!(waits.failures(), 22);
        waits.succeeded();
        assert!(waits.failed() < Duration::from_secs(2));
    }
}
