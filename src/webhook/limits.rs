//! How much may be in flight: in all, which bounds memory, and to each endpoint, so that none takes it all.
//!
//! An endpoint starts with a quarter of its share, gets one more for each round of successes, and half when it is
//! overloaded. Once half of all slots are taken, an endpoint gets one at a time: many that hang together fill the
//! daemon slowly, and are left alone by their breakers before they have.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::breaker::{Breaker, BreakerRules, Health, Permit};
use crate::model::EndpointId;
use crate::model::time::after;

/// The bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitRules {
    /// Attempts in flight in this daemon.
    pub total: usize,
    /// Attempts in flight to one endpoint.
    pub per_endpoint: usize,
    /// When an endpoint is left alone.
    pub breaker: BreakerRules,
}

impl Default for LimitRules {
    fn default() -> Self {
        Self { total: 256, per_endpoint: 8, breaker: BreakerRules::default() }
    }
}

/// What an attempt told of its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// It took the webhook.
    Success,
    /// It failed, for no reason of load.
    Failure,
    /// It failed in a way that overload explains.
    Overload,
    /// It said when to come back: less at once, but it is alive.
    Throttled,
    /// No attempt was made.
    Nothing,
}

/// What is known of an endpoint is forgotten when nothing was sent to it for so long, bad as it may be: it may be
/// deleted, and whoever makes and deletes endpoints that fail must not fill the memory.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);

struct Lane {
    touched: Timestamp,
    in_flight: usize,
    cap: usize,
    successes: usize,
    breaker: Breaker,
}

struct Book {
    lanes: HashMap<EndpointId, Lane>,
    in_flight: usize,
}

/// The book of what is in flight. Cheap to clone.
#[derive(Clone)]
pub struct Limits {
    shared: Arc<Shared>,
}

struct Shared {
    rules: LimitRules,
    book: Mutex<Book>,
    freed: Notify,
}

impl Limits {
    /// An empty book under these rules.
    #[must_use]
    pub fn new(rules: LimitRules) -> Self {
        let book = Mutex::new(Book { lanes: HashMap::new(), in_flight: 0 });
        Self { shared: Arc::new(Shared { rules, book, freed: Notify::new() }) }
    }

    /// Attempts that may start now, over all endpoints.
    #[must_use]
    pub fn free(&self) -> usize {
        self.shared.rules.total.saturating_sub(self.book().in_flight)
    }

    /// Attempts in flight now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.book().in_flight
    }

    /// Attempts that may start now to this endpoint.
    #[must_use]
    pub fn free_for(&self, endpoint: &EndpointId, now: Timestamp) -> usize {
        let book = self.book();
        let total = self.shared.rules.total.saturating_sub(book.in_flight);
        let crowded = self.shared.rules.crowded(book.in_flight);
        let own = match book.lanes.get(endpoint) {
            None if crowded => 1,
            None => self.shared.rules.start(),
            Some(lane) => match lane.breaker.look(now) {
                Permit::Free => lane.room(crowded),
                Permit::Probe => 1,
                Permit::Refused(_) => 0,
            },
        };
        own.min(total)
    }

    /// Takes a slot for one attempt.
    ///
    /// # Errors
    /// The moment before which the breaker refuses, or `now` when it is only a matter of slots.
    pub fn begin(&self, endpoint: &EndpointId, now: Timestamp) -> Result<Slot, Timestamp> {
        let rules = &self.shared.rules;
        let mut book = self.book();
        if book.in_flight >= rules.total {
            return Err(now);
        }
        let crowded = rules.crowded(book.in_flight);
        let lane = book.lanes.entry(endpoint.clone()).or_insert_with(|| Lane {
            touched: now,
            in_flight: 0,
            cap: rules.start(),
            successes: 0,
            breaker: Breaker::default(),
        });
        if lane.breaker.look(now) == Permit::Free && lane.room(crowded) == 0 {
            return Err(now);
        }
        let probe = match lane.breaker.ask(now) {
            Permit::Free => false,
            Permit::Probe => true,
            Permit::Refused(until) => return Err(until),
        };
        lane.touched = now;
        lane.in_flight += 1;
        book.in_flight += 1;
        Ok(Slot { limits: self.clone(), endpoint: endpoint.clone(), probe, open: true })
    }

    /// Waits until a slot is freed.
    pub async fn freed(&self) {
        self.shared.freed.notified().await;
    }

    /// Forgets endpoints of which nothing bad is known, and those that nothing was sent to for an hour.
    pub fn sweep(&self, now: Timestamp) {
        let rules = &self.shared.rules;
        self.book().lanes.retain(|_, lane| {
            let in_trouble = lane.cap < rules.start() || !lane.breaker.is_quiet(now, &rules.breaker);
            lane.in_flight > 0 || (in_trouble && now < after(lane.touched, REMEMBERED))
        });
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // A panic while it is held cannot leave it half written: the arithmetic saturates.
        self.shared.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, endpoint: &EndpointId, probe: bool, signal: Signal, now: Option<Timestamp>) -> Option<Timestamp> {
        let rules = &self.shared.rules;
        let mut book = self.book();
        book.in_flight = book.in_flight.saturating_sub(1);
        let opened = book.lanes.get_mut(endpoint).and_then(|lane| {
            lane.in_flight = lane.in_flight.saturating_sub(1);
            lane.resize(signal, rules.per_endpoint.max(1));
            // Without a time nothing was learned; the next attempt decides.
            lane.breaker.record(signal.health(), probe, now.unwrap_or(Timestamp::MIN), &rules.breaker)
        });
        drop(book);
        self.shared.freed.notify_one();
        opened
    }
}

impl LimitRules {
    /// What an endpoint of which nothing is known gets at once.
    fn start(&self) -> usize {
        (self.per_endpoint / 4).max(1)
    }

    fn crowded(&self, in_flight: usize) -> bool {
        in_flight >= self.total.div_ceil(2)
    }
}

impl Lane {
    /// Attempts that may start beside those in flight.
    fn room(&self, crowded: bool) -> usize {
        let cap = if crowded { 1 } else { self.cap };
        cap.saturating_sub(self.in_flight)
    }

    fn resize(&mut self, signal: Signal, whole: usize) {
        match signal {
            Signal::Overload | Signal::Throttled => {
                self.cap = (self.cap / 2).max(1);
                self.successes = 0;
            }
            Signal::Success if self.cap < whole => {
                self.successes += 1;
                if self.successes >= self.cap {
                    self.cap += 1;
                    self.successes = 0;
                }
            }
            Signal::Success | Signal::Failure | Signal::Nothing => {}
        }
    }
}

impl Signal {
    fn health(self) -> Health {
        match self {
            Self::Success => Health::Good,
            Self::Failure | Self::Overload => Health::Bad,
            Self::Throttled | Self::Nothing => Health::Unknown,
        }
    }
}

/// The right to one attempt. Dropping it gives it back.
pub struct Slot {
    limits: Limits,
    endpoint: EndpointId,
    probe: bool,
    open: bool,
}

impl Slot {
    /// Gives it back with what was learned; the moment until which the breaker is open when this opened it.
    pub fn finish(mut self, signal: Signal, now: Timestamp) -> Option<Timestamp> {
        self.open = false;
        self.limits.end(&self.endpoint, self.probe, signal, Some(now))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.open {
            self.limits.end(&self.endpoint, self.probe, Signal::Nothing, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(n: u8) -> EndpointId {
        EndpointId::from_bytes([n; 16])
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn limits(total: usize, per_endpoint: usize) -> Limits {
        Limits::new(LimitRules { total, per_endpoint, ..LimitRules::default() })
    }

    fn grown(limits: &Limits, endpoint: &EndpointId) {
        for _ in 0..(2 + 3 + 4 + 5 + 6 + 7) {
            limits.begin(endpoint, at(0)).ok().unwrap().finish(Signal::Success, at(0));
        }
    }

    #[test]
    fn neither_the_total_nor_an_endpoints_share_is_exceeded() {
        let limits = limits(16, 8);
        let mut held = Vec::new();
        for n in 0..4 {
            assert_eq!(limits.free_for(&endpoint(n), at(0)), 2, "a quarter of the share at first");
            held.extend((0..2).map(|_| limits.begin(&endpoint(n), at(0)).ok().unwrap()));
            assert!(limits.begin(&endpoint(n), at(0)).is_err());
        }
        for n in 4..12 {
            assert_eq!(limits.free_for(&endpoint(n), at(0)), 1, "half of all is taken: one each");
            held.push(limits.begin(&endpoint(n), at(0)).ok().unwrap());
            assert!(limits.begin(&endpoint(n), at(0)).is_err());
        }
        assert_eq!((limits.free(), limits.in_flight(), limits.free_for(&endpoint(99), at(0))), (0, 16, 0));
        assert!(limits.begin(&endpoint(99), at(0)).is_err());
        drop(held);
        assert_eq!((limits.free(), limits.in_flight()), (16, 0));
        limits.sweep(at(0));
        assert!(limits.book().lanes.is_empty());
    }

    #[test]
    fn successes_grow_the_share_and_overload_halves_it() {
        let limits = limits(100, 8);
        let one = endpoint(1);
        grown(&limits, &one);
        assert_eq!(limits.free_for(&one, at(0)), 8);
        for want in [4, 2, 1, 1] {
            limits.begin(&one, at(0)).ok().unwrap().finish(Signal::Throttled, at(0));
            assert_eq!(limits.free_for(&one, at(0)), want);
        }
        limits.sweep(at(0));
        assert_eq!(limits.free_for(&one, at(0)), 1, "trouble is not forgotten");
        limits.begin(&one, at(0)).ok().unwrap().finish(Signal::Success, at(0));
        grown(&limits, &one);
        grown(&limits, &one);
        assert_eq!(limits.free_for(&one, at(0)), 8, "and never more than its share");
    }

    #[test]
    fn an_open_breaker_lets_one_through_when_it_is_time() {
        let limits = limits(100, 8);
        let one = endpoint(1);
        let mut until = None;
        for _ in 0..5 {
            until = limits.begin(&one, at(0)).ok().unwrap().finish(Signal::Failure, at(0));
        }
        assert_eq!(until, Some(at(10)));
        assert_eq!(limits.free_for(&one, at(9)), 0);
        assert_eq!(limits.begin(&one, at(9)).err(), Some(at(10)));
        assert_eq!(limits.free_for(&one, at(10)), 1);
        let probe = limits.begin(&one, at(10)).ok().unwrap();
        assert_eq!(limits.free_for(&one, at(10)), 0);
        drop(probe);
        assert_eq!(limits.free_for(&one, at(11)), 1, "a probe that was given back is there again");
        limits.begin(&one, at(11)).ok().unwrap().finish(Signal::Success, at(11));
        assert_eq!(limits.free_for(&one, at(11)), 2);
    }
    #[test]
    fn endpoints_in_trouble_that_are_heard_of_no_more_are_forgotten() {
        let limits = limits(100, 8);
        limits.begin(&endpoint(1), at(0)).ok().unwrap().finish(Signal::Throttled, at(0));
        for _ in 0..5 {
            limits.begin(&endpoint(2), at(0)).ok().unwrap().finish(Signal::Failure, at(0));
        }
        limits.sweep(at(3_599));
        assert_eq!(limits.book().lanes.len(), 2);
        limits.sweep(at(3_600));
        assert_eq!(limits.book().lanes.len(), 0);
    }
}
