//! A shop's changes for a reader that comes back: each exactly once, wherever it stands in the 64 logs.
//!
//! The logs of the shards know no common order, so a reader's place is a place in each of them. Ids of one log rise,
//! and what is written later has a higher id: nothing comes to lie behind a place that was read.

use redis::streams::{StreamId, StreamRangeReply};
use redis::{Cmd, FromRedisValue};

use super::Store;
use super::error::StoreError;
use super::{keys, log};
use crate::model::time::to_millis;
use crate::model::{Change, Shard, ShopId};

/// A place in one log: everything up to this entry was read. Milliseconds and number, as in the entry's id.
pub type LogPlace = (u64, u64);

/// A place in all logs of a shop, by shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPlace(Vec<LogPlace>);

/// A part of a shop's changes.
#[derive(Debug)]
pub struct FeedPage {
    /// In order for each tracker, and by time as far as that is known.
    pub changes: Vec<Change>,
    /// Where the next part begins.
    pub place: FeedPlace,
    /// There is more by now.
    pub more: bool,
}

impl FeedPlace {
    /// The place as bytes. A log of which nothing was read takes one bit.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut present = 0_u64;
        let mut bytes = vec![0; 8];
        for (shard, (ms, number)) in self.0.iter().enumerate() {
            if (*ms, *number) != (0, 0) {
                present |= 1 << shard;
                bytes.extend_from_slice(&ms.to_be_bytes()[2..]);
                let number = u32::try_from(*number).unwrap_or(u32::MAX);
                bytes.extend_from_slice(&number.to_be_bytes());
            }
        }
        bytes[..8].copy_from_slice(&present.to_be_bytes());
        bytes
    }

    /// The place of these bytes; nothing where they are none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (present, mut rest) = bytes.split_first_chunk::<8>()?;
        let present = u64::from_be_bytes(*present);
        let mut places = Vec::with_capacity(64);
        for shard in 0..64 {
            if present & (1 << shard) == 0 {
                places.push((0, 0));
                continue;
            }
            let (ms, tail) = rest.split_first_chunk::<6>()?;
            let (number, tail) = tail.split_first_chunk::<4>()?;
            let ms = ms.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            places.push((ms, u64::from(u32::from_be_bytes(*number))));
            rest = tail;
        }
        rest.is_empty().then_some(Self(places))
    }
}

impl Store {
    /// The beginning of what the logs still hold.
    pub async fn feed_start(&self, shop: &ShopId) -> Result<FeedPlace, StoreError> {
        let read = |shard| redis::cmd("HGET").arg(keys::trimmed(shard)).arg(shop.as_str()).clone();
        let answers = self.ask_all(&Shard::all().map(read).collect::<Vec<Cmd>>()).await?;
        let place = |answer| -> Result<LogPlace, StoreError> {
            let id: Option<String> = FromRedisValue::from_redis_value(answer).map_err(redis::RedisError::from)?;
            Ok(id.as_deref().and_then(place_of).unwrap_or((0, 0)))
        };
        answers.into_iter().map(place).collect::<Result<_, _>>().map(FeedPlace)
    }

    /// The end of the logs at this moment: what is written from now on follows.
    pub async fn feed_end(&self, shop: &ShopId) -> Result<FeedPlace, StoreError> {
        // The clock first: into a log that is found empty, later entries come with this millisecond or a later one.
        let now = u64::try_from(to_millis(self.now().await?)).unwrap_or(0);
        let before_now = (now.saturating_sub(1), u64::from(u32::MAX));
        let read = |shard| {
            let mut command = redis::cmd("XREVRANGE");
            command.arg(keys::changes(shard, shop)).arg("+").arg("-").arg("COUNT").arg(1).clone()
        };
        let answers = self.ask_all(&Shard::all().map(read).collect::<Vec<Cmd>>()).await?;
        let place = |answer| -> Result<LogPlace, StoreError> {
            let reply = StreamRangeReply::from_redis_value(answer).map_err(redis::RedisError::from)?;
            Ok(reply.ids.first().and_then(|entry| place_of(&entry.id)).unwrap_or(before_now))
        };
        answers.into_iter().map(place).collect::<Result<_, _>>().map(FeedPlace)
    }

    /// Whether entries that follow this place are gone from the logs because of their age.
    pub async fn feed_lost(&self, shop: &ShopId, place: &FeedPlace) -> Result<bool, StoreError> {
        let start = self.feed_start(shop).await?;
        Ok(place.0.iter().zip(&start.0).any(|(place, start)| place < start))
    }

    /// What follows a place, at most `limit` changes.
    pub async fn feed(&self, shop: &ShopId, place: &FeedPlace, limit: usize) -> Result<FeedPage, StoreError> {
        // Changes are spread over the logs by a hash: a small part of each holds the next page, most of the time.
        let part = limit.min(limit / 16 + 8);
        let read = |(shard, (ms, number)): (Shard, &LogPlace)| {
            let mut command = redis::cmd("XRANGE");
            command
                .arg(keys::changes(shard, shop))
                .arg(format!("({ms}-{number}"))
                .arg("+")
                .arg("COUNT")
                .arg(part)
                .clone()
        };
        let answers = self.ask_all(&Shard::all().zip(&place.0).map(read).collect::<Vec<Cmd>>()).await?;
        let mut found: Vec<(LogPlace, Shard, StreamId)> = Vec::new();
        let mut more = false;
        for (shard, answer) in Shard::all().zip(answers) {
            let reply = StreamRangeReply::from_redis_value(answer).map_err(redis::RedisError::from)?;
            more |= reply.ids.len() == part;
            found.extend(reply.ids.into_iter().filter_map(|entry| Some((place_of(&entry.id)?, shard, entry))));
        }
        // By time; the sort is stable, so what follows in a log follows here.
        found.sort_by_key(|(at, shard, _)| (*at, shard.number()));
        more |= found.len() > limit;
        found.truncate(limit);
        let mut page = FeedPage { changes: Vec::with_capacity(found.len()), place: place.clone(), more };
        let shop_number = if found.is_empty() { 0 } else { self.ensure_shop(shop).await? };
        for (at, shard, entry) in found {
            page.changes.push(log::parse(shard, shop_number, shop, &entry)?);
            page.place.0[usize::from(shard.number())] = at;
        }
        Ok(page)
    }
}

fn place_of(id: &str) -> Option<LogPlace> {
    let (ms, number) = id.split_once('-')?;
    Some((ms.parse().ok()?, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_place_is_read_back(places in vec((0_u64..1 << 48, 0_u64..1 << 32), 64)) {
            let place = FeedPlace(places);
            prop_assert_eq!(FeedPlace::from_bytes(&place.to_bytes()), Some(place));
        }

        #[test]
        fn no_bytes_panic(bytes in vec(any::<u8>(), 0..800)) {
            let _ = FeedPlace::from_bytes(&bytes);
        }
    }
}
