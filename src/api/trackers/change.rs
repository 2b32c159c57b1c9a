//! What a shop does with a parcel that is being followed.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::body::{Given, Nulls, TrackerBody};
use super::{RACES, account_of, races_never_end, updated, view};
use crate::api::extract::{Body, Id};
use crate::api::input::{self, short};
use crate::api::own::own;
use crate::api::problem::Problem;
use crate::api::state::{Api, Caller, Reloadable};
use crate::model::{ShopId, Substatus, Tracker};
use crate::store::{Commit, Store};
use crate::tracking::{self, Advance, Input};

/// A parcel can be asked for at once so often: a shop must not burn the quota that others share.
const COOL_DOWN: Duration = Duration::from_secs(60);

/// `PATCH /v1/trackers/{id}`: given fields replace, lists whole; null empties; absent ones stay.
pub async fn patch(
    State(api): State<Api>,
    Caller(shop): Caller,
    Id(id): Id,
    Body(bytes): Body,
) -> Result<Json<Value>, Problem> {
    // Whose it is comes first: nobody learns from a problem in the body that a foreign parcel is there.
    own::<Tracker>(&api, &shop, &id).await?;
    let body: TrackerBody = input::body(&bytes)?;
    body.check()?;
    let tracker = change(&api, &shop, &id, |current, before, now| {
        settled(current, before, &body)?;
        let account = match &body.account {
            Given::Absent => before.account.clone(),
            Given::Null => {
                return Err(Problem::field("account", "one account has to poll it; leave it out or name one"));
            }
            Given::Value(name) => account_of(current, &shop, &before.carrier, Some(name))?,
        };
        updated(current, before, &body, Nulls::Clear, &account, now)
    })
    .await?;
    Ok(Json(view(&tracker)))
}

/// Number, carrier and history may be repeated, not changed.
fn settled(current: &Reloadable, before: &Tracker, body: &TrackerBody) -> Result<(), Problem> {
    let carrier = current.registry.get(before.carrier.as_str());
    let same_number = match &body.number {
        Given::Absent => true,
        Given::Null => false,
        Given::Value(number) => match &carrier {
            Some(carrier) => carrier.normalise(number).is_ok_and(|number| number == before.number),
            None => *number == before.number,
        },
    };
    if !same_number {
        return Err(Problem::field(
            "number",
            "it cannot be changed: another number is another parcel, to be registered",
        ));
    }
    let same_carrier = match &body.carrier {
        Given::Absent => true,
        Given::Null => false,
        Given::Value(code) => {
            let named = current.registry.get(code);
            *code == before.carrier.as_str() || named.is_some_and(|named| *named.code() == before.carrier)
        }
    };
    if !same_carrier {
        return Err(Problem::field(
            "carrier",
            "it cannot be changed: at another carrier it is another parcel, to be registered",
        ));
    }
    if body.history == Given::Null {
        return Err(Problem::field("history", "it is settled when a parcel is first registered and cannot be changed"));
    }
    Ok(())
}

/// `POST /v1/trackers/{id}/pause`: no more polls until it is resumed.
pub async fn pause(State(api): State<Api>, Caller(shop): Caller, Id(id): Id) -> Result<Json<Value>, Problem> {
    let tracker = change(&api, &shop, &id, |current, before, now| {
        Ok((!before.poll.paused).then(|| {
            let mut step = nothing_told(current, before, now);
            step.tracker.poll.paused = true;
            step.tracker.poll.next_at = None;
            step
        }))
    })
    .await?;
    Ok(Json(view(&tracker)))
}

/// `POST /v1/trackers/{id}/resume`: polled again, at the pace of its status.
pub async fn resume(State(api): State<Api>, Caller(shop): Caller, Id(id): Id) -> Result<Json<Value>, Problem> {
    let tracker = change(&api, &shop, &id, |current, before, now| {
        Ok(before.poll.paused.then(|| {
            let mut step = nothing_told(current, before, now);
            step.tracker.poll.paused = false;
            // Counted from the last poll, so that pausing and resuming in turn asks the carrier no more often.
            let last = before.poll.last_at.map(|last| current.policy.next_poll(&step.tracker, last));
            step.tracker.poll.next_at = last.map_or(Some(now), |next| next.map(|next| next.max(now)));
            step
        }))
    })
    .await?;
    Ok(Json(view(&tracker)))
}

/// `POST /v1/trackers/{id}/refresh`: it joins the queue of its account now. The quota holds as ever.
pub async fn refresh(
    State(api): State<Api>,
    Caller(shop): Caller,
    Id(id): Id,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let tracker = own(&api, &shop, &id).await?;
    refuse_paused(&tracker)?;
    if let Some(wait) = api.store()?.take_forced_poll(&tracker.id, COOL_DOWN).await? {
        let seconds = wait.as_millis().div_ceil(1000);
        return Err(Problem::too_soon(
            u64::try_from(seconds).unwrap_or(COOL_DOWN.as_secs()),
            format!("one forced poll a minute and parcel; the next one in {seconds} s"),
        ));
    }
    let tracker = change(&api, &shop, &id, |current, before, now| {
        refuse_paused(before)?;
        let mut step = nothing_told(current, before, now);
        step.tracker.poll.next_at = Some(before.poll.next_at.map_or(now, |next| next.min(now)));
        Ok(Some(step))
    })
    .await?;
    Ok((StatusCode::ACCEPTED, Json(view(&tracker))))
}

fn refuse_paused(tracker: &Tracker) -> Result<(), Problem> {
    if tracker.poll.paused {
        return Err(Problem::new(StatusCode::CONFLICT, "Paused", "the parcel is not polled now; resume it first"));
    }
    Ok(())
}

/// Where a shop can say that a parcel stands.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum HandStatus {
    Delivered,
    Lost,
    Returned,
}

/// Body of `POST /v1/trackers/{id}/set`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetBody {
    status: HandStatus,
    who: String,
    why: String,
}

/// `POST /v1/trackers/{id}/set`: the shop knows better where it is.
pub async fn set(
    State(api): State<Api>,
    Caller(shop): Caller,
    Id(id): Id,
    Body(bytes): Body,
) -> Result<Json<Value>, Problem> {
    own::<Tracker>(&api, &shop, &id).await?;
    let body: SetBody = input::body(&bytes)?;
    short("who", &body.who, 1, 100)?;
    short("why", &body.why, 1, 500)?;
    let substatus = match body.status {
        HandStatus::Delivered => Substatus::Delivered,
        HandStatus::Lost => Substatus::Lost,
        HandStatus::Returned => Substatus::ReturnedToSender,
    };
    let tracker = change(&api, &shop, &id, |current, before, now| {
        let said = before.by_hand.as_ref().is_some_and(|hand| hand.who == body.who && hand.why == body.why);
        if said && before.substatus == substatus {
            return Ok(None);
        }
        let input = Input::SetByHand { substatus, who: &body.who, why: &body.why };
        let mut step = tracking::advance(before, input, now, &current.policy.rules(&before.account));
        step.tracker.poll.next_at = current.policy.next_poll(&step.tracker, now);
        Ok(Some(step))
    })
    .await?;
    Ok(Json(view(&tracker)))
}

/// The tracker as it is, with what the clock says of it now.
fn nothing_told(current: &Reloadable, before: &Tracker, now: Timestamp) -> Advance {
    tracking::advance(before, Input::Updated(&before.registration), now, &current.policy.rules(&before.account))
}

/// Takes a step with a tracker of the shop; on top of what others made of it when they were faster.
async fn change(
    api: &Api,
    shop: &ShopId,
    id: &str,
    step: impl Fn(&Reloadable, &Tracker, Timestamp) -> Result<Option<Advance>, Problem>,
) -> Result<Tracker, Problem> {
    let (store, current) = (api.store()?, api.current());
    for _ in 0..RACES {
        let before: Tracker = own(api, shop, id).await?;
        let step = step(&current, &before, store.now().await?)?;
        if let Some(tracker) = commit(store, &before, step).await? {
            return Ok(tracker);
        }
    }
    Err(races_never_end())
}

/// Stores a step, if there is one; nothing when the race was lost.
pub(super) async fn commit(store: &Store, before: &Tracker, step: Option<Advance>) -> Result<Option<Tracker>, Problem> {
    let Some(step) = step else { return Ok(Some(before.clone())) };
    match store.commit(before, &step.tracker, &step.changes, &step.timers).await? {
        Commit::Done { .. } => {
            // The shop's word cannot be fetched again as a carrier's can.
            store.make_durable().await?;
            Ok(Some(step.tracker))
        }
        Commit::LostRace | Commit::Gone => Ok(None),
    }
}
