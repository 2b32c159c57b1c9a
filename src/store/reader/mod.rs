//! Reading beside the daemon: for people with the command line, as a user who may read and nothing else.
//!
//! Such a user may run no scripts, so a tracker is read in four commands; its revision, read first and last, tells
//! whether somebody wrote in between.

mod history;
mod listing;
mod overview;

use std::collections::HashMap;
use std::time::Duration;

use redis::{Cmd, FromRedisValue, Value};

pub use history::{Arrival, Told};
pub use listing::Listing;
pub use overview::{AccountView, Daemon, EndpointView, Waiting};

use super::connection::{Connection, Target};
use super::error::StoreError;
use super::{Lookup, Shop, codec, keys, lookups, scripts};
use crate::model::{ShopId, Status, Tracker, TrackerId};

/// How often a tracker that is being written is read again.
const TORN_ROUNDS: usize = 8;
/// Trackers read in one go.
const BATCH: usize = 100;

/// A connection that reads.
#[derive(Clone)]
pub struct Reader {
    connection: Connection,
}

impl Reader {
    /// Connects. The user needs the right to read and no more.
    pub async fn connect(target: &Target, patience: Duration) -> Result<Self, StoreError> {
        Ok(Self { connection: Connection::open(target, patience, patience).await? })
    }

    pub(super) fn over(connection: Connection) -> Self {
        Self { connection }
    }

    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let answer = scripts::patiently(&self.connection, std::slice::from_ref(command)).await?.pop();
        Ok(T::from_redis_value(answer.unwrap_or(Value::Nil)).map_err(redis::RedisError::from)?)
    }

    pub(super) async fn ask_all<T: FromRedisValue>(&self, commands: &[Cmd]) -> Result<Vec<T>, StoreError> {
        let answers = scripts::patiently(&self.connection, commands).await?;
        let parse = |answer| T::from_redis_value(answer).map_err(|error| redis::RedisError::from(error).into());
        answers.into_iter().map(parse).collect()
    }

    /// Every shop, by number.
    pub async fn shops(&self) -> Result<Vec<Shop>, StoreError> {
        let mut pairs: Vec<(u32, String)> = self.ask(redis::cmd("HGETALL").arg(keys::SHOPS)).await?;
        pairs.sort_unstable();
        Ok(pairs.into_iter().filter_map(|(number, id)| Some(Shop { id: id.parse().ok()?, number })).collect())
    }

    /// A tracker of any shop.
    pub async fn tracker(&self, id: &TrackerId) -> Result<Option<Tracker>, StoreError> {
        Ok(self.trackers(std::slice::from_ref(id)).await?.pop())
    }

    /// Those of these trackers that are there, in their order.
    pub async fn trackers(&self, ids: &[TrackerId]) -> Result<Vec<Tracker>, StoreError> {
        let mut found = Vec::with_capacity(ids.len());
        for batch in ids.chunks(BATCH) {
            found.extend(self.batch(batch).await?);
        }
        Ok(found)
    }

    async fn batch(&self, ids: &[TrackerId]) -> Result<Vec<Tracker>, StoreError> {
        let mut read: HashMap<&TrackerId, Tracker> = HashMap::new();
        let mut open: Vec<&TrackerId> = ids.iter().collect();
        for _ in 0..TORN_ROUNDS {
            let commands: Vec<Cmd> = open.iter().flat_map(|id| parts(id)).collect();
            let answers: Vec<Value> = self.ask_all(&commands).await?;
            let mut torn = Vec::new();
            for (id, answer) in open.into_iter().zip(answers.chunks(4)) {
                match whole(id, answer)? {
                    Part::Whole(tracker) => drop(read.insert(id, *tracker)),
                    Part::Absent => {}
                    Part::Torn => torn.push(id),
                }
            }
            open = torn;
            if open.is_empty() {
                break;
            }
        }
        if let Some(id) = open.first() {
            return Err(StoreError::Refused(format!("{id} is being written all the time; try again")));
        }
        Ok(ids.iter().filter_map(|id| read.remove(id)).collect())
    }

    /// A shop's trackers that this leads to, newest first.
    pub async fn find(&self, shop: &ShopId, lookup: &Lookup, limit: usize) -> Result<Vec<Tracker>, StoreError> {
        let mut found = self.follow(&lookup.key(shop), limit).await?;
        found.retain(|tracker| tracker.shop == *shop);
        Ok(found)
    }

    async fn follow(&self, key: &str, limit: usize) -> Result<Vec<Tracker>, StoreError> {
        let mut command = redis::cmd("ZREVRANGE");
        command.arg(key).arg(0).arg(limit.saturating_sub(1));
        let members: Vec<String> = self.ask(&command).await?;
        let ids: Vec<TrackerId> = members.iter().filter_map(|member| keys::tracker_of(member)).collect();
        let mut found = self.trackers(&ids).await?;
        found.retain(|tracker| lookups::of(tracker).iter().any(|known| known == key));
        Ok(found)
    }

    /// How many trackers of a shop stand in each status.
    pub async fn counts(&self, shop: &ShopId) -> Result<Vec<(Status, u64)>, StoreError> {
        let mut counts = Vec::new();
        for status in Status::ALL.iter().copied() {
            let count = |shard| redis::cmd("ZCARD").arg(keys::by_status(shard, shop, status)).clone();
            let each: Vec<u64> = self.ask_all(&crate::model::Shard::all().map(count).collect::<Vec<_>>()).await?;
            counts.push((status, each.iter().sum()));
        }
        Ok(counts)
    }
}

/// What reading one tracker came to.
enum Part {
    Whole(Box<Tracker>),
    Absent,
    Torn,
}

/// The four commands that read a tracker.
fn parts(id: &TrackerId) -> [Cmd; 4] {
    let get = |name: &str, key: String| redis::cmd(name).arg(key).clone();
    [
        get("HGETALL", keys::tracker(id)),
        get("GET", keys::events(id)),
        get("GET", keys::about(id)),
        redis::cmd("HGET").arg(keys::tracker(id)).arg("revision").clone(),
    ]
}

fn whole(id: &TrackerId, answers: &[Value]) -> Result<Part, StoreError> {
    let [fields, events, about, revision] = answers else { return Ok(Part::Torn) };
    let fields: HashMap<String, String> = read(fields)?;
    let (events, about): (Option<String>, Option<String>) = (read(events)?, read(about)?);
    let revision: Option<String> = read(revision)?;
    if fields.get("revision") != revision.as_ref() {
        return Ok(Part::Torn);
    }
    if fields.is_empty() {
        return Ok(Part::Absent);
    }
    let tracker =
        codec::decode(id, &fields, events.as_deref().unwrap_or_default(), about.as_deref().unwrap_or_default())?;
    Ok(Part::Whole(Box::new(tracker)))
}

fn read<T: FromRedisValue>(value: &Value) -> Result<T, StoreError> {
    Ok(T::from_redis_value_ref(value).map_err(redis::RedisError::from)?)
}
