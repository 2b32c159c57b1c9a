//! What waits, what died, what arrived: for people and for the log's trimming.

use std::collections::BTreeSet;

use jiff::Timestamp;
use redis::FromRedisValue;
use serde::{Deserialize, Serialize};

use super::answers::all_of_them;
use super::millis;
use crate::model::time::from_millis;
use crate::model::{ChangeId, EndpointId, Shard};
use crate::store::{Store, StoreError, keys, scripts};

/// Most dead deliveries listed at once.
const MOST_LISTED: usize = 500;

/// What waits for an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// How many changes.
    pub count: u64,
    /// When the oldest of them was stored.
    pub oldest: Option<Timestamp>,
}

/// A delivery that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadDelivery {
    /// What was to be delivered.
    pub change: ChangeId,
    /// What it is about: a tracker's id, or an endpoint's.
    pub subject: String,
    /// Its number in the life of its subject.
    pub sequence: u64,
    /// Attempts made.
    pub attempts: u32,
    /// When the first was made.
    pub first_attempt_at: Option<Timestamp>,
    /// When the last was made.
    pub last_attempt_at: Option<Timestamp>,
    /// When it was given up.
    pub died_at: Timestamp,
    /// Why.
    pub error: String,
}

/// A change that reached an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Which.
    pub change: ChangeId,
    /// Where to.
    pub endpoint: EndpointId,
    /// When the endpoint said so.
    pub at: Timestamp,
    /// Which attempt did it, from 1.
    pub attempt: u32,
}

#[derive(Serialize, Deserialize)]
struct SentLine {
    change: ChangeId,
    endpoint: EndpointId,
    at: i64,
    attempt: u32,
}

impl Sent {
    /// The line that the store keeps.
    pub(super) fn to_line(&self) -> String {
        let line = SentLine {
            change: self.change.clone(),
            endpoint: self.endpoint.clone(),
            at: self.at.as_millisecond(),
            attempt: self.attempt,
        };
        serde_json::to_string(&line).unwrap_or_default()
    }

    pub(in crate::store) fn from_line(line: &str) -> Option<Self> {
        let SentLine { change, endpoint, at, attempt } = serde_json::from_str(line).ok()?;
        Some(Self { change, endpoint, at: from_millis(at), attempt })
    }
}

/// How `dead-about` tells of a death. Numbers are text: Lua's JSON would round long ones.
#[derive(Deserialize)]
pub(super) struct About {
    pub(super) subject: String,
    pub(super) sequence: String,
    attempts: String,
    first_at: Option<String>,
    last_at: Option<String>,
    error: String,
}

impl Store {
    /// What waits for an endpoint. Reads it in pieces; what changes meanwhile may be counted or not.
    pub async fn backlog(&self, endpoint: &EndpointId) -> Result<Backlog, StoreError> {
        let connection = self.connection();
        let mut backlog = Backlog::default();
        let mut open: Vec<(Shard, String)> = Shard::all().map(|shard| (shard, "0".to_owned())).collect();
        while !open.is_empty() {
            let calls: Vec<scripts::Call> = open
                .iter()
                .map(|(shard, cursor)| {
                    scripts::BACKLOG
                        .on(&[keys::deliver(*shard, endpoint)])
                        .arg(cursor.as_str())
                        .arg(keys::pending(*shard, endpoint, ""))
                })
                .collect();
            let pages: Vec<(String, u64, Vec<String>)> = scripts::run_all(&connection, &calls).await?;
            let mut next = Vec::new();
            for ((shard, _), (cursor, count, heads)) in open.into_iter().zip(pages) {
                backlog.count += count;
                let oldest = heads.iter().filter_map(|head| head.parse().ok()).map(|id| stored_at(&id)).min();
                backlog.oldest = [backlog.oldest, oldest].into_iter().flatten().min();
                if cursor != "0" {
                    next.push((shard, cursor));
                }
            }
            open = next;
        }
        Ok(backlog)
    }

    /// Endpoints that something waits for: so many of each shard at most.
    pub async fn waited_for(&self, limit: usize) -> Result<BTreeSet<EndpointId>, StoreError> {
        let head = |shard| redis::cmd("ZRANGE").arg(keys::ready(shard)).arg(0).arg(limit.max(1) - 1).clone();
        let heads = self.ask_all(&Shard::all().map(head).collect::<Vec<_>>()).await?;
        let mut found = BTreeSet::new();
        for members in heads {
            let members = Vec::<String>::from_redis_value(members).map_err(redis::RedisError::from)?;
            found.extend(members.iter().filter_map(|member| member.parse::<EndpointId>().ok()));
        }
        Ok(found)
    }

    /// How many deliveries were given up and are listed, over the first endpoints of each shard.
    pub async fn dead_count(&self, endpoints: usize) -> Result<u64, StoreError> {
        let head = |shard| redis::cmd("ZRANGE").arg(keys::buried(shard)).arg(0).arg(endpoints.max(1) - 1).clone();
        let heads = self.ask_all(&Shard::all().map(head).collect::<Vec<_>>()).await?;
        let mut counts = Vec::new();
        for (shard, members) in Shard::all().zip(heads) {
            let members = Vec::<String>::from_redis_value(members).map_err(redis::RedisError::from)?;
            let endpoints = members.iter().filter_map(|member| member.parse::<EndpointId>().ok());
            counts.extend(endpoints.map(|endpoint| redis::cmd("ZCARD").arg(keys::dead(shard, &endpoint)).clone()));
        }
        let mut total = 0;
        for count in self.ask_all(&counts).await? {
            total += u64::from_redis_value(count).map_err(redis::RedisError::from)?;
        }
        Ok(total)
    }

    /// How many changes wait for an endpoint.
    pub async fn pending_count(&self, endpoint: &EndpointId) -> Result<u64, StoreError> {
        Ok(self.backlog(endpoint).await?.count)
    }

    /// When the oldest change that waits for an endpoint was stored.
    pub async fn oldest_pending(&self, endpoint: &EndpointId) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.backlog(endpoint).await?.oldest)
    }

    /// Deliveries to an endpoint that were given up, newest first, 500 at most.
    pub async fn dead(&self, endpoint: &EndpointId, limit: usize) -> Result<Vec<DeadDelivery>, StoreError> {
        let limit = limit.min(MOST_LISTED);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let connection = self.connection();
        let last = limit - 1;
        let newest = |shard| {
            let mut command = redis::cmd("ZRANGE");
            command.arg(keys::dead(shard, endpoint)).arg(0).arg(last).arg("REV").arg("WITHSCORES").clone()
        };
        let commands: Vec<_> = Shard::all().map(newest).collect();
        let listed: Vec<Vec<(String, f64)>> = all_of_them(connection.each(&commands).await?)?;
        let mut found: Vec<(Shard, String, Timestamp)> = Vec::new();
        for (shard, changes) in Shard::all().zip(listed) {
            #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 are whole and small")]
            found.extend(changes.into_iter().map(|(change, ms)| (shard, change, from_millis(ms as i64))));
        }
        found.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| b.1.cmp(&a.1)));
        found.truncate(limit);
        let about = |(shard, change, _): &(Shard, String, Timestamp)| {
            redis::cmd("HGET").arg(keys::dead_about(*shard, endpoint)).arg(change).clone()
        };
        let commands: Vec<_> = found.iter().map(about).collect();
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let abouts: Vec<Option<String>> = all_of_them(connection.each(&commands).await?)?;
        Ok(found
            .into_iter()
            .zip(abouts)
            .filter_map(|((_, id, died_at), about)| dead_delivery(&id, died_at, &about?))
            .collect())
    }

    /// Which changes of a subject reached which endpoints, newest first; the last 50.
    pub async fn sent(&self, shard: Shard, subject: &str) -> Result<Vec<Sent>, StoreError> {
        let mut command = redis::cmd("LRANGE");
        command.arg(keys::sent(shard, subject)).arg(0).arg(-1);
        let lines: Vec<String> = command.query_async(&mut self.connection()).await?;
        Ok(lines.iter().filter_map(|line| Sent::from_line(line)).collect())
    }
}

pub(in crate::store) fn dead_delivery(change: &str, died_at: Timestamp, about: &str) -> Option<DeadDelivery> {
    let about: About = serde_json::from_str(about).ok()?;
    Some(DeadDelivery {
        change: change.parse().ok()?,
        subject: about.subject,
        sequence: about.sequence.parse().ok()?,
        attempts: about.attempts.parse().unwrap_or(0),
        first_attempt_at: about.first_at.as_deref().and_then(millis),
        last_attempt_at: about.last_at.as_deref().and_then(millis),
        died_at,
        error: about.error,
    })
}

fn stored_at(change: &ChangeId) -> Timestamp {
    from_millis(i64::try_from(change.ms).unwrap_or(i64::MAX))
}
