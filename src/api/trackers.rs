//! Registering parcels and reading them back.

pub mod batch;
pub(super) mod body;
pub mod change;
pub mod history;
pub mod list;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::extract::{Body, Id};
use super::input;
use super::own::own;
use super::problem::Problem;
use super::state::{Api, Caller, Reloadable};
use crate::carrier::{Candidate, Carrier, ChecksumState, Hints, Registry};
use crate::model::{AccountName, CarrierCode, Registration, ShopId, Tracker};
use crate::store::{Commit, Registered, Store};
use crate::tracking::{self, Advance, Input};
use body::{Nulls, TrackerBody};

/// How often a lost race is run again before giving up.
const RACES: usize = 20;

fn races_never_end() -> Problem {
    Problem::unavailable("the tracker is being changed by others all the time; try again")
}

/// `POST /v1/trackers`: 201 for a new one, or a new life of an old one; 200 for one that is being followed.
pub async fn register(
    State(api): State<Api>,
    Caller(shop): Caller,
    Body(bytes): Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let (status, tracker) = register_one(&api, &shop, &input::body(&bytes)?).await?;
    Ok((status, Json(view(&tracker))))
}

async fn register_one(api: &Api, shop: &ShopId, body: &TrackerBody) -> Result<(StatusCode, Tracker), Problem> {
    body.check()?;
    let current = api.current();
    let given = body.number.value().ok_or_else(|| Problem::field("number", "the tracking number is missing"))?;
    let carrier = carrier_of(&current, shop, given, body)?;
    let account = account_of(&current, shop, carrier.code(), body.account.value())?;
    let number = carrier.normalise(given).map_err(|problem| Problem::field("number", problem.to_string()))?;
    let store = api.store()?;
    let id = store.tracker_id(shop, carrier.code(), &number);
    for _ in 0..RACES {
        let now = store.now().await?;
        let before = store.load(&id).await?;
        if let Some(before) = before.as_ref().filter(|before| !tracking::is_over(before, now)) {
            let account = body.account.value().map_or(&before.account, |_| &account);
            let step = updated(&current, before, body, Nulls::Ignore, account, now)?;
            if let Some(tracker) = change::commit(store, before, step).await? {
                return Ok((StatusCode::OK, tracker));
            }
            continue;
        }
        let history = body.history.value().copied().unwrap_or_default();
        let told = body.apply(&Registration { history, ..Registration::default() }, Nulls::Ignore);
        check_inputs(&carrier, &told, now)?;
        let fresh = if let Some(ended) = &before {
            Tracker { account: account.clone(), ..tracking::new_life(ended, told, now) }
        } else {
            let (shop, code) = (shop.clone(), carrier.code().clone());
            Tracker::new(id.clone(), shop, code, number.clone(), account.clone(), told, now)
        };
        let step = tracking::advance(&fresh, Input::Registered, now, &current.policy.rules(&account));
        if begin(store, before.as_ref(), &step).await? {
            return Ok((StatusCode::CREATED, step.tracker));
        }
    }
    Err(races_never_end())
}

/// What becomes of a tracker by the given fields; nothing when they say what was known.
fn updated(
    current: &Reloadable,
    before: &Tracker,
    body: &TrackerBody,
    nulls: Nulls,
    account: &AccountName,
    now: Timestamp,
) -> Result<Option<Advance>, Problem> {
    if body.history.value().is_some_and(|history| *history != before.registration.history) {
        return Err(Problem::field("history", "it is settled when a parcel is first registered and cannot be changed"));
    }
    let next = body.apply(&before.registration, nulls);
    if next == before.registration && *account == before.account {
        return Ok(None);
    }
    if body.touches_inputs()
        && let Some(carrier) = current.registry.get(before.carrier.as_str())
    {
        check_inputs(&carrier, &next, before.registered_at)?;
    }
    let mut step = tracking::advance(before, Input::Updated(&next), now, &current.policy.rules(account));
    step.tracker.account = account.clone();
    Ok(Some(step))
}

/// Refuses what the carrier could not be asked with.
fn check_inputs(carrier: &Carrier, told: &Registration, now: Timestamp) -> Result<(), Problem> {
    let known = &carrier.definition().inputs;
    if let Some(unknown) = told.inputs.keys().find(|name| !known.contains_key(*name)) {
        let names: Vec<&str> = known.keys().map(String::as_str).collect();
        let hint = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(Problem::field(
            &format!("inputs.{unknown}"),
            format!("{} knows no such input; it knows: {hint}", carrier.code()),
        ));
    }
    match carrier.input_problems(&carrier.inputs(told, now)).as_slice() {
        [] => Ok(()),
        problems => Err(Problem::field("inputs", problems.join("; "))),
    }
}

/// Stores the beginning of a life; false when others were faster.
async fn begin(store: &Store, before: Option<&Tracker>, step: &Advance) -> Result<bool, Problem> {
    Ok(match before {
        Some(before) => {
            let outcome = store.commit(before, &step.tracker, &step.changes, &step.timers).await?;
            store.make_durable().await?;
            matches!(outcome, Commit::Done { .. })
        }
        None => store.register(&step.tracker, &step.changes, &step.timers).await? == Registered::Created,
    })
}

/// The carrier as given, or found.
fn carrier_of(current: &Reloadable, shop: &ShopId, number: &str, body: &TrackerBody) -> Result<Arc<Carrier>, Problem> {
    match body.carrier.value() {
        Some(code) => current.registry.get(code).ok_or_else(|| unknown_carrier(&current.registry, code)),
        None => detect(current, shop, number, body),
    }
}

fn unknown_carrier(registry: &Registry, code: &str) -> Problem {
    Problem::field("carrier", registry.unknown(code))
}

/// The account as given, or the first one of the carrier. A foreign account is answered as an unknown one is.
fn account_of(
    current: &Reloadable,
    shop: &ShopId,
    code: &CarrierCode,
    given: Option<&AccountName>,
) -> Result<AccountName, Problem> {
    let mut own = current
        .accounts
        .iter()
        .filter(|(_, info)| info.carrier == *code && info.shops.admits(shop))
        .map(|(name, _)| name);
    let found = match given {
        Some(wanted) => own.find(|name| *name == wanted).ok_or_else(|| {
            Problem::field("account", format!("there is no account {wanted} of carrier {code} that this shop may use"))
        })?,
        None => own.next().ok_or_else(|| {
            let detail = format!(
                "no account of carrier {code} is set up for this shop; the operator adds one as [accounts.NAME]"
            );
            Problem::field("carrier", detail)
        })?,
    };
    Ok(found.clone())
}

fn detect(current: &Reloadable, shop: &ShopId, number: &str, body: &TrackerBody) -> Result<Arc<Carrier>, Problem> {
    let own: Vec<CarrierCode> =
        current.accounts.values().filter(|info| info.shops.admits(shop)).map(|info| info.carrier.clone()).collect();
    let country = body.destination.value().and_then(|d| d.country.clone());
    let hints = Hints { carriers: own.clone(), country, ..Hints::default() };
    let recognised = current.registry.recognise(number, &hints);
    let found = &recognised.candidates;
    let usable: Vec<_> = found.iter().filter(|candidate| own.contains(&candidate.carrier)).collect();
    let best = usable
        .first()
        .filter(|first| usable.iter().skip(1).all(|other| other.carrier == first.carrier || other.score < first.score));
    let candidates: Vec<Value> =
        found.iter().map(|candidate| json!({"carrier": candidate.carrier, "format": candidate.format})).collect();
    let is_verified = |candidate: &Candidate| candidate.checksum == ChecksumState::Verified;
    let elsewhere = found.first().filter(|first| is_verified(first) && !usable.iter().any(|one| is_verified(one)));
    let refused = |detail: &str| Problem::field("carrier", detail).with("candidates", candidates.clone());
    match best {
        // A shape alone is no match for a check digit that is right at a carrier of somebody else's.
        Some(_) if let Some(other) = elsewhere => {
            let detail = format!(
                "its check digit makes it a number of {}, for which this shop has no account; name the carrier",
                other.carrier
            );
            Err(refused(&detail))
        }
        Some(candidate) => {
            current.registry.get(candidate.carrier.as_str()).ok_or_else(|| Problem::not_found("carrier"))
        }
        None if let Some(why) = recognised.why_none() => Err(refused(&format!("{why}; name the carrier"))),
        None if usable.is_empty() => Err(refused("this shop has no account at a carrier with numbers of this shape")),
        None => Err(refused("more than one carrier has numbers of this shape; name the carrier")),
    }
}

/// `GET /v1/trackers/{id}`
pub async fn show(State(api): State<Api>, Caller(shop): Caller, Id(id): Id) -> Result<Json<Value>, Problem> {
    Ok(Json(view(&own(&api, &shop, &id).await?)))
}

/// `DELETE /v1/trackers/{id}`
pub async fn delete(State(api): State<Api>, Caller(shop): Caller, Id(id): Id) -> Result<StatusCode, Problem> {
    let current = api.current();
    for _ in 0..RACES {
        let tracker: Tracker = own(&api, &shop, &id).await?;
        let store = api.store()?;
        let step =
            tracking::advance(&tracker, Input::Deleted, store.now().await?, &current.policy.rules(&tracker.account));
        if let Commit::Done { .. } | Commit::Gone = store.delete(&tracker, &step.changes).await? {
            store.make_durable().await?;
            return Ok(StatusCode::NO_CONTENT);
        }
    }
    Err(races_never_end())
}

/// A tracker as shops see it.
pub fn view(tracker: &Tracker) -> Value {
    let told = &tracker.registration;
    json!({
        "id": tracker.id,
        "account": tracker.account,
        "orders": told.orders,
        "customer_ref": told.customer_ref,
        "direction": told.direction,
        "related": told.related,
        "promised": told.promised,
        "ship_by": told.ship_by,
        "destination": told.destination,
        "locale": told.locale,
        "tags": told.tags,
        "metadata": told.metadata,
        "importance": told.importance,
        "history": told.history,
        "registered_at": tracker.registered_at,
        "sequence": tracker.sequence,
        "ended_at": tracker.ended_at,
        "conditions": tracker.conditions,
        "by_hand": tracker.by_hand,
        "poll": {
            "next_at": tracker.poll.next_at,
            "last_at": tracker.poll.last_at,
            "last_ok_at": tracker.poll.last_ok_at,
            "outcome": tracker.poll.outcome,
            "failures": tracker.poll.failures,
            "paused": tracker.poll.paused,
        },
        "parcel": tracking::parcel(tracker),
    })
}
