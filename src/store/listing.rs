//! A shop's trackers in order, read a page at a time from sorted sets that the commits keep: by status, by open delay,
//! by order, by customer.
//!
//! The sets of a shop lie in 64 shards. Their heads are read together and merged; how much one call reads is bounded
//! by what it is asked for, never by what the shop has.

use redis::{Cmd, FromRedisValue, Value};

use super::Reader;
use super::error::StoreError;
use super::keys;
use crate::model::time::from_millis;
use crate::model::{ChangeId, DelayKind, Shard, ShopId, Status, TrackerId};

/// Which sets to read. Several of a kind: either.
#[derive(Debug, Clone, Copy)]
pub enum Listed<'a> {
    /// By the time of entering a status.
    Statuses(&'a [Status]),
    /// By the time since which a delay is open.
    Delays(&'a [DelayKind]),
    /// By the time at which a parcel was last said to belong to an order.
    Orders(&'a [String]),
    /// The same for a customer.
    Customers(&'a [String]),
}

/// A place in a list that runs from the newest time to the oldest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Milliseconds since the epoch.
    pub at: i64,
    /// The member of the set, which parts those of one millisecond.
    pub member: String,
}

/// One entry of a list.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Where it stands: the next page begins after it.
    pub position: Position,
    /// The tracker; nothing where it stands at another place of this list already.
    pub id: Option<TrackerId>,
}

/// A part of a list.
#[derive(Debug)]
pub struct Newest {
    /// In order.
    pub entries: Vec<Entry>,
    /// Nothing follows.
    pub end: bool,
}

impl Listed<'_> {
    fn keys(self, shop: &ShopId) -> Vec<String> {
        match self {
            Self::Statuses(statuses) => in_shards(statuses, |shard, status| keys::by_status(shard, shop, *status)),
            Self::Delays(kinds) => in_shards(kinds, |shard, kind| keys::by_condition(shard, shop, kind.name())),
            Self::Orders(orders) => orders.iter().map(|order| keys::by_order(shop, order)).collect(),
            Self::Customers(customers) => customers.iter().map(|name| keys::by_customer(shop, name)).collect(),
        }
    }

    /// The sets that may hold this tracker, where one tracker can be in several.
    fn keys_of(self, shop: &ShopId, id: &TrackerId) -> Vec<String> {
        match self {
            Self::Statuses(_) => Vec::new(),
            Self::Delays(kinds) => kinds.iter().map(|kind| keys::by_condition(id.shard(), shop, kind.name())).collect(),
            Self::Orders(_) | Self::Customers(_) => self.keys(shop),
        }
    }

    fn id_of(self, member: &str) -> Option<TrackerId> {
        match self {
            Self::Statuses(_) | Self::Delays(_) => member.parse().ok(),
            Self::Orders(_) | Self::Customers(_) => keys::tracker_of(member),
        }
    }
}

fn in_shards<T>(all: &[T], key: impl Fn(Shard, &T) -> String) -> Vec<String> {
    Shard::all().flat_map(|shard| all.iter().map(move |one| (shard, one))).map(|(shard, one)| key(shard, one)).collect()
}

impl Reader {
    /// What follows `after` in the list (its beginning where that is nothing), at most `limit` entries and at least
    /// one unless it is the end.
    pub async fn newest(
        &self,
        shop: &ShopId,
        listed: Listed<'_>,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Newest, StoreError> {
        let keys = listed.keys(shop);
        // Entries are spread over the sets by a hash: a small head of each holds the next page, most of the time.
        let mut head = if keys.len() < Shard::all().count() { limit } else { limit / 16 + 8 };
        let mut merged = loop {
            let merged = merge(self.read_heads(&keys, after, head).await?, head, after, limit);
            if merged.end || !merged.positions.is_empty() {
                break merged;
            }
            // More members of one millisecond than the head holds.
            head = head.saturating_mul(2);
        };
        let positions = std::mem::take(&mut merged.positions);
        let mut entries: Vec<Entry> =
            positions.into_iter().map(|position| Entry { id: listed.id_of(&position.member), position }).collect();
        self.leave_out_repeats(shop, listed, &mut entries).await?;
        Ok(Newest { entries, end: merged.end })
    }

    async fn read_heads(
        &self,
        keys: &[String],
        after: Option<&Position>,
        head: usize,
    ) -> Result<Vec<Vec<Position>>, StoreError> {
        let from = after.map_or_else(|| "+inf".to_owned(), |position| position.at.to_string());
        let read = |key: &String| -> Cmd {
            let mut command = redis::cmd("ZRANGE");
            command.arg(key).arg(&from).arg("-inf").arg("BYSCORE").arg("REV");
            command.arg("LIMIT").arg(0).arg(head).arg("WITHSCORES");
            command
        };
        let answers = self.ask_all::<Value>(&keys.iter().map(read).collect::<Vec<_>>()).await?;
        answers.into_iter().map(positions).collect()
    }

    /// A tracker that is in several of the sets counts where it stands first.
    async fn leave_out_repeats(
        &self,
        shop: &ShopId,
        listed: Listed<'_>,
        entries: &mut [Entry],
    ) -> Result<(), StoreError> {
        let places: Vec<Vec<String>> = entries
            .iter()
            .map(|entry| entry.id.as_ref().map_or_else(Vec::new, |id| listed.keys_of(shop, id)))
            .collect();
        if places.iter().all(|keys| keys.len() < 2) {
            return Ok(());
        }
        let scores = entries.iter().zip(&places).flat_map(|(entry, keys)| {
            keys.iter().map(|key| {
                let mut command = redis::cmd("ZSCORE");
                command.arg(key).arg(&entry.position.member);
                command
            })
        });
        let mut scores = self.ask_all::<Value>(&scores.collect::<Vec<_>>()).await?.into_iter();
        for (entry, keys) in entries.iter_mut().zip(&places) {
            let mut first = None;
            for score in scores.by_ref().take(keys.len()) {
                first = first.max(Option::<i64>::from_redis_value(score).map_err(redis::RedisError::from)?);
            }
            if first.is_some_and(|first| first > entry.position.at) {
                entry.id = None;
            }
        }
        Ok(())
    }

    /// When the newest change of each of these trackers was told, as far as the change log still knows.
    pub async fn last_told(&self, ids: &[TrackerId]) -> Result<Vec<Option<jiff::Timestamp>>, StoreError> {
        let last = |id: &TrackerId| -> Cmd {
            let mut command = redis::cmd("ZRANGE");
            command.arg(keys::log(id.shard(), &id.to_string())).arg(-1).arg(-1);
            command
        };
        let answers = self.ask_all::<Value>(&ids.iter().map(last).collect::<Vec<_>>()).await?;
        let told = |answer: Value| -> Result<_, StoreError> {
            let members = Vec::<String>::from_redis_value(answer).map_err(redis::RedisError::from)?;
            let change: Option<ChangeId> = members.first().and_then(|id| id.parse().ok());
            Ok(change.map(|id| from_millis(i64::try_from(id.ms).unwrap_or(i64::MAX))))
        };
        answers.into_iter().map(told).collect()
    }
}

fn positions(answer: Value) -> Result<Vec<Position>, StoreError> {
    let members = Vec::<(String, i64)>::from_redis_value(answer).map_err(redis::RedisError::from)?;
    Ok(members.into_iter().map(|(member, at)| Position { at, member }).collect())
}

struct Merged {
    positions: Vec<Position>,
    end: bool,
}

/// The next places, as far as the heads tell: below the last entry of a full head, that set may hold more.
fn merge(heads: Vec<Vec<Position>>, full: usize, after: Option<&Position>, limit: usize) -> Merged {
    let known_down_to = heads.iter().filter(|head| head.len() >= full).filter_map(|head| head.last().cloned()).max();
    let follows = |position: &Position| after.is_none_or(|after| position < after);
    let is_known = |position: &Position| known_down_to.as_ref().is_none_or(|last| position >= last);
    let mut positions: Vec<Position> =
        heads.into_iter().flatten().filter(|position| follows(position) && is_known(position)).collect();
    positions.sort_unstable_by(|one, other| other.cmp(one));
    positions.dedup();
    let end = known_down_to.is_none() && positions.len() <= limit;
    positions.truncate(limit);
    Merged { positions, end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        /// Whatever lies in the sets, pages of any size show each entry once and in order.
        #[test]
        fn pages_show_everything_once_and_in_order(
            sets in vec(vec((0_i64..6, "[a-z]{1,2}"), 0..12), 1..5),
            limit in 1_usize..5,
            first_head in 1_usize..5,
        ) {
            let set = |members: &Vec<(i64, String)>| {
                let mut set: Vec<Position> = members.iter().map(|(at, member)| Position { at: *at, member: member.clone() }).collect();
                set.sort_unstable_by(|one, other| other.cmp(one));
                set.dedup_by(|one, other| one == other);
                set
            };
            let sets: Vec<Vec<Position>> = sets.iter().map(set).collect();
            let mut all: Vec<Position> = sets.iter().flatten().cloned().collect();
            all.sort_unstable_by(|one, other| other.cmp(one));
            all.dedup();
            let (mut shown, mut after): (Vec<Position>, Option<Position>) = (Vec::new(), None);
            for _ in 0..1000 {
                let mut head = first_head;
                let merged = loop {
                    let from = after.as_ref().map_or(i64::MAX, |after| after.at);
                    let heads = sets.iter().map(|set| set.iter().filter(|p| p.at <= from).take(head).cloned().collect()).collect();
                    let merged = merge(heads, head, after.as_ref(), limit);
                    if merged.end || !merged.positions.is_empty() {
                        break merged;
                    }
                    head *= 2;
                };
                prop_assert!(merged.positions.len() <= limit);
                after = merged.positions.last().cloned().or(after);
                shown.extend(merged.positions);
                if merged.end {
                    break;
                }
            }
            prop_assert_eq!(shown, all);
        }
    }
}
