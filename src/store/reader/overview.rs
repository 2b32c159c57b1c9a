//! How it goes: daemons, accounts, endpoints.

use jiff::Timestamp;

use super::Reader;
use super::history::millis;
use crate::model::time::{from_millis, to_millis};
use crate::model::{AccountName, EndpointId, Shard, ShopId};
use crate::store::daemons::{self, Beat};
use crate::store::error::StoreError;
use crate::store::{AccountPause, keys};

/// A daemon, as it last told of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// When that was.
    pub seen_at: Timestamp,
    /// What it told.
    pub told: Beat,
}

/// How an account stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    /// Its name.
    pub name: AccountName,
    /// The daemon that polls it now.
    pub holder: Option<String>,
    /// Why nobody does.
    pub pause: Option<AccountPause>,
    /// Trackers that wait for their next poll, soon or late.
    pub tracked: u64,
    /// Those of them whose time has come.
    pub due: u64,
    /// Since when the longest waiting one of these is due.
    pub due_since: Option<Timestamp>,
}

/// What waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Trackers (and endpoints) that have something to tell.
    pub subjects: u64,
    /// The next attempt of the first of them.
    pub next_at: Option<Timestamp>,
}

/// How the deliveries of an endpoint stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointView {
    /// Its id.
    pub id: EndpointId,
    /// What waits for it.
    pub waiting: Waiting,
    /// Nothing is sent to it before then.
    pub paused_until: Option<Timestamp>,
    /// Nothing is sent to it until somebody changes that: paused or disabled by its shop, or by its answers.
    pub held: bool,
    /// Deliveries to it that were given up.
    pub dead: u64,
    /// Why the last failed attempt of those that wait failed.
    pub last_error: Option<String>,
    /// When the first attempt of those failed that wait; none since has succeeded for it.
    pub failing_since: Option<Timestamp>,
}

/// What failed attempts left behind, of the deliveries that wait.
#[derive(Default)]
struct Failing {
    error: Option<String>,
    since: Option<Timestamp>,
}

impl Reader {
    /// Every daemon that told of itself in the last day, the newest word first.
    pub async fn daemons(&self) -> Result<Vec<Daemon>, StoreError> {
        let mut list = redis::cmd("ZREVRANGE");
        list.arg(keys::DAEMONS).arg(0).arg(-1).arg("WITHSCORES");
        let names: Vec<(String, f64)> = self.ask(&list).await?;
        let get = |(name, _): &(String, f64)| redis::cmd("HGETALL").arg(keys::daemon(name)).clone();
        let told: Vec<Vec<(String, String)>> = self.ask_all(&names.iter().map(get).collect::<Vec<_>>()).await?;
        let pairs = names.iter().zip(told);
        Ok(pairs
            .filter_map(|((_, at), fields)| Some(Daemon { seen_at: millis(*at), told: daemons::read(fields)? }))
            .collect())
    }

    /// How an account stands at this moment.
    pub async fn account(&self, name: &AccountName, now: Timestamp) -> Result<AccountView, StoreError> {
        let mut lease = redis::cmd("HMGET");
        lease.arg(keys::lease(name)).arg("owner").arg("expires");
        let mut pause = redis::cmd("HMGET");
        pause.arg(keys::account_pause(name)).arg("until").arg("why");
        let (owner, expires): (Option<String>, Option<i64>) = self.ask(&lease).await?;
        let (until, why): (Option<i64>, Option<String>) = self.ask(&pause).await?;
        let count = |shard| redis::cmd("ZCARD").arg(keys::due(shard, name)).clone();
        let due = |shard| redis::cmd("ZCOUNT").arg(keys::due(shard, name)).arg("-inf").arg(to_millis(now)).clone();
        let first = |shard| redis::cmd("ZRANGE").arg(keys::due(shard, name)).arg(0).arg(0).arg("WITHSCORES").clone();
        let tracked: Vec<u64> = self.ask_all(&Shard::all().map(count).collect::<Vec<_>>()).await?;
        let due: Vec<u64> = self.ask_all(&Shard::all().map(due).collect::<Vec<_>>()).await?;
        let first: Vec<Vec<(String, f64)>> = self.ask_all(&Shard::all().map(first).collect::<Vec<_>>()).await?;
        let oldest = first.iter().flatten().map(|(_, at)| millis(*at)).min();
        Ok(AccountView {
            name: name.clone(),
            holder: owner.filter(|_| expires.is_some_and(|at| from_millis(at) > now)),
            pause: until
                .map(|until| AccountPause { until: from_millis(until), why: why.unwrap_or_default(), refused: None })
                .filter(|pause| pause.until > now),
            tracked: tracked.iter().sum(),
            due: due.iter().sum(),
            due_since: oldest.filter(|at| *at <= now),
        })
    }

    /// The endpoints of a shop that are not deleted, by id.
    pub async fn endpoint_ids(&self, shop: &ShopId) -> Result<Vec<EndpointId>, StoreError> {
        let list: Option<String> = self.ask(redis::cmd("HGET").arg(keys::shop(shop)).arg("endpoints")).await?;
        Ok(list.unwrap_or_default().split_whitespace().filter_map(|id| id.parse().ok()).collect())
    }

    /// How the deliveries of an endpoint stand at this moment.
    pub async fn deliveries(&self, id: &EndpointId, now: Timestamp) -> Result<EndpointView, StoreError> {
        let mut view = EndpointView {
            id: id.clone(),
            waiting: Waiting::default(),
            paused_until: None,
            held: false,
            dead: 0,
            last_error: None,
            failing_since: None,
        };
        // More than the first: what came while the endpoint rests stands before what failed.
        let first = |shard| redis::cmd("ZRANGE").arg(keys::deliver(shard, id)).arg(0).arg(3).arg("WITHSCORES").clone();
        let count = |shard| redis::cmd("ZCARD").arg(keys::deliver(shard, id)).clone();
        let dead = |shard| redis::cmd("ZCARD").arg(keys::dead(shard, id)).clone();
        let pause = |shard| redis::cmd("HGET").arg(keys::pauses(shard)).arg(id.to_string()).clone();
        let first: Vec<Vec<(String, f64)>> = self.ask_all(&Shard::all().map(first).collect::<Vec<_>>()).await?;
        let counts: Vec<u64> = self.ask_all(&Shard::all().map(count).collect::<Vec<_>>()).await?;
        let dead: Vec<u64> = self.ask_all(&Shard::all().map(dead).collect::<Vec<_>>()).await?;
        let pauses: Vec<Option<u64>> = self.ask_all(&Shard::all().map(pause).collect::<Vec<_>>()).await?;
        view.waiting.subjects = counts.iter().sum();
        view.waiting.next_at = first.iter().flatten().map(|(_, at)| millis(*at)).min();
        view.dead = dead.iter().sum();
        let longest = pauses.into_iter().flatten().max();
        view.held = longest.is_some_and(|until| until >= crate::store::routing::HELD);
        view.paused_until = longest
            .filter(|_| !view.held)
            .and_then(|until| i64::try_from(until).ok())
            .map(from_millis)
            .filter(|until| *until > now);
        let heads =
            Shard::all().zip(first).flat_map(|(shard, heads)| heads.into_iter().map(move |(name, _)| (shard, name)));
        // Rules for readers that were written for an older wismo do not allow these keys.
        let failing = self.failing(id, &heads.collect::<Vec<_>>()).await.unwrap_or_default();
        view.last_error = failing.error;
        view.failing_since = failing.since;
        Ok(view)
    }

    /// Why the latest failed attempt failed, and since when attempts do, of these subjects' at an endpoint.
    async fn failing(&self, id: &EndpointId, subjects: &[(Shard, String)]) -> Result<Failing, StoreError> {
        if subjects.is_empty() {
            return Ok(Failing::default());
        }
        let read = |(shard, subject): &(Shard, String)| {
            let key = keys::attempt(*shard, id, subject);
            redis::cmd("HMGET").arg(key).arg("last_at").arg("first_at").arg("error").clone()
        };
        let told: Vec<(Option<i64>, Option<i64>, Option<String>)> =
            self.ask_all(&subjects.iter().map(read).collect::<Vec<_>>()).await?;
        let since = told.iter().filter_map(|(_, first, _)| *first).min().map(from_millis);
        let error = told.into_iter().max_by_key(|(last, ..)| *last).and_then(|(.., error)| error);
        Ok(Failing { error, since })
    }
}
