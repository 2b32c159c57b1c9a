//! What the delivery loop needs of the store: the seam between the two, in the store's own words.

use std::error::Error;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use thiserror::Error;

use crate::model::{Change, ChangeId, Endpoint, EndpointId};

/// The store could not do it now.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct QueueError(#[from] pub Box<dyn Error + Send + Sync>);

/// One delivery, handed to this daemon until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Where it goes.
    pub endpoint: EndpointId,
    /// What the change is about: a tracker's id, or the endpoint's own.
    pub subject: String,
    /// What is told.
    pub change: ChangeId,
    /// Only this acknowledges it.
    pub token: String,
    /// Attempts made before this claim.
    pub attempts: u32,
    /// When the first of them was made.
    pub first_attempt_at: Option<Timestamp>,
}

/// What comes back of an asynchronous call to the store.
pub type Answered<T> = Result<T, QueueError>;

/// The deliveries that wait. Each acknowledgement says whether the claim still held.
pub trait Queue: Clone + Send + Sync + 'static {
    /// Takes up to `limit` deliveries that are due, at most one for each endpoint and subject, at most `cap_of`
    /// for an endpoint, and of each subject the change with the lowest sequence.
    fn claim_deliveries(
        &self,
        now: Timestamp,
        limit: usize,
        lease: Duration,
        cap_of: &(dyn Fn(&EndpointId) -> usize + Sync),
    ) -> impl Future<Output = Answered<Vec<Claim>>> + Send;

    /// The endpoint has it.
    fn delivered(&self, claim: &Claim, at: Timestamp) -> impl Future<Output = Answered<bool>> + Send;

    /// It failed and is due again at `retry_at`.
    fn delivery_failed(
        &self,
        claim: &Claim,
        error: &str,
        retry_at: Timestamp,
        at: Timestamp,
    ) -> impl Future<Output = Answered<bool>> + Send;

    /// It will not be tried again; it is listed as dead.
    fn delivery_dead(&self, claim: &Claim, error: &str, at: Timestamp) -> impl Future<Output = Answered<bool>> + Send;

    /// It goes back as it was, due at once; no attempt is counted.
    fn release(&self, claim: &Claim) -> impl Future<Output = Answered<()>> + Send;

    /// Nothing of this endpoint is claimed before `until`. Of several pauses the latest end holds.
    fn pause_endpoint(&self, endpoint: &EndpointId, until: Timestamp) -> impl Future<Output = Answered<()>> + Send;

    /// The endpoint gets nothing until it is enabled again.
    fn disable_endpoint(&self, endpoint: &EndpointId, reason: &str) -> impl Future<Output = Answered<()>> + Send;

    /// The endpoint as it is now.
    fn endpoint(&self, id: &EndpointId) -> impl Future<Output = Answered<Option<Endpoint>>> + Send;

    /// The change as the log holds it.
    fn change(&self, id: &ChangeId) -> impl Future<Output = Answered<Option<Change>>> + Send;

    /// The endpoint's signing secret, opened: `whsec_...`.
    fn secret_of(&self, endpoint: &Endpoint) -> Answered<SecretString>;

    /// Ends when this process queued deliveries.
    fn woken(&self) -> impl Future<Output = ()> + Send;
}
