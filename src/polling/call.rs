//! One call for some parcels: token, request, answer, and what becomes of each parcel.

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::budget::Grant;
use super::fetch;
use super::settle;
use super::windows::Permit;
use super::worker::Worker;
use crate::carrier::{Answer, CallContext, CallItem, ParcelAnswer, RawAnswer, RetryAfter};
use crate::model::{PollOutcome, Tracker, time};
use crate::telemetry::{masked, metrics};

/// Longest pause that a carrier can ask for.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(24);
/// Pause after credentials were refused: only a person can mend that, and each try may lock the account.
const AUTH_PAUSE: SignedDuration = SignedDuration::from_mins(5);
/// Failures in a row after which the whole account is left alone for a while.
const FAILURES_BEFORE_PAUSE: u32 = 3;

/// How an exchange ended, when it did not end with an answer to read.
enum Failure {
    /// Not sent: the lease is about to end, or the quota is used up. The parcels stay due.
    NotSent,
    /// Sent or not, it failed: outcome and words for the log.
    Failed(PollOutcome, String, Option<RetryAfter>),
}

/// Polls these parcels, which may share a call. `permit` is the right to send one.
pub async fn poll(worker: &Worker, batch: Vec<Tracker>, permit: Permit) {
    let mut open = vec![(batch, Some(permit))];
    while let Some((batch, permit)) = open.pop() {
        let items: Vec<CallItem> = batch.iter().map(|tracker| worker.account.item(tracker)).collect();
        match ask(worker, &items, permit).await {
            Err(Failure::NotSent) => {}
            Err(Failure::Failed(outcome, message, retry_after)) => {
                trouble(worker, batch, outcome, &message, retry_after).await;
            }
            Ok((answer, _)) if answer.split && batch.len() > 1 => {
                let (left, right) = batch.split_at(batch.len() / 2);
                open.push((right.to_vec(), None));
                open.push((left.to_vec(), None));
            }
            Ok((answer, raw)) => match answer.call {
                PollOutcome::AuthFailed | PollOutcome::Throttled | PollOutcome::CarrierFault | PollOutcome::Drifted => {
                    let message = answer.message.unwrap_or_else(|| format!("HTTP {}", raw.status));
                    trouble(worker, batch, answer.call, &message, answer.retry_after).await;
                }
                _ => told(worker, batch, &answer, raw.observed_at).await,
            },
        }
    }
}

/// Sends the call; a refused token is fetched anew and the call sent once more.
async fn ask(worker: &Worker, items: &[CallItem], permit: Option<Permit>) -> Result<(Answer, RawAnswer), Failure> {
    let mut permit = permit;
    for first in [true, false] {
        let call = CallContext { now: crate::clock::now(), request_id: worker.request_id() };
        let held = match permit.take() {
            Some(permit) => permit,
            None => another_permit(worker).await?,
        };
        let token = token(worker, &call).await?;
        let answer = exchange(worker, items, token.as_ref(), &call).await;
        drop(held);
        let raw = answer?;
        let read = worker.account.carrier.read_answer(items, &raw);
        match (&token, read.token_refused) {
            (Some(value), true) if first => worker.tokens.refused(&worker.shared.store, &worker.account, value).await,
            _ => return Ok((read, raw)),
        }
    }
    Err(Failure::Failed(PollOutcome::AuthFailed, "a fresh token was refused".to_owned(), None))
}

async fn another_permit(worker: &Worker) -> Result<Permit, Failure> {
    match worker.budget.permit(&worker.shared.store).await {
        Ok(Grant::Go(permit)) => Ok(permit),
        Ok(Grant::UsedUp(_)) => Err(Failure::NotSent),
        Err(error) => {
            tracing::debug!(event = "budget_error", account = %worker.account.name, %error, "The quota could not be asked for.");
            Err(Failure::NotSent)
        }
    }
}

async fn token(worker: &Worker, call: &CallContext) -> Result<Option<SecretString>, Failure> {
    if !worker.may_send() {
        return Err(Failure::NotSent);
    }
    let shared = &worker.shared;
    worker
        .tokens
        .get(&shared.store, &shared.client, &worker.account, call)
        .await
        .map_err(|missing| Failure::Failed(missing.outcome, missing.message, None))
}

async fn exchange(
    worker: &Worker,
    items: &[CallItem],
    token: Option<&SecretString>,
    call: &CallContext,
) -> Result<RawAnswer, Failure> {
    let account = &worker.account;
    let mut request = account
        .carrier
        .plan_call(&account.context(), items, token, call)
        .map_err(|problem| Failure::Failed(PollOutcome::Drifted, problem.to_string(), None))?;
    request.timeout = request.timeout.min(worker.longest_exchange);
    if !worker.may_send() {
        return Err(Failure::NotSent);
    }
    let sent = tokio::time::Instant::now();
    let answer = fetch::send(&worker.shared.client, &request).await;
    metrics::carrier_call(account.carrier.code().as_str(), "track", fetch::outcome(&answer), sent.elapsed());
    tracing::debug!(
        event = "poll",
        carrier = %account.carrier.code(),
        account = %account.name,
        numbers = items.len(),
        first = masked(items.first().map_or("", |item| item.number.as_str())),
        request_id = call.request_id,
        status = answer.as_ref().map_or(0, |raw| raw.status),
        duration_ms = u64::try_from(sent.elapsed().as_millis()).unwrap_or(u64::MAX),
        "A carrier was asked."
    );
    answer.map_err(|fault| Failure::Failed(PollOutcome::CarrierFault, fault.to_string(), None))
}

/// Commits what the answer says of each parcel, all at once: each commit waits for the store's disk, and the store
/// writes those that come together in one go.
async fn told(worker: &Worker, batch: Vec<Tracker>, answer: &Answer, at: Timestamp) {
    worker.carrier_answered();
    join_all(each_with_its_own(batch, answer).map(|(tracker, parcel)| commit(worker, tracker, parcel, at))).await;
}

/// Each parcel with what the answer says of it. They stand in the order in which they were asked: two shops may follow
/// one number, and what is old for one of them is news for the other.
fn each_with_its_own(batch: Vec<Tracker>, answer: &Answer) -> impl Iterator<Item = (Tracker, &ParcelAnswer)> {
    batch.into_iter().enumerate().filter_map(|(place, tracker)| {
        let own = answer.parcels.get(place).filter(|parcel| parcel.number == tracker.number);
        let parcel = own.or_else(|| answer.parcels.iter().find(|parcel| parcel.number == tracker.number))?;
        Some((tracker, parcel))
    })
}

async fn commit(worker: &Worker, tracker: Tracker, parcel: &ParcelAnswer, at: Timestamp) {
    let id = tracker.id.clone();
    match settle::settle(&worker.shared.store, &worker.shared.policy, tracker, parcel, at).await {
        Ok(Some(0) | None) => {}
        Ok(Some(changes)) => {
            tracing::info!(event = "tracker_changed", carrier = %worker.account.carrier.code(), tracker = %id, changes, "A parcel has news.");
        }
        Err(error) => {
            tracing::warn!(event = "commit_failed", tracker = %id, %error, "An answer could not be stored; the parcel stays due and is asked again.");
        }
    }
}

/// The call told nothing: leave the account or the parcels alone for a while.
async fn trouble(
    worker: &Worker,
    batch: Vec<Tracker>,
    outcome: PollOutcome,
    message: &str,
    retry_after: Option<RetryAfter>,
) {
    let now = crate::clock::now();
    let (wait, failures) = worker.carrier_failed();
    let account = &worker.account.name;
    let until = match outcome {
        PollOutcome::Throttled => Some(retry_after.map_or_else(|| time::after(now, wait), |after| after.instant(now))),
        PollOutcome::AuthFailed => Some(time::after(now, AUTH_PAUSE)),
        _ => retry_after
            .map(|after| after.instant(now))
            .or_else(|| (failures >= FAILURES_BEFORE_PAUSE).then(|| time::after(now, wait))),
    };
    if outcome == PollOutcome::AuthFailed {
        tracing::error!(event = "account_refused", carrier = %worker.account.carrier.code(), %account, message, "A carrier refuses this account; check its credentials.");
    } else if failures == 1 || failures.is_power_of_two() {
        tracing::warn!(event = "carrier_failing", carrier = %worker.account.carrier.code(), %account, outcome = outcome.name(), failures, message, "A carrier call failed.");
    }
    if let Some(until) = until {
        let until = until.min(time::after(now, LONGEST_PAUSE));
        worker.pause(until);
        if let Err(error) = worker.shared.store.pause_account(account, until, outcome.name()).await {
            tracing::debug!(event = "pause_error", %account, %error, "The pause could not be stored; it holds in this daemon.");
        }
    }
    if matches!(outcome, PollOutcome::CarrierFault | PollOutcome::Drifted) {
        let notes = batch.into_iter().map(async |tracker| {
            let id = tracker.id.clone();
            if let Err(error) = settle::failed(&worker.shared.store, &worker.shared.policy, tracker, outcome, now).await
            {
                tracing::debug!(event = "commit_failed", tracker = %id, %error, "A failed poll could not be noted.");
            }
        });
        join_all(notes).await;
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::{Facts, Observation, Registration, TrackerId};

    fn of_shop(shop: &str) -> Tracker {
        let (shop, carrier) = (shop.parse().unwrap(), "fedex".parse().unwrap());
        let id = TrackerId::derive(b"secret", &shop, &carrier, "N1");
        let account = "main".parse().unwrap();
        Tracker::new(id, shop, carrier, "N1".to_owned(), account, Registration::default(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn what_is_old_for_one_shop_is_news_for_another_that_follows_the_same_number() {
        let says = |unchanged: bool| ParcelAnswer {
            number: "N1".to_owned(),
            outcome: PollOutcome::Ok,
            message: None,
            unchanged,
            observation: (!unchanged).then(|| Observation {
                observed_at: Timestamp::UNIX_EPOCH,
                digest: 1,
                facts: Facts::default(),
                headline: None,
                events: Vec::new(),
            }),
        };
        let answer = Answer {
            call: PollOutcome::Ok,
            message: None,
            retry_after: None,
            split: false,
            token_refused: false,
            parcels: vec![says(true), says(false)],
        };
        let batch = vec![of_shop("old"), of_shop("new")];
        let told: Vec<(String, bool)> = each_with_its_own(batch, &answer)
            .map(|(tracker, parcel)| (tracker.shop.to_string(), parcel.observation.is_some()))
            .collect();
        assert_eq!(told, [("old".to_owned(), false), ("new".to_owned(), true)]);
    }
}
