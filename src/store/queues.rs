//! What is due: polls of an account, and timers.

use std::time::Duration;

use jiff::Timestamp;
use redis::{Cmd, FromRedisValue};

use super::Store;
use super::error::StoreError;
use super::keys;
use crate::model::time::{from_millis, to_millis};
use crate::model::{AccountName, Shard, TimerKind, TrackerId};

impl Store {
    /// Trackers of an account that are to be polled until then, the longest waiting first. They stay in the queue:
    /// the commit of their poll moves them.
    pub async fn due(
        &self,
        account: &AccountName,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(TrackerId, Timestamp)>, StoreError> {
        let heads = self.heads(limit, |shard| keys::due(shard, account), until).await?;
        Ok(heads.into_iter().filter_map(|(member, at)| Some((member.parse().ok()?, at))).collect())
    }

    /// Timers that have run out until then, the oldest first. They stay until a commit replaces the tracker's timers
    /// or [`Store::clear_timer`] removes them.
    pub async fn due_timers(
        &self,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(TimerKind, TrackerId, Timestamp)>, StoreError> {
        let heads = self.heads(limit, keys::timers, until).await?;
        let parse = |(member, at): (String, Timestamp)| {
            let (kind, id) = member.split_once(':')?;
            Some((TimerKind::from_name(kind)?, id.parse().ok()?, at))
        };
        Ok(heads.into_iter().filter_map(parse).collect())
    }

    /// Removes a timer that has nothing to do any more, unless it was set anew.
    pub async fn clear_timer(&self, kind: TimerKind, id: &TrackerId, if_at: Timestamp) -> Result<bool, StoreError> {
        self.remove_unchanged(&keys::timers(id.shard()), &super::commit::timer(kind, id), to_millis(if_at)).await
    }

    /// Takes the right to have a tracker polled at once, which there is once in `cool_down`. Otherwise how long to wait
    /// for the next.
    pub async fn take_forced_poll(&self, id: &TrackerId, cool_down: Duration) -> Result<Option<Duration>, StoreError> {
        let key = keys::forced(id);
        let token = u64::from_le_bytes(super::seal::random()?).to_string();
        let mut take = redis::cmd("SET");
        take.arg(&key)
            .arg(&token)
            .arg("NX")
            .arg("GET")
            .arg("PX")
            .arg(u64::try_from(cool_down.as_millis()).unwrap_or(1));
        // Our own token: it was taken, and only the answer was lost.
        let held: Option<String> = self.ask(&take).await?;
        if held.is_none_or(|held| held == token) {
            return Ok(None);
        }
        let left: i64 = self.ask(redis::cmd("PTTL").arg(&key)).await?;
        Ok(Some(Duration::from_millis(u64::try_from(left).unwrap_or(0).max(1))))
    }

    /// The first members of one sorted set in each shard, together the `limit` first ones. Where a shard holds more
    /// than its page, the rest of it comes with the next call.
    async fn heads(
        &self,
        limit: usize,
        key: impl Fn(Shard) -> String,
        until: Timestamp,
    ) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let page = limit.min(limit / 16 + 8);
        let head = |shard: Shard| -> Cmd {
            let mut command = redis::cmd("ZRANGE");
            command.arg(key(shard)).arg("-inf").arg(to_millis(until));
            command.arg("BYSCORE").arg("LIMIT").arg(0).arg(page).arg("WITHSCORES");
            command
        };
        let answers = self.ask_all(&Shard::all().map(head).collect::<Vec<_>>()).await?;
        let mut heads = Vec::new();
        for answer in answers {
            let members = Vec::<(String, i64)>::from_redis_value(answer).map_err(redis::RedisError::from)?;
            heads.extend(members.into_iter().map(|(member, at)| (member, from_millis(at))));
        }
        heads.sort_by_key(|(_, at)| *at);
        heads.truncate(limit);
        Ok(heads)
    }
}
