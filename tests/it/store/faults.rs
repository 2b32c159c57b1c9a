//! What happens when Redis is slow, cuts connections, has no memory left or dies.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use wismo::model::time::from_millis;
use wismo::model::{ChangeKind, TimerKind};
use wismo::polling;
use wismo::polling::schedule::IntervalTable;
use wismo::polling::settle::Policy;
use wismo::store::{Commit, Store, StoreOptions, keys};
use wismo::tracking::Rules;

use super::ground::*;
use super::on_both;
use crate::support::redis::RedisServer;

on_both! {
    a_commit_whose_answer_comes_too_late_counts_once
    commits_survive_cut_connections_and_count_once
    without_memory_a_commit_is_refused_whole_and_deletes_work
    a_forgotten_script_is_sent_again
    the_timer_of_a_damaged_tracker_is_put_off
}

async fn a_commit_whose_answer_comes_too_late_counts_once(ground: Ground) {
    let patient = ground.store().await;
    patient.add_shop(&shop("a")).await.unwrap();
    let options = StoreOptions { response_timeout: Duration::from_millis(150), ..StoreOptions::default() };
    let hasty = ground.store_with(options).await.unwrap();
    let mut before = registered(&patient, &shop("a"), "N1").await;
    for _ in 0..3 {
        // Commands arrive and are carried out after the client has given up on them.
        ground.each_node(&["CLIENT", "PAUSE", "400", "ALL"]).await;
        let (after, changes) = moved(&before);
        let done = hasty.commit(&before, &after, &changes, &[]).await.unwrap();
        let Commit::Done { ids, .. } = done else { panic!("{done:?}") };
        assert_eq!(ids.len(), 1);
        before = patient.load(&before.id).await.unwrap().unwrap();
        assert_eq!(before.sequence, after.sequence);
        assert_eq!(patient.change(&ids[0]).await.unwrap().unwrap().sequence, after.sequence);
    }
    assert_eq!(all_changes(&patient, &shop("a")).await.len(), 4);
}

async fn commits_survive_cut_connections_and_count_once(ground: Ground) {
    let store = ground.store().await;
    let a = shop("a");
    store.add_shop(&a).await.unwrap();
    let hook = endpoint(&a, 1, store.now().await.unwrap());
    store.put_endpoint(&hook).await.unwrap();
    let mut trackers = Vec::new();
    for n in 0..8 {
        trackers.push(registered(&store, &a, &format!("N{n}")).await);
    }
    let stop = AtomicBool::new(false);
    let cutting = async {
        let mut cuts = 0_u32;
        while !stop.load(SeqCst) {
            tokio::time::sleep(Duration::from_millis(40)).await;
            ground.each_node(&["CLIENT", "KILL", "TYPE", "normal"]).await;
            cuts += 1;
        }
        cuts
    };
    let committing = async {
        let mut done = 0;
        for _ in 0..60 {
            for tracker in &mut trackers {
                let (after, changes) = moved(tracker);
                match store.commit(tracker, &after, &changes, &[]).await {
                    Ok(Commit::Done { revision, .. }) => {
                        *tracker = after;
                        tracker.revision = revision;
                        done += 1;
                    }
                    Ok(other) => panic!("nobody else commits: {other:?}"),
                    // Given up on: ask what became of it.
                    Err(error) => {
                        assert!(error.is_passing(), "{error}");
                        while store.load(&tracker.id).await.map(|now| *tracker = now.unwrap()).is_err() {}
                    }
                }
            }
        }
        stop.store(true, SeqCst);
        done
    };
    let (cuts, done) = tokio::join!(cutting, committing);
    println!("{done} commits answered, connections cut {cuts} times");
    assert!(cuts > 2 && done > 300);
    for tracker in &trackers {
        let pending = ground.pending(&hook.id, tracker).await;
        let unique: HashSet<&String> = pending.iter().collect();
        let committed = usize::try_from(tracker.sequence).unwrap()
            - usize::try_from(tracker.registered_at.as_millisecond()).unwrap();
        assert_eq!((pending.len(), unique.len()), (committed + 1, committed + 1));
    }
    let told = all_changes(&store, &a).await;
    let steps: HashSet<(String, u64)> = told.iter().map(|change| (change.subject.clone(), change.sequence)).collect();
    assert_eq!(steps.len(), told.len(), "a change stands twice");
}

async fn without_memory_a_commit_is_refused_whole_and_deletes_work(ground: Ground) {
    let store = ground.store().await;
    let a = shop("a");
    store.add_shop(&a).await.unwrap();
    let hook = endpoint(&a, 1, store.now().await.unwrap());
    store.put_endpoint(&hook).await.unwrap();
    let tracker = registered(&store, &a, "N1").await;
    let (after, changes) = moved(&tracker);
    ground.each_node(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let error = store.commit(&tracker, &after, &changes, &[]).await.unwrap_err();
    assert!(error.to_string().contains("OOM"), "{error}");
    assert_eq!(store.load(&tracker.id).await.unwrap().unwrap(), tracker);
    assert_eq!(all_changes(&store, &a).await.len(), 1);
    assert_eq!(ground.pending(&hook.id, &tracker).await.len(), 1);
    let mut last = tracker.clone();
    last.sequence += 1;
    let deleted = store.delete(&tracker, &[change(&last, ChangeKind::Deleted)]).await.unwrap();
    assert!(matches!(deleted, Commit::Done { .. }));
    assert!(
        store.delete_endpoint(&a, &hook.id).await.is_err(),
        "a document cannot be written, and nothing was half done"
    );
    assert!(store.endpoint(&hook.id).await.unwrap().is_some());
    ground.each_node(&["CONFIG", "SET", "maxmemory", "0"]).await;
    registered(&store, &a, "N1").await;
}

async fn a_forgotten_script_is_sent_again(ground: Ground) {
    let store = ground.store().await;
    store.add_shop(&shop("a")).await.unwrap();
    let tracker = registered(&store, &shop("a"), "N1").await;
    ground.each_node(&["SCRIPT", "FLUSH"]).await;
    assert!(commit_some_change(&store, &tracker.id).await.is_some());
}

async fn the_timer_of_a_damaged_tracker_is_put_off(ground: Ground) {
    let store = ground.store().await;
    let a = shop("a");
    store.add_shop(&a).await.unwrap();
    let (good, bad) = (registered(&store, &a, "GOOD").await, registered(&store, &a, "BAD").await);
    for tracker in [&good, &bad] {
        let due = [(TimerKind::Expire, from_millis(1000))];
        assert!(matches!(store.commit(tracker, tracker, &[], &due).await.unwrap(), Commit::Done { .. }));
    }
    ground.ask::<u32>(&["HSET", &keys::tracker(&bad.id), "substatus", "nonsense"]).await;
    let cancel = CancellationToken::new();
    let timers = tokio::spawn(polling::run(Arc::new(nothing_to_poll(&store)), Vec::new(), cancel.clone()));
    let now = store.now().await.unwrap().as_millisecond();
    for tracker in [&good, &bad] {
        let (key, member) = (keys::timers(tracker.id.shard()), format!("expire:{}", tracker.id));
        let put_off = async {
            while ground.ask::<i64>(&["ZSCORE", &key, &member]).await <= now {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        // The damaged one is not forgotten either: its timer comes back in an hour.
        tokio::time::timeout(Duration::from_secs(60), put_off).await.unwrap();
    }
    cancel.cancel();
    timers.await.unwrap();
}

/// A daemon's share in polling without any account: it runs timers.
fn nothing_to_poll(store: &Store) -> polling::Shared {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let week = Duration::from_secs(7 * 24 * 3600);
    let table = IntervalTable {
        intervals: BTreeMap::new(),
        otherwise: week,
        ended: (week, week),
        delivered: (week, week),
        retry: week,
        jitter: 0.0,
    };
    polling::Shared {
        store: store.clone(),
        client: reqwest::Client::builder().no_proxy().build().unwrap(),
        policy: Policy {
            rules: Rules::default(),
            table,
            days: BTreeMap::new(),
            per_parcel: BTreeMap::new(),
            keep_answers: Duration::ZERO,
        },
        owner: "test".to_owned(),
        lease: Duration::from_secs(30),
        tick: Duration::from_millis(50),
        slots: Arc::new(Semaphore::new(1)),
        pulses: wismo::telemetry::Pulses::looked_at_every(None),
        held: Arc::default(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_the_death_of_redis() {
    let mut ground = Ground::Single(RedisServer::start_durable().await);
    let store = ground.store().await;
    let a = shop("a");
    let key = store.add_shop(&a).await.unwrap();
    let hook = endpoint(&a, 1, store.now().await.unwrap());
    store.put_endpoint(&hook).await.unwrap();
    let mut trackers = Vec::new();
    for n in 0..50 {
        trackers.push(registered(&store, &a, &format!("N{n}")).await);
    }
    if let Ground::Single(server) = &mut ground {
        server.kill();
        server.restart().await;
    }
    // The same store goes on: its connection comes back by itself.
    for tracker in &trackers {
        assert_eq!(store.load(&tracker.id).await.unwrap().as_ref(), Some(tracker));
        assert_eq!(ground.pending(&hook.id, tracker).await.len(), 1);
    }
    assert_eq!(store.shop_of_key(key.expose()).await.unwrap(), Some(a));
    assert_eq!(ground.ask::<String>(&["TYPE", keys::META]).await, "hash");
}
