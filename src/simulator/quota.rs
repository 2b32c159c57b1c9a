//! What a carrier allows an account, and how to prove from a ledger that it was kept.

use std::collections::HashMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::Serialize;

use super::ledger::{Call, CallKind, Ending, Ledger};
use super::time::{Moment, SimClock};

/// How much earlier a call may have ended than the stand-in noticed, when the caller hung up: a closed socket is seen
/// a moment after it was closed.
const HANG_UP_NOTICED: Duration = Duration::from_millis(100);

/// So many calls in so much time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Calls allowed.
    pub calls: u32,
    /// Its length.
    pub span: Duration,
    /// For a calendar window, the IANA zone by whose midnight it is counted; else it may begin at any instant.
    pub calendar: Option<String>,
}

/// What one account may do at one carrier.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Quota {
    /// All must hold at once.
    pub windows: Vec<Window>,
    /// Calls at work at the same time.
    pub concurrent: Option<u32>,
    /// Numbers in one call.
    pub numbers_per_call: Option<u32>,
}

impl Quota {
    /// No limit at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// `calls` in each span of time, wherever it begins.
    pub fn rolling(calls: u32, span: Duration) -> Self {
        Self::none().and_rolling(calls, span)
    }

    /// The same, with another rolling window.
    #[must_use]
    pub fn and_rolling(mut self, calls: u32, span: Duration) -> Self {
        self.windows.push(Window { calls, span, calendar: None });
        self
    }

    /// The same, with a window that begins anew at midnight of a zone, and every `span` after it.
    #[must_use]
    pub fn and_calendar(mut self, calls: u32, span: Duration, zone: &str) -> Self {
        self.windows.push(Window { calls, span, calendar: Some(zone.to_owned()) });
        self
    }

    /// The same, with so many calls at once.
    #[must_use]
    pub fn and_concurrent(mut self, calls: u32) -> Self {
        self.concurrent = Some(calls);
        self
    }

    /// The same, with so many numbers in a call.
    #[must_use]
    pub fn and_numbers(mut self, numbers: u32) -> Self {
        self.numbers_per_call = Some(numbers);
        self
    }

    /// How long a call that arrived just now (and stands in the ledger) has to be put off: `None` when it is within
    /// the quota.
    pub(super) fn refuse(&self, ledger: &Ledger, clock: SimClock, account: &str, arrived: Moment) -> Option<Duration> {
        for window in &self.windows {
            let opened = window.opened(clock, arrived);
            let oldest = ledger.arrival(account, window.calls as usize).filter(|&oldest| oldest >= opened);
            if let Some(oldest) = oldest {
                return Some(window.frees(clock, oldest, arrived));
            }
        }
        let crowded = self.concurrent.is_some_and(|most| ledger.at_work(account) > most as usize);
        crowded.then_some(Duration::from_secs(1))
    }

    /// Every breach that the calls of one carrier show, account by account. Refused calls count as calls.
    pub fn breaches(&self, calls: &[Call], clock: SimClock) -> Vec<Breach> {
        let mut accounts: HashMap<&str, Vec<&Call>> = HashMap::new();
        for call in calls.iter().filter(|call| call.kind == CallKind::Track) {
            accounts.entry(&call.account).or_default().push(call);
        }
        let mut found = Vec::new();
        for (account, mut calls) in accounts {
            calls.sort_by_key(|call| call.arrived);
            for window in &self.windows {
                found.extend(window.breaches(account, &calls, clock));
            }
            found.extend(self.concurrent.into_iter().flat_map(|most| crowds(account, &calls, most)));
            found.extend(self.numbers_per_call.into_iter().flat_map(|most| overfull(account, &calls, most)));
        }
        found.sort_by_key(|breach| breach.at);
        found
    }
}

impl Window {
    fn opened(&self, clock: SimClock, now: Moment) -> Moment {
        match &self.calendar {
            None => now.minus(self.span.saturating_sub(Duration::from_micros(1))),
            Some(zone) => now.minus(Duration::try_from(self.since_opening(clock, zone, now)).unwrap_or_default()),
        }
    }

    fn frees(&self, clock: SimClock, oldest: Moment, now: Moment) -> Duration {
        match &self.calendar {
            None => oldest.plus(self.span).since(now),
            Some(zone) => {
                let gone = Duration::try_from(self.since_opening(clock, zone, now)).unwrap_or_default();
                self.span.saturating_sub(gone)
            }
        }
    }

    /// How far `moment` is into its calendar window.
    fn since_opening(&self, clock: SimClock, zone: &str, moment: Moment) -> jiff::SignedDuration {
        let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
        let local = clock.wall(moment).to_zoned(zone);
        let since_midnight = local
            .start_of_day()
            .map_or(jiff::SignedDuration::ZERO, |midnight| local.timestamp().duration_since(midnight.timestamp()));
        let span = i64::try_from(self.span.as_micros()).unwrap_or(i64::MAX).max(1);
        let micros = i64::try_from(since_midnight.as_micros()).unwrap_or(0);
        jiff::SignedDuration::from_micros(micros % span)
    }

    fn breaches(&self, account: &str, calls: &[&Call], clock: SimClock) -> Vec<Breach> {
        let rule = match &self.calendar {
            None => format!("{} calls in any {:?}", self.calls, self.span),
            Some(zone) => format!("{} calls in a calendar {:?} of {zone}", self.calls, self.span),
        };
        let breach = |call: &&Call| Breach { account: account.to_owned(), at: call.arrived, rule: rule.clone() };
        let most = self.calls as usize;
        if self.calendar.is_some() {
            let mut counts: HashMap<Moment, usize> = HashMap::new();
            let over = calls.iter().filter(|call| {
                let count = counts.entry(self.opened(clock, call.arrived)).or_default();
                *count += 1;
                *count > most
            });
            return over.map(breach).collect();
        }
        // The call that makes it one too many is less than a window after the one `most` before it: that holds for some
        // window, wherever it begins, if and only if it holds for one that begins at a call.
        let places = calls.iter().enumerate().skip(most);
        let over = places.filter(|(index, call)| call.arrived.since(calls[index - most].arrived) < self.span);
        over.map(|(_, call)| breach(call)).collect()
    }
}

fn crowds(account: &str, calls: &[&Call], most: u32) -> Vec<Breach> {
    let mut open: Vec<Moment> = Vec::new();
    let mut found = Vec::new();
    for call in calls {
        open.retain(|&end| end > call.arrived);
        open.push(match (call.ending, call.ended) {
            (Ending::Answered, Some(ended)) => ended,
            (_, Some(ended)) => ended.minus(HANG_UP_NOTICED),
            (_, None) => Moment(u64::MAX),
        });
        if open.len() > most as usize {
            let rule = format!("{most} calls at once");
            found.push(Breach { account: account.to_owned(), at: call.arrived, rule });
        }
    }
    found
}

fn overfull(account: &str, calls: &[&Call], most: u32) -> Vec<Breach> {
    let full = calls.iter().filter(|call| call.numbers.len() > most as usize);
    full.map(|call| Breach { account: account.to_owned(), at: call.arrived, rule: format!("{most} numbers a call") })
        .collect()
}

/// One call that the quota does not allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breach {
    /// Whose call.
    pub account: String,
    /// When it arrived.
    pub at: Moment,
    /// The rule that it broke.
    pub rule: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(at_ms: u64, lasts_ms: u64) -> Call {
        let arrived = Moment(at_ms * 1000);
        let ended = Some(Moment((at_ms + lasts_ms) * 1000));
        let (account, numbers) = ("a".to_owned(), vec!["1".to_owned()]);
        Call {
            id: 0,
            account,
            kind: CallKind::Track,
            arrived,
            ended,
            ending: Ending::Answered,
            status: 200,
            numbers,
            news: 0,
        }
    }

    #[tokio::test]
    async fn a_rolling_window_may_begin_at_any_instant() {
        let clock = SimClock::start();
        let quota = Quota::rolling(2, Duration::from_secs(1));
        // Two at the end of one second and two at the start of the next: fine by the calendar, three too close here.
        let calls = [call(900, 1), call(950, 1), call(1_010, 1), call(1_960, 1)];
        let breaches = quota.breaches(&calls, clock);
        assert_eq!(breaches.len(), 1, "{breaches:?}");
        assert_eq!(breaches[0].at, Moment(1_010_000));
        let spaced = [call(0, 1), call(500, 1), call(1_000, 1), call(1_500, 1)];
        assert_eq!(quota.breaches(&spaced, clock), []);
    }

    #[tokio::test]
    async fn a_calendar_window_counts_from_midnight() {
        let clock = SimClock::start();
        let quota = Quota::none().and_calendar(3, Duration::from_secs(86_400), "UTC");
        let calls: Vec<_> = (0..5).map(|index| call(index, 0)).collect();
        assert_eq!(quota.breaches(&calls, clock).len(), 2);
        let other_days: Vec<_> = (0..5).map(|index| call(index * 86_400_000, 0)).collect();
        assert_eq!(quota.breaches(&other_days, clock).len(), 0);
    }

    #[tokio::test]
    async fn calls_at_once_and_numbers_in_a_call_are_counted() {
        let clock = SimClock::start();
        let quota = Quota::none().and_concurrent(1).and_numbers(1);
        assert_eq!(quota.breaches(&[call(0, 10), call(10, 5)], clock), [], "one after the other");
        assert_eq!(quota.breaches(&[call(0, 10), call(9, 5)], clock).len(), 1);
        let mut full = call(0, 1);
        full.numbers.push("2".into());
        assert_eq!(quota.breaches(&[full], clock).len(), 1);
    }
}
