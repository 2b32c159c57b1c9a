//! A number that is used again: the same tracker starts a new life.

use jiff::{SignedDuration, Timestamp};

use crate::model::time::Moment;
use crate::model::tracker::{Registration, Tracker};

use super::merge::bounds;

/// So long after its end, a number that is registered again is a new parcel.
pub const NEW_LIFE_AFTER: SignedDuration = SignedDuration::from_hours(24 * 90);

/// Whether registering the number now starts a new life.
#[must_use]
pub fn is_over(tracker: &Tracker, now: Timestamp) -> bool {
    tracker.ended_at.is_some_and(|ended| now.duration_since(ended) >= NEW_LIFE_AFTER)
}

/// The tracker at the start of its next life, before [`super::Input::Registered`]: nothing of the old life but its
/// name, its revision (the commit is guarded by it), a sequence that goes on rising, and the floor below which
/// events belong to the old life.
#[must_use]
pub fn new_life(before: &Tracker, registration: Registration, now: Timestamp) -> Tracker {
    let fresh = Tracker::new(
        before.id.clone(),
        before.shop.clone(),
        before.carrier.clone(),
        before.number.clone(),
        before.account.clone(),
        registration,
        now,
    );
    let sequence = before.sequence.saturating_add(1).max(fresh.sequence);
    Tracker { revision: before.revision, sequence, floor: floor(before), ..fresh }
}

/// The newest moment of the old life, older floors included.
fn floor(before: &Tracker) -> Option<Moment> {
    let of_events = before.events.iter().filter_map(|event| {
        let (_, latest) = bounds(&event.time)?;
        Some((latest, event.time.utc.map(Moment::from_timestamp).or_else(|| event.time.moment())?))
    });
    let older = before.floor.map(|floor| (floor.passed_at(None), floor));
    let dated = of_events.chain(older).max_by_key(|(latest, _)| *latest).map(|(_, moment)| moment);
    // Events without a readable time: what was ended before now is old all the same.
    dated.or_else(|| {
        before.ended_at.filter(|_| !before.events.is_empty() || before.headline.is_some()).map(Moment::from_timestamp)
    })
}
