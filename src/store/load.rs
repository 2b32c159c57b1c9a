//! Reading trackers.

use std::collections::HashMap;

use redis::{FromRedisValue, Value};

use super::Store;
use super::codec;
use super::error::StoreError;
use super::keys;
use super::scripts::{self, Call};
use crate::model::time::{after, to_millis};
use crate::model::{AccountName, TimerKind, Tracker, TrackerId};

impl Store {
    /// A tracker as it is at this moment.
    pub async fn load(&self, id: &TrackerId) -> Result<Option<Tracker>, StoreError> {
        read(id, load_call(id).run(&self.connection()).await?)
    }

    /// Many trackers, in the order of their ids. One that is damaged counts as absent: it is logged, and left alone
    /// for an hour, so that it holds up nobody else.
    pub async fn load_many(&self, ids: &[TrackerId]) -> Result<Vec<Option<Tracker>>, StoreError> {
        let calls: Vec<Call> = ids.iter().map(load_call).collect();
        let answers: Vec<Value> = scripts::run_all(&self.connection(), &calls).await?;
        let mut trackers = Vec::with_capacity(ids.len());
        for (id, answer) in ids.iter().zip(answers) {
            match read(id, answer.clone()) {
                Ok(tracker) => trackers.push(tracker),
                Err(error) => {
                    tracing::error!(event = "tracker_damaged", %id, %error, "A tracker cannot be read; it is left alone for an hour");
                    self.set_aside(id, answer).await?;
                    trackers.push(None);
                }
            }
        }
        Ok(trackers)
    }

    async fn set_aside(&self, id: &TrackerId, answer: Value) -> Result<(), StoreError> {
        let later = after(self.now().await?, jiff::SignedDuration::from_hours(1));
        let fields = parts(answer).map(|(fields, _, _)| fields).unwrap_or_default();
        let account: Option<AccountName> = fields.get("account").and_then(|name| name.parse().ok());
        if let Some(account) = account {
            self.push_due(id, &account, later).await?;
        }
        let mut timers = redis::cmd("ZADD");
        timers.arg(keys::timers(id.shard())).arg("XX");
        for kind in TimerKind::ALL {
            timers.arg(to_millis(later)).arg(super::commit::timer(kind, id));
        }
        self.ask::<()>(&timers).await?;
        Ok(())
    }
}

fn load_call(id: &TrackerId) -> Call {
    scripts::LOAD.on(&[keys::tracker(id), keys::events(id), keys::about(id)])
}

type Parts = (HashMap<String, String>, Option<String>, Option<String>);

fn parts(answer: Value) -> Result<Parts, String> {
    if matches!(answer, Value::BulkString(_) | Value::SimpleString(_)) {
        return Err(String::from_redis_value(answer).map_err(|error| error.to_string())?);
    }
    Parts::from_redis_value(answer).map_err(|error| error.to_string())
}

fn read(id: &TrackerId, answer: Value) -> Result<Option<Tracker>, StoreError> {
    let damaged = |problem| StoreError::Damaged { key: keys::tracker(id), problem };
    let (fields, events, about) = parts(answer).map_err(damaged)?;
    if fields.is_empty() {
        return Ok(None);
    }
    codec::decode(id, &fields, events.as_deref().unwrap_or_default(), about.as_deref().unwrap_or_default()).map(Some)
}
