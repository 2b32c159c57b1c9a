//! Look-ups: from a number, an order or a customer to trackers.
//!
//! Their members are the keys of trackers, so that two commands of redis-cli answer "order 1234, where is it?".
//! They lie in other shards than their trackers, so they are written before the tracker and checked against it on
//! reading. A look-up without its tracker is called loose; the shard of the tracker lists it, from before it is written
//! until the commit that registers the tracker, and again from its deletion on. Only the sweeper removes look-ups.

use jiff::{SignedDuration, Timestamp};
use redis::FromRedisValue;

use super::Store;
use super::error::StoreError;
use super::keys;
use super::scripts;
use crate::model::time::{after, from_millis, to_millis};
use crate::model::{Shard, ShopId, Tracker, TrackerId};

/// What somebody knows of a parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// Its tracking number, normalised.
    Number(String),
    /// An order of the shop.
    Order(String),
    /// The shop's reference of a customer.
    Customer(String),
}

impl Lookup {
    pub(super) fn key(&self, shop: &ShopId) -> String {
        match self {
            Self::Number(number) => keys::by_number(number),
            Self::Order(order) => keys::by_order(shop, order),
            Self::Customer(customer) => keys::by_customer(shop, customer),
        }
    }
}

/// Loose look-ups that one sweep takes from one shard.
const SWEEP_BATCH: usize = 100;

/// The keys under which a tracker is found.
pub(super) fn of(tracker: &Tracker) -> Vec<String> {
    let registration = &tracker.registration;
    let mut found = vec![keys::by_number(&tracker.number)];
    found.extend(registration.orders.iter().map(|order| keys::by_order(&tracker.shop, &order.reference)));
    found.extend(registration.customer_ref.iter().map(|customer| keys::by_customer(&tracker.shop, customer)));
    found.sort();
    found.dedup();
    found
}

/// How the list of loose look-ups names one.
pub(super) fn loose_member(id: &TrackerId, key: &str) -> String {
    format!("{id} {key}")
}

impl Store {
    /// Writes a tracker's look-ups, noted as loose before.
    pub(super) async fn write_lookups(&self, tracker: &Tracker) -> Result<(), StoreError> {
        let now = to_millis(self.now().await?);
        let found = of(tracker);
        let mut note = redis::cmd("ZADD");
        note.arg(keys::loose_lookups(tracker.id.shard()));
        for key in &found {
            note.arg(now).arg(loose_member(&tracker.id, key));
        }
        self.ask::<()>(&note).await?;
        let add = |key: &String| {
            let mut command = redis::cmd("ZADD");
            command.arg(key).arg(now).arg(keys::tracker(&tracker.id));
            command
        };
        self.ask_all(&found.iter().map(add).collect::<Vec<_>>()).await?;
        Ok(())
    }

    /// The shop's trackers that this leads to, newest first.
    pub async fn find(&self, shop: &ShopId, lookup: &Lookup, limit: usize) -> Result<Vec<Tracker>, StoreError> {
        let mut found = self.follow(&lookup.key(shop), limit).await?;
        found.retain(|tracker| tracker.shop == *shop);
        Ok(found)
    }

    /// Trackers of any shop with this number, newest first. For operators alone.
    pub async fn find_number_anywhere(&self, number: &str, limit: usize) -> Result<Vec<Tracker>, StoreError> {
        self.follow(&keys::by_number(number), limit).await
    }

    async fn follow(&self, key: &str, limit: usize) -> Result<Vec<Tracker>, StoreError> {
        let mut command = redis::cmd("ZREVRANGE");
        command.arg(key).arg(0).arg(limit.saturating_sub(1));
        let members: Vec<String> = self.ask(&command).await?;
        let ids: Vec<TrackerId> = members.iter().filter_map(|member| keys::tracker_of(member)).collect();
        let trackers = self.load_many(&ids).await?;
        Ok(trackers.into_iter().flatten().filter(|tracker| of(tracker).iter().any(|known| known == key)).collect())
    }

    /// Removes look-ups whose trackers have been missing for over an hour (the store's `lookup_grace`), some from
    /// each shard. Returns how many.
    pub async fn sweep_lookups(&self) -> Result<usize, StoreError> {
        let now = self.now().await?;
        let grace = SignedDuration::try_from(self.options().lookup_grace).unwrap_or(SignedDuration::MAX);
        let old = after(now, -grace);
        let list = |shard: Shard| {
            let mut command = redis::cmd("ZRANGE");
            command.arg(keys::loose_lookups(shard)).arg("-inf").arg(format!("({}", to_millis(old)));
            command.arg("BYSCORE").arg("LIMIT").arg(0).arg(SWEEP_BATCH).arg("WITHSCORES");
            command
        };
        let answers = self.ask_all(&Shard::all().map(list).collect::<Vec<_>>()).await?;
        let mut removed = 0;
        for (shard, answer) in Shard::all().zip(answers) {
            for (member, noted) in Vec::<(String, i64)>::from_redis_value(answer).map_err(redis::RedisError::from)? {
                removed += usize::from(self.sweep_one(shard, &member, noted, old, now).await?);
            }
        }
        Ok(removed)
    }

    async fn sweep_one(
        &self,
        shard: Shard,
        member: &str,
        noted: i64,
        old: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let loose = keys::loose_lookups(shard);
        let parsed = member.split_once(' ').and_then(|(id, key)| Some((id.parse::<TrackerId>().ok()?, key)));
        let Some((id, key)) = parsed else {
            self.remove_unchanged(&loose, member, noted).await?;
            return Ok(false);
        };
        // Its score first: whatever is written from now on changes it, and it stays.
        let score: Option<i64> = self.ask(redis::cmd("ZSCORE").arg(key).arg(keys::tracker(&id))).await?;
        let leads_there = match self.load(&id).await {
            Ok(Some(tracker)) => Some(of(&tracker).iter().any(|known| known == key)),
            Ok(None) => None,
            // It is there, and nobody can tell where it leads: it must not end the sweep of all others.
            Err(StoreError::Damaged { .. }) => Some(false),
            Err(error) => return Err(error),
        };
        if let Some(leads_there) = leads_there {
            if leads_there {
                self.remove_unchanged(&loose, member, noted).await?;
            } else {
                // The tracker does not lead there any more. It is looked at again, until the tracker is gone.
                let mut later = redis::cmd("ZADD");
                later.arg(&loose).arg("XX").arg(to_millis(now)).arg(member);
                self.ask::<()>(&later).await?;
            }
            return Ok(false);
        }
        let removed = match score {
            Some(score) if from_millis(score) < old => self.remove_unchanged(key, &keys::tracker(&id), score).await?,
            Some(_) => return Ok(false),
            None => false,
        };
        self.remove_unchanged(&loose, member, noted).await?;
        Ok(removed)
    }

    /// Removes a member of a sorted set only if its score is still this one.
    pub(super) async fn remove_unchanged(&self, key: &str, member: &str, score: i64) -> Result<bool, StoreError> {
        scripts::UNCHANGED.on(&[key]).arg(member).arg(score).run(&self.connection()).await
    }
}
