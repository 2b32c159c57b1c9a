//! The newest answer read again, by a definition that was mended since: what it says otherwise.

use jiff::Timestamp;

use super::diff::{self, Telling};
use super::merge;
use super::status::standing;
use crate::model::change::ChangeKind;
use crate::model::observation::Observation;
use crate::model::tracker::{KeptEvent, Tracker};

/// Whether this answer, with the digest that it had when it was taken in, is the newest that the tracker took in: only
/// then may it be read again.
#[must_use]
pub fn rereads(tracker: &Tracker, observed_at: Timestamp, digest: u64) -> bool {
    digest != 0 && tracker.poll.digest == digest && tracker.answers.last() == Some(&observed_at)
}

/// Puts the new reading in the place of the old one. The status moves where the carrier's word, read anew, says
/// something else than it said before: what time or a person made of the parcel stays as long as it does not.
pub(super) fn reclassify(
    before: &Tracker,
    after: &mut Tracker,
    answer: &Observation,
    now: Timestamp,
    telling: &mut Telling,
) {
    let at = answer.observed_at;
    // An event that this answer alone no longer holds was a misreading of it, not a scan that vanished.
    after.events.retain(|event| event.last_seen != at || answer.events.iter().any(|told| merge::is(event, told)));
    after.poll.digest = 0; // of two answers of one instant the new reading counts
    merge::merge(after, answer);
    let (was, is) = (word_of(before), word_of(after));
    if let Some(substatus) = is.filter(|_| is != was) {
        diff::enter(after, substatus, now);
    }
    let otherwise: Vec<usize> = (0..after.events.len()).filter(|at| !was_read_so(before, &after.events[*at])).collect();
    let misread = before.events.iter().any(|event| !after.events.iter().any(|kept| merge::same_event(kept, event)));
    let facts = (&before.facts, &before.headline) != (&after.facts, &after.headline);
    if before.substatus != after.substatus || !otherwise.is_empty() || misread || facts {
        telling.tell_ours(ChangeKind::Reclassified, |draft| {
            draft.before = Some(before.substatus);
            draft.events = otherwise;
        });
    }
}

fn word_of(tracker: &Tracker) -> Option<crate::model::Substatus> {
    standing(&tracker.events, tracker.headline.as_ref()).substatus
}

fn was_read_so(before: &Tracker, event: &KeptEvent) -> bool {
    before
        .events
        .iter()
        .any(|known| merge::same_event(known, event) && (known.meaning, &known.time) == (event.meaning, &event.time))
}
