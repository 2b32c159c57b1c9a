//! What a path names, if it is the caller's. Somebody else's is answered like what is not there.

use super::problem::Problem;
use super::state::Api;
use crate::model::{Endpoint, EndpointId, ShopId, Tracker, TrackerId};
use crate::store::{Store, StoreError};

/// Something that belongs to a shop.
pub trait Owned: Sized {
    /// What it is called.
    const NAME: &'static str;
    /// Names it.
    type Id: std::str::FromStr;

    /// The one of this id, whosever it is.
    fn load(store: &Store, id: &Self::Id) -> impl Future<Output = Result<Option<Self>, StoreError>> + Send;
    /// Whose it is.
    fn shop(&self) -> &ShopId;
}

impl Owned for Tracker {
    const NAME: &'static str = "tracker";
    type Id = TrackerId;

    async fn load(store: &Store, id: &TrackerId) -> Result<Option<Self>, StoreError> {
        store.load(id).await
    }

    fn shop(&self) -> &ShopId {
        &self.shop
    }
}

impl Owned for Endpoint {
    const NAME: &'static str = "endpoint";
    type Id = EndpointId;

    async fn load(store: &Store, id: &EndpointId) -> Result<Option<Self>, StoreError> {
        store.endpoint(id).await
    }

    fn shop(&self) -> &ShopId {
        &self.shop
    }
}

/// The caller's own one of this id.
pub async fn own<T: Owned>(api: &Api, shop: &ShopId, id: &str) -> Result<T, Problem> {
    let missing = || Problem::not_found(T::NAME);
    let id: T::Id = id.parse().map_err(|_| missing())?;
    T::load(api.store()?, &id).await?.filter(|found| found.shop() == shop).ok_or_else(missing)
}
