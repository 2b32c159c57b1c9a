//! Endpoint documents, and the end of an endpoint's queues.

use jiff::Timestamp;
use redis::FromRedisValue;
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::keys;
use super::routing::DROPPED;
use super::scripts;
use crate::model::time::from_millis;
use crate::model::{ChangeId, ChangeKind, Endpoint, EndpointId, EndpointState, Shard, ShopId};

/// What stands where an endpoint was.
#[derive(Debug, Serialize, Deserialize)]
struct Tombstone {
    deleted: bool,
    shop: ShopId,
}

/// Subjects whose queues go in one step.
const DROP_BATCH: usize = 200;

impl Store {
    /// An endpoint. Callers compare its shop with theirs.
    pub async fn endpoint(&self, id: &EndpointId) -> Result<Option<Endpoint>, StoreError> {
        Ok(self.read_endpoints(std::slice::from_ref(id)).await?.pop().flatten())
    }

    /// Every endpoint of a shop that is not deleted, in the order of their creation.
    pub async fn endpoints(&self, shop: &ShopId) -> Result<Vec<Endpoint>, StoreError> {
        Ok(self.reload_routes(shop).await?.endpoints.clone())
    }

    pub(super) async fn read_endpoints(&self, ids: &[EndpointId]) -> Result<Vec<Option<Endpoint>>, StoreError> {
        let texts = self.read_documents(ids).await?;
        ids.iter().zip(texts).map(|(id, text)| text.map_or(Ok(None), |text| parse(id, &text))).collect()
    }

    async fn read_documents(&self, ids: &[EndpointId]) -> Result<Vec<Option<String>>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let get = |id: &EndpointId| {
            let mut command = redis::cmd("GET");
            command.arg(keys::endpoint(id));
            command
        };
        let answers = self.ask_all(&ids.iter().map(get).collect::<Vec<_>>()).await?;
        answers
            .into_iter()
            .map(|answer| Option::<String>::from_redis_value(answer).map_err(|error| StoreError::Redis(error.into())))
            .collect()
    }

    /// Creates or replaces an endpoint. When this answers, no commit anywhere uses older endpoints of the shop.
    /// One that was disabled starts with empty queues. For a replay before the first new delivery: put it paused,
    /// replay, put it enabled.
    pub async fn put_endpoint(&self, endpoint: &Endpoint) -> Result<(), StoreError> {
        self.put(endpoint, None).await
    }

    /// Replaces an endpoint that still is as the caller read it. One that was changed meanwhile (disabled by its own
    /// answers, perhaps) is a conflict: what the caller did not mean to change must not come back.
    pub async fn replace_endpoint(&self, before: &Endpoint, after: &Endpoint) -> Result<(), StoreError> {
        self.put(after, Some(before)).await
    }

    async fn put(&self, endpoint: &Endpoint, expected: Option<&Endpoint>) -> Result<(), StoreError> {
        let mut text = self.read_documents(std::slice::from_ref(&endpoint.id)).await?.pop().flatten();
        let before = text.as_ref().map_or(Ok(None), |text| parse(&endpoint.id, text))?;
        if text.is_some() && before.is_none() {
            return Err(StoreError::Conflict(format!("the endpoint {} was deleted", endpoint.id)));
        }
        if before.as_ref().is_some_and(|before| before.shop != endpoint.shop) {
            return Err(StoreError::Refused(format!("there is no endpoint {} of this shop", endpoint.id)));
        }
        if expected.is_some_and(|expected| before.as_ref() != Some(expected)) {
            return Err(changed_meanwhile(endpoint));
        }
        let was_disabled = before.is_some_and(|before| before.state == EndpointState::Disabled);
        if was_disabled && endpoint.state != EndpointState::Disabled {
            self.drop_queues(&endpoint.shop, &endpoint.id).await?;
            // Paused first: once every shard holds it, nobody drops what is queued from now on.
            let paused = Endpoint { state: EndpointState::Paused, ..endpoint.clone() };
            self.write_endpoint(&paused, text.as_deref()).await?;
            text = Some(written(&paused)?);
        }
        let mut wanted = endpoint.clone();
        if wanted.state == EndpointState::Disabled && wanted.undelivered_since.is_none() {
            wanted.undelivered_since = Some(self.now().await?);
        }
        self.write_endpoint(&wanted, text.as_deref()).await?;
        self.make_durable().await?;
        if endpoint.state == EndpointState::Disabled {
            self.drop_queues(&endpoint.shop, &endpoint.id).await?;
        }
        Ok(())
    }

    /// Writes over the document that the caller read, and over no other: a deletion in between stays one.
    async fn write_endpoint(&self, endpoint: &Endpoint, before: Option<&str>) -> Result<(), StoreError> {
        // The shop first: an endpoint of nobody would never be found again.
        self.reload_routes(&endpoint.shop).await?;
        if endpoint.state == EndpointState::Disabled {
            self.note_dropping(&endpoint.shop, &endpoint.id).await?;
        }
        match before {
            None => self.write_document(&endpoint.id, endpoint).await?,
            Some(before) if self.swap_document(&endpoint.id, before, &written(endpoint)?).await? => {}
            Some(_) => {
                return Err(changed_meanwhile(endpoint));
            }
        }
        if endpoint.state == EndpointState::Disabled {
            self.note_dropping(&endpoint.shop, &endpoint.id).await?;
        }
        self.change_list(&endpoint.shop, "add", &endpoint.id).await?;
        self.raise(&endpoint.shop).await
    }

    async fn write_document(&self, id: &EndpointId, document: &impl Serialize) -> Result<(), StoreError> {
        let mut command = redis::cmd("SET");
        command.arg(keys::endpoint(id)).arg(written(document)?);
        self.ask(&command).await
    }

    /// Deletes an endpoint of a shop; what still waited for it is dropped. False: the shop has no such endpoint.
    pub async fn delete_endpoint(&self, shop: &ShopId, id: &EndpointId) -> Result<bool, StoreError> {
        match self.endpoint(id).await? {
            Some(endpoint) if endpoint.shop == *shop => {}
            _ => return Ok(false),
        }
        self.note_dropping(shop, id).await?;
        self.write_document(id, &Tombstone { deleted: true, shop: shop.clone() }).await?;
        self.note_dropping(shop, id).await?;
        self.change_list(shop, "remove", id).await?;
        self.raise(shop).await?;
        self.make_durable().await?;
        self.drop_queues(shop, id).await?;
        Ok(true)
    }

    /// Disables an endpoint: nothing is delivered to it from now on, and the shop's other endpoints hear of it.
    /// False: there is none, or it was disabled before.
    pub async fn disable_endpoint(&self, id: &EndpointId, reason: &str) -> Result<bool, StoreError> {
        let key = keys::endpoint(id);
        let text: Option<String> = self.ask(redis::cmd("GET").arg(&key)).await?;
        let Some(text) = text else { return Ok(false) };
        let Some(endpoint) = parse(id, &text)?.filter(|endpoint| endpoint.state != EndpointState::Disabled) else {
            return Ok(false);
        };
        let now = self.now().await?;
        let disabled = Endpoint {
            state: EndpointState::Disabled,
            disabled_reason: Some(reason.to_owned()),
            undelivered_since: Some(now),
            ..endpoint
        };
        self.note_telling(&disabled.shop, id, now).await?;
        if !self.swap_document(id, &text, &written(&disabled)?).await? {
            // The shop wrote it in this moment; whoever wants it disabled will see it fail again.
            return Ok(false);
        }
        self.note_telling(&disabled.shop, id, now).await?;
        self.change_list(&disabled.shop, "add", id).await?;
        self.raise(&disabled.shop).await?;
        self.make_durable().await?;
        self.drop_queues(&disabled.shop, id).await?;
        Ok(true)
    }

    /// Tells the shop's other endpoints, once however often it is called for the same moment.
    async fn tell_disabled(&self, endpoint: &Endpoint, at: Timestamp) -> Result<ChangeId, StoreError> {
        let kind = ChangeKind::EndpointDisabled;
        let routes = self.routes(&endpoint.shop).await?;
        let others: Vec<EndpointId> = routes
            .receiving()
            .filter(|other| other.id != endpoint.id && other.wants(&kind.to_string()))
            .map(|other| other.id.clone())
            .collect();
        let data = serde_json::json!({
            "occurred_at": at.to_string(),
            "endpoint": {
                "id": endpoint.id.to_string(),
                "url": endpoint.url,
                "state": EndpointState::Disabled,
                "description": endpoint.description,
                "disabled_reason": endpoint.disabled_reason,
                "undelivered_since": endpoint.undelivered_since.map(|at| at.to_string()),
            },
        });
        let once = format!("disabled:{}:{}", endpoint.id, at.as_millisecond());
        self.append_endpoint_change_once(endpoint, kind, &data.to_string(), &others, &once).await
    }

    async fn swap_document(&self, id: &EndpointId, old: &str, new: &str) -> Result<bool, StoreError> {
        scripts::SWAP.on(&[keys::endpoint(id)]).arg(old).arg(new).run(&self.connection()).await
    }

    /// Before the document says so, for whoever dies right after that; and once more behind it, since somebody who
    /// looked in between found the endpoint alive and took the note away.
    async fn note_dropping(&self, shop: &ShopId, id: &EndpointId) -> Result<(), StoreError> {
        let mut command = redis::cmd("HSETNX");
        command.arg(keys::DROPPING).arg(id.to_string()).arg(shop.as_str());
        self.ask(&command).await
    }

    /// The same of an endpoint that was disabled then by its answers: of that, the shop is to hear.
    async fn note_telling(&self, shop: &ShopId, id: &EndpointId, at: Timestamp) -> Result<(), StoreError> {
        let mut command = redis::cmd("HSET");
        command.arg(keys::DROPPING).arg(id.to_string()).arg(format!("{shop} {}", at.as_millisecond()));
        self.ask(&command).await
    }

    async fn dropping(&self) -> Result<Vec<(EndpointId, ShopId)>, StoreError> {
        let pairs: Vec<(String, String)> = self.ask(redis::cmd("HGETALL").arg(keys::DROPPING)).await?;
        let shop = |note: &str| note.split(' ').next().unwrap_or_default().parse().ok();
        Ok(pairs.iter().filter_map(|(id, note)| Some((id.parse().ok()?, shop(note)?))).collect())
    }

    pub(super) async fn dropping_of(&self, shop: &ShopId) -> Result<Vec<EndpointId>, StoreError> {
        Ok(self.dropping().await?.into_iter().filter(|(_, owner)| owner == shop).map(|(id, _)| id).collect())
    }

    /// Ends what a process left behind that died while it disabled or deleted an endpoint.
    pub(super) async fn drop_leftovers(&self) -> Result<(), StoreError> {
        let mut dropped = Ok(());
        for (id, shop) in self.dropping().await? {
            dropped = dropped.and(self.drop_leftover(&shop, &id).await);
        }
        dropped
    }

    async fn drop_leftover(&self, shop: &ShopId, id: &EndpointId) -> Result<(), StoreError> {
        match self.endpoint(id).await? {
            Some(endpoint) if endpoint.state != EndpointState::Disabled => return self.forget_dropping(id).await,
            Some(_) => self.change_list(shop, "add", id).await?,
            None => self.change_list(shop, "remove", id).await?,
        }
        self.raise(shop).await?;
        self.drop_queues(shop, id).await
    }

    /// Empties the queues of an endpoint that gets nothing any more. The shards hold it already, so nothing of it is
    /// delivered while this goes on.
    async fn drop_queues(&self, shop: &ShopId, id: &EndpointId) -> Result<(), StoreError> {
        self.date_undelivered(id).await?;
        for shard in Shard::all() {
            while let Some(call) = self.drop_call(shard, id).await? {
                if call.run::<u8>(&self.connection()).await? != 1 {
                    return Ok(());
                }
            }
        }
        match self.endpoint(id).await? {
            None => self.forget_deleted(id).await?,
            Some(endpoint) if endpoint.state == EndpointState::Disabled => self.tell_if_noted(&endpoint).await?,
            Some(_) => {}
        }
        tracing::debug!(event = "endpoint_queues_dropped", %shop, endpoint = %id, "Queues of an endpoint are dropped");
        self.forget_dropping(id).await
    }

    async fn tell_if_noted(&self, endpoint: &Endpoint) -> Result<(), StoreError> {
        let note: Option<String> =
            self.ask(redis::cmd("HGET").arg(keys::DROPPING).arg(endpoint.id.to_string())).await?;
        let at = note.as_deref().and_then(|note| note.split_once(' ')?.1.parse().ok());
        if let Some(at) = at.map(from_millis) {
            self.tell_disabled(endpoint, at).await?;
        }
        Ok(())
    }

    async fn drop_call(&self, shard: Shard, id: &EndpointId) -> Result<Option<scripts::Call>, StoreError> {
        let subjects = self.subjects(shard, id, 0).await?;
        if subjects.is_empty() {
            return Ok(None);
        }
        let mut names = vec![keys::ready(shard), keys::pauses(shard), keys::deliver(shard, id)];
        for subject in &subjects {
            names.extend([keys::pending(shard, id, subject), keys::attempt(shard, id, subject)]);
        }
        Ok(Some(scripts::DROP.on(&names).arg(id.to_string()).arg(DROPPED).arg(subjects)))
    }

    /// Some subjects that have something to tell an endpoint.
    async fn subjects(&self, shard: Shard, id: &EndpointId, from: usize) -> Result<Vec<String>, StoreError> {
        let mut command = redis::cmd("ZRANGE");
        command.arg(keys::deliver(shard, id)).arg(from).arg(from + DROP_BATCH - 1);
        self.ask(&command).await
    }

    /// A disabled endpoint remembers the oldest change that it did not get.
    async fn date_undelivered(&self, id: &EndpointId) -> Result<(), StoreError> {
        let Some(text) = self.read_documents(std::slice::from_ref(id)).await?.pop().flatten() else { return Ok(()) };
        let Some(endpoint) = parse(id, &text)?.filter(|endpoint| endpoint.state == EndpointState::Disabled) else {
            return Ok(());
        };
        let Some(oldest) = self.oldest_waiting(id).await? else { return Ok(()) };
        if endpoint.undelivered_since.is_none_or(|since| oldest < since) {
            let dated = Endpoint { undelivered_since: Some(oldest), ..endpoint };
            self.swap_document(id, &text, &written(&dated)?).await?;
        }
        Ok(())
    }

    async fn oldest_waiting(&self, id: &EndpointId) -> Result<Option<Timestamp>, StoreError> {
        let mut oldest: Option<Timestamp> = None;
        for shard in Shard::all() {
            for from in (0..).step_by(DROP_BATCH) {
                let subjects = self.subjects(shard, id, from).await?;
                let head = |subject: &String| {
                    let mut command = redis::cmd("ZRANGE");
                    command.arg(keys::pending(shard, id, subject)).arg(0).arg(0);
                    command
                };
                let heads = self.ask_all(&subjects.iter().map(head).collect::<Vec<_>>()).await?;
                let times = heads.into_iter().filter_map(|head| {
                    let ids = Vec::<String>::from_redis_value(head).ok()?;
                    let id: ChangeId = ids.first()?.parse().ok()?;
                    i64::try_from(id.ms).ok().map(from_millis)
                });
                oldest = times.chain(oldest).min();
                if subjects.len() < DROP_BATCH {
                    break;
                }
            }
        }
        Ok(oldest)
    }

    /// Removes the last traces of a deleted endpoint from the shards.
    async fn forget_deleted(&self, id: &EndpointId) -> Result<(), StoreError> {
        let mut commands = Vec::new();
        for shard in Shard::all() {
            let mut dead = redis::cmd("DEL");
            dead.arg(keys::dead(shard, id)).arg(keys::dead_about(shard, id)).arg(keys::replayed(shard, id));
            let mut buried = redis::cmd("ZREM");
            buried.arg(keys::buried(shard)).arg(id.to_string());
            let mut pause = redis::cmd("HDEL");
            pause.arg(keys::pauses(shard)).arg(id.to_string());
            commands.extend([dead, buried, pause]);
        }
        self.ask_all(&commands).await?;
        Ok(())
    }

    async fn forget_dropping(&self, id: &EndpointId) -> Result<(), StoreError> {
        let mut command = redis::cmd("HDEL");
        command.arg(keys::DROPPING).arg(id.to_string());
        self.ask(&command).await
    }
}

fn changed_meanwhile(endpoint: &Endpoint) -> StoreError {
    StoreError::Conflict(format!("the endpoint {} was changed in this moment", endpoint.id))
}

fn parse(id: &EndpointId, text: &str) -> Result<Option<Endpoint>, StoreError> {
    if serde_json::from_str::<Tombstone>(text).is_ok_and(|tombstone| tombstone.deleted) {
        return Ok(None);
    }
    let damaged =
        |error: serde_json::Error| StoreError::Damaged { key: keys::endpoint(id), problem: error.to_string() };
    serde_json::from_str(text).map(Some).map_err(damaged)
}

fn written(document: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(document)
        .map_err(|error| StoreError::Refused(format!("the endpoint cannot be written: {error}")))
}
