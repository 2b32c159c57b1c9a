//! What was told of a tracker, and to whom.

use jiff::Timestamp;
use redis::Value;
use redis::streams::StreamRangeReply;

use super::Reader;
use crate::model::time::from_millis;
use crate::model::{Change, ChangeId, EndpointId, Tracker};
use crate::store::delivery::{DeadDelivery, Sent, dead_delivery};
use crate::store::error::StoreError;
use crate::store::{keys, log};

/// What became of a change at one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// It arrived.
    Sent {
        /// When the endpoint said so.
        at: Timestamp,
        /// Which attempt did it, from 1.
        attempt: u32,
    },
    /// It waits; nothing: somebody delivers it in this moment, or the endpoint is paused.
    Waiting {
        /// The tracker's next attempt at that endpoint.
        next_at: Option<Timestamp>,
        /// Why the last attempt failed, if one did.
        error: Option<String>,
    },
    /// It was given up.
    Dead(DeadDelivery),
}

/// A change, and where it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The change.
    pub change: Change,
    /// Its endpoints. A shop without one when it happened: none.
    pub arrivals: Vec<(EndpointId, Arrival)>,
}

impl Reader {
    /// A tracker's changes, newest first, as far as the log still holds them, each with what became of it.
    pub async fn told(&self, tracker: &Tracker, limit: usize) -> Result<Vec<Told>, StoreError> {
        let (shard, subject) = (tracker.id.shard(), tracker.id.to_string());
        let mut list = redis::cmd("ZREVRANGE");
        list.arg(keys::log(shard, &subject)).arg(0).arg(limit.saturating_sub(1));
        let names: Vec<String> = self.ask(&list).await?;
        let ids: Vec<ChangeId> = names.iter().filter_map(|name| name.parse().ok()).collect();
        let entry = |id: &ChangeId| {
            let mut command = redis::cmd("XRANGE");
            command.arg(keys::changes(shard, &tracker.shop)).arg(id.stream_id()).arg(id.stream_id()).clone()
        };
        let entries: Vec<StreamRangeReply> = self.ask_all(&ids.iter().map(entry).collect::<Vec<_>>()).await?;
        let mut told = Vec::new();
        for (id, reply) in ids.iter().zip(entries) {
            let Some(entry) = reply.ids.first() else { continue };
            let change = log::parse(shard, id.shop, &tracker.shop, entry)?;
            told.push(Told { change, arrivals: Vec::new() });
        }
        self.add_sent(tracker, &mut told).await?;
        for endpoint in self.endpoint_ids(&tracker.shop).await? {
            self.add_open(tracker, &endpoint, &mut told).await?;
        }
        Ok(told)
    }

    async fn add_sent(&self, tracker: &Tracker, told: &mut [Told]) -> Result<(), StoreError> {
        let mut command = redis::cmd("LRANGE");
        command.arg(keys::sent(tracker.id.shard(), &tracker.id.to_string())).arg(0).arg(-1);
        let lines: Vec<String> = self.ask(&command).await?;
        for sent in lines.iter().filter_map(|line| Sent::from_line(line)) {
            if let Some(told) = told.iter_mut().find(|told| told.change.id == sent.change) {
                told.arrivals.push((sent.endpoint, Arrival::Sent { at: sent.at, attempt: sent.attempt }));
            }
        }
        Ok(())
    }

    /// What of it still waits for an endpoint, and what was given up there.
    async fn add_open(&self, tracker: &Tracker, endpoint: &EndpointId, told: &mut [Told]) -> Result<(), StoreError> {
        let (shard, subject) = (tracker.id.shard(), tracker.id.to_string());
        let mut waiting = redis::cmd("ZRANGE");
        waiting.arg(keys::pending(shard, endpoint, &subject)).arg(0).arg(-1);
        let mut next = redis::cmd("ZSCORE");
        next.arg(keys::deliver(shard, endpoint)).arg(&subject);
        let death = |told: &Told| {
            let mut command = redis::cmd("ZSCORE");
            command.arg(keys::dead(shard, endpoint)).arg(told.change.id.to_string()).clone()
        };
        let about = |told: &Told| {
            let mut command = redis::cmd("HGET");
            command.arg(keys::dead_about(shard, endpoint)).arg(told.change.id.to_string()).clone()
        };
        let waiting: Vec<String> = self.ask(&waiting).await?;
        let attempt =
            redis::cmd("HMGET").arg(keys::attempt(shard, endpoint, &subject)).arg("change").arg("error").clone();
        // Rules for readers that were written for an older wismo do not allow this key.
        let (tried, error): (Option<String>, Option<String>) = self.ask(&attempt).await.unwrap_or_default();
        let next: Option<f64> = self.ask(&next).await?;
        let deaths: Vec<Value> = self.ask_all(&told.iter().map(death).collect::<Vec<_>>()).await?;
        let abouts: Vec<Option<String>> = self.ask_all(&told.iter().map(about).collect::<Vec<_>>()).await?;
        for ((told, died), about) in told.iter_mut().zip(deaths).zip(abouts) {
            let id = told.change.id.to_string();
            if waiting.contains(&id) {
                let next_at = next.map(millis);
                let error = error.clone().filter(|_| tried.as_ref() == Some(&id));
                told.arrivals.push((endpoint.clone(), Arrival::Waiting { next_at, error }));
            }
            let died: Option<f64> = redis::from_redis_value(died).map_err(redis::RedisError::from)?;
            let dead = died.zip(about).and_then(|(at, about)| dead_delivery(&id, millis(at), &about));
            if let Some(dead) = dead {
                told.arrivals.push((endpoint.clone(), Arrival::Dead(dead)));
            }
        }
        Ok(())
    }
}

/// A score of a sorted set as a time.
#[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 are whole and small")]
pub(super) fn millis(score: f64) -> Timestamp {
    from_millis(score as i64)
}
