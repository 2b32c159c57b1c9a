//! Trackers of shops, the newest news first, and all of them for whoever takes them away.

use std::collections::BTreeSet;

use super::Reader;
use crate::model::{DelayKind, Shard, ShopId, Status, Tracker, TrackerId};
use crate::store::error::StoreError;
use crate::store::{Listed, keys};

/// Which trackers are asked for; what is empty asks for all.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Any of these statuses.
    pub statuses: Vec<Status>,
    /// With this delay open.
    pub delay: Option<DelayKind>,
}

/// Entries that are read at once.
const PAGE: usize = 200;

impl Reader {
    /// The first trackers of these shops that `wanted` lets through, newest first.
    pub async fn list(
        &self,
        shops: &[ShopId],
        listing: &Listing,
        limit: usize,
        wanted: impl Fn(&Tracker) -> bool,
    ) -> Result<Vec<Tracker>, StoreError> {
        let mut found: Vec<Tracker> = Vec::new();
        for shop in shops {
            found.extend(self.list_one(shop, listing, limit, &wanted).await?);
        }
        found.sort_by(|a, b| b.status_since.cmp(&a.status_since).then_with(|| a.id.cmp(&b.id)));
        found.truncate(limit);
        Ok(found)
    }

    async fn list_one(
        &self,
        shop: &ShopId,
        listing: &Listing,
        limit: usize,
        wanted: &impl Fn(&Tracker) -> bool,
    ) -> Result<Vec<Tracker>, StoreError> {
        let statuses = if listing.statuses.is_empty() { Status::ALL } else { &listing.statuses };
        let listed = listing
            .delay
            .as_ref()
            .map_or(Listed::Statuses(statuses), |delay| Listed::Delays(std::slice::from_ref(delay)));
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = self.newest(shop, listed, after.as_ref(), PAGE).await?;
            let ids: Vec<TrackerId> = page.entries.iter().filter_map(|entry| entry.id.clone()).collect();
            found.extend(self.trackers(&ids).await?.into_iter().filter(|tracker| wanted(tracker)));
            after = page.entries.last().map(|entry| entry.position.clone()).or(after);
            if page.end || found.len() >= limit {
                found.truncate(limit);
                return Ok(found);
            }
        }
    }

    /// Ids of every tracker of a shop in one shard, in one reading.
    pub async fn ids_in(&self, shop: &ShopId, shard: Shard) -> Result<BTreeSet<TrackerId>, StoreError> {
        let all = |status: &Status| {
            let mut command = redis::cmd("ZRANGE");
            command.arg(keys::by_status(shard, shop, *status)).arg(0).arg(-1).clone()
        };
        let sets: Vec<Vec<String>> = self.ask_all(&Status::ALL.iter().map(all).collect::<Vec<_>>()).await?;
        Ok(sets.into_iter().flatten().filter_map(|id| id.parse().ok()).collect())
    }
}
