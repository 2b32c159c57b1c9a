//! Redis of either kind, stores on it, and things to put into them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use redis::{Cmd, FromRedisValue};
use wismo::model::{
    ChangeId, ChangeKind, Endpoint, EndpointId, EndpointState, NewChange, Registration, Shard, ShopId, Status, Tracker,
};
use wismo::store::{Commit, MasterKey, Registered, Store, StoreError, StoreOptions, Target, keys};

use crate::support::redis::{RedisCluster, RedisServer};

/// What a test stands on.
pub enum Ground {
    Single(RedisServer),
    Cluster(RedisCluster),
}

impl Ground {
    pub async fn single() -> Self {
        Self::Single(RedisServer::start().await)
    }

    pub async fn cluster() -> Self {
        Self::Cluster(RedisCluster::start().await)
    }

    pub fn target(&self) -> Target {
        match self {
            Self::Single(server) => server.target(),
            Self::Cluster(cluster) => cluster.target(),
        }
    }

    pub fn nodes(&self) -> Vec<&RedisServer> {
        match self {
            Self::Single(server) => vec![server],
            Self::Cluster(cluster) => cluster.nodes().iter().collect(),
        }
    }

    /// One daemon's store. All of a test share the master key.
    pub async fn store(&self) -> Store {
        self.store_with(StoreOptions::default()).await.unwrap()
    }

    pub async fn store_with(&self, options: StoreOptions) -> Result<Store, StoreError> {
        Store::connect(self.target(), options, MasterKey::from_bytes([7; 32])).await
    }

    /// Asks behind the store's back.
    pub async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        self.send(&command).await
    }

    pub async fn send<T: FromRedisValue>(&self, command: &Cmd) -> T {
        match self {
            Self::Single(server) => command.query_async(&mut server.raw().await).await.unwrap(),
            Self::Cluster(cluster) => {
                let urls: Vec<String> = cluster.nodes().iter().map(RedisServer::url).collect();
                let client = redis::cluster::ClusterClient::new(urls).unwrap();
                command.query_async(&mut client.get_async_connection().await.unwrap()).await.unwrap()
            }
        }
    }

    /// The same command to every node.
    pub async fn each_node(&self, words: &[&str]) {
        for node in self.nodes() {
            let mut command = redis::cmd(words[0]);
            command.arg(&words[1..]);
            let _: redis::Value = command.query_async(&mut node.raw().await).await.unwrap();
        }
    }

    pub async fn pending(&self, endpoint: &EndpointId, tracker: &Tracker) -> Vec<String> {
        self.ask(&["ZRANGE", &keys::pending(tracker.id.shard(), endpoint, &tracker.id.to_string()), "0", "-1"]).await
    }
}

pub fn shop(name: &str) -> ShopId {
    name.parse().unwrap()
}

pub fn tracker(store: &Store, shop: &ShopId, number: &str, now: Timestamp) -> Tracker {
    let carrier = "ups".parse().unwrap();
    let id = store.tracker_id(shop, &carrier, number);
    Tracker::new(
        id,
        shop.clone(),
        carrier,
        number.to_owned(),
        "ups-main".parse().unwrap(),
        Registration::default(),
        now,
    )
}

/// A tracker with its `tracker.created`, registered.
pub async fn registered(store: &Store, shop: &ShopId, number: &str) -> Tracker {
    let tracker = tracker(store, shop, number, store.now().await.unwrap());
    let answer = store.register(&tracker, &[change(&tracker, ChangeKind::Created)], &[]).await.unwrap();
    assert_eq!(answer, Registered::Created);
    tracker
}

/// The next change of a tracker.
pub fn change(tracker: &Tracker, kind: ChangeKind) -> NewChange {
    NewChange { kind, sequence: tracker.sequence, data: format!(r#"{{"sequence":{}}}"#, tracker.sequence) }
}

/// The tracker one change later.
pub fn moved(before: &Tracker) -> (Tracker, Vec<NewChange>) {
    let mut after = before.clone();
    after.sequence += 1;
    let told = change(&after, ChangeKind::Status(Status::InTransit));
    (after, vec![told])
}

/// Loads, moves and commits until it is done; nothing when the tracker is gone.
pub async fn commit_some_change(store: &Store, id: &wismo::model::TrackerId) -> Option<ChangeId> {
    loop {
        let before = store.load(id).await.unwrap()?;
        let (after, changes) = moved(&before);
        match store.commit(&before, &after, &changes, &[]).await.unwrap() {
            Commit::Done { ids, .. } => return Some(ids[0].clone()),
            Commit::LostRace => {}
            Commit::Gone => return None,
        }
    }
}

pub fn endpoint(shop: &ShopId, number: u8, now: Timestamp) -> Endpoint {
    Endpoint {
        id: EndpointId::from_bytes([number; 16]),
        shop: shop.clone(),
        url: "https://shop.example/hook".to_owned(),
        sealed_secret: "e1.x".to_owned(),
        events: vec!["*".to_owned()],
        state: EndpointState::Enabled,
        disabled_reason: None,
        undelivered_since: None,
        description: None,
        created_at: now,
    }
}

pub fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(SignedDuration::try_from(by).unwrap()).unwrap()
}

/// Every change of a shop in every shard.
pub async fn all_changes(store: &Store, shop: &ShopId) -> Vec<wismo::model::Change> {
    let mut all = Vec::new();
    for shard in Shard::all() {
        all.extend(store.changes_after(shop, shard, None, 100_000).await.unwrap());
    }
    all
}
