//! Whether every critical loop goes on.
//!
//! Each loop has a [`Pulse`] and hands its waits to it. A wait that is polled counts as life, so a loop that waits for
//! Redis or a carrier is alive; one that is stuck in code, panicked, or waits beyond all measure is not. The beats come
//! from the loop's own task: no timer of anybody else's can feign them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How often a waiting loop beats, where nobody needs it more often.
const EVERY: Duration = Duration::from_secs(1);
/// A step that takes longer is stuck. Each command to Redis and each call to a carrier has a deadline of a minute at
/// most, and no step makes more than some dozens of them in a row.
const LONGEST_STEP: Duration = Duration::from_secs(3600);

#[derive(Debug, Default)]
struct Heart {
    beats: AtomicU64,
    seen: AtomicU64,
}

type Hearts = Mutex<BTreeMap<String, Arc<Heart>>>;

/// The pulses of all critical loops.
#[derive(Debug, Clone)]
pub struct Pulses {
    hearts: Arc<Hearts>,
    every: Duration,
}

fn lock(hearts: &Hearts) -> MutexGuard<'_, BTreeMap<String, Arc<Heart>>> {
    hearts.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Pulses {
    fn default() -> Self {
        Self::looked_at_every(None)
    }
}

impl Pulses {
    /// Pulses that are looked at so often, if at all.
    #[must_use]
    pub fn looked_at_every(look: Option<Duration>) -> Self {
        let every = look.map_or(EVERY, |look| (look / 4).clamp(Duration::from_millis(10), EVERY));
        Self { hearts: Arc::default(), every }
    }

    /// The pulse of a loop that begins now. A loop that begins again under its name takes its old place.
    #[must_use]
    pub fn begin(&self, name: impl Into<String>) -> Pulse {
        let (name, heart) = (name.into(), Arc::new(Heart::default()));
        lock(&self.hearts).insert(name.clone(), Arc::clone(&heart));
        let pulse = Pulse { name, heart, every: self.every, place: Some(Arc::clone(&self.hearts)) };
        pulse.beat();
        pulse
    }

    /// Loops that did not go on since all did the last time; none: all did, and are looked at anew from now on.
    #[must_use]
    pub fn behind(&self) -> Vec<String> {
        let hearts = lock(&self.hearts);
        let beats: Vec<_> = hearts.iter().map(|(name, h)| (name, h, h.beats.load(Ordering::Relaxed))).collect();
        let stuck = |(name, heart, beats): &(&String, &Arc<Heart>, u64)| {
            (*beats == heart.seen.load(Ordering::Relaxed)).then(|| (*name).clone())
        };
        let behind: Vec<String> = beats.iter().filter_map(stuck).collect();
        if behind.is_empty() {
            for (_, heart, beats) in beats {
                heart.seen.store(beats, Ordering::Relaxed);
            }
        }
        behind
    }
}

/// The pulse of one loop. A loop that ends in order, or is cut off, is forgotten with it; one that panics stays known,
/// without a beat, until it begins again.
#[derive(Debug)]
pub struct Pulse {
    name: String,
    heart: Arc<Heart>,
    every: Duration,
    place: Option<Arc<Hearts>>,
}

impl Pulse {
    /// The pulse of a loop that nobody watches.
    #[must_use]
    pub fn unwatched() -> Self {
        Self { name: String::new(), heart: Arc::default(), every: EVERY, place: None }
    }

    fn beat(&self) {
        self.heart.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// One step of the loop's work, waits for Redis and carriers included.
    pub async fn step<T>(&self, work: impl Future<Output = T>) -> T {
        self.alive_for(LONGEST_STEP, work).await
    }

    /// A wait without end for something from outside: a connection, a signal, a server that loads its data.
    pub async fn idle<T>(&self, wait: impl Future<Output = T>) -> T {
        self.alive_for(Duration::MAX, wait).await
    }

    async fn alive_for<T>(&self, longest: Duration, work: impl Future<Output = T>) -> T {
        let begin = Instant::now();
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => {
                    self.beat();
                    return done;
                }
                () = sleep(self.every) => if begin.elapsed() < longest { self.beat() },
            }
        }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        let Some(place) = self.place.as_ref().filter(|_| !std::thread::panicking()) else { return };
        let mut hearts = lock(place);
        if hearts.get(&self.name).is_some_and(|heart| Arc::ptr_eq(heart, &self.heart)) {
            hearts.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::advance;

    use super::*;

    fn nobody() -> Vec<String> {
        Vec::new()
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_waits_goes_on_and_one_that_is_frozen_does_not() {
        let pulses = Pulses::looked_at_every(Some(Duration::from_secs(4)));
        let waiting = pulses.begin("waits for redis");
        let task = tokio::spawn(async move { waiting.step(pending::<()>()).await });
        let frozen = pulses.begin("frozen");
        assert_eq!(pulses.behind(), nobody(), "to begin is to go on");
        for _ in 0..10 {
            sleep(Duration::from_secs(4)).await;
            assert_eq!(pulses.behind(), ["frozen"]);
        }
        frozen.step(async {}).await;
        assert_eq!(pulses.behind(), nobody(), "it goes on");
        task.abort();
        assert!(task.await.is_err());
        drop(frozen);
        sleep(Duration::from_secs(4)).await;
        assert_eq!(pulses.behind(), nobody(), "what ended is not waited for");
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_without_end_is_stuck_and_an_idle_wait_is_not() {
        let pulses = Pulses::default();
        let (stuck, idle) = (pulses.begin("stuck"), pulses.begin("idle"));
        let tasks = [
            tokio::spawn(async move { stuck.step(pending::<()>()).await }),
            tokio::spawn(async move { idle.idle(pending::<()>()).await }),
        ];
        for (wait, behind) in [(LONGEST_STEP / 2, nobody()), (LONGEST_STEP, nobody())] {
            advance(Duration::from_millis(1)).await;
            sleep(wait).await;
            assert_eq!(pulses.behind(), behind);
        }
        sleep(LONGEST_STEP).await;
        assert_eq!(pulses.behind(), ["stuck"]);
        for task in tasks {
            task.abort();
        }
    }

    #[tokio::test]
    async fn a_loop_that_panicked_is_behind_until_it_begins_again() {
        let pulses = Pulses::default();
        let pulse = pulses.begin("timers");
        let broken = tokio::spawn(async move {
            pulse.step(async {}).await;
            panic!("as a test wants it");
        });
        assert!(broken.await.unwrap_err().is_panic());
        assert_eq!(pulses.behind(), nobody(), "its last beat still counts");
        assert_eq!(pulses.behind(), ["timers"]);
        let again = pulses.begin("timers");
        assert_eq!(pulses.behind(), nobody());
        drop(again);
        assert_eq!(pulses.behind(), nobody());
    }
}
