//! Writing trackers: registration, commit and delete, each one script over keys of one shard.

use jiff::Timestamp;
use serde::Serialize;

use super::codec;
use super::error::StoreError;
use super::keys;
use super::lookups;
use super::routing::Routes;
use super::scripts;
use super::seal::random;
use super::{Store, Wakeups};
use crate::model::change::FORMAT_VERSION;
use crate::model::time::to_millis;
use crate::model::{AccountName, ChangeId, DelayKind, EndpointId, NewChange, TimerKind, Tracker, TrackerId};
use crate::telemetry::metrics;

/// How a registration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// The tracker is there now and was not before.
    Created,
    /// It was there: load it and commit what the shop changed.
    Exists,
}

/// How a commit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commit {
    /// Everything is written.
    Done {
        /// The tracker's new revision.
        revision: u64,
        /// Ids of the changes, in their order.
        ids: Vec<ChangeId>,
    },
    /// Somebody else committed first: load it again, and derive again.
    LostRace,
    /// There is no such tracker (any more).
    Gone,
}

/// What a script is told besides long texts.
#[derive(Serialize)]
struct Plan<'a> {
    id: String,
    shop: &'a str,
    version: u64,
    prefix: String,
    token: String,
    create: bool,
    expected: String,
    #[serde(serialize_with = "or_false")]
    due: Option<i64>,
    #[serde(serialize_with = "or_false")]
    status_since: Option<i64>,
    /// One for each kind of delay: since when, `-` closed, `=` as before.
    open: Vec<String>,
    timers_on: Vec<String>,
    timers_off: Vec<String>,
    absent: Vec<&'static str>,
    /// Look-ups that the tracker holds from now on.
    found: Vec<String>,
    /// Look-ups that nothing holds from now on.
    lost: Vec<String>,
    changes: Vec<PlannedChange>,
    routed: Vec<Route>,
}

#[derive(Serialize)]
struct PlannedChange {
    v: u8,
    #[serde(rename = "type")]
    kind: String,
    seq: u64,
}

#[derive(Serialize)]
struct Route {
    endpoint: String,
    /// Which changes, from 1.
    changes: Vec<usize>,
}

enum Outcome {
    Done(Vec<ChangeId>),
    Exists,
    Lost,
    Gone,
    Stale,
}

/// More rounds than endpoints are ever written in the time of one commit.
const STALE_ROUNDS: usize = 16;

impl Store {
    /// Registers a tracker with its first changes and timers. When this answers, the registration is as durable as
    /// the server can make it.
    pub async fn register(
        &self,
        tracker: &Tracker,
        changes: &[NewChange],
        timers: &[(TimerKind, Timestamp)],
    ) -> Result<Registered, StoreError> {
        self.write_lookups(tracker).await?;
        let outcome = self.write(None, tracker, changes, timers).await?;
        self.make_durable().await?;
        match outcome {
            Outcome::Done(_) => Ok(Registered::Created),
            _ => Ok(Registered::Exists),
        }
    }

    /// Commits what became of a tracker: its state, next poll, timers, changes and their deliveries, together or not
    /// at all. `timers` is the whole new set, of which the earliest is kept: running it is a commit that says what comes
    /// next.
    pub async fn commit(
        &self,
        before: &Tracker,
        after: &Tracker,
        changes: &[NewChange],
        timers: &[(TimerKind, Timestamp)],
    ) -> Result<Commit, StoreError> {
        if lookups::of(before) != lookups::of(after) {
            self.write_lookups(after).await?;
        }
        let after = Tracker { revision: before.revision.saturating_add(1), ..after.clone() };
        Ok(match self.write(Some(before), &after, changes, timers).await? {
            Outcome::Done(ids) => Commit::Done { revision: after.revision, ids },
            Outcome::Gone => Commit::Gone,
            _ => Commit::LostRace,
        })
    }

    /// Erases a tracker. Its history leaves the change log; `changes` (that it was deleted) stays there and is
    /// delivered.
    pub async fn delete(&self, tracker: &Tracker, changes: &[NewChange]) -> Result<Commit, StoreError> {
        let mut routes = self.routes(&tracker.shop).await?;
        for _ in 0..STALE_ROUNDS {
            let call = delete_call(tracker, changes, &routes)?;
            match outcome(&call.run::<Vec<String>>(&self.connection()).await?)? {
                Outcome::Done(ids) => {
                    self.wakeups().deliveries.notify_one();
                    return Ok(Commit::Done { revision: tracker.revision, ids });
                }
                Outcome::Gone => return Ok(Commit::Gone),
                Outcome::Stale => routes = self.reload_routes(&tracker.shop).await?,
                _ => return Ok(Commit::LostRace),
            }
        }
        Err(routes_never_settle())
    }

    /// Moves the next poll without a commit, if the tracker still waits for one there.
    pub async fn push_due(&self, id: &TrackerId, account: &AccountName, at: Timestamp) -> Result<(), StoreError> {
        let mut command = redis::cmd("ZADD");
        command.arg(keys::due(id.shard(), account)).arg("XX").arg(to_millis(at)).arg(id.to_string());
        self.ask::<()>(&command).await?;
        Ok(())
    }

    async fn write(
        &self,
        before: Option<&Tracker>,
        after: &Tracker,
        changes: &[NewChange],
        timers: &[(TimerKind, Timestamp)],
    ) -> Result<Outcome, StoreError> {
        let token = u64::from_le_bytes(random()?) >> 1;
        let mut routes = self.routes(&after.shop).await?;
        for _ in 0..STALE_ROUNDS {
            let call = commit_call(before, after, changes, timers, &routes, token)?;
            match outcome(&call.run::<Vec<String>>(&self.connection()).await?)? {
                Outcome::Stale => routes = self.reload_routes(&after.shop).await?,
                done @ Outcome::Done(_) => {
                    for change in changes {
                        metrics::change(&change.kind.to_string());
                    }
                    wake(self.wakeups(), after, !changes.is_empty(), timers);
                    return Ok(done);
                }
                other => return Ok(other),
            }
        }
        Err(routes_never_settle())
    }
}

/// Rings for what can be done now. What comes later is found by the loops' own looks: most commits set a poll and
/// timers far ahead, and a bell for each would have the queues of all shards read for nothing.
fn wake(wakeups: &Wakeups, after: &Tracker, deliveries: bool, timers: &[(TimerKind, Timestamp)]) {
    let now = crate::clock::now();
    if after.poll.next_at.is_some_and(|at| at <= now) {
        wakeups.due(&after.account).notify_one();
    }
    if deliveries {
        wakeups.deliveries.notify_one();
    }
    if timers.iter().any(|(_, at)| *at <= now) {
        wakeups.timers.notify_one();
    }
}

fn routes_never_settle() -> StoreError {
    StoreError::Refused("the shop's endpoints change faster than they can be read".to_owned())
}

fn commit_call(
    before: Option<&Tracker>,
    after: &Tracker,
    changes: &[NewChange],
    timers: &[(TimerKind, Timestamp)],
    routes: &Routes,
    token: u64,
) -> Result<scripts::Call, StoreError> {
    let stored = codec::encode(after);
    let mut plan = plan_of(after, changes, routes);
    plan.token = token.to_string();
    plan.create = before.is_none();
    plan.expected = before.map_or_else(String::new, |before| before.revision.to_string());
    plan.due = after.poll.next_at.map(to_millis);
    let same_status = before
        .is_some_and(|b| b.substatus.status() == after.substatus.status() && b.status_since == after.status_since);
    plan.status_since = (!same_status).then(|| to_millis(after.status_since));
    plan.open = DelayKind::ALL.iter().map(|kind| open_mark(*kind, before, after)).collect();
    // The earliest is enough: whoever runs it commits, and says anew what comes next.
    let next = timers.iter().min_by_key(|(_, at)| *at);
    plan.timers_on = next.iter().flat_map(|(kind, at)| [to_millis(*at).to_string(), timer(*kind, &after.id)]).collect();
    plan.timers_off.retain(|off| before.is_some() && !plan.timers_on.contains(off));
    let written: Vec<&str> = stored.fields.iter().map(|(name, _)| *name).collect();
    plan.absent = codec::FIELDS.into_iter().filter(|name| before.is_some() && !written.contains(name)).collect();
    let found = lookups::of(after);
    plan.found = found.iter().map(|key| lookups::loose_member(&after.id, key)).collect();
    let held = before.map(lookups::of).unwrap_or_default();
    plan.lost =
        held.iter().filter(|key| !found.contains(key)).map(|key| lookups::loose_member(&after.id, key)).collect();

    // What did not change is not sent: most polls find nothing new.
    let old = before.map(codec::encode);
    let text = |old: Option<&String>, new: &String| {
        if old == Some(new) && !new.is_empty() { "=".to_owned() } else { new.clone() }
    };
    let events = text(old.as_ref().map(|old| &old.events), &stored.events);
    let about = text(old.as_ref().map(|old| &old.about), &stored.about);

    let mut call =
        scripts::COMMIT.on(&commit_keys(before, after, routes, &plan)).arg(written_plan(&plan)?).arg(events).arg(about);
    for change in changes {
        call = call.arg(&change.data);
    }
    for (name, value) in &stored.fields {
        call = call.arg(*name).arg(value);
    }
    Ok(call)
}

fn delete_call(tracker: &Tracker, changes: &[NewChange], routes: &Routes) -> Result<scripts::Call, StoreError> {
    let mut plan = plan_of(tracker, changes, routes);
    plan.expected = tracker.revision.to_string();
    plan.lost = lookups::of(tracker).iter().map(|key| lookups::loose_member(&tracker.id, key)).collect();
    let (id, shard) = (&tracker.id, tracker.id.shard());
    let subject = id.to_string();
    let mut names = vec![
        keys::tracker(id),
        keys::events(id),
        keys::about(id),
        keys::log(shard, &subject),
        keys::timers(shard),
        keys::changes(shard, &tracker.shop),
        keys::routes(shard),
        keys::ready(shard),
        keys::pauses(shard),
        keys::loose_lookups(shard),
        keys::due(shard, &tracker.account),
        keys::by_status(shard, &tracker.shop, tracker.substatus.status()),
        keys::sent(shard, &subject),
        keys::answer(id),
    ];
    names.extend(DelayKind::ALL.iter().map(|kind| keys::by_condition(shard, &tracker.shop, kind.name())));
    names.extend(routed_keys(tracker, routes, &plan));
    let mut call = scripts::DELETE.on(&names).arg(written_plan(&plan)?);
    for change in changes {
        call = call.arg(&change.data);
    }
    Ok(call)
}

fn plan_of<'a>(tracker: &'a Tracker, changes: &[NewChange], routes: &Routes) -> Plan<'a> {
    Plan {
        id: tracker.id.to_string(),
        shop: tracker.shop.as_str(),
        version: routes.version,
        prefix: format!("evt_{}_{}_", tracker.id.shard().number(), routes.shop_number),
        token: String::new(),
        create: false,
        expected: String::new(),
        due: None,
        status_since: None,
        open: Vec::new(),
        timers_on: Vec::new(),
        timers_off: TimerKind::ALL.iter().map(|kind| timer(*kind, &tracker.id)).collect(),
        absent: Vec::new(),
        found: Vec::new(),
        lost: Vec::new(),
        changes: changes
            .iter()
            .map(|change| PlannedChange { v: FORMAT_VERSION, kind: change.kind.to_string(), seq: change.sequence })
            .collect(),
        routed: route(changes, routes),
    }
}

/// Which endpoint gets which changes.
fn route(changes: &[NewChange], routes: &Routes) -> Vec<Route> {
    let kinds: Vec<String> = changes.iter().map(|change| change.kind.to_string()).collect();
    let wanted_by = |endpoint: &crate::model::Endpoint| -> Vec<usize> {
        kinds.iter().enumerate().filter(|(_, kind)| endpoint.wants(kind)).map(|(index, _)| index + 1).collect()
    };
    routes
        .receiving()
        .map(|endpoint| Route { endpoint: endpoint.id.to_string(), changes: wanted_by(endpoint) })
        .filter(|route| !route.changes.is_empty())
        .collect()
}

fn written_plan(plan: &Plan<'_>) -> Result<String, StoreError> {
    serde_json::to_string(plan).map_err(|error| StoreError::Refused(format!("the commit's plan: {error}")))
}

/// Lua's reader of JSON turns null into a value that counts as true; false it understands.
#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn or_false<S: serde::Serializer>(number: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) => serializer.serialize_i64(*number),
        None => serializer.serialize_bool(false),
    }
}

fn commit_keys(before: Option<&Tracker>, after: &Tracker, routes: &Routes, plan: &Plan<'_>) -> Vec<String> {
    let (id, shard) = (&after.id, after.id.shard());
    let was = before.unwrap_or(after);
    let mut names = vec![
        keys::tracker(id),
        keys::events(id),
        keys::about(id),
        keys::log(shard, &id.to_string()),
        keys::timers(shard),
        keys::changes(shard, &after.shop),
        keys::routes(shard),
        keys::ready(shard),
        keys::pauses(shard),
        keys::loose_lookups(shard),
        keys::due(shard, &was.account),
        keys::due(shard, &after.account),
        keys::by_status(shard, &after.shop, was.substatus.status()),
        keys::by_status(shard, &after.shop, after.substatus.status()),
    ];
    names.extend(DelayKind::ALL.iter().map(|kind| keys::by_condition(shard, &after.shop, kind.name())));
    names.extend(routed_keys(after, routes, plan));
    names
}

fn routed_keys(tracker: &Tracker, routes: &Routes, plan: &Plan<'_>) -> Vec<String> {
    let shard = tracker.id.shard();
    let id_of =
        |route: &Route| routes.receiving().find(|endpoint| endpoint.id.to_string() == route.endpoint).map(|e| &e.id);
    let pair = |endpoint: &EndpointId| [keys::pending(shard, endpoint, &plan.id), keys::deliver(shard, endpoint)];
    plan.routed.iter().filter_map(id_of).flat_map(pair).collect()
}

fn open_mark(kind: DelayKind, before: Option<&Tracker>, after: &Tracker) -> String {
    let since =
        |tracker: &Tracker| tracker.conditions.iter().find(|open| open.kind == kind).map(|open| to_millis(open.since));
    match (before.and_then(since), since(after)) {
        (old, new) if old == new => "=".to_owned(),
        (_, Some(since)) => since.to_string(),
        (_, None) => "-".to_owned(),
    }
}

/// A tracker's timer, as the `timers` key names it.
pub(super) fn timer(kind: TimerKind, id: &TrackerId) -> String {
    format!("{}:{id}", kind.name())
}

fn outcome(words: &[String]) -> Result<Outcome, StoreError> {
    let ids = || words[1..].iter().map(|id| id.parse()).collect::<Result<Vec<ChangeId>, _>>();
    Ok(match words.first().map(String::as_str) {
        Some("done") => Outcome::Done(ids().map_err(|error| StoreError::Refused(error.to_string()))?),
        Some("exists") => Outcome::Exists,
        Some("lost") => Outcome::Lost,
        Some("gone") => Outcome::Gone,
        Some("stale") => Outcome::Stale,
        other => return Err(StoreError::Refused(format!("a commit answered {other:?}"))),
    })
}
