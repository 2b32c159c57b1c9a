//! Trackers of shops, in the order of their newest status.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Reader;
use super::history::millis;
use crate::model::{DelayKind, Shard, ShopId, Status, Tracker, TrackerId};
use crate::store::error::StoreError;
use crate::store::keys;

/// Which trackers are asked for; what is empty asks for all.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Any of these statuses.
    pub statuses: Vec<Status>,
    /// With this delay open.
    pub delay: Option<DelayKind>,
}

/// Heads that are read of each sorted set at once.
const PAGE: usize = 50;

impl Reader {
    /// The first trackers of these shops that `wanted` lets through, newest first. Reads on until there are `limit`.
    pub async fn list(
        &self,
        shops: &[ShopId],
        listing: &Listing,
        limit: usize,
        wanted: impl Fn(&Tracker) -> bool,
    ) -> Result<Vec<Tracker>, StoreError> {
        let mut found: Vec<(Timestamp, Tracker)> = Vec::new();
        for shop in shops {
            let names = sets(shop, listing);
            let mut from = 0;
            let mut kept = 0;
            // Each round looks deeper into every set. What is not yet read is older than the oldest of every set
            // that has more, so once enough are newer than that, they are the first.
            loop {
                let page = |key: &String| {
                    let mut command = redis::cmd("ZREVRANGE");
                    command.arg(key).arg(from).arg(from + PAGE - 1).arg("WITHSCORES").clone()
                };
                let heads: Vec<Vec<(String, f64)>> = self.ask_all(&names.iter().map(page).collect::<Vec<_>>()).await?;
                let unread = heads.iter().filter(|head| head.len() == PAGE).filter_map(|head| head.last());
                let horizon = unread.map(|(_, at)| millis(*at)).max();
                let members: Vec<(TrackerId, Timestamp)> =
                    heads.iter().flatten().filter_map(|(id, at)| Some((id.parse().ok()?, millis(*at)))).collect();
                let ids: Vec<TrackerId> = members.iter().map(|(id, _)| id.clone()).collect();
                for tracker in self.trackers(&ids).await? {
                    let at = members.iter().find(|(id, _)| *id == tracker.id).map_or(Timestamp::MIN, |(_, at)| *at);
                    if wanted(&tracker) && found.iter().all(|(_, known)| known.id != tracker.id) {
                        kept += 1;
                        found.push((at, tracker));
                    }
                }
                let Some(horizon) = horizon else { break };
                if found.iter().filter(|(at, tracker)| tracker.shop == *shop && *at >= horizon).count() >= limit {
                    break;
                }
                from += PAGE;
            }
            tracing::trace!(%shop, kept, "listed");
        }
        found.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.id.cmp(&y.id)));
        found.truncate(limit);
        Ok(found.into_iter().map(|(_, tracker)| tracker).collect())
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

/// The sorted sets in which they lie.
fn sets(shop: &ShopId, listing: &Listing) -> Vec<String> {
    if let Some(delay) = listing.delay {
        return Shard::all().map(|shard| keys::by_condition(shard, shop, delay.name())).collect();
    }
    let statuses = if listing.statuses.is_empty() { Status::ALL } else { &listing.statuses };
    let of = |status: Status| Shard::all().map(move |shard| keys::by_status(shard, shop, status));
    statuses.iter().copied().flat_map(of).collect()
}
