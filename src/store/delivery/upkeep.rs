//! What is done to queues from outside: pausing, queueing again, ageing, dropping.

use std::time::Duration;

use jiff::Timestamp;

use super::answers::{all_of_them, those_that_came};
use crate::model::{Change, ChangeId, EndpointId, EndpointState, Shard};
use crate::store::{Store, StoreError, keys, scripts};

/// Subjects or deliveries that one call of a script moves.
const PIECE: usize = 100;
/// Steps of the sweep of each shard in one call.
const SWEEP_STEPS: usize = 16;
/// Changes queued again in one round trip.
const REPLAYED_AT_ONCE: usize = 500;

/// "Pauses" from here on are no times: they say that the endpoint's state holds it back.
const HELD_BY_STATE: u64 = 9_007_199_254_740_990;

impl Store {
    /// Nothing is claimed for this endpoint before `until`. Of two pauses the longer wins; claims already handed out
    /// go on.
    pub async fn pause_endpoint(&self, endpoint: &EndpointId, until: Timestamp) -> Result<(), StoreError> {
        self.set_pause(endpoint, until.as_millisecond().max(1)).await
    }

    /// Ends a pause of this endpoint before its time. What its state holds back stays back.
    pub async fn unpause_endpoint(&self, endpoint: &EndpointId) -> Result<(), StoreError> {
        self.set_pause(endpoint, 0).await
    }

    async fn set_pause(&self, endpoint: &EndpointId, until: i64) -> Result<(), StoreError> {
        let calls: Vec<scripts::Call> = Shard::all()
            .map(|shard| {
                scripts::PAUSE
                    .on(&[keys::deliver(shard, endpoint), keys::ready(shard), keys::pauses(shard)])
                    .arg(endpoint.to_string())
                    .arg(until)
                    .arg(HELD_BY_STATE)
            })
            .collect();
        let _: Vec<u8> = scripts::run_all(&self.connection(), &calls).await?;
        self.wakeups().deliveries.notify_one();
        Ok(())
    }

    /// Queues a change for an endpoint again, whatever became of it before; its body has the same bytes. False: there
    /// is no such endpoint or change, or they are not of one shop.
    pub async fn replay(&self, endpoint: &EndpointId, change: &ChangeId) -> Result<bool, StoreError> {
        let Some(to) = self.endpoint(endpoint).await?.filter(|to| to.state != EndpointState::Disabled) else {
            return Ok(false);
        };
        let Some(change) = self.change(change).await?.filter(|change| change.shop == to.shop) else { return Ok(false) };
        self.requeue(endpoint, &[change], self.now().await?).await?;
        Ok(true)
    }

    /// Queues changes for an endpoint again, delivered, dead or never sent; those that wait already stay as they are.
    /// Their age counts from `now`. The caller has seen to it that endpoint and changes are of one shop.
    pub async fn requeue(&self, endpoint: &EndpointId, changes: &[Change], now: Timestamp) -> Result<(), StoreError> {
        for piece in changes.chunks(REPLAYED_AT_ONCE) {
            let calls: Vec<scripts::Call> = piece
                .iter()
                .map(|change| {
                    let shard = change.id.shard;
                    scripts::REPLAY
                        .on(&[
                            keys::pending(shard, endpoint, &change.subject),
                            keys::deliver(shard, endpoint),
                            keys::ready(shard),
                            keys::pauses(shard),
                            keys::dead(shard, endpoint),
                            keys::dead_about(shard, endpoint),
                            keys::buried(shard),
                            keys::replayed(shard, endpoint),
                        ])
                        .arg(endpoint.to_string())
                        .arg(&change.subject)
                        .arg(now.as_millisecond())
                        .arg(change.id.to_string())
                        .arg(change.sequence)
                })
                .collect();
            let _: Vec<u8> = scripts::run_all(&self.connection(), &calls).await?;
        }
        self.wakeups().deliveries.notify_one();
        Ok(())
    }

    /// Queues every dead delivery of an endpoint again and gives their number.
    pub async fn replay_dead(&self, endpoint: &EndpointId, now: Timestamp) -> Result<u64, StoreError> {
        let mut revived = 0;
        let mut shards: Vec<Shard> = Shard::all().collect();
        while !shards.is_empty() {
            let calls: Vec<scripts::Call> = shards.iter().map(|shard| revive_call(*shard, endpoint, now)).collect();
            let counts: Vec<usize> = scripts::run_all(&self.connection(), &calls).await?;
            revived += counts.iter().sum::<usize>() as u64;
            let more = shards.into_iter().zip(counts).filter(|(_, count)| *count == PIECE);
            shards = more.map(|(shard, _)| shard).collect();
        }
        self.wakeups().deliveries.notify_one();
        Ok(revived)
    }

    /// One stretch of the sweep: deliveries that waited longer than `delivery_max_age` become dead, and the dead are
    /// forgotten after `dead_retention`. Call it every minute; where there is much to do, it goes on from where it
    /// stood. Gives how many became dead.
    pub async fn expire_deliveries(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut died = 0;
        let mut shards: Vec<Shard> = Shard::all().collect();
        for _ in 0..SWEEP_STEPS {
            let calls: Vec<scripts::Call> = shards.iter().map(|shard| self.expire_call(*shard, now)).collect();
            let answers: Vec<Option<(u8, u64)>> =
                those_that_came(scripts::try_each(&self.connection(), &calls).await?)?;
            died += answers.iter().flatten().map(|(_, died)| died).sum::<u64>();
            let unfinished = shards.into_iter().zip(answers).filter(|(_, answer)| matches!(answer, Some((0, _))));
            shards = unfinished.map(|(shard, _)| shard).collect();
            if shards.is_empty() {
                break;
            }
        }
        self.forget_dead(now).await?;
        Ok(died)
    }

    fn expire_call(&self, shard: Shard, now: Timestamp) -> scripts::Call {
        let sweep = keys::sweep(shard);
        let prefix = sweep.strip_suffix("sweep").unwrap_or(&sweep).to_owned();
        scripts::EXPIRE
            .on(&[keys::ready(shard), keys::pauses(shard), keys::buried(shard), sweep])
            .arg(now.as_millisecond())
            .arg(earlier(now, self.options().delivery_max_age))
            .arg(prefix)
            .arg("waited too long")
    }

    async fn forget_dead(&self, now: Timestamp) -> Result<(), StoreError> {
        let connection = self.connection();
        let before = earlier(now, self.options().dead_retention);
        let old = |shard| {
            let mut command = redis::cmd("ZRANGEBYSCORE");
            let exclusive = format!("({before}");
            command.arg(keys::buried(shard)).arg("-inf").arg(exclusive).arg("LIMIT").arg(0).arg(PIECE).clone()
        };
        let commands: Vec<_> = Shard::all().map(old).collect();
        let found: Vec<Option<Vec<String>>> = those_that_came(connection.each(&commands).await?)?;
        let mut calls = Vec::new();
        for (shard, names) in Shard::all().zip(found) {
            for endpoint in names.unwrap_or_default().iter().filter_map(|name| name.parse::<EndpointId>().ok()) {
                calls.push(
                    scripts::FORGET
                        .on(&[keys::dead(shard, &endpoint), keys::dead_about(shard, &endpoint), keys::buried(shard)])
                        .arg(endpoint.to_string())
                        .arg(before)
                        .arg(PIECE),
                );
            }
        }
        if !calls.is_empty() {
            let _: Vec<Option<u64>> = those_that_came(scripts::try_each(&connection, &calls).await?)?;
        }
        Ok(())
    }

    /// Ends the listing of an endpoint's dead deliveries: it was deleted.
    pub async fn forget_endpoint(&self, endpoint: &EndpointId) -> Result<(), StoreError> {
        let name = endpoint.to_string();
        let mut commands = Vec::new();
        for shard in Shard::all() {
            let keys = [
                keys::dead(shard, endpoint),
                keys::dead_about(shard, endpoint),
                keys::replayed(shard, endpoint),
                keys::sent(shard, &name),
            ];
            commands.push(redis::cmd("UNLINK").arg(&keys).clone());
            commands.push(redis::cmd("ZREM").arg(keys::buried(shard)).arg(&name).clone());
        }
        let _: Vec<i64> = all_of_them(self.connection().each(&commands).await?)?;
        Ok(())
    }
}

fn revive_call(shard: Shard, endpoint: &EndpointId, now: Timestamp) -> scripts::Call {
    scripts::REVIVE
        .on(&[
            keys::dead(shard, endpoint),
            keys::dead_about(shard, endpoint),
            keys::buried(shard),
            keys::deliver(shard, endpoint),
            keys::ready(shard),
            keys::pauses(shard),
            keys::replayed(shard, endpoint),
        ])
        .arg(endpoint.to_string())
        .arg(now.as_millisecond())
        .arg(PIECE)
        .arg(keys::pending(shard, endpoint, ""))
}

/// The millisecond that lies this long before.
fn earlier(now: Timestamp, by: Duration) -> i64 {
    now.as_millisecond().saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX))
}
