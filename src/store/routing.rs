//! Which endpoints a shop has, and how every shard learns of it.
//!
//! Writing an endpoint stores its document, then the shop's list and version in one script, then tells every shard
//! the version, and only then answers. A reader takes the version first, so what it reads afterwards is at least as
//! new. A commit names the version it used; a shard that knows a newer one refuses it, and the commit reads again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use redis::{FromRedisValue, Value};

use super::Store;
use super::error::StoreError;
use super::keys;
use super::scripts::{self, Call};
use crate::model::{Endpoint, EndpointId, EndpointState, Shard, ShopId};

/// Pause of an endpoint that is held until somebody lets it go. Larger than any time, exact as a double.
pub(super) const HELD: u64 = 9_007_199_254_740_990;
/// Pause of an endpoint whose queues are being dropped.
pub(super) const DROPPED: u64 = HELD + 1;

/// A shop's endpoints at one version of their list.
#[derive(Debug)]
pub(super) struct Routes {
    /// Version of the list.
    pub(super) version: u64,
    /// The shop's number, for the ids of changes.
    pub(super) shop_number: u32,
    /// Every endpoint that is not deleted.
    pub(super) endpoints: Vec<Endpoint>,
}

impl Routes {
    /// The endpoints that get changes, now or when their pause ends.
    pub(super) fn receiving(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.iter().filter(|endpoint| endpoint.state != EndpointState::Disabled)
    }
}

/// What this process read last of each shop.
#[derive(Default)]
pub(super) struct RouteCache {
    shops: Mutex<HashMap<ShopId, Arc<Routes>>>,
}

impl RouteCache {
    fn get(&self, shop: &ShopId) -> Option<Arc<Routes>> {
        self.shops.lock().unwrap_or_else(PoisonError::into_inner).get(shop).cloned()
    }

    /// Keeps what was read, unless somebody read a newer list meanwhile.
    fn keep(&self, shop: &ShopId, routes: &Arc<Routes>) {
        let mut shops = self.shops.lock().unwrap_or_else(PoisonError::into_inner);
        if shops.get(shop).is_none_or(|known| known.version <= routes.version) {
            shops.insert(shop.clone(), Arc::clone(routes));
        }
    }
}

/// What a shard is told to do with an endpoint's queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Deliver.
    Open,
    /// Keep, and deliver nothing.
    Keep,
    /// Deliver nothing; the queues go.
    Drop,
}

impl Hold {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Keep => "keep",
            Self::Drop => "drop",
        }
    }

    const fn of(state: EndpointState) -> Self {
        match state {
            EndpointState::Enabled => Self::Open,
            EndpointState::Paused => Self::Keep,
            EndpointState::Disabled => Self::Drop,
        }
    }
}

impl Store {
    /// The shop's endpoints, from memory where they were read before.
    pub(super) async fn routes(&self, shop: &ShopId) -> Result<Arc<Routes>, StoreError> {
        match self.shared.routes.get(shop) {
            Some(routes) => Ok(routes),
            None => self.reload_routes(shop).await,
        }
    }

    /// The shop's endpoints as they are now.
    pub(super) async fn reload_routes(&self, shop: &ShopId) -> Result<Arc<Routes>, StoreError> {
        let (number, version, list): (Option<u32>, Option<u64>, Option<String>) =
            self.ask(redis::cmd("HMGET").arg(keys::shop(shop)).arg(&["number", "version", "endpoints"])).await?;
        let shop_number = number.ok_or_else(|| StoreError::Refused(format!("there is no shop {shop}")))?;
        let ids: Vec<EndpointId> =
            list.unwrap_or_default().split_whitespace().filter_map(|id| id.parse().ok()).collect();
        let endpoints = self.read_endpoints(&ids).await?.into_iter().flatten().collect();
        let routes = Arc::new(Routes { version: version.unwrap_or(0), shop_number, endpoints });
        self.shared.routes.keep(shop, &routes);
        Ok(routes)
    }

    /// Tells every shard the shop's version and what each of its endpoints may do. What is told was read after its
    /// version, so whoever tells a version tells everything that was written before it.
    pub(super) async fn raise(&self, shop: &ShopId) -> Result<(), StoreError> {
        self.raise_in(shop, &Shard::all().collect::<Vec<_>>()).await
    }

    pub(super) async fn raise_in(&self, shop: &ShopId, shards: &[Shard]) -> Result<(), StoreError> {
        let routes = self.reload_routes(shop).await?;
        let mut told: Vec<(EndpointId, Hold)> =
            routes.endpoints.iter().map(|endpoint| (endpoint.id.clone(), Hold::of(endpoint.state))).collect();
        for deleted in self.dropping_of(shop).await? {
            if !told.iter().any(|(id, _)| *id == deleted) {
                told.push((deleted, Hold::Drop));
            }
        }
        let calls: Vec<Call> = shards.iter().map(|shard| raise_call(*shard, shop, routes.version, &told)).collect();
        let _: Vec<u8> = scripts::run_all(&self.connection(), &calls).await?;
        Ok(())
    }

    /// Adds to or removes from the shop's list; either way its version rises.
    pub(super) async fn change_list(&self, shop: &ShopId, what: &str, id: &EndpointId) -> Result<(), StoreError> {
        let call = scripts::LIST.on(&[keys::shop(shop)]).arg(what).arg(id.to_string());
        match call.run(&self.connection()).await? {
            Value::Nil => Err(StoreError::Refused(format!("there is no shop {shop}"))),
            _ => Ok(()),
        }
    }

    /// Repairs what a process left behind that died while it wrote an endpoint: shards that lag behind a shop's
    /// version, queues that are to be dropped. To be called at the start and every minute.
    /// The trouble of one shop (a damaged endpoint) does not keep the others from it; the first such is told.
    pub async fn repair_routes(&self) -> Result<(), StoreError> {
        let mut repaired = Ok(());
        for shop in self.shops().await? {
            repaired = repaired.and(self.repair_routes_of(&shop.id).await);
        }
        repaired.and(self.drop_leftovers().await)
    }

    async fn repair_routes_of(&self, shop: &ShopId) -> Result<(), StoreError> {
        let routes = self.reload_routes(shop).await?;
        let ask = |shard: Shard| {
            let mut command = redis::cmd("HGET");
            command.arg(keys::routes(shard)).arg(shop.as_str());
            command
        };
        let shards: Vec<Shard> = Shard::all().collect();
        let seen = self.ask_all(&shards.iter().copied().map(ask).collect::<Vec<_>>()).await?;
        let lags = |seen: &Value| {
            let seen = Option::<u64>::from_redis_value(seen.clone()).ok().flatten();
            seen.unwrap_or(0) < routes.version
        };
        let lagging: Vec<Shard> =
            shards.iter().zip(&seen).filter(|(_, seen)| lags(seen)).map(|(shard, _)| *shard).collect();
        if !lagging.is_empty() {
            tracing::warn!(event = "routes_repaired", %shop, shards = lagging.len(), "Shards had an old list of endpoints");
            self.raise_in(shop, &lagging).await?;
        }
        Ok(())
    }
}

fn raise_call(shard: Shard, shop: &ShopId, version: u64, told: &[(EndpointId, Hold)]) -> Call {
    let mut names = vec![keys::routes(shard), keys::ready(shard), keys::pauses(shard)];
    names.extend(told.iter().map(|(id, _)| keys::deliver(shard, id)));
    let mut call = scripts::RAISE.on(&names).arg(shop.as_str()).arg(version).arg(HELD).arg(DROPPED);
    for (id, hold) in told {
        call = call.arg(id.to_string()).arg(hold.name());
    }
    call
}
