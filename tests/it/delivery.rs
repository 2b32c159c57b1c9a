//! Deliveries in a single server and in a cluster: turns, tokens, pauses, replay, ageing. Queues are seeded here as
//! the commit writes them.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use redis::aio::ConnectionLike;
use tokio::time::timeout;
use wismo::model::time::{after, from_millis};
use wismo::model::{
    ChangeId, ChangeKind, Endpoint, EndpointId, EndpointState, NewChange, Registration, Shard, ShopId, Tracker,
    TrackerId,
};
use wismo::store::{Claim, Commit, MasterKey, Registered, Store, StoreOptions, Target, keys};

use crate::support::redis::{RedisCluster, RedisServer};

const LEASE: Duration = Duration::from_secs(60);
const START: i64 = 1_800_000_000_000;

/// Opens the store and a plain connection beside it.
struct Bench {
    store: Store,
    raw: Box<dyn Raw>,
}

trait Raw: ConnectionLike + Send {}
impl<T: ConnectionLike + Send> Raw for T {}

impl Bench {
    async fn open(target: Target, raw: impl ConnectionLike + Send + 'static) -> Self {
        let store = Store::connect(target, StoreOptions::default(), MasterKey::generate().unwrap()).await.unwrap();
        Self { store, raw: Box::new(raw) }
    }

    async fn ask<T: redis::FromRedisValue>(&mut self, command: &redis::Cmd) -> T {
        let value = self.raw.req_packed_command(command).await.unwrap().extract_error().unwrap();
        redis::from_redis_value(value).unwrap()
    }

    /// Queues a change as a commit does.
    async fn queue(&mut self, endpoint: &EndpointId, tracker: &TrackerId, n: u64, at: Timestamp) -> ChangeId {
        let change = change(tracker, n);
        let (shard, subject) = (tracker.shard(), tracker.to_string());
        let ms = at.as_millisecond();
        let score: u64 = change.ms + n;
        let _: () = self
            .ask(
                redis::cmd("ZADD")
                    .arg(keys::pending(shard, endpoint, &subject))
                    .arg("NX")
                    .arg(score)
                    .arg(change.to_string()),
            )
            .await;
        let _: () =
            self.ask(redis::cmd("ZADD").arg(keys::deliver(shard, endpoint)).arg("NX").arg(ms).arg(&subject)).await;
        let _: () =
            self.ask(redis::cmd("ZADD").arg(keys::ready(shard)).arg("LT").arg(ms).arg(endpoint.to_string())).await;
        change
    }

    /// Makes the tracker exist.
    async fn track(&mut self, tracker: &TrackerId) {
        let _: () = self.ask(redis::cmd("HSET").arg(keys::tracker(tracker)).arg("number").arg("1")).await;
    }

    async fn claim(&self, now: Timestamp, limit: usize) -> Vec<Claim> {
        self.store.claim_deliveries(now, limit, LEASE, &|_| 1000).await.unwrap()
    }

    /// The only claim there is.
    async fn claim_one(&self, now: Timestamp) -> Claim {
        let mut claims = self.claim(now, 100).await;
        assert_eq!(claims.len(), 1, "{claims:?}");
        claims.remove(0)
    }

    /// Everything left in the store, but for what `keep` names.
    async fn keys_left(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        for shard in Shard::all() {
            for key in [keys::ready(shard), keys::buried(shard), keys::pauses(shard), keys::sweep(shard)] {
                if self.ask::<bool>(redis::cmd("EXISTS").arg(&key)).await {
                    found.push(key);
                }
            }
        }
        found
    }
}

fn start() -> Timestamp {
    from_millis(START)
}

fn later(seconds: i64) -> Timestamp {
    after(start(), SignedDuration::from_secs(seconds))
}

fn endpoint(n: u8) -> EndpointId {
    EndpointId::from_bytes([n; 16])
}

fn tracker(n: u16) -> TrackerId {
    let mut bytes = [7; 16];
    bytes[..2].copy_from_slice(&n.to_le_bytes());
    TrackerId::from_bytes(bytes)
}

/// The id of a tracker's n-th change, unlike that of any other's.
fn change(tracker: &TrackerId, n: u64) -> ChangeId {
    let subject = crc(&tracker.to_string());
    ChangeId { shard: tracker.shard(), shop: 1, ms: u64::try_from(START).unwrap(), n: subject * 10 + n }
}

fn crc(text: &str) -> u64 {
    text.bytes().fold(5381, |sum, byte| (sum * 33 + u64::from(byte)) % 1_000_003)
}

/// Runs each against a server of its own, and all in turn against one cluster, emptied in between.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod single {
            $(#[tokio::test]
            async fn $name() {
                let server = super::RedisServer::start().await;
                let raw = server.raw().await;
                super::$name(super::Bench::open(server.target(), raw).await).await;
            })*
        }

        #[tokio::test]
        async fn the_same_in_a_cluster() {
            let cluster = RedisCluster::start().await;
            let nodes = cluster.nodes().iter().map(RedisServer::url);
            let client = redis::cluster::ClusterClient::new(nodes).unwrap();
            $(
                println!("in a cluster: {}", stringify!($name));
                for node in cluster.nodes() {
                    let _: () = redis::cmd("FLUSHALL").query_async(&mut node.raw().await).await.unwrap();
                }
                let raw = client.get_async_connection().await.unwrap();
                $name(Bench::open(cluster.target(), raw).await).await;
            )*
        }
    };
}

on_both!(
    changes_of_a_subject_go_one_by_one_in_order,
    only_the_holder_of_the_token_settles,
    a_failure_counts_and_a_release_does_not,
    a_dead_delivery_is_listed_and_can_be_queued_again,
    a_backlog_of_one_endpoint_hides_nobody,
    two_claimers_never_hold_the_same,
    a_pause_holds_claims_back_everywhere,
    what_waits_too_long_dies_and_is_forgotten,
    nobody_waits_for_the_next_attempt_of_a_dead_delivery,
    what_an_endpoint_holds_back_stays_back,
    a_deleted_endpoint_is_forgotten,
    a_backlog_is_counted_over_all_shards,
    from_the_commit_to_the_arrival,
    foreign_and_unknown_changes_are_not_replayed,
);

/// Work must leave the store when its memory is full, or it never gets better.
#[tokio::test]
async fn a_full_memory_stops_no_delivery() {
    let server = RedisServer::start().await;
    let raw = server.raw().await;
    let mut bench = Bench::open(server.target(), raw).await;
    let (endpoint, tracker) = (endpoint(1), tracker(1));
    bench.track(&tracker).await;
    for n in 1..=3 {
        bench.queue(&endpoint, &tracker, n, later(0)).await;
    }
    let _: () = bench.ask(redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg("1")).await;
    let claim = bench.claim_one(later(0)).await;
    assert!(bench.store.delivered(&claim, later(0)).await.unwrap());
    let claim = bench.claim_one(later(0)).await;
    assert!(bench.store.delivery_failed(&claim, "500", later(1), later(0)).await.unwrap());
    // A server that forgot its scripts (a restart, a failover) is told them again.
    let _: () = bench.ask(redis::cmd("SCRIPT").arg("FLUSH")).await;
    let claim = bench.claim_one(later(1)).await;
    assert!(bench.store.delivery_dead(&claim, "500", later(1)).await.unwrap());
    assert_eq!(bench.claim(later(1), 10).await.len(), 1);
}

async fn changes_of_a_subject_go_one_by_one_in_order(mut bench: Bench) {
    let (endpoint, tracker) = (endpoint(1), tracker(5));
    bench.track(&tracker).await;
    // The later one first: order is by sequence, not by arrival.
    let second = bench.queue(&endpoint, &tracker, 2, later(0)).await;
    let first = bench.queue(&endpoint, &tracker, 1, later(0)).await;
    assert!(bench.claim(later(-1), 100).await.is_empty(), "not due yet");
    let claim = bench.claim_one(later(1)).await;
    assert_eq!((&claim.change, claim.attempts, claim.first_attempt_at), (&first, 0, None));
    assert!(bench.claim(later(2), 100).await.is_empty(), "the second waits for the first");
    assert!(bench.store.delivered(&claim, later(3)).await.unwrap());
    let claim = bench.claim_one(later(3)).await;
    assert_eq!(claim.change, second);
    assert!(bench.store.delivered(&claim, later(4)).await.unwrap());
    assert!(bench.claim(later(1000), 100).await.is_empty());
    assert!(bench.keys_left().await.is_empty());
    let sent = bench.store.sent(tracker.shard(), &tracker.to_string()).await.unwrap();
    let told: Vec<_> = sent.iter().map(|sent| (sent.change.clone(), sent.at, sent.attempt)).collect();
    assert_eq!(told, [(second, later(4), 1), (first, later(3), 1)]);
}

async fn only_the_holder_of_the_token_settles(mut bench: Bench) {
    let (endpoint, tracker) = (endpoint(1), tracker(6));
    let change = bench.queue(&endpoint, &tracker, 1, later(0)).await;
    let old = bench.claim_one(later(0)).await;
    let new = bench.claim_one(later(61)).await;
    assert_eq!((&old.change, &new.change), (&change, &change));
    assert_ne!(old.token, new.token);
    let store = &bench.store;
    assert!(!store.delivered(&old, later(62)).await.unwrap());
    assert!(!store.delivery_failed(&old, "late", later(63), later(62)).await.unwrap());
    assert!(!store.delivery_dead(&old, "late", later(62)).await.unwrap());
    assert!(!store.release(&old, later(62)).await.unwrap());
    assert!(bench.claim(later(90), 100).await.is_empty(), "nothing of that rescheduled it");
    assert!(bench.store.delivered(&new, later(90)).await.unwrap());
    assert!(!bench.store.delivered(&new, later(90)).await.unwrap(), "a repeat changes nothing");
    // Its tracker is gone, so no list of what was sent is made for it.
    assert!(bench.store.sent(tracker.shard(), &tracker.to_string()).await.unwrap().is_empty());
}

async fn a_failure_counts_and_a_release_does_not(mut bench: Bench) {
    let (endpoint, tracker) = (endpoint(1), tracker(7));
    bench.queue(&endpoint, &tracker, 1, later(0)).await;
    let claim = bench.claim_one(later(0)).await;
    assert!(bench.store.delivery_failed(&claim, "503", later(300), later(1)).await.unwrap());
    assert!(!bench.store.delivery_failed(&claim, "503", later(300), later(1)).await.unwrap(), "counted once");
    // A new change does not bring the retry forward.
    let second = bench.queue(&endpoint, &tracker, 2, later(2)).await;
    assert!(bench.claim(later(299), 100).await.is_empty());
    let claim = bench.claim_one(later(300)).await;
    assert_eq!((claim.attempts, claim.first_attempt_at), (1, Some(later(1))));
    assert!(bench.store.release(&claim, later(400)).await.unwrap());
    assert!(bench.claim(later(399), 100).await.is_empty());
    let claim = bench.claim_one(later(400)).await;
    assert_eq!(claim.attempts, 1);
    assert!(bench.store.delivery_erased(&claim, later(401)).await.unwrap());
    let claim = bench.claim_one(later(401)).await;
    assert_eq!((claim.change.clone(), claim.attempts, claim.first_attempt_at), (second, 0, None), "counted anew");
    assert!(bench.store.delivered(&claim, later(402)).await.unwrap());
    assert!(bench.keys_left().await.is_empty());
}

async fn a_dead_delivery_is_listed_and_can_be_queued_again(mut bench: Bench) {
    let (endpoint, tracker) = (endpoint(1), tracker(8));
    let first = bench.queue(&endpoint, &tracker, 1, later(0)).await;
    let second = bench.queue(&endpoint, &tracker, 2, later(0)).await;
    let claim = bench.claim_one(later(0)).await;
    assert!(bench.store.delivery_failed(&claim, "500", later(5), later(1)).await.unwrap());
    let claim = bench.claim_one(later(5)).await;
    assert!(bench.store.delivery_dead(&claim, "500 for the last time", later(6)).await.unwrap());
    let next = bench.claim_one(later(6)).await;
    assert_eq!(next.change, second, "the next one goes on");
    let dead = bench.store.dead(&endpoint, 10).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!((&dead[0].change, dead[0].attempts, dead[0].died_at), (&first, 2, later(6)));
    assert_eq!((dead[0].first_attempt_at, dead[0].last_attempt_at), (Some(later(1)), Some(later(6))));
    assert_eq!((dead[0].error.as_str(), dead[0].sequence), ("500 for the last time", first.ms + 1));
    assert_eq!(bench.store.replay_dead(&endpoint, later(7)).await.unwrap(), 1);
    assert!(bench.store.dead(&endpoint, 10).await.unwrap().is_empty());
    // The second is in flight: the first waits for it, then goes with its attempts counted anew.
    assert!(bench.claim(later(8), 10).await.is_empty());
    assert!(bench.store.delivered(&next, later(9)).await.unwrap());
    let again = bench.claim_one(later(9)).await;
    assert_eq!((&again.change, again.attempts), (&first, 0));
    assert!(bench.store.delivered(&again, later(10)).await.unwrap());
    assert!(bench.keys_left().await.is_empty());
}

async fn a_backlog_of_one_endpoint_hides_nobody(mut bench: Bench) {
    let (slow, quick) = (endpoint(1), endpoint(2));
    for n in 0..1000 {
        bench.queue(&slow, &tracker(n), 1, later(-500)).await;
    }
    bench.queue(&quick, &tracker(3), 1, later(0)).await;
    // Slots of the slow one are taken: the quick one is found, and the slow one gets nothing.
    let cap = |endpoint: &EndpointId| usize::from(*endpoint == quick) * 4;
    let claims = bench.store.claim_deliveries(later(1), 10, LEASE, &cap).await.unwrap();
    assert_eq!(claims.iter().map(|claim| &claim.endpoint).collect::<Vec<_>>(), [&quick]);
    assert!(bench.store.release(&claims[0], later(1)).await.unwrap());
    // With free slots for both, both get a turn even where only two are to be had.
    let claims = bench.claim(later(1), 2).await;
    let who: HashSet<_> = claims.iter().map(|claim| claim.endpoint.clone()).collect();
    assert_eq!(who, HashSet::from([slow.clone(), quick]));
    // A cap is never passed, and all of a backlog can be had.
    let five = bench.store.claim_deliveries(later(1), 100, LEASE, &|_| 5).await.unwrap();
    assert_eq!(five.len(), 5);
    let mut all = five.len() + 1;
    for _ in 0..100 {
        all += bench.claim(later(1), 100).await.len();
    }
    assert_eq!(all, 1000);
}

async fn two_claimers_never_hold_the_same(mut bench: Bench) {
    let mut queued = HashMap::new();
    for e in 1..=3 {
        for t in 0..40 {
            for n in 1..=3 {
                let change = bench.queue(&endpoint(e), &tracker(t), n, later(0)).await;
                queued.entry((endpoint(e), tracker(t).to_string())).or_insert_with(Vec::new).push(change);
            }
        }
    }
    let held = std::sync::Arc::new(std::sync::Mutex::new((HashSet::new(), HashMap::<_, Vec<ChangeId>>::new())));
    let work = |store: Store| {
        let held = held.clone();
        async move {
            let mut idle = 0;
            while idle < 3 {
                let claims = store.claim_deliveries(later(1), 17, LEASE, &|_| 9).await.unwrap();
                idle = if claims.is_empty() { idle + 1 } else { 0 };
                for claim in &claims {
                    let key = (claim.endpoint.clone(), claim.subject.clone());
                    let mut held = held.lock().unwrap();
                    assert!(held.0.insert(key.clone()), "{key:?} is held twice");
                    held.1.entry(key).or_default().push(claim.change.clone());
                }
                for claim in &claims {
                    held.lock().unwrap().0.remove(&(claim.endpoint.clone(), claim.subject.clone()));
                    assert!(store.delivered(claim, later(1)).await.unwrap());
                }
            }
        }
    };
    let store = &bench.store;
    tokio::join!(work(store.clone()), work(store.clone()), work(store.clone()), work(store.clone()));
    assert_eq!(held.lock().unwrap().1, queued, "each once, in order");
}

async fn a_pause_holds_claims_back_everywhere(mut bench: Bench) {
    let (paused, other) = (endpoint(1), endpoint(2));
    for n in 0..5 {
        bench.queue(&paused, &tracker(n), 1, later(0)).await;
    }
    bench.queue(&other, &tracker(0), 1, later(0)).await;
    bench.store.pause_endpoint(&paused, later(100)).await.unwrap();
    bench.store.pause_endpoint(&paused, later(50)).await.unwrap();
    let claim = bench.claim_one(later(60)).await;
    assert_eq!(claim.endpoint, other);
    assert!(bench.store.delivered(&claim, later(60)).await.unwrap());
    let claims = bench.claim(later(100), 2).await;
    assert_eq!(claims.len(), 2);
    // Settling during a pause keeps it: the rest stays back.
    bench.store.pause_endpoint(&paused, later(200)).await.unwrap();
    assert!(bench.store.delivered(&claims[0], later(110)).await.unwrap());
    assert!(bench.store.delivery_failed(&claims[1], "500", later(120), later(110)).await.unwrap());
    assert!(bench.claim(later(150), 10).await.is_empty());
    bench.store.unpause_endpoint(&paused).await.unwrap();
    assert_eq!(bench.claim(later(150), 10).await.len(), 4);
}

async fn what_waits_too_long_dies_and_is_forgotten(mut bench: Bench) {
    const DAY: i64 = 86_400;
    let (slow, also) = (endpoint(1), endpoint(2));
    for n in 0..300 {
        bench.queue(&slow, &tracker(n), 1, later(0)).await;
    }
    bench.queue(&also, &tracker(1), 1, later(0)).await;
    assert_eq!(bench.store.expire_deliveries(later(4 * DAY)).await.unwrap(), 0);
    // One is in flight and is left alone.
    let in_flight =
        bench.store.claim_deliveries(later(5 * DAY + 1), 1, LEASE, &|id| usize::from(*id == also)).await.unwrap();
    let mut died = 0;
    for _ in 0..10 {
        died += bench.store.expire_deliveries(later(5 * DAY + 1)).await.unwrap();
    }
    assert_eq!(died, 300);
    assert_eq!(bench.store.pending_count(&slow).await.unwrap(), 0);
    assert_eq!(bench.store.dead(&slow, 1000).await.unwrap().len(), 300);
    assert!(bench.store.delivered(&in_flight[0], later(5 * DAY + 2)).await.unwrap());
    // Queued again, their age counts from then.
    assert_eq!(bench.store.replay_dead(&slow, later(6 * DAY)).await.unwrap(), 300);
    assert_eq!(bench.store.expire_deliveries(later(7 * DAY)).await.unwrap(), 0);
    died = 0;
    for _ in 0..10 {
        died += bench.store.expire_deliveries(later(12 * DAY)).await.unwrap();
    }
    assert_eq!(died, 300);
    bench.store.expire_deliveries(later(41 * DAY)).await.unwrap();
    assert_eq!(bench.store.dead(&slow, 1000).await.unwrap().len(), 300);
    bench.store.expire_deliveries(later(43 * DAY)).await.unwrap();
    assert!(bench.store.dead(&slow, 1000).await.unwrap().is_empty());
    assert!(bench.keys_left().await.is_empty());
}

async fn nobody_waits_for_the_next_attempt_of_a_dead_delivery(mut bench: Bench) {
    const DAY: i64 = 86_400;
    let (endpoint, tracker) = (endpoint(1), tracker(1));
    let old = bench.queue(&endpoint, &tracker, 1, later(0)).await;
    let claim = bench.claim_one(later(4 * DAY)).await;
    assert!(bench.store.delivery_failed(&claim, "500", later(6 * DAY), later(4 * DAY)).await.unwrap());
    let young = ChangeId { ms: old.ms + 5 * 86_400_000, n: 0, ..old.clone() };
    let pending = keys::pending(tracker.shard(), &endpoint, &tracker.to_string());
    let _: () = bench.ask(redis::cmd("ZADD").arg(pending).arg(young.ms).arg(young.to_string())).await;
    assert!(bench.claim(later(5 * DAY + 1), 10).await.is_empty(), "first the old one, at its time");
    let mut died = 0;
    for _ in 0..5 {
        died += bench.store.expire_deliveries(later(5 * DAY + 1)).await.unwrap();
    }
    assert_eq!(died, 1);
    assert_eq!(bench.claim_one(later(5 * DAY + 1)).await.change, young);
}

async fn what_an_endpoint_holds_back_stays_back(mut bench: Bench) {
    const HELD: u64 = 9_007_199_254_740_990;
    let (endpoint, tracker) = (endpoint(1), tracker(3));
    bench.queue(&endpoint, &tracker, 1, later(0)).await;
    let pauses = keys::pauses(tracker.shard());
    let _: () = bench.ask(redis::cmd("HSET").arg(&pauses).arg(endpoint.to_string()).arg(HELD)).await;
    bench.store.pause_endpoint(&endpoint, later(10)).await.unwrap();
    bench.store.unpause_endpoint(&endpoint).await.unwrap();
    assert!(bench.claim(later(1_000_000), 10).await.is_empty());
    let held: u64 = bench.ask(redis::cmd("HGET").arg(&pauses).arg(endpoint.to_string())).await;
    assert_eq!(held, HELD);
}

async fn a_deleted_endpoint_is_forgotten(mut bench: Bench) {
    let endpoint = endpoint(1);
    for n in 0..100 {
        bench.queue(&endpoint, &tracker(n), 1, later(0)).await;
    }
    for claim in bench.claim(later(1), 100).await {
        assert!(bench.store.delivery_dead(&claim, "410", later(2)).await.unwrap());
    }
    assert_eq!(bench.store.dead(&endpoint, 500).await.unwrap().len(), 100);
    assert_eq!(bench.store.dead(&endpoint, 7).await.unwrap().len(), 7);
    bench.store.forget_endpoint(&endpoint).await.unwrap();
    assert!(bench.store.dead(&endpoint, 500).await.unwrap().is_empty());
    assert!(bench.keys_left().await.is_empty());
}

async fn a_backlog_is_counted_over_all_shards(mut bench: Bench) {
    let endpoint = endpoint(1);
    assert_eq!(bench.store.oldest_pending(&endpoint).await.unwrap(), None);
    for t in 0..200 {
        for n in 1..=2 {
            bench.queue(&endpoint, &tracker(t), n, later(0)).await;
        }
    }
    assert_eq!(bench.store.pending_count(&endpoint).await.unwrap(), 400);
    assert_eq!(bench.store.oldest_pending(&endpoint).await.unwrap(), Some(start()));
}

/// A shop with an endpoint that wants everything.
pub(crate) async fn shop_with_endpoint(store: &Store, shop: &ShopId, id: EndpointId) -> Endpoint {
    store.add_shop(shop).await.unwrap();
    let endpoint = Endpoint {
        id,
        shop: shop.clone(),
        url: "https://example.com/hook".to_owned(),
        sealed_secret: String::new(),
        events: vec!["*".to_owned()],
        state: EndpointState::Enabled,
        disabled_reason: None,
        undelivered_since: None,
        description: None,
        created_at: store.now().await.unwrap(),
    };
    store.put_endpoint(&endpoint).await.unwrap();
    endpoint
}

/// A registered tracker, with its change.
pub(crate) async fn registered(store: &Store, shop: &ShopId, number: &str) -> Tracker {
    let carrier = "sandbox".parse().unwrap();
    let id = store.tracker_id(shop, &carrier, number);
    let now = store.now().await.unwrap();
    let account = "sandbox".parse().unwrap();
    let mut tracker = Tracker::new(id, shop.clone(), carrier, number.to_owned(), account, Registration::default(), now);
    tracker.sequence += 1;
    let change = told(&tracker, ChangeKind::Created);
    assert!(matches!(store.register(&tracker, &[change], &[]).await.unwrap(), Registered::Created));
    store.load(&tracker.id).await.unwrap().unwrap()
}

fn told(tracker: &Tracker, kind: ChangeKind) -> NewChange {
    NewChange { kind, sequence: tracker.sequence, data: format!(r#"{{"sequence":{}}}"#, tracker.sequence) }
}

async fn from_the_commit_to_the_arrival(bench: Bench) {
    let store = &bench.store;
    let shop = "shop".parse().unwrap();
    let mut endpoint = shop_with_endpoint(store, &shop, endpoint(1)).await;
    let before = registered(store, &shop, "SANDBOX-1").await;
    let mut tracker = before.clone();
    tracker.sequence += 1;
    let committed = store.commit(&before, &tracker, &[told(&tracker, ChangeKind::Updated)], &[]).await.unwrap();
    let Commit::Done { ids, .. } = committed else { panic!("{committed:?}") };
    timeout(Duration::from_secs(1), store.wakeups().deliveries.notified()).await.unwrap();

    let now = store.now().await.unwrap();
    let first = bench.claim_one(now).await;
    let change = store.change(&first.change).await.unwrap().unwrap();
    assert_eq!((change.kind.as_str(), change.subject.as_str()), ("tracker.created", first.subject.as_str()));
    assert!(store.delivered(&first, now).await.unwrap());
    timeout(Duration::from_secs(1), store.wakeups().deliveries.notified()).await.unwrap();
    let second = bench.claim_one(now).await;
    assert_eq!(vec![second.change.clone()], ids);
    assert!(store.delivered(&second, now).await.unwrap());
    let sent = store.sent(tracker.id.shard(), &tracker.id.to_string()).await.unwrap();
    assert_eq!(sent.into_iter().map(|sent| sent.change).collect::<Vec<_>>(), [second.change, first.change.clone()]);

    // Replayed, it has the same bytes.
    assert!(store.replay(&endpoint.id, &first.change).await.unwrap());
    let again = bench.claim_one(after(now, SignedDuration::from_secs(5))).await;
    let body = store.change(&again.change).await.unwrap().unwrap().body();
    assert_eq!((&again.change, body), (&first.change, change.body()));
    assert!(store.delivered(&again, now).await.unwrap());

    // A paused endpoint keeps what comes; let go, it gets it; erased trackers' changes end as erased.
    endpoint.state = EndpointState::Paused;
    store.put_endpoint(&endpoint).await.unwrap();
    let kept = registered(store, &shop, "SANDBOX-2").await;
    let soon = after(store.now().await.unwrap(), SignedDuration::from_secs(1));
    assert!(bench.claim(soon, 10).await.is_empty());
    assert_eq!(store.pending_count(&endpoint.id).await.unwrap(), 1);
    let mut gone = kept.clone();
    gone.sequence += 1;
    assert!(matches!(store.delete(&kept, &[told(&gone, ChangeKind::Deleted)]).await.unwrap(), Commit::Done { .. }));
    endpoint.state = EndpointState::Enabled;
    store.put_endpoint(&endpoint).await.unwrap();
    let erased = bench.claim_one(soon).await;
    assert_eq!(store.change(&erased.change).await.unwrap(), None);
    assert!(store.delivery_erased(&erased, soon).await.unwrap());
    let last = bench.claim_one(soon).await;
    assert_eq!(store.change(&last.change).await.unwrap().unwrap().kind, "tracker.deleted");
    // Disabled while an attempt is under way: its end finds nothing.
    assert!(store.disable_endpoint(&endpoint.id, "gone").await.unwrap());
    assert!(!store.delivered(&last, soon).await.unwrap());
    assert_eq!(store.pending_count(&endpoint.id).await.unwrap(), 0);
    let refused = store.replay(&endpoint.id, &first.change).await.unwrap();
    assert!(!refused, "a disabled endpoint gets nothing");
}

async fn foreign_and_unknown_changes_are_not_replayed(bench: Bench) {
    let store = &bench.store;
    let (one, two) = ("one".parse().unwrap(), "two".parse().unwrap());
    let own = shop_with_endpoint(store, &one, endpoint(1)).await;
    let foreign = shop_with_endpoint(store, &two, endpoint(2)).await;
    registered(store, &one, "SANDBOX-1").await;
    let claim = bench.claim_one(after(store.now().await.unwrap(), SignedDuration::from_secs(1))).await;
    assert_eq!(claim.endpoint, own.id);
    assert!(!store.replay(&foreign.id, &claim.change).await.unwrap());
    assert!(!store.replay(&endpoint(3), &claim.change).await.unwrap());
    let unknown = ChangeId { n: claim.change.n + 7, ..claim.change.clone() };
    assert!(!store.replay(&own.id, &unknown).await.unwrap());
    assert_eq!(store.pending_count(&foreign.id).await.unwrap(), 0);
}
