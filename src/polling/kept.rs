//! What a poll leaves for definitions that will be mended: the answer, and the codes that no table knew.

use std::time::Duration;

use jiff::Timestamp;

use crate::carrier::ParcelAnswer;
use crate::model::event::Meaning;
use crate::model::time::to_millis;
use crate::model::{Tracker, TrackerId};
use crate::store::{Store, UnmappedScan};
use crate::telemetry::masked;

/// So often in its life, at most, is an answer that goes on to hold told to live on.
const RENEWALS: u128 = 8;

/// Keeps an answer with news; one that says what the last one said lives on. What goes wrong here costs a look back,
/// and never a poll.
pub async fn keep(
    store: &Store,
    id: &TrackerId,
    answer: &ParcelAnswer,
    last_ok: Option<Timestamp>,
    at: Timestamp,
    life: Duration,
) {
    let kept = match &answer.kept {
        Some(kept) => match serde_json::to_vec(kept) {
            Ok(text) => store.keep_answer(id, &text, life).await,
            Err(_) => return, // JSON that was read can be written.
        },
        None if answer.unchanged && renews(last_ok, at, life) => store.keep_on(id, life).await,
        None => return,
    };
    if let Err(error) = kept {
        tracing::debug!(event = "answer_not_kept", tracker = %id, %error, "An answer could not be kept for a second reading.");
    }
}

/// Whether a part of the answer's life began between two polls.
fn renews(last_ok: Option<Timestamp>, at: Timestamp, life: Duration) -> bool {
    let part = i64::try_from(life.as_millis() / RENEWALS).unwrap_or(i64::MAX).max(1);
    last_ok.is_none_or(|last| to_millis(last) / part != to_millis(at) / part)
}

/// Scans of the newest answer that were not known before, and whose code the carrier's table does not know.
pub fn unmapped(before: &Tracker, after: &Tracker) -> Vec<UnmappedScan> {
    let known = |tracker: &Tracker| tracker.events.iter().filter(|event| event.meaning == Meaning::Unmapped).count();
    let fresh = known(after).saturating_sub(known(before));
    let mut scans: Vec<_> = after.events.iter().filter(|event| event.meaning == Meaning::Unmapped).collect();
    scans.sort_by_key(|event| std::cmp::Reverse(event.observed_at));
    let scan = |event: &&crate::model::tracker::KeptEvent| UnmappedScan {
        code: event.code.clone(),
        text: event.description.clone().unwrap_or_default(),
        number: masked(&after.number),
    };
    scans.iter().take(fresh).map(scan).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_holds_is_renewed_now_and_then() {
        let (life, at) =
            (Duration::from_secs(80), |seconds: i64| Timestamp::from_second(1_700_000_000 + seconds).unwrap());
        let renewals = (0..80).filter(|second| renews(Some(at(*second)), at(second + 1), life)).count();
        assert_eq!(renewals, 8);
        assert!(renews(None, at(0), life) && renews(Some(at(0)), at(80), life));
    }
}
