//! Why an answer was judged as it was, for people.

use super::Answer;
use super::body::Body;
use super::outcome::Verdict;
use super::trace::TraceLine;
use crate::carrier::call::RawAnswer;
use crate::model::PollOutcome;

/// A rule of the definition by its list and place.
pub(super) fn rule_name(list: &str, verdict: &Verdict) -> String {
    verdict.rule.map_or_else(|| "http".to_owned(), |at| format!("{list}[{at}]"))
}

/// Why a call is not `ok`, for people.
pub(super) fn reason(answer: &Answer, response: &RawAnswer, body: &Body, lines: &[TraceLine]) -> Option<String> {
    if answer.call == PollOutcome::Ok {
        return None;
    }
    let judged = lines.iter().find(|line| line.field == "outcome")?;
    if judged.value == PollOutcome::Ok.name() {
        let told = answer.message.as_deref().unwrap_or("its outcome is the same");
        return Some(format!("of every parcel that was asked for: {told}"));
    }
    let body = match body {
        Body::Empty => Some("the body is empty".to_owned()),
        Body::Unparsable(problem) => Some(format!("the body cannot be read: {problem}")),
        Body::Read(_) => None,
    };
    let rule = match judged.source.as_deref() {
        None | Some("http") => body
            .is_none()
            .then(|| format!("HTTP status {} says so, and no rule of the definition does", response.status)),
        Some(rule) => Some(format!("the definition's rule {rule} says so")),
    };
    Some(rule.into_iter().chain(body).collect::<Vec<_>>().join("; "))
}
