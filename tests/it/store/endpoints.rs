//! Routing: no change without its delivery, and the ends of endpoints.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use wismo::model::time::from_millis;
use wismo::model::{Change, ChangeKind, Endpoint, EndpointId, EndpointState, Shard, ShopId};
use wismo::store::{Store, StoreError, StoreOptions, keys};

use super::ground::*;
use super::on_both;

on_both! {
    no_change_misses_an_endpoint_that_was_there_before
    filters_decide_what_is_queued
    a_paused_endpoint_keeps_its_queue
    a_disabled_endpoint_gets_nothing_and_the_others_hear_of_it
    a_deleted_endpoint_leaves_nothing
    half_done_endpoint_writes_are_repaired
    a_deletion_that_cannot_be_noted_deletes_nothing
    the_trouble_of_one_shop_is_not_that_of_the_others
    the_log_is_trimmed_up_to_what_somebody_waits_for
    a_change_that_rests_on_an_older_state_brings_nothing_back
}

async fn no_change_misses_an_endpoint_that_was_there_before(ground: Ground) {
    let a = shop("a");
    let (committer, other) = (ground.store().await, ground.store().await);
    committer.add_shop(&a).await.unwrap();
    let mut trackers = Vec::new();
    for n in 0..16 {
        trackers.push(registered(&committer, &a, &format!("N{n}")).await);
    }
    let now = committer.now().await.unwrap();
    let answered: Mutex<Vec<Endpoint>> = Mutex::default();
    let stop = AtomicBool::new(false);
    let commits = async {
        let mut done = Vec::new();
        while !stop.load(SeqCst) {
            for tracker in &trackers {
                let due_to: Vec<Endpoint> = answered.lock().unwrap().clone();
                done.push((tracker, commit_some_change(&committer, &tracker.id).await.unwrap(), due_to));
            }
        }
        done
    };
    let adding = async {
        for n in 1..=12 {
            let added = endpoint(&a, n, now);
            other.put_endpoint(&added).await.unwrap();
            answered.lock().unwrap().push(added);
        }
        stop.store(true, SeqCst);
    };
    let (done, ()) = tokio::join!(commits, adding);
    assert!(done.len() > 20, "{} commits", done.len());
    let mut between = HashSet::new();
    for tracker in &trackers {
        for n in 1..=12 {
            let pending: HashSet<String> =
                ground.pending(&endpoint(&a, n, now).id, tracker).await.into_iter().collect();
            for (_, id, due_to) in done.iter().filter(|(owner, _, _)| owner.id == tracker.id) {
                let due = due_to.iter().any(|added| added.id == endpoint(&a, n, now).id);
                assert!(!due || pending.contains(&id.to_string()), "endpoint {n} misses {id}");
                between.insert(due_to.len());
            }
        }
    }
    assert!(between.len() > 2, "endpoints were added between commits: {between:?}");
    for shard in Shard::all() {
        let seen: Option<u64> = ground.ask(&["HGET", &keys::routes(shard), "a"]).await;
        let version: Option<u64> = ground.ask(&["HGET", &keys::shop(&a), "version"]).await;
        assert_eq!(seen, version);
    }
}

async fn a_change_that_rests_on_an_older_state_brings_nothing_back(ground: Ground) {
    let (store, a) = (ground.store().await, shop("a"));
    store.add_shop(&a).await.unwrap();
    let read = endpoint(&a, 1, store.now().await.unwrap());
    store.put_endpoint(&read).await.unwrap();
    // Its receiver answers 410 while the shop changes its words.
    assert!(store.disable_endpoint(&read.id, "gone").await.unwrap());
    let wanted = Endpoint { description: Some("new words".to_owned()), ..read.clone() };
    let refused = store.replace_endpoint(&read, &wanted).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let now = store.endpoint(&read.id).await.unwrap().unwrap();
    assert_eq!((now.state, now.description.clone()), (EndpointState::Disabled, None));
    let wanted = Endpoint { description: Some("new words".to_owned()), ..now.clone() };
    store.replace_endpoint(&now, &wanted).await.unwrap();
    assert_eq!(store.endpoint(&read.id).await.unwrap().unwrap().state, EndpointState::Disabled);
}

async fn filters_decide_what_is_queued(ground: Ground) {
    let (store, a) = (ground.store().await, shop("a"));
    store.add_shop(&a).await.unwrap();
    let now = store.now().await.unwrap();
    let all = endpoint(&a, 1, now);
    let some = Endpoint { events: vec!["tracker.created".to_owned()], ..endpoint(&a, 2, now) };
    for hook in [&all, &some] {
        store.put_endpoint(hook).await.unwrap();
    }
    let tracker = registered(&store, &a, "N1").await;
    let second = commit_some_change(&store, &tracker.id).await.unwrap().to_string();
    assert_eq!(ground.pending(&all.id, &tracker).await[1], second);
    assert_eq!(ground.pending(&some.id, &tracker).await.len(), 1);
    // A shop cannot take over another shop's endpoint, nor see it in its list.
    store.add_shop(&shop("b")).await.unwrap();
    assert!(store.put_endpoint(&Endpoint { shop: shop("b"), ..all.clone() }).await.is_err());
    assert!(!store.delete_endpoint(&shop("b"), &all.id).await.unwrap());
    assert!(store.endpoints(&shop("b")).await.unwrap().is_empty());
    assert_eq!(store.endpoints(&a).await.unwrap(), vec![all, some]);
}

async fn ready_score(ground: &Ground, hook: &Endpoint, shard: Shard) -> Option<f64> {
    ground.ask(&["ZSCORE", &keys::ready(shard), &hook.id.to_string()]).await
}

async fn a_paused_endpoint_keeps_its_queue(ground: Ground) {
    let (store, a) = (ground.store().await, shop("a"));
    store.add_shop(&a).await.unwrap();
    let hook = endpoint(&a, 1, store.now().await.unwrap());
    store.put_endpoint(&hook).await.unwrap();
    let tracker = registered(&store, &a, "N1").await;
    let shard = tracker.id.shard();
    let open = ready_score(&ground, &hook, shard).await.unwrap();
    store.put_endpoint(&Endpoint { state: EndpointState::Paused, ..hook.clone() }).await.unwrap();
    assert!(ready_score(&ground, &hook, shard).await.unwrap() > 9e15);
    commit_some_change(&store, &tracker.id).await.unwrap();
    assert!(ready_score(&ground, &hook, shard).await.unwrap() > 9e15);
    store.put_endpoint(&hook).await.unwrap();
    assert_eq!(ready_score(&ground, &hook, shard).await, Some(open));
    assert_eq!(ground.pending(&hook.id, &tracker).await.len(), 2);
}

async fn a_disabled_endpoint_gets_nothing_and_the_others_hear_of_it(ground: Ground) {
    let (store, a) = (ground.store().await, shop("a"));
    store.add_shop(&a).await.unwrap();
    let now = store.now().await.unwrap();
    let (bad, other) = (endpoint(&a, 1, now), endpoint(&a, 2, now));
    for hook in [&bad, &other] {
        store.put_endpoint(hook).await.unwrap();
    }
    let tracker = registered(&store, &a, "N1").await;
    let first = all_changes(&store, &a).await[0].at;
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(store.disable_endpoint(&bad.id, "gone").await.unwrap());
    assert!(!store.disable_endpoint(&bad.id, "gone").await.unwrap());
    let disabled = store.endpoint(&bad.id).await.unwrap().unwrap();
    assert_eq!((disabled.state, disabled.disabled_reason.as_deref()), (EndpointState::Disabled, Some("gone")));
    assert_eq!(disabled.undelivered_since, Some(first));
    assert!(ground.pending(&bad.id, &tracker).await.is_empty());
    assert_eq!(ready_score(&ground, &bad, tracker.id.shard()).await, None);
    commit_some_change(&store, &tracker.id).await.unwrap();
    assert!(ground.pending(&bad.id, &tracker).await.is_empty());
    // Told once, to the other alone.
    let told = told_as_disabled(&store, &a).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].subject, bad.id.to_string());
    let waits: Vec<String> =
        ground.ask(&["ZRANGE", &keys::pending(bad.id.shard(), &other.id, &told[0].subject), "0", "-1"]).await;
    assert_eq!(waits, vec![told[0].id.to_string()]);
    // Enabled again, it hears what comes from now on.
    store.put_endpoint(&bad).await.unwrap();
    let next = commit_some_change(&store, &tracker.id).await.unwrap();
    assert_eq!(ground.pending(&bad.id, &tracker).await, vec![next.to_string()]);
    assert!(ready_score(&ground, &bad, tracker.id.shard()).await.unwrap() < 9e15);
}

async fn a_deleted_endpoint_leaves_nothing(ground: Ground) {
    let (store, a) = (ground.store().await, shop("a"));
    store.add_shop(&a).await.unwrap();
    let hook = endpoint(&a, 1, store.now().await.unwrap());
    store.put_endpoint(&hook).await.unwrap();
    let tracker = registered(&store, &a, "N1").await;
    assert!(store.delete_endpoint(&a, &hook.id).await.unwrap());
    assert!(!store.delete_endpoint(&a, &hook.id).await.unwrap());
    assert_eq!(store.endpoint(&hook.id).await.unwrap(), None);
    // Who still holds it and writes it back hears that it is gone.
    let back = store.put_endpoint(&hook).await.unwrap_err();
    assert!(matches!(&back, StoreError::Conflict(what) if what.ends_with("was deleted")), "{back:?}");
    assert_eq!(store.endpoint(&hook.id).await.unwrap(), None);
    commit_some_change(&store, &tracker.id).await.unwrap();
    let shard = tracker.id.shard();
    for key in [keys::deliver(shard, &hook.id), keys::pauses(shard), keys::ready(shard), keys::DROPPING.to_owned()] {
        let left: u32 = ground.ask(&["EXISTS", &key]).await;
        assert_eq!(left, 0, "{key}");
    }
    assert!(ground.pending(&hook.id, &tracker).await.is_empty());
}

async fn half_done_endpoint_writes_are_repaired(ground: Ground) {
    let (store, a) = (ground.store().await, shop("a"));
    store.add_shop(&a).await.unwrap();
    let hook = endpoint(&a, 1, store.now().await.unwrap());
    store.put_endpoint(&hook).await.unwrap();
    let tracker = registered(&store, &a, "N1").await;
    // A writer died after it raised some shards.
    for shard in Shard::all().skip(10) {
        ground.ask::<u32>(&["HSET", &keys::routes(shard), "a", "1"]).await;
    }
    store.repair_routes().await.unwrap();
    let version: u64 = ground.ask(&["HGET", &keys::shop(&a), "version"]).await;
    for shard in Shard::all() {
        assert_eq!(ground.ask::<u64>(&["HGET", &keys::routes(shard), "a"]).await, version);
    }
    // Another died after it wrote that an endpoint is disabled.
    let disabled = Endpoint { state: EndpointState::Disabled, ..hook.clone() };
    let text = serde_json::to_string(&disabled).unwrap();
    ground.ask::<String>(&["SET", &keys::endpoint(&hook.id), &text]).await;
    ground.ask::<u32>(&["HSET", keys::DROPPING, &hook.id.to_string(), "a"]).await;
    store.repair_routes().await.unwrap();
    assert!(ground.pending(&hook.id, &tracker).await.is_empty());
    assert!(store.endpoint(&hook.id).await.unwrap().unwrap().undelivered_since.is_some());
    assert_eq!(ground.ask::<u32>(&["EXISTS", keys::DROPPING]).await, 0);
    assert!(told_as_disabled(&store, &a).await.is_empty(), "the shop did it itself");
    // A third one died before the shop's other endpoints heard of it; a fourth right after they did.
    let at = hook.created_at;
    let note = format!("a {}", at.as_millisecond());
    for _ in 0..2 {
        ground.ask::<u32>(&["HSET", keys::DROPPING, &hook.id.to_string(), &note]).await;
        store.repair_routes().await.unwrap();
        assert_eq!(ground.ask::<u32>(&["EXISTS", keys::DROPPING]).await, 0);
        let told = told_as_disabled(&store, &a).await;
        assert_eq!(told.len(), 1, "{told:?}");
        let occurred = format!("\"occurred_at\":\"{}\"", from_millis(at.as_millisecond()));
        assert!(told[0].data.contains(&occurred), "{occurred} is missing in {}", told[0].data);
    }
}

async fn told_as_disabled(store: &Store, shop: &ShopId) -> Vec<Change> {
    let mut told = all_changes(store, shop).await;
    told.retain(|change| change.kind == "endpoint.disabled");
    told
}

async fn a_deletion_that_cannot_be_noted_deletes_nothing(ground: Ground) {
    let (store, a) = (ground.store().await, shop("a"));
    store.add_shop(&a).await.unwrap();
    let hook = endpoint(&a, 1, store.now().await.unwrap());
    store.put_endpoint(&hook).await.unwrap();
    let tracker = registered(&store, &a, "N1").await;
    // The note that its queues are to go is what a repair finds: without it nothing may be half done.
    let all = ["~wismo:{*", "~wismo:shop*", "~wismo:endpoint*", "~wismo:meta", "~wismo:secret*", "%R~wismo:dropping"];
    ground.each_node(&[&["ACL", "SETUSER", "default", "resetkeys"][..], &all].concat()).await;
    assert!(store.delete_endpoint(&a, &hook.id).await.is_err());
    assert!(store.disable_endpoint(&hook.id, "gone").await.is_err());
    ground.each_node(&["ACL", "SETUSER", "default", "allkeys"]).await;
    assert_eq!(store.endpoint(&hook.id).await.unwrap(), Some(hook.clone()));
    assert!(store.delete_endpoint(&a, &hook.id).await.unwrap());
    assert!(ground.pending(&hook.id, &tracker).await.is_empty());
}

async fn the_trouble_of_one_shop_is_not_that_of_the_others(ground: Ground) {
    let options = StoreOptions { log_max_age: Duration::ZERO, ..StoreOptions::default() };
    let store = ground.store_with(options).await.unwrap();
    for name in ["a", "b"] {
        store.add_shop(&shop(name)).await.unwrap();
    }
    let hook = endpoint(&shop("a"), 1, store.now().await.unwrap());
    store.put_endpoint(&hook).await.unwrap();
    store.put_endpoint(&endpoint(&shop("b"), 2, hook.created_at)).await.unwrap();
    for name in ["a", "b"] {
        registered(&store, &shop(name), "N1").await;
    }
    ground.ask::<String>(&["SET", &keys::endpoint(&hook.id), "nonsense"]).await;
    let others = EndpointId::from_bytes([2; 16]);
    let gone = Shard::new(3);
    ground.ask::<u32>(&["HSET", &keys::routes(gone), "b", "1"]).await;
    assert!(store.repair_routes().await.unwrap_err().to_string().contains(&hook.id.to_string()));
    let version: u64 = ground.ask(&["HGET", &keys::shop(&shop("b")), "version"]).await;
    assert_eq!(ground.ask::<u64>(&["HGET", &keys::routes(gone), "b"]).await, version);
    // What b's endpoint waited for is gone; so its log is free to be trimmed.
    assert!(store.delete_endpoint(&shop("b"), &others).await.unwrap());
    let after_all = later(store.now().await.unwrap(), Duration::from_secs(1));
    assert!(store.trim_logs(after_all).await.is_err());
    assert_eq!(all_changes(&store, &shop("b")).await.len(), 0);
}

async fn the_log_is_trimmed_up_to_what_somebody_waits_for(ground: Ground) {
    let options = StoreOptions { log_max_age: Duration::ZERO, ..StoreOptions::default() };
    let (store, a) = (ground.store_with(options).await.unwrap(), shop("a"));
    store.add_shop(&a).await.unwrap();
    let hook =
        Endpoint { events: vec!["tracker.in_transit".to_owned()], ..endpoint(&a, 1, store.now().await.unwrap()) };
    store.put_endpoint(&hook).await.unwrap();
    let tracker = registered(&store, &a, "N1").await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(commit_some_change(&store, &tracker.id).await.unwrap());
    }
    let shard = tracker.id.shard();
    let after_all = later(store.now().await.unwrap(), Duration::from_secs(1));
    assert_eq!(store.trim_logs(after_all).await.unwrap(), 1, "`created`, which nobody waits for");
    ground.ask::<u32>(&["ZREM", &keys::pending(shard, &hook.id, &tracker.id.to_string()), &ids[0].to_string()]).await;
    ground.ask::<u32>(&["ZADD", &keys::dead(shard, &hook.id), "1", &ids[1].to_string()]).await;
    assert_eq!(store.trim_logs(after_all).await.unwrap(), 1);
    assert_eq!(store.change(&ids[0]).await.unwrap(), None);
    assert!(store.change(&ids[1]).await.unwrap().is_some());
    assert_eq!(ground.ask::<u32>(&["ZCARD", &keys::log(shard, &tracker.id.to_string())]).await, 2);
    let log = store.changes_after(&a, shard, Some(&ids[1]), 10).await.unwrap();
    assert_eq!(log.iter().map(|change| change.id.clone()).collect::<Vec<_>>(), vec![ids[2].clone()]);
    let test = store
        .append_endpoint_change(&hook, ChangeKind::EndpointTest, "{}", std::slice::from_ref(&hook.id))
        .await
        .unwrap();
    assert_eq!(store.change(&test).await.unwrap().unwrap().kind, "endpoint.test");
}
