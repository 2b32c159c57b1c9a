//! Trouble that comes again many times a second is told once in a while, with a count.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often one cause is told.
const INTERVAL: Duration = Duration::from_secs(10);
/// So many causes are remembered.
const CAUSES: usize = 64;

/// One line for each cause and interval.
#[derive(Debug, Default)]
pub struct Repeats {
    seen: Mutex<BTreeMap<String, Seen>>,
}

#[derive(Debug)]
struct Seen {
    told: Instant,
    untold: u64,
}

impl Repeats {
    /// Nothing happened yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { seen: Mutex::new(BTreeMap::new()) }
    }

    /// Counts what happened so many times now. The number to tell, where a line is due: these times, and those that
    /// were not told since the last line.
    pub fn count(&self, cause: &str, times: u64) -> Option<u64> {
        self.count_at(cause, times, Instant::now())
    }

    fn count_at(&self, cause: &str, times: u64, now: Instant) -> Option<u64> {
        let mut causes = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = causes.get_mut(cause) {
            seen.untold = seen.untold.saturating_add(times);
            if now.saturating_duration_since(seen.told) < INTERVAL {
                return None;
            }
            seen.told = now;
            return Some(std::mem::take(&mut seen.untold));
        }
        if causes.len() >= CAUSES {
            causes.retain(|_, seen| now.saturating_duration_since(seen.told) < INTERVAL);
        }
        if causes.len() >= CAUSES {
            causes.clear();
        }
        causes.insert(cause.to_owned(), Seen { told: now, untold: 0 });
        Some(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_cause_and_interval_with_all_that_was_not_told() {
        let (repeats, start) = (Repeats::new(), Instant::now());
        let later = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(repeats.count_at("loading", 64, start), Some(64));
        assert_eq!(repeats.count_at("loading", 64, later(1)), None);
        assert_eq!(repeats.count_at("refused", 1, later(1)), Some(1), "another cause");
        assert_eq!(repeats.count_at("loading", 64, later(9)), None);
        assert_eq!(repeats.count_at("loading", 2, later(11)), Some(130));
        assert_eq!(repeats.count_at("loading", 2, later(12)), None);
    }

    #[test]
    fn memory_is_bounded_by_causes() {
        let repeats = Repeats::new();
        for n in 0..1000 {
            assert_eq!(repeats.count(&format!("cause {n}"), 1), Some(1));
        }
        assert!(repeats.seen.lock().unwrap().len() <= CAUSES);
    }
}
