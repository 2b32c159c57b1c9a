//! What follows from an exchange. Pure: every rule about answers of receivers is here.

use jiff::{SignedDuration, Timestamp};

use super::attempt::{Answer, Exchange};
use super::fault::Fault;
use super::limits::Signal;
use super::retry::Schedule;
use crate::model::time::after;

/// A `Retry-After` further away than this counts as this.
const FURTHEST_RETRY_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// What becomes of the delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The endpoint has it.
    Delivered,
    /// Try again.
    Retry {
        /// When.
        at: Timestamp,
        /// Until when the whole endpoint wants to be left alone, if it said so.
        pause_endpoint: Option<Timestamp>,
        /// What went wrong, for the shop.
        error: String,
    },
    /// No more attempts; it is listed and can be replayed.
    Dead {
        /// Why.
        error: String,
    },
    /// The endpoint gets nothing any more; the delivery is listed and can be replayed.
    Disable {
        /// The reason kept with the endpoint.
        reason: &'static str,
        /// What went wrong, for the shop.
        error: String,
    },
}

/// A verdict, and what the exchange told of its endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What becomes of the delivery.
    pub verdict: Verdict,
    /// What the endpoint's limits learn from it.
    pub signal: Signal,
}

/// Which delivery, and how far it is.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// Seeds the jitter.
    pub id: &'a str,
    /// Number of the attempt that just ended; 1 for the first.
    pub attempt: u32,
    /// When it ended.
    pub now: Timestamp,
}

/// Judges an exchange.
#[must_use]
pub fn judge(exchange: &Exchange, delivery: Delivery<'_>, schedule: &Schedule) -> Judgement {
    match exchange {
        Exchange::Answered(answer) => judge_answer(answer, delivery, schedule),
        Exchange::Failed(fault) => judge_fault(fault, delivery, schedule),
    }
}

fn judge_answer(answer: &Answer, delivery: Delivery<'_>, schedule: &Schedule) -> Judgement {
    let error = words(answer);
    let failed = |verdict| Judgement { verdict, signal: Signal::Failure };
    match answer.status {
        200..=299 => return Judgement { verdict: Verdict::Delivered, signal: Signal::Success },
        410 => return failed(Verdict::Disable { reason: "gone", error }),
        _ => {}
    }
    match answer.control.as_deref() {
        Some("disable") => return failed(Verdict::Disable { reason: "by_receiver", error }),
        // It answered as it meant to, so nothing speaks against the endpoint.
        Some("abort-message") => return Judgement { verdict: Verdict::Dead { error }, signal: Signal::Nothing },
        _ => {}
    }
    let asked = matches!(answer.status, 429 | 503).then(|| come_back(answer, delivery.now)).flatten();
    let signal = match (answer.status, asked) {
        (429 | 503, Some(_)) => Signal::Throttled,
        (429 | 502 | 504, _) => Signal::Overload,
        _ => Signal::Failure,
    };
    Judgement { verdict: again(error, asked, delivery, schedule), signal }
}

fn judge_fault(fault: &Fault, delivery: Delivery<'_>, schedule: &Schedule) -> Judgement {
    let error = fault.to_string();
    match fault {
        Fault::Refused(_) => {
            Judgement { verdict: Verdict::Disable { reason: "blocked_address", error }, signal: Signal::Failure }
        }
        Fault::Timeout(_) => Judgement { verdict: again(error, None, delivery, schedule), signal: Signal::Overload },
        Fault::Internal(_) => Judgement { verdict: again(error, None, delivery, schedule), signal: Signal::Nothing },
        Fault::Dns(_) | Fault::Connect(_) | Fault::Tls(_) | Fault::Broken(_) => {
            Judgement { verdict: again(error, None, delivery, schedule), signal: Signal::Failure }
        }
    }
}

/// The next attempt by the schedule, not before the endpoint asked for; dead when none is left.
fn again(error: String, asked: Option<Timestamp>, delivery: Delivery<'_>, schedule: &Schedule) -> Verdict {
    match schedule.next(delivery.id, delivery.attempt, delivery.now) {
        Some(at) => Verdict::Retry { at: asked.map_or(at, |asked| at.max(asked)), pause_endpoint: asked, error },
        None => Verdict::Dead { error },
    }
}

/// The moment that a `Retry-After` names: seconds from now, or an HTTP date. One that lies in the past says nothing.
fn come_back(answer: &Answer, now: Timestamp) -> Option<Timestamp> {
    let given = answer.retry_after.as_deref()?.trim();
    let asked = if given.bytes().all(|byte| byte.is_ascii_digit()) && !given.is_empty() {
        // Too many digits to read is still "far away".
        let seconds = given.parse().unwrap_or(i64::MAX).min(FURTHEST_RETRY_AFTER.as_secs());
        after(now, SignedDuration::from_secs(seconds))
    } else {
        Timestamp::try_from(httpdate::parse_http_date(given).ok()?).ok()?
    };
    (asked > now).then(|| asked.min(after(now, FURTHEST_RETRY_AFTER)))
}

fn words(answer: &Answer) -> String {
    let mut words = format!("answered {}", answer.status);
    match (&answer.location, answer.status) {
        (Some(location), 300..=399) => {
            words.push_str(" (redirects are not followed) to ");
            words.push_str(location);
        }
        (None, 300..=399) => words.push_str(" (redirects are not followed)"),
        _ => {}
    }
    if !answer.snippet.is_empty() {
        words.push_str(": ");
        words.push_str(&answer.snippet);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::guard::Refusal;

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn judged(exchange: &Exchange, attempt: u32) -> Judgement {
        judge(exchange, Delivery { id: "evt_1_1_1_1", attempt, now: now() }, &Schedule::default())
    }

    fn answered(status: u16) -> Answer {
        Answer { status, ..Answer::default() }
    }

    fn wait(verdict: &Verdict) -> (i64, Option<i64>) {
        let Verdict::Retry { at, pause_endpoint, .. } = verdict else { panic!("{verdict:?}") };
        (at.duration_since(now()).as_secs(), pause_endpoint.map(|until| until.duration_since(now()).as_secs()))
    }

    #[test]
    fn only_2xx_is_success() {
        for status in 100..600 {
            let judgement = judged(&Exchange::Answered(answered(status)), 1);
            assert_eq!(judgement.verdict == Verdict::Delivered, (200..300).contains(&status), "{status}");
            assert_eq!(judgement.signal == Signal::Success, (200..300).contains(&status), "{status}");
        }
    }

    #[test]
    fn gone_and_refused_addresses_disable_at_once() {
        let gone = judged(&Exchange::Answered(answered(410)), 1).verdict;
        assert!(matches!(gone, Verdict::Disable { reason: "gone", .. }));
        let refused = judged(&Exchange::Failed(Fault::Refused(Refusal::PlainHttp)), 1).verdict;
        assert!(matches!(refused, Verdict::Disable { reason: "blocked_address", .. }));
    }

    #[test]
    fn a_redirect_is_a_failure_that_names_where_it_pointed() {
        let answer = Answer { location: Some("http://169.254.169.254/".into()), ..answered(302) };
        let Verdict::Retry { error, .. } = judged(&Exchange::Answered(answer), 1).verdict else { panic!() };
        assert!(
            error.contains("302") && error.contains("169.254.169.254") && error.contains("not followed"),
            "{error}"
        );
    }

    #[test]
    fn retry_after_is_honoured_whole_and_pauses_the_endpoint() {
        for (given, seconds) in [
            ("40", 40),
            ("3600", 3600),
            ("999999999999999999999", 86_400),
            ("Sun, 22 Nov 2026 13:00:00 GMT", 3600),
            ("Sunday, 22-Nov-26 13:00:00 GMT", 3600),
            ("Thu, 22 Nov 2029 13:00:00 GMT", 86_400),
        ] {
            for status in [429, 503] {
                let answer = Answer { retry_after: Some(given.into()), ..answered(status) };
                let judgement = judged(&Exchange::Answered(answer), 1);
                assert_eq!(wait(&judgement.verdict), (seconds, Some(seconds)), "{status} {given}");
                assert_eq!(judgement.signal, Signal::Throttled);
            }
        }
        let answer = Answer { retry_after: Some("1".into()), ..answered(429) };
        let (at, pause) = wait(&judged(&Exchange::Answered(answer), 4).verdict);
        assert!(at >= 480, "never sooner than the schedule");
        assert_eq!(pause, Some(1));
    }

    #[test]
    fn a_retry_after_that_says_nothing_is_ignored() {
        for given in ["", "soon", "-5", "0", "1.5", "Sun, 22 Nov 2020 13:00:00 GMT"] {
            let answer = Answer { retry_after: Some(given.into()), ..answered(429) };
            let judgement = judged(&Exchange::Answered(answer), 1);
            assert!(matches!(wait(&judgement.verdict), (4..=6, None)), "{given}");
            assert_eq!(judgement.signal, Signal::Overload);
        }
        let answer = Answer { retry_after: Some("40".into()), ..answered(500) };
        assert!(matches!(wait(&judged(&Exchange::Answered(answer), 1).verdict), (4..=6, None)));
    }

    #[test]
    fn the_last_attempt_leaves_it_dead() {
        let fault = Exchange::Failed(Fault::Timeout("no answer".into()));
        assert!(matches!(judged(&fault, 11).verdict, Verdict::Retry { .. }));
        assert_eq!(judged(&fault, 12).verdict, Verdict::Dead { error: "timeout: no answer".into() });
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_answered_the_next_attempt_is_soon_enough(
            status in 100u16..600, retry_after in proptest::option::of(".{0,40}|[0-9]{1,25}"),
            control in proptest::option::of(".{0,20}"), attempt in 1u32..20,
        ) {
            let exchange = Exchange::Answered(Answer { retry_after, control, ..answered(status) });
            if let Verdict::Retry { at, pause_endpoint, .. } = judged(&exchange, attempt).verdict {
                let longest = now() + SignedDuration::from_hours(29);
                proptest::prop_assert!(attempt < 12 && at > now() && at < longest, "{at}");
                proptest::prop_assert!(pause_endpoint.is_none_or(|until| until > now() && until < longest));
            }
        }
    }

    #[test]
    fn the_receiver_may_steer() {
        let said = |control: &str| Exchange::Answered(Answer { control: Some(control.into()), ..answered(400) });
        assert!(matches!(judged(&said("abort-message"), 1).verdict, Verdict::Dead { .. }));
        assert!(matches!(judged(&said("disable"), 1).verdict, Verdict::Disable { reason: "by_receiver", .. }));
        assert!(matches!(judged(&said("nonsense"), 1).verdict, Verdict::Retry { .. }));
    }

    #[test]
    fn overload_is_told_from_other_failures() {
        let signal = |status| judged(&Exchange::Answered(answered(status)), 1).signal;
        assert_eq!([429, 502, 504].map(signal), [Signal::Overload; 3]);
        assert_eq!([400, 404, 500, 503].map(signal), [Signal::Failure; 4]);
        assert_eq!(judged(&Exchange::Failed(Fault::Timeout(String::new())), 1).signal, Signal::Overload);
        assert_eq!(judged(&Exchange::Failed(Fault::Internal(String::new())), 1).signal, Signal::Nothing);
    }
}
