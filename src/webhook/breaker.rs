//! A circuit breaker for one endpoint. Pure state machine: `now` is an argument.
//!
//! It opens when an endpoint keeps failing, so that its backlog costs neither attempts nor sockets, and lets one
//! delivery through now and then to see whether the endpoint is back.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::time::after;

/// When it opens, and when it probes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerRules {
    /// This many failures in a row open it.
    pub failures_in_row: u32,
    /// So does a share of failures among the attempts of this long.
    pub window: Duration,
    /// Attempts within the window before their share counts.
    pub least_attempts: u32,
    /// The share of failures, in percent, that opens it.
    pub failure_percent: u32,
    /// How long it stays open the first time, the second time in a row, and so on; the last one repeats.
    pub probe_after: Vec<Duration>,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self {
            failures_in_row: 5,
            window: Duration::from_secs(60),
            least_attempts: 20,
            failure_percent: 50,
            probe_after: [10, 30, 60, 300, 900].map(Duration::from_secs).to_vec(),
        }
    }
}

impl BreakerRules {
    fn open_for(&self, times: usize) -> SignedDuration {
        let wait = self.probe_after.get(times).or(self.probe_after.last()).copied().unwrap_or(Duration::from_secs(10));
        SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX)
    }
}

/// What the breaker says to one more attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Go.
    Free,
    /// Go, as the one that tries whether the endpoint is back.
    Probe,
    /// Not before this moment; it costs the delivery no attempt.
    Refused(Timestamp),
}

/// How an attempt went, as far as the breaker cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// The endpoint did its job.
    Good,
    /// It did not.
    Bad,
    /// The attempt says nothing about it: not made, or told politely when to come back.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    /// `times`: how often it has opened without a success between.
    Open {
        until: Timestamp,
        times: usize,
    },
    Probing {
        times: usize,
    },
}

const BUCKETS: u8 = 6;

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    number: i64,
    good: u32,
    bad: u32,
}

/// The state of one endpoint.
#[derive(Debug, Clone)]
pub struct Breaker {
    state: State,
    in_row: u32,
    buckets: [Bucket; BUCKETS as usize],
}

impl Default for Breaker {
    fn default() -> Self {
        Self { state: State::Closed, in_row: 0, buckets: [Bucket::default(); BUCKETS as usize] }
    }
}

impl Breaker {
    /// What it would say at `now`, without taking the probe.
    #[must_use]
    pub fn look(&self, now: Timestamp) -> Permit {
        match self.state {
            State::Closed => Permit::Free,
            State::Open { until, .. } if until <= now => Permit::Probe,
            State::Open { until, .. } => Permit::Refused(until),
            // The probe in flight ends within its deadline; ask again soon.
            State::Probing { .. } => Permit::Refused(after(now, SignedDuration::from_secs(1))),
        }
    }

    /// Asks for one attempt. A [`Permit::Probe`] is handed out once; its result must be recorded as a probe.
    pub fn ask(&mut self, now: Timestamp) -> Permit {
        let permit = self.look(now);
        if let (Permit::Probe, State::Open { times, .. }) = (permit, self.state) {
            self.state = State::Probing { times };
        }
        permit
    }

    /// Records how an attempt went. Gives the moment until which it is open when this result opened it.
    pub fn record(&mut self, health: Health, probe: bool, now: Timestamp, rules: &BreakerRules) -> Option<Timestamp> {
        match (health, self.state) {
            (Health::Unknown, State::Probing { times }) if probe => {
                // The probe was not made: the next delivery may be it, at once.
                self.state = State::Open { until: now, times };
                None
            }
            (Health::Good, State::Closed) => {
                self.in_row = 0;
                self.count(true, now, rules);
                None
            }
            (Health::Good, _) => {
                *self = Self::default();
                None
            }
            (Health::Bad, State::Closed) => {
                self.in_row = self.in_row.saturating_add(1);
                self.count(false, now, rules);
                let tripped = self.in_row >= rules.failures_in_row || self.mostly_failing(now, rules);
                tripped.then(|| self.open(0, now, rules))
            }
            (Health::Bad, State::Probing { times }) if probe => Some(self.open(times + 1, now, rules)),
            // It began before the breaker opened and is old news, or it says nothing.
            (Health::Bad | Health::Unknown, _) => None,
        }
    }

    /// Whether it may be forgotten: closed, and nothing bad within the window.
    #[must_use]
    pub fn is_quiet(&self, now: Timestamp, rules: &BreakerRules) -> bool {
        self.state == State::Closed && self.in_row == 0 && self.counted(now, rules).1 == 0
    }

    fn open(&mut self, times: usize, now: Timestamp, rules: &BreakerRules) -> Timestamp {
        let until = after(now, rules.open_for(times));
        *self = Self { state: State::Open { until, times }, ..Self::default() };
        until
    }

    fn count(&mut self, good: bool, now: Timestamp, rules: &BreakerRules) {
        let number = bucket_number(now, rules);
        let slot = usize::try_from(number.rem_euclid(i64::from(BUCKETS))).unwrap_or(0);
        let bucket = &mut self.buckets[slot];
        if bucket.number != number {
            *bucket = Bucket { number, ..Bucket::default() };
        }
        let counter = if good { &mut bucket.good } else { &mut bucket.bad };
        *counter = counter.saturating_add(1);
    }

    fn counted(&self, now: Timestamp, rules: &BreakerRules) -> (u32, u32) {
        let oldest = bucket_number(now, rules) - (i64::from(BUCKETS) - 1);
        self.buckets
            .iter()
            .filter(|bucket| bucket.number >= oldest)
            .fold((0, 0), |(good, bad): (u32, u32), b| (good.saturating_add(b.good), bad.saturating_add(b.bad)))
    }

    fn mostly_failing(&self, now: Timestamp, rules: &BreakerRules) -> bool {
        let (good, bad) = self.counted(now, rules);
        let all = u64::from(good) + u64::from(bad);
        all >= u64::from(rules.least_attempts) && u64::from(bad) * 100 >= all * u64::from(rules.failure_percent)
    }
}

fn bucket_number(now: Timestamp, rules: &BreakerRules) -> i64 {
    let width = i64::try_from(rules.window.as_millis() / u128::from(BUCKETS)).unwrap_or(i64::MAX).max(1);
    now.as_millisecond().div_euclid(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    fn opened() -> (Breaker, BreakerRules) {
        let (mut breaker, rules) = (Breaker::default(), BreakerRules::default());
        for n in 0..4 {
            assert_eq!(breaker.record(Health::Bad, false, at(n), &rules), None);
        }
        assert_eq!(breaker.record(Health::Bad, false, at(4), &rules), Some(at(14)));
        (breaker, rules)
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_one_probe_closes_it() {
        let (mut breaker, rules) = opened();
        assert_eq!(breaker.ask(at(5)), Permit::Refused(at(14)));
        assert_eq!(breaker.ask(at(14)), Permit::Probe);
        assert!(matches!(breaker.ask(at(14)), Permit::Refused(_)), "one probe at a time");
        assert_eq!(breaker.record(Health::Good, true, at(15), &rules), None);
        assert_eq!(breaker.ask(at(15)), Permit::Free);
        assert!(breaker.is_quiet(at(15), &rules));
    }

    #[test]
    fn failed_probes_wait_longer_and_longer_up_to_a_cap() {
        let (mut breaker, rules) = opened();
        let mut now = at(14);
        for wait in [30, 60, 300, 900, 900, 900] {
            assert_eq!(breaker.ask(now), Permit::Probe);
            let until = breaker.record(Health::Bad, true, now, &rules).unwrap();
            assert_eq!(until.duration_since(now).as_secs(), wait);
            now = until;
        }
    }

    #[test]
    fn a_success_between_keeps_it_closed_until_half_of_many_fail() {
        let (mut breaker, rules) = (Breaker::default(), BreakerRules::default());
        let mut opened = None;
        for n in 0..20 {
            let health = if n % 2 == 0 { Health::Good } else { Health::Bad };
            opened = opened.or(breaker.record(health, false, at(n), &rules).map(|_| n));
        }
        assert_eq!(opened, Some(19), "at the twentieth attempt, not before");
        let mut slow = Breaker::default();
        for n in 0..200 {
            let health = if n % 2 == 0 { Health::Good } else { Health::Bad };
            assert_eq!(slow.record(health, false, at(n * 10), &rules), None, "six attempts a minute are too few");
        }
    }

    #[test]
    fn results_from_before_it_opened_change_nothing_except_a_success() {
        let (mut breaker, rules) = opened();
        assert_eq!(breaker.record(Health::Bad, false, at(6), &rules), None);
        assert_eq!(breaker.ask(at(13)), Permit::Refused(at(14)));
        assert_eq!(breaker.record(Health::Good, false, at(13), &rules), None);
        assert_eq!(breaker.ask(at(13)), Permit::Free);
    }

    #[test]
    fn a_probe_that_was_never_sent_is_handed_to_the_next() {
        let (mut breaker, rules) = opened();
        assert_eq!(breaker.ask(at(14)), Permit::Probe);
        breaker.record(Health::Unknown, true, at(15), &rules);
        assert_eq!(breaker.ask(at(15)), Permit::Probe);
    }
}
