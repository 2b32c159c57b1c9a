//! Deliveries: one change on its way to one endpoint.
//!
//! For each endpoint and subject (a tracker, or the endpoint itself) `pending` holds the changes still to deliver,
//! lowest sequence first, and only that head is ever claimed. A claim pushes the subject's next time forward by a
//! lease and hands out a token; only the holder of that token settles it. Whatever a lost answer leaves unknown,
//! the call may be repeated: the token is gone after the first time.

mod answers;
mod backlog;
mod claim;
mod upkeep;

use jiff::Timestamp;

use super::{Store, StoreError, keys, scripts};
use crate::model::time::from_millis;
use crate::model::{ChangeId, EndpointId, Shard, TrackerId};

pub(super) use backlog::dead_delivery;
pub use backlog::{Backlog, DeadDelivery, Sent};

/// How many arrivals of a subject's changes are remembered for people to read.
const SENT_KEPT: usize = 50;
/// Longest error text kept, in bytes.
const ERROR_KEPT: usize = 200;

/// The right to make one attempt at one delivery, until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Where to.
    pub endpoint: EndpointId,
    /// What the change is about: a tracker's id, or an endpoint's.
    pub subject: String,
    /// What to deliver.
    pub change: ChangeId,
    /// Shows that the claim is ours still.
    pub token: String,
    /// Attempts that failed before.
    pub attempts: u32,
    /// When the first of them was made.
    pub first_attempt_at: Option<Timestamp>,
}

/// How a claim ends.
enum Verdict<'a> {
    Delivered { line: String },
    Erased,
    Failed { error: &'a str, retry_at: Timestamp },
    Dead { error: &'a str },
    Released { until: Timestamp },
}

impl Store {
    /// The endpoint took it. False: the claim was no longer ours (another took over, or this very call had
    /// already been carried out), and nothing was changed.
    pub async fn delivered(&self, claim: &Claim, at: Timestamp) -> Result<bool, StoreError> {
        let sent =
            Sent { change: claim.change.clone(), endpoint: claim.endpoint.clone(), at, attempt: claim.attempts + 1 };
        self.settle(claim, &Verdict::Delivered { line: sent.to_line() }, at).await
    }

    /// There is nothing to deliver any more: the log lost the change because its tracker was erased.
    pub async fn delivery_erased(&self, claim: &Claim, at: Timestamp) -> Result<bool, StoreError> {
        self.settle(claim, &Verdict::Erased, at).await
    }

    /// The attempt failed and counts; the next one is made at `retry_at`.
    pub async fn delivery_failed(
        &self,
        claim: &Claim,
        error: &str,
        retry_at: Timestamp,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.settle(claim, &Verdict::Failed { error, retry_at }, at).await
    }

    /// The attempt failed and was the last: the delivery is listed as dead, and the next change goes on.
    pub async fn delivery_dead(&self, claim: &Claim, error: &str, at: Timestamp) -> Result<bool, StoreError> {
        self.settle(claim, &Verdict::Dead { error }, at).await
    }

    /// No attempt was made: the claim is given back, to be claimed again from `until` on. Costs no attempt.
    pub async fn release(&self, claim: &Claim, until: Timestamp) -> Result<bool, StoreError> {
        self.settle(claim, &Verdict::Released { until }, until).await
    }

    async fn settle(&self, claim: &Claim, verdict: &Verdict<'_>, at: Timestamp) -> Result<bool, StoreError> {
        let (verb, next, text) = match verdict {
            Verdict::Delivered { line } => ("delivered", at, line.as_str()),
            Verdict::Erased => ("erased", at, ""),
            Verdict::Failed { error, retry_at } => ("failed", *retry_at, cut(error)),
            Verdict::Dead { error } => ("dead", at, cut(error)),
            Verdict::Released { until } => ("release", *until, ""),
        };
        let (shard, endpoint, subject) = (claim.change.shard, &claim.endpoint, claim.subject.as_str());
        let (settled, repeated): (u8, bool) = scripts::SETTLE
            .on(&[
                keys::attempt(shard, endpoint, subject),
                keys::pending(shard, endpoint, subject),
                keys::deliver(shard, endpoint),
                keys::ready(shard),
                keys::pauses(shard),
                keys::sent(shard, subject),
                keys::dead(shard, endpoint),
                keys::dead_about(shard, endpoint),
                keys::buried(shard),
                keys::replayed(shard, endpoint),
                sign_of_life(shard, endpoint, subject),
            ])
            .arg(verb)
            .arg(endpoint.to_string())
            .arg(subject)
            .arg(claim.change.to_string())
            .arg(&claim.token)
            .arg(at.as_millisecond())
            .arg(next.as_millisecond())
            .arg(text)
            .arg(SENT_KEPT)
            .run_noting_repeats(&self.connection())
            .await?;
        if settled == 2 {
            self.wakeups().deliveries.notify_one();
        }
        // A token that is gone at a second try was most likely used up by the first, whose answer was lost.
        Ok(settled > 0 || repeated)
    }
}

/// The key that exists as long as the subject does. An endpoint's own document lies in another slot; its queue, which
/// exists while one of its claims does, stands for it.
fn sign_of_life(shard: Shard, endpoint: &EndpointId, subject: &str) -> String {
    match subject.parse::<TrackerId>() {
        Ok(tracker) => keys::tracker(&tracker),
        Err(_) => keys::deliver(shard, endpoint),
    }
}

/// The start of an error's text, whole characters.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(ERROR_KEPT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Milliseconds as the store writes them; nothing where the text is no number.
fn millis(text: &str) -> Option<Timestamp> {
    text.parse().ok().map(from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_errors_are_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        let long = "é".repeat(150);
        assert_eq!(cut(&long).len(), 200);
        let odd = format!("x{long}");
        assert_eq!(cut(&odd).len(), 199);
    }
}
