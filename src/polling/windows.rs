//! Short windows of a quota, held in the lease holder's memory.
//!
//! A permit is free again one window **after its answer** (or its deadline), not after its sending: the carrier may
//! count a call at any instant in between, and this bounds every window that it can measure.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::Notify;
use tokio::time::Instant;

/// So many calls in so short a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShortWindow {
    /// Calls allowed in any stretch of this length.
    pub calls: u32,
    /// The length, 5 s at most.
    pub per: Duration,
}

#[derive(Debug, Default)]
struct Slots {
    /// Calls that were sent and not yet answered.
    open: u32,
    /// When answered calls leave the window, earliest first.
    leaving: VecDeque<Instant>,
}

/// All short windows of one account, its calls at once, and the spacing between calls.
pub struct ShortWindows {
    windows: Vec<(ShortWindow, Mutex<Slots>)>,
    concurrent: u32,
    in_flight: Mutex<u32>,
    spacing: Option<DefaultDirectRateLimiter>,
    freed: Notify,
}

impl ShortWindows {
    /// Starts empty: nothing was sent yet.
    #[must_use]
    pub fn new(windows: Vec<ShortWindow>, concurrent: u32) -> Arc<Self> {
        let spacing = windows.iter().filter_map(spacing).max_by_key(Quota::replenish_interval).map(RateLimiter::direct);
        Arc::new(Self {
            windows: windows.into_iter().map(|window| (window, Mutex::default())).collect(),
            concurrent: concurrent.max(1),
            in_flight: Mutex::new(0),
            spacing,
            freed: Notify::new(),
        })
    }

    /// Waits until a call may be sent. The permit counts from now on.
    pub async fn permit(self: &Arc<Self>) -> Permit {
        loop {
            let freed = self.freed.notified();
            match self.try_permit(Instant::now()) {
                Ok(permit) => {
                    if let Some(spacing) = &self.spacing {
                        spacing.until_ready().await;
                    }
                    return permit;
                }
                Err(Some(at)) => {
                    let _ = tokio::time::timeout_at(at, freed).await;
                }
                Err(None) => freed.await,
            }
        }
    }

    /// A permit, or the earliest instant at which waiting may help (none: when a call in flight is answered).
    fn try_permit(self: &Arc<Self>, now: Instant) -> Result<Permit, Option<Instant>> {
        let mut in_flight = lock(&self.in_flight);
        if *in_flight >= self.concurrent {
            return Err(None);
        }
        let mut wait = None;
        for (window, slots) in &self.windows {
            let mut slots = lock(slots);
            while slots.leaving.front().is_some_and(|at| *at <= now) {
                slots.leaving.pop_front();
            }
            let taken = u64::from(slots.open) + slots.leaving.len() as u64;
            if taken >= u64::from(window.calls) {
                match slots.leaving.front() {
                    Some(at) => wait = wait.max(Some(*at)),
                    None => return Err(None),
                }
            }
        }
        if wait.is_some() {
            return Err(wait);
        }
        for (_, slots) in &self.windows {
            lock(slots).open += 1;
        }
        *in_flight += 1;
        Ok(Permit { windows: Arc::clone(self), answer_by: None })
    }

    fn answered(&self, now: Instant) {
        for (window, slots) in &self.windows {
            let mut slots = lock(slots);
            slots.open = slots.open.saturating_sub(1);
            slots.leaving.push_back(now + window.per);
        }
        let mut in_flight = lock(&self.in_flight);
        *in_flight = in_flight.saturating_sub(1);
        drop(in_flight);
        self.freed.notify_waiters();
    }
}

fn spacing(window: &ShortWindow) -> Option<Quota> {
    let calls = NonZeroU32::new(window.calls)?;
    let every = window.per / calls.get();
    Some(Quota::with_period(every).filter(|_| !every.is_zero())?.allow_burst(burst(calls)))
}

/// A tenth of a window may go at once: spacing evens calls out, it does not slow them down.
fn burst(calls: NonZeroU32) -> NonZeroU32 {
    NonZeroU32::new((calls.get() / 10).max(1)).unwrap_or(NonZeroU32::MIN)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right to send one call. Dropping it says that the call was answered, failed, or was given up.
pub struct Permit {
    windows: Arc<ShortWindows>,
    answer_by: Option<Instant>,
}

impl Permit {
    /// The carrier must have counted the call by then, or a long window counts it no more.
    pub(super) fn must_end_by(&mut self, at: Instant) {
        self.answer_by = Some(self.answer_by.map_or(at, |known| known.min(at)));
    }

    /// How long an exchange may take that starts now; nothing where only short windows are to be kept.
    pub(super) fn time_left(&self, now: Instant) -> Option<Duration> {
        self.answer_by.map(|at| at.saturating_duration_since(now))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.windows.answered(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_window_that_starts_at_any_instant_holds_more_than_allowed() {
        let window = ShortWindow { calls: 5, per: Duration::from_secs(1) };
        let windows = ShortWindows::new(vec![window], 3);
        let start = Instant::now();
        let mut spans = Vec::new();
        let mut tasks = tokio::task::JoinSet::new();
        for i in 0..24_u64 {
            let permit = windows.permit().await;
            let sent = start.elapsed();
            tasks.spawn(async move {
                tokio::time::sleep(Duration::from_millis(37 * (i % 11))).await;
                drop(permit);
                (sent, start.elapsed())
            });
        }
        while let Some(span) = tasks.join_next().await {
            spans.push(span.unwrap());
        }
        // The carrier counts each call at some instant between its sending and its answer: take the worst for each window.
        for (_, from) in &spans {
            let inside = spans.iter().filter(|(sent, answered)| answered >= from && *sent < *from + window.per).count();
            let certainly = spans.iter().filter(|(sent, _)| sent >= from && *sent < *from + window.per).count();
            assert!(certainly <= 5 && inside <= 5 + 3, "{certainly} {inside}");
        }
        let mut sent: Vec<_> = spans.iter().map(|(sent, _)| *sent).collect();
        sent.sort();
        for pair in sent.windows(6) {
            assert!(pair[5].checked_sub(pair[0]).unwrap() >= window.per, "{pair:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_at_once_are_capped() {
        let windows = ShortWindows::new(Vec::new(), 2);
        let first = windows.permit().await;
        let _second = windows.permit().await;
        assert!(tokio::time::timeout(Duration::from_secs(9), windows.permit()).await.is_err());
        drop(first);
        assert!(tokio::time::timeout(Duration::from_secs(9), windows.permit()).await.is_ok());
    }
}
