//! One call for some parcels: token, request, answer, and what becomes of each parcel.

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::time::Instant;

use super::budget::Grant;
use super::fetch;
use super::kept;
use super::refusal;
use super::settle;
use super::token::{Got, NoToken};
use super::windows::Permit;
use super::worker::Worker;
use crate::carrier::{Answer, CallContext, CallItem, ParcelAnswer, RawAnswer, RetryAfter};
use crate::model::{PollOutcome, Tracker, time};
use crate::store::AccountPause;
use crate::telemetry::{masked, metrics};

/// Longest pause that a carrier can ask for.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(24);
/// Pause after credentials were refused: only a person can mend that, and each try may lock the account.
const AUTH_PAUSE: SignedDuration = SignedDuration::from_mins(5);
/// Characters of the carrier's words that are kept with a pause.
const LONGEST_WHY: usize = 160;
/// Failures in a row after which the whole account is left alone for a while.
const FAILURES_BEFORE_PAUSE: u32 = 3;

/// How an exchange ended, when it did not end with an answer to read.
pub(super) enum Failure {
    /// Not sent: the lease is about to end, or the quota is used up. The parcels stay due.
    NotSent,
    /// No request could be made of these parcels: nothing is wrong with the account.
    Unaskable(String),
    /// Sent or not, it failed: outcome and words for the log.
    Failed(PollOutcome, String, Option<RetryAfter>),
}

impl From<NoToken> for Failure {
    fn from(missing: NoToken) -> Self {
        match missing {
            NoToken::NotSent => Self::NotSent,
            NoToken::Failed(outcome, message) => Self::Failed(outcome, message, None),
        }
    }
}

/// A call that was answered.
pub(super) struct Asked {
    /// What the answer says.
    pub answer: Answer,
    /// As it came.
    pub raw: RawAnswer,
    /// What the call differed in from others.
    pub call: CallContext,
    /// Whether it took a call for a token first.
    pub fetched: bool,
}

/// Polls these parcels, which may share a call. `permit` is the right to send one.
pub async fn poll(worker: &Worker, batch: Vec<Tracker>, permit: Permit) {
    let mut open = vec![(batch, Some(permit))];
    while let Some((batch, permit)) = open.pop() {
        let items: Vec<CallItem> = batch.iter().map(|tracker| worker.account.item(tracker, worker.keeps())).collect();
        match ask(worker, &items, permit).await {
            Err(Failure::NotSent) => {}
            Err(Failure::Unaskable(message)) => {
                let account = &worker.account.name;
                tracing::warn!(event = "parcels_unaskable", carrier = %worker.account.carrier.code(), %account, numbers = batch.len(), message, "A carrier cannot be asked about some parcels as they are registered.");
                note(worker, batch, PollOutcome::Drifted).await;
            }
            Err(Failure::Failed(outcome, message, retry_after)) => {
                trouble(worker, batch, outcome, &message, retry_after).await;
            }
            Ok(Asked { answer, .. }) if answer.split && batch.len() > 1 => {
                let (left, right) = batch.split_at(batch.len() / 2);
                open.push((right.to_vec(), None));
                open.push((left.to_vec(), None));
            }
            Ok(Asked { answer, raw, .. }) => match answer.call {
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
pub(super) async fn ask(worker: &Worker, items: &[CallItem], permit: Option<Permit>) -> Result<Asked, Failure> {
    let (mut permit, mut any_fetched) = (permit, false);
    for first in [true, false] {
        let mut held = match permit.take() {
            Some(permit) => permit,
            None => another_permit(worker).await?,
        };
        let Got { token, fetched } = worker.token(&context(worker)).await?;
        any_fetched |= fetched;
        if fetched && worker.account.limits.token_calls_count {
            // The permit went into the token call. Given back first: there may be but one.
            drop(held);
            held = another_permit(worker).await?;
        }
        let call = context(worker);
        let answer = exchange(worker, items, token.as_ref(), &held, &call).await;
        drop(held);
        let raw = answer?;
        let read = worker.account.carrier.read_answer_in(&worker.account.environment, items, &raw);
        match (&token, read.token_refused) {
            (Some(value), true) if first => worker.token_refused(value).await,
            _ => return Ok(Asked { answer: read, raw, call, fetched: any_fetched }),
        }
    }
    Err(Failure::Failed(PollOutcome::AuthFailed, "a fresh token was refused".to_owned(), None))
}

pub(super) fn context(worker: &Worker) -> CallContext {
    CallContext { now: crate::clock::now(), request_id: worker.request_id() }
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

async fn exchange(
    worker: &Worker,
    items: &[CallItem],
    token: Option<&SecretString>,
    permit: &Permit,
    call: &CallContext,
) -> Result<RawAnswer, Failure> {
    let account = &worker.account;
    let mut request = account
        .carrier
        .plan_call(&account.context(), items, token, call)
        .map_err(|problem| Failure::Unaskable(problem.to_string()))?;
    let sent = Instant::now();
    request.timeout = request.timeout.min(worker.longest_exchange);
    if let Some(left) = permit.time_left(sent) {
        // Waiting for a token or the store took its time: what a long window still leaves may be too little.
        if left < request.timeout / 2 {
            return Err(Failure::NotSent);
        }
        request.timeout = request.timeout.min(left);
    }
    if !worker.may_send() {
        return Err(Failure::NotSent);
    }
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
    let commits = each_with_its_own(batch, answer).map(|(tracker, parcel)| commit(worker, tracker, parcel, at));
    let stored = join_all(commits).await;
    worker.stored(stored.into_iter().all(|stored| stored));
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

/// False where the store is in trouble. A parcel that it refuses for a reason of its own is put aside.
async fn commit(worker: &Worker, tracker: Tracker, parcel: &ParcelAnswer, at: Timestamp) -> bool {
    let (id, last_ok) = (tracker.id.clone(), tracker.poll.last_ok_at);
    let (store, policy) = (&worker.shared.store, &worker.shared.policy);
    match settle::settle(store, policy, tracker, parcel, at).await {
        Ok(None) => {}
        Ok(Some(changes)) => {
            if changes > 0 {
                tracing::info!(event = "tracker_changed", carrier = %worker.account.carrier.code(), tracker = %id, changes, "A parcel has news.");
            }
            if worker.keeps() {
                kept::keep(store, &id, parcel, last_ok, at, policy.keep_answers).await;
            }
        }
        Err(error) => {
            tracing::warn!(event = "commit_failed", tracker = %id, %error, "An answer could not be stored; the parcel stays due and is asked again.");
            if error.is_passing() {
                return false;
            }
            worker.put_aside(id);
        }
    }
    true
}

/// The call told nothing: leave the account or the parcels alone for a while.
pub(super) async fn trouble(
    worker: &Worker,
    batch: Vec<Tracker>,
    outcome: PollOutcome,
    message: &str,
    retry_after: Option<RetryAfter>,
) {
    let now = crate::clock::now();
    let (wait, failures) = worker.carrier_failed();
    let account = &worker.account.name;
    let until = pause_until(outcome, retry_after, now, wait, failures);
    let message = worker.account.redacted(message);
    if outcome == PollOutcome::AuthFailed {
        tracing::error!(event = "account_refused", carrier = %worker.account.carrier.code(), %account, message, "A carrier refuses this account; check its credentials.");
    } else if failures == 1 || failures.is_power_of_two() {
        tracing::warn!(event = "carrier_failing", carrier = %worker.account.carrier.code(), %account, outcome = outcome.name(), failures, message, "A carrier call failed.");
    }
    if let Some(until) = until {
        let until = until.min(time::after(now, LONGEST_PAUSE));
        worker.pause(until);
        let why = match message.trim() {
            "" => outcome.name().to_owned(),
            words => format!("{}: {}", outcome.name(), words.chars().take(LONGEST_WHY).collect::<String>()),
        };
        let store = &worker.shared.store;
        let refused = refusal::seal(store.master_key(), &worker.account, outcome);
        if let Err(error) = store.pause_account(account, &AccountPause { until, why, refused }).await {
            tracing::debug!(event = "pause_error", %account, %error, "The pause could not be stored; it holds in this daemon.");
        }
    }
    // Refused credentials are noted, too: where one parcel alone brings the refusal about, the others come first next time.
    if matches!(outcome, PollOutcome::CarrierFault | PollOutcome::Drifted | PollOutcome::AuthFailed) {
        note(worker, batch, outcome).await;
    }
}

/// Notes in the parcels that their poll failed: they are asked about later, and ever later.
async fn note(worker: &Worker, batch: Vec<Tracker>, outcome: PollOutcome) {
    let now = crate::clock::now();
    let notes = batch.into_iter().map(async |tracker| {
        let id = tracker.id.clone();
        if let Err(error) = settle::failed(&worker.shared.store, &worker.shared.policy, tracker, outcome, now).await {
            tracing::debug!(event = "commit_failed", tracker = %id, %error, "A failed poll could not be noted.");
        }
    });
    join_all(notes).await;
}

/// Until when the account is left alone after a failure, the `failures`th in a row, which by itself deserves `wait`.
fn pause_until(
    outcome: PollOutcome,
    retry_after: Option<RetryAfter>,
    now: Timestamp,
    wait: SignedDuration,
    failures: u32,
) -> Option<Timestamp> {
    // `Retry-After: 0`, or a date that has passed, says nothing: at once would be for ever.
    let asked = retry_after.map(|after| after.instant(now)).filter(|until| *until > now);
    match outcome {
        PollOutcome::Throttled => Some(asked.unwrap_or_else(|| time::after(now, wait))),
        PollOutcome::AuthFailed => Some(time::after(now, AUTH_PAUSE)),
        _ => asked.or_else(|| (failures >= FAILURES_BEFORE_PAUSE).then(|| time::after(now, wait))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Facts, Observation, Registration, TrackerId};

    #[test]
    fn a_throttled_account_always_pauses() {
        let (now, wait) = (time::from_millis(1_700_000_000_000), SignedDuration::from_secs(4));
        let seconds = |outcome, after, failures| {
            pause_until(outcome, after, now, wait, failures).map(|until| until.duration_since(now).as_secs())
        };
        let (throttled, fault) = (PollOutcome::Throttled, PollOutcome::CarrierFault);
        let given = |seconds| Some(RetryAfter::Wait(SignedDuration::from_secs(seconds)));
        assert_eq!(seconds(throttled, given(40), 1), Some(40));
        assert_eq!(seconds(throttled, None, 1), Some(4));
        assert_eq!(seconds(throttled, given(0), 1), Some(4), "zero seconds would be no pause at all");
        assert_eq!(seconds(throttled, Some(RetryAfter::At(Timestamp::UNIX_EPOCH)), 1), Some(4));
        assert_eq!(seconds(fault, given(0), 3), Some(4));
        assert_eq!(seconds(fault, given(40), 1), Some(40));
        assert_eq!(seconds(fault, None, 2), None);
        assert_eq!(seconds(PollOutcome::AuthFailed, given(0), 1), Some(300));
    }

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
            bytes: None,
            kept: None,
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
