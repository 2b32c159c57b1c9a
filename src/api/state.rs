//! What every handler can reach, and who asks.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::{StatusCode, header, request::Parts};
use tokio_util::sync::CancellationToken;

use super::problem::Problem;
use crate::carrier::Registry;
use crate::model::{AccountName, CarrierCode, ShopId};
use crate::polling::settle::Policy;
use crate::settings::Shops;
use crate::store::Store;
use crate::webhook::guard::Guard;

/// What registration needs to know of an account.
#[derive(Debug, Clone)]
pub struct AccountInfo {
    /// Its carrier.
    pub carrier: CarrierCode,
    /// Who may use it.
    pub shops: Shops,
}

/// What the daemon may swap when it reloads.
pub struct Reloadable {
    /// Definitions of all carriers.
    pub registry: Arc<Registry>,
    /// Accounts by name.
    pub accounts: BTreeMap<AccountName, AccountInfo>,
    /// Delay rules.
    pub policy: Policy,
    /// Judges endpoints' addresses.
    pub guard: Arc<Guard>,
}

/// Everything the API is made of.
pub struct ApiParts {
    /// Set when the store is connected: the listener is there before.
    pub store: OnceLock<Store>,
    /// Swapped whole on reload.
    pub reloadable: RwLock<Arc<Reloadable>>,
    /// Cancelled when the daemon begins to stop.
    pub stopping: CancellationToken,
    /// Longest time for a request.
    pub request_timeout: Duration,
    /// Largest body in bytes.
    pub max_body: usize,
    /// Whether the listener of shops gives figures, too: it is on loopback, and there is no other for them.
    pub metrics_here: bool,
    /// How often a key may ask.
    pub rate: super::Rate,
}

/// Handle to the parts. Cheap to clone.
#[derive(Clone)]
pub struct Api(pub Arc<ApiParts>);

impl std::ops::Deref for Api {
    type Target = ApiParts;

    fn deref(&self) -> &ApiParts {
        &self.0
    }
}

impl Api {
    /// The store, once it is connected.
    pub fn store(&self) -> Result<&Store, Problem> {
        self.store.get().ok_or_else(|| Problem::unavailable("the store is not connected yet; try again in a moment"))
    }

    /// What holds now.
    #[must_use]
    pub fn current(&self) -> Arc<Reloadable> {
        Arc::clone(&self.reloadable.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// The shop whose key came with the request.
pub struct Caller(pub ShopId);

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let refused = || {
            Problem::new(
                StatusCode::UNAUTHORIZED,
                "No valid key",
                "send your shop's key as `Authorization: Bearer wsk_...` (`wismo shops add NAME` makes one)",
            )
        };
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let key = header.and_then(|text| text.strip_prefix("Bearer ")).map(str::trim).ok_or_else(refused)?;
        let shop = api.store()?.shop_of_key(key).await?;
        let shop = shop.ok_or_else(refused)?;
        api.rate.check(key)?;
        Ok(Self(shop))
    }
}
