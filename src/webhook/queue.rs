//! What the delivery loop needs of the store: the seam between the two, in the store's own words.

use std::error::Error;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use crate::model::{Change, ChangeId, Endpoint, EndpointId};
pub use crate::store::Claim;
use crate::store::{Store, StoreError};

/// The store could not do it now.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct QueueError(#[from] pub Box<dyn Error + Send + Sync>);

impl From<StoreError> for QueueError {
    fn from(error: StoreError) -> Self {
        Self(Box::new(error))
    }
}

/// What signing secrets are sealed for.
pub const SECRET_PURPOSE: &str = "webhook-secret";

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

    /// What it told of was erased: there is nothing left to tell.
    fn delivery_erased(&self, claim: &Claim, at: Timestamp) -> impl Future<Output = Answered<bool>> + Send;

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

impl Queue for Store {
    async fn claim_deliveries(
        &self,
        now: Timestamp,
        limit: usize,
        lease: Duration,
        cap_of: &(dyn Fn(&EndpointId) -> usize + Sync),
    ) -> Answered<Vec<Claim>> {
        Ok(Self::claim_deliveries(self, now, limit, lease, cap_of).await?)
    }

    async fn delivered(&self, claim: &Claim, at: Timestamp) -> Answered<bool> {
        Ok(Self::delivered(self, claim, at).await?)
    }

    async fn delivery_failed(&self, claim: &Claim, error: &str, retry_at: Timestamp, at: Timestamp) -> Answered<bool> {
        Ok(Self::delivery_failed(self, claim, error, retry_at, at).await?)
    }

    async fn delivery_dead(&self, claim: &Claim, error: &str, at: Timestamp) -> Answered<bool> {
        Ok(Self::delivery_dead(self, claim, error, at).await?)
    }

    async fn delivery_erased(&self, claim: &Claim, at: Timestamp) -> Answered<bool> {
        Ok(Self::delivery_erased(self, claim, at).await?)
    }

    async fn release(&self, claim: &Claim) -> Answered<()> {
        Self::release(self, claim, crate::clock::now()).await?;
        Ok(())
    }

    async fn pause_endpoint(&self, endpoint: &EndpointId, until: Timestamp) -> Answered<()> {
        Ok(Self::pause_endpoint(self, endpoint, until).await?)
    }

    async fn disable_endpoint(&self, endpoint: &EndpointId, reason: &str) -> Answered<()> {
        Self::disable_endpoint(self, endpoint, reason).await?;
        Ok(())
    }

    async fn endpoint(&self, id: &EndpointId) -> Answered<Option<Endpoint>> {
        Ok(Self::endpoint(self, id).await?)
    }

    async fn change(&self, id: &ChangeId) -> Answered<Option<Change>> {
        Ok(Self::change(self, id).await?)
    }

    fn secret_of(&self, endpoint: &Endpoint) -> Answered<SecretString> {
        let plain = self.master_key().open(SECRET_PURPOSE, &endpoint.sealed_secret)?;
        let text = String::from_utf8(plain.expose_secret().to_vec())
            .map_err(|_| StoreError::Secret("a signing secret is no text".to_owned()))?;
        Ok(text.into())
    }

    async fn woken(&self) {
        self.wakeups().deliveries.notified().await;
    }
}
