//! What an answer amounts to: the definition's rules in order, then what HTTP itself says.

use std::borrow::Cow;

use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::body::Body;
use super::text::clean;
use crate::carrier::call::RawAnswer;
use crate::carrier::definition::answer::OutcomeRule;
use crate::carrier::expr::Scope;
use crate::model::PollOutcome;

/// Longest message for the operator.
const MESSAGE: usize = 300;
/// Nobody is believed who asks for more silence than this.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(48);

/// When the carrier wants to be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// After this long, counted from the answer.
    Wait(SignedDuration),
    /// At this instant by the carrier's clock.
    At(Timestamp),
}

impl RetryAfter {
    /// The instant, for an answer that arrived at `answered`: never before it, at most two days after it.
    pub fn instant(self, answered: Timestamp) -> Timestamp {
        let last = crate::model::time::after(answered, LONGEST_WAIT);
        match self {
            Self::Wait(wait) => crate::model::time::after(answered, wait.min(LONGEST_WAIT)),
            Self::At(at) => at.clamp(answered, last),
        }
    }
}

/// Reads `Retry-After`: seconds, or an HTTP date.
pub fn retry_after(headers: &[(String, String)]) -> Option<RetryAfter> {
    let text = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?.1.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        let whole = seconds.ceil();
        // The cast saturates, and nobody waits longer than two days anyway.
        #[expect(clippy::cast_possible_truncation, reason = "saturates at the ends")]
        return (whole >= 0.0).then(|| RetryAfter::Wait(SignedDuration::from_secs((whole as i64).min(172_800))));
    }
    rfc2822::parse(text).ok().map(|at| RetryAfter::At(at.timestamp()))
}

/// `http` as expressions see it; without headers where nobody looks at them.
pub fn http_value(response: &RawAnswer, with_headers: bool) -> Value {
    let mut headers = Map::new();
    for (name, value) in response.headers.iter().filter(|_| with_headers) {
        headers.entry(name.to_ascii_lowercase()).or_insert_with(|| Value::String(value.clone()));
    }
    serde_json::json!({"status": response.status, "headers": headers})
}

/// What an answer, or one parcel of it, amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The outcome.
    pub outcome: PollOutcome,
    /// The carrier's words for the operator.
    pub message: Option<String>,
    /// The token was refused: drop it and try once more.
    pub refresh: bool,
    /// Ask in halves.
    pub split: bool,
    /// Which rule said so, from 0; nothing: what HTTP says.
    pub rule: Option<usize>,
}

/// What the rules look at.
pub struct Seen<'a> {
    /// HTTP status.
    pub status: u16,
    /// The body, read.
    pub body: &'a Body,
    /// The body as text, for patterns.
    pub text: &'a dyn Fn() -> Cow<'a, str>,
    /// Names for conditions.
    pub scope: &'a Scope<'a>,
}

/// The first rule whose conditions all hold.
pub fn by_rules(rules: &[OutcomeRule], seen: &Seen<'_>) -> Option<Verdict> {
    let (at, rule) = rules.iter().enumerate().find(|(_, rule)| holds(rule, seen))?;
    let message =
        rule.message.as_ref().and_then(|source| source.text(seen.scope)).and_then(|text| clean(&text, MESSAGE));
    Some(Verdict { outcome: rule.is, message, refresh: rule.refresh, split: rule.split, rule: Some(at) })
}

fn holds(rule: &OutcomeRule, seen: &Seen<'_>) -> bool {
    (rule.http.is_empty() || rule.http.iter().any(|range| range.contains(seen.status)))
        && rule.empty.is_none_or(|wanted| wanted == matches!(seen.body, Body::Empty))
        && rule.unparsable.is_none_or(|wanted| wanted == matches!(seen.body, Body::Unparsable(_)))
        && rule.when.as_ref().is_none_or(|when| when.holds(seen.scope))
        && rule.text.as_ref().is_none_or(|pattern| pattern.0.is_match(&(seen.text)()))
}

/// What HTTP itself says, for a call that asked for this many numbers.
pub fn by_http(status: u16, body: &Body, asked: usize) -> Verdict {
    let outcome = match (status, body) {
        (200..=299, Body::Read(_)) => PollOutcome::Ok,
        (200..=299, _) => PollOutcome::Drifted,
        (401 | 403, _) => PollOutcome::AuthFailed,
        (404, _) if asked <= 1 => PollOutcome::NotFound,
        (429, _) => PollOutcome::Throttled,
        _ => PollOutcome::CarrierFault,
    };
    let message = match (outcome, body) {
        (PollOutcome::Ok | PollOutcome::NotFound, _) => None,
        (PollOutcome::Drifted, Body::Unparsable(problem)) => clean(problem, MESSAGE),
        (PollOutcome::Drifted, _) => Some("an empty answer".to_owned()),
        _ => Some(format!("HTTP {status}")),
    };
    Verdict { outcome, message, refresh: status == 401, split: false, rule: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> Vec<(String, String)> {
        vec![("Retry-AFTER".to_owned(), value.to_owned())]
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after(&headers("120")), Some(RetryAfter::Wait(SignedDuration::from_secs(120))));
        assert_eq!(retry_after(&headers("0.5")), Some(RetryAfter::Wait(SignedDuration::from_secs(1))));
        assert_eq!(
            retry_after(&headers("Wed, 11 Mar 2026 10:00:00 GMT")),
            Some(RetryAfter::At("2026-03-11T10:00:00Z".parse().unwrap()))
        );
        for bad in ["", "soon", "-5", "NaN", "2026"] {
            let read = retry_after(&headers(bad));
            assert!(read.is_none() || bad == "2026", "{bad}: {read:?}");
        }
    }

    #[test]
    fn a_wait_is_never_in_the_past_nor_without_end() {
        let now: Timestamp = "2026-03-11T10:00:00Z".parse().unwrap();
        assert_eq!(RetryAfter::At(Timestamp::MIN).instant(now), now);
        assert_eq!(RetryAfter::At(Timestamp::MAX).instant(now).to_string(), "2026-03-13T10:00:00Z");
        assert_eq!(retry_after(&headers("1e300")).unwrap().instant(now).to_string(), "2026-03-13T10:00:00Z");
    }

    #[test]
    fn http_speaks_where_no_rule_does() {
        let read = Body::Read(Value::Null);
        for (status, body, asked, outcome) in [
            (200, &read, 1, PollOutcome::Ok),
            (207, &read, 3, PollOutcome::Ok),
            (200, &Body::Empty, 1, PollOutcome::Drifted),
            (401, &read, 1, PollOutcome::AuthFailed),
            (404, &read, 1, PollOutcome::NotFound),
            (404, &read, 2, PollOutcome::CarrierFault),
            (429, &Body::Empty, 1, PollOutcome::Throttled),
            (302, &read, 1, PollOutcome::CarrierFault),
            (503, &read, 1, PollOutcome::CarrierFault),
        ] {
            assert_eq!(by_http(status, body, asked).outcome, outcome, "{status} {asked}");
        }
    }
}
