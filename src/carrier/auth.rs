//! Tokens: reading the answer of a token call, and how long one lives.

use std::borrow::Cow;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::Value;
use thiserror::Error;

use super::answer::read_token_answer;
use super::at_work::Carrier;
use super::call::RawAnswer;
use super::definition::TokenSpec;
use super::expr::{Scope, Source};
use crate::model::PollOutcome;
use crate::model::time::after;

/// The life of a token whose answer and definition say nothing.
const USUAL_LIFE: Duration = Duration::from_secs(30 * 60);
/// The longest life that is believed.
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(24 * 30);
/// How long before its end a token is renewed, unless the definition says otherwise.
const RENEW_BEFORE: Duration = Duration::from_secs(60);

/// A token.
#[derive(Debug, Clone)]
pub struct Token {
    /// What calls carry.
    pub value: SecretString,
    /// When it ends.
    pub expires_at: Timestamp,
    /// From when on the next one should be fetched; this one still works.
    pub renew_at: Timestamp,
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct TokenProblem {
    /// What it means for the account.
    pub outcome: PollOutcome,
    /// For the operator.
    pub message: String,
}

impl Carrier {
    /// The token in the answer of a token call.
    pub fn read_token(&self, response: &RawAnswer, now: Timestamp) -> Result<Token, TokenProblem> {
        let code = self.code();
        let Some(spec) = self.definition().auth.token.as_ref() else {
            let message = format!("{code} gives no tokens");
            return Err(TokenProblem { outcome: PollOutcome::CarrierFault, message });
        };
        let (root, verdict) = read_token_answer(spec.format, &spec.outcome, response);
        if let Some(problem) = self.refused(verdict, response.status) {
            return Err(problem);
        }
        let scope = Scope::new().with("root", &root).focus(&root);
        let Some(value) = spec.value.text(&scope) else {
            let message = format!("{code}: the answer of the token call holds no token at {}", spec.value);
            return Err(TokenProblem { outcome: PollOutcome::Drifted, message });
        };
        let expires_at = expiry(spec, &scope, &value, now);
        let life = expires_at.duration_since(now);
        let before =
            SignedDuration::try_from(spec.renew_before.unwrap_or(RENEW_BEFORE)).unwrap_or(SignedDuration::ZERO);
        let renew_at = after(expires_at, -before.min(life / 2));
        Ok(Token { value: SecretString::from(value.into_owned()), expires_at, renew_at })
    }

    /// What the answer means when it is no token: the definition's rules first, then what is usual.
    fn refused(&self, verdict: Option<(PollOutcome, Option<String>)>, status: u16) -> Option<TokenProblem> {
        let usual = || match status {
            200..=299 => PollOutcome::Ok,
            400 | 401 | 403 => PollOutcome::AuthFailed,
            429 => PollOutcome::Throttled,
            _ => PollOutcome::CarrierFault,
        };
        let (outcome, words) = verdict.unwrap_or_else(|| (usual(), None));
        if outcome == PollOutcome::Ok {
            return None;
        }
        let words = words.map_or_else(String::new, |words| format!(": {words}"));
        let message = format!("{}: the token call was answered with HTTP {status}{words}", self.code());
        Some(TokenProblem { outcome, message })
    }
}

/// When the token ends: relative, absolute, its own claim, or the definition's life. Never before now.
fn expiry(spec: &TokenSpec, scope: &Scope<'_>, token: &str, now: Timestamp) -> Timestamp {
    let of = |source: &Option<Source>| source.as_ref().and_then(|source| source.text(scope).map(Cow::into_owned));
    let relative = of(&spec.expires_in).and_then(|text| seconds(&text)).map(|life| after(now, life));
    let absolute = || of(&spec.expires_at).and_then(|text| instant(&text));
    let claimed = || if spec.jwt { claim(token) } else { None };
    let usual =
        || after(now, SignedDuration::try_from(spec.life.unwrap_or(USUAL_LIFE)).unwrap_or(SignedDuration::ZERO));
    let end = relative.or_else(absolute).or_else(claimed).unwrap_or_else(usual);
    end.clamp(now, after(now, LONGEST_LIFE))
}

fn seconds(text: &str) -> Option<SignedDuration> {
    let seconds: f64 = text.trim().parse().ok()?;
    (0.0..=1e10).contains(&seconds).then(|| SignedDuration::try_from_secs_f64(seconds).ok()).flatten()
}

/// ISO 8601, or seconds or milliseconds since 1970.
fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i64>() {
        let millis = if number.abs() > 100_000_000_000 { number } else { number.checked_mul(1_000)? };
        return Timestamp::from_millisecond(millis).ok();
    }
    let civil = || text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    text.parse().ok().or_else(|| civil().map(|zoned| zoned.timestamp()))
}

fn claim(token: &str) -> Option<Timestamp> {
    let token = Value::from(token);
    let scope = Scope::new().with("token", &token);
    let source = Source::compile("(token | jwt_claims).exp").ok()?;
    let text = source.text(&scope)?.into_owned();
    instant(text.split('.').next().unwrap_or(&text))
}
