//! The change log: one stream a shop and shard. An entry holds the exact bytes of a webhook's `data`.

use jiff::{SignedDuration, Timestamp};
use redis::FromRedisValue;
use redis::streams::{StreamId, StreamRangeReply};
use serde::Serialize;

use super::Store;
use super::error::StoreError;
use super::keys;
use super::scripts;
use crate::model::change::FORMAT_VERSION;
use crate::model::time::{after, from_millis, to_millis};
use crate::model::{Change, ChangeId, ChangeKind, Endpoint, EndpointId, Shard, ShopId, Tracker};

/// A change about an endpoint, as the script takes it.
#[derive(Serialize)]
struct Plan<'a> {
    shop: &'a str,
    version: u64,
    prefix: String,
    token: String,
    v: u8,
    #[serde(rename = "type")]
    kind: String,
    subject: String,
    endpoints: Vec<String>,
}

/// Entries that one step reads.
const TRIM_BATCH: usize = 100;

impl Store {
    /// Stores a change about an endpoint and queues it for these endpoints of its shop.
    pub async fn append_endpoint_change(
        &self,
        endpoint: &Endpoint,
        kind: ChangeKind,
        data: &str,
        deliver_to: &[EndpointId],
    ) -> Result<ChangeId, StoreError> {
        let once = u64::from_le_bytes(super::seal::random()?).to_string();
        self.append_endpoint_change_once(endpoint, kind, data, deliver_to, &once).await
    }

    /// The same, unless what is called `once` stands among the newest changes already.
    pub(super) async fn append_endpoint_change_once(
        &self,
        endpoint: &Endpoint,
        kind: ChangeKind,
        data: &str,
        deliver_to: &[EndpointId],
        once: &str,
    ) -> Result<ChangeId, StoreError> {
        let (shop, shard, subject) = (&endpoint.shop, endpoint.id.shard(), endpoint.id.to_string());
        let mut routes = self.routes(shop).await?;
        for _ in 0..16 {
            let to: Vec<&EndpointId> =
                routes.receiving().map(|endpoint| &endpoint.id).filter(|id| deliver_to.contains(id)).collect();
            let plan = Plan {
                shop: shop.as_str(),
                version: routes.version,
                prefix: format!("evt_{}_{}_", shard.number(), routes.shop_number),
                token: once.to_owned(),
                v: FORMAT_VERSION,
                kind: kind.to_string(),
                subject: subject.clone(),
                endpoints: to.iter().map(ToString::to_string).collect(),
            };
            let mut names = vec![
                keys::changes(shard, shop),
                keys::log(shard, &subject),
                keys::routes(shard),
                keys::ready(shard),
                keys::pauses(shard),
            ];
            names.extend(to.iter().flat_map(|id| [keys::pending(shard, id, &subject), keys::deliver(shard, id)]));
            let plan = serde_json::to_string(&plan).map_err(|error| StoreError::Refused(error.to_string()))?;
            let words: Vec<String> = scripts::APPEND.on(&names).arg(plan).arg(data).run(&self.connection()).await?;
            if let [done, id] = &words[..]
                && done == "done"
            {
                self.wakeups().deliveries.notify_one();
                return id.parse().map_err(|error: crate::model::ids::IdError| StoreError::Refused(error.to_string()));
            }
            routes = self.reload_routes(shop).await?;
        }
        Err(StoreError::Refused("the shop's endpoints change faster than they can be read".to_owned()))
    }

    /// A change by its id. Callers compare its shop with theirs.
    pub async fn change(&self, id: &ChangeId) -> Result<Option<Change>, StoreError> {
        let Some(shop) = self.shop_of_number(id.shop).await? else { return Ok(None) };
        let entry = id.stream_id();
        let entries = self.entries(&shop, id.shard, &entry, &entry, 1).await?;
        entries.into_iter().next().map(|entry| parse(id.shard, id.shop, &shop, &entry)).transpose()
    }

    /// Changes of a shop in one shard, in order, after this one (or from the first on).
    pub async fn changes_after(
        &self,
        shop: &ShopId,
        shard: Shard,
        cursor: Option<&ChangeId>,
        limit: usize,
    ) -> Result<Vec<Change>, StoreError> {
        let number = self.routes(shop).await?.shop_number;
        let from = cursor.map_or_else(|| "-".to_owned(), |id| format!("({}", id.stream_id()));
        let entries = self.entries(shop, shard, &from, "+", limit).await?;
        entries.iter().map(|entry| parse(shard, number, shop, entry)).collect()
    }

    /// A tracker's own changes, the newest first: those with a lower sequence than `before`, or all.
    pub async fn changes_of(
        &self,
        tracker: &Tracker,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Change>, StoreError> {
        let (shard, shop) = (tracker.id.shard(), &tracker.shop);
        let mut newest = redis::cmd("ZRANGE");
        newest.arg(keys::log(shard, &tracker.id.to_string()));
        newest.arg(before.map_or_else(|| "+inf".to_owned(), |sequence| format!("({sequence}")));
        newest.arg("-inf").arg("BYSCORE").arg("REV").arg("LIMIT").arg(0).arg(limit);
        let ids: Vec<String> = self.ask(&newest).await?;
        let ids: Vec<ChangeId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        let read = |id: &ChangeId| {
            let mut command = redis::cmd("XRANGE");
            command.arg(keys::changes(shard, shop)).arg(id.stream_id()).arg(id.stream_id());
            command
        };
        let answers = self.ask_all(&ids.iter().map(read).collect::<Vec<_>>()).await?;
        let mut changes = Vec::with_capacity(ids.len());
        for (id, answer) in ids.iter().zip(answers) {
            let reply = StreamRangeReply::from_redis_value(answer).map_err(redis::RedisError::from)?;
            // Trimmed since the list was read: it is gone for everybody.
            changes.extend(reply.ids.first().map(|entry| parse(shard, id.shop, shop, entry)).transpose()?);
        }
        Ok(changes)
    }

    async fn entries(
        &self,
        shop: &ShopId,
        shard: Shard,
        from: &str,
        to: &str,
        limit: usize,
    ) -> Result<Vec<StreamId>, StoreError> {
        let mut command = redis::cmd("XRANGE");
        command.arg(keys::changes(shard, shop)).arg(from).arg(to).arg("COUNT").arg(limit);
        let reply: StreamRangeReply = self.ask(&command).await?;
        Ok(reply.ids)
    }

    /// Removes what is older than the store's `log_max_age`, never past the oldest entry that an endpoint still waits
    /// for or that is listed as dead. Returns how many entries went.
    pub async fn trim_logs(&self, now: Timestamp) -> Result<usize, StoreError> {
        let age = SignedDuration::try_from(self.options().log_max_age).unwrap_or(SignedDuration::MAX);
        let before = to_millis(after(now, -age));
        let mut trimmed = Ok(0);
        for shop in self.shops().await? {
            // The trouble of one shop (a damaged endpoint) does not keep the others' logs from being trimmed.
            let of_shop = self.trim_logs_of(&shop.id, before).await;
            trimmed = trimmed.and_then(|count| Ok(count + of_shop?));
        }
        trimmed
    }

    async fn trim_logs_of(&self, shop: &ShopId, before: i64) -> Result<usize, StoreError> {
        let mut trimmed = 0;
        for shard in Shard::all() {
            trimmed += self.trim_log(shop, shard, before).await?;
        }
        Ok(trimmed)
    }

    async fn trim_log(&self, shop: &ShopId, shard: Shard, before: i64) -> Result<usize, StoreError> {
        let mut trimmed = 0;
        let last = format!("({}", before.max(0));
        loop {
            let entries = self.entries(shop, shard, "-", &last, TRIM_BATCH).await?;
            if entries.is_empty() {
                return Ok(trimmed);
            }
            let routes = self.reload_routes(shop).await?;
            let endpoints: Vec<EndpointId> = routes.endpoints.iter().map(|endpoint| endpoint.id.clone()).collect();
            let mut names = vec![keys::changes(shard, shop), keys::routes(shard), keys::trimmed(shard)];
            let mut ids = Vec::new();
            for entry in &entries {
                let subject: String = entry.get("subject").unwrap_or_default();
                names.push(keys::log(shard, &subject));
                for endpoint in &endpoints {
                    names.extend([keys::pending(shard, endpoint, &subject), keys::dead(shard, endpoint)]);
                }
                ids.push(format!("evt_{}_{}_{}", shard.number(), routes.shop_number, entry.id.replace('-', "_")));
            }
            let call = scripts::TRIM.on(&names).arg(shop.as_str()).arg(routes.version).arg(endpoints.len()).arg(ids);
            let gone = usize::try_from(call.run::<i64>(&self.connection()).await?).unwrap_or(0);
            trimmed += gone;
            if gone < TRIM_BATCH {
                return Ok(trimmed);
            }
        }
    }
}

pub(super) fn parse(shard: Shard, shop_number: u32, shop: &ShopId, entry: &StreamId) -> Result<Change, StoreError> {
    let damaged = |what: &str| StoreError::Damaged {
        key: keys::changes(shard, shop),
        problem: format!("entry {} has no good {what}", entry.id),
    };
    let (ms, n) = entry.id.split_once('-').ok_or_else(|| damaged("id"))?;
    let ms: u64 = ms.parse().map_err(|_| damaged("id"))?;
    let text = |name: &str| entry.get::<String>(name).ok_or_else(|| damaged(name));
    Ok(Change {
        id: ChangeId { shard, shop: shop_number, ms, n: n.parse().map_err(|_| damaged("id"))? },
        version: text("v")?.parse().map_err(|_| damaged("v"))?,
        kind: text("type")?,
        shop: shop.clone(),
        subject: text("subject")?,
        sequence: text("seq")?.parse().map_err(|_| damaged("seq"))?,
        at: from_millis(i64::try_from(ms).unwrap_or(i64::MAX)),
        data: text("data")?,
    })
}
