//! Registration, commit and delete, and the races between them.

use std::time::Duration;

use wismo::model::time::from_millis;
use wismo::model::tracker::OrderRef;
use wismo::model::{Cause, ChangeKind, Condition, DelayKind, Status, Substatus, TimerKind, Tracker, WhoMustAct};
use wismo::store::{Commit, Lookup, Registered, StoreOptions, keys};

use super::ground::*;
use super::on_both;

on_both! {
    two_registrations_at_once_make_one_tracker
    one_of_two_commits_wins
    a_commit_writes_everything
    a_delete_wins_over_commits
    a_deleted_tracker_leaves_nothing_but_its_last_change
    lookups_of_missing_trackers_are_swept
    a_lookup_that_the_shop_took_back_is_swept_with_its_tracker
    due_and_timers_come_in_order
    a_damaged_tracker_holds_up_nobody
}

async fn two_registrations_at_once_make_one_tracker(ground: Ground) {
    let (one, two) = (ground.store().await, ground.store().await);
    one.add_shop(&shop("a")).await.unwrap();
    let now = one.now().await.unwrap();
    for round in 0..20 {
        let tracker = tracker(&one, &shop("a"), &format!("N{round}"), now);
        assert_eq!(tracker.id, two.tracker_id(&tracker.shop, &tracker.carrier, &tracker.number));
        let created = [change(&tracker, ChangeKind::Created)];
        let (first, second) =
            tokio::join!(one.register(&tracker, &created, &[]), two.register(&tracker, &created, &[]));
        let mut answers = [first.unwrap(), second.unwrap()];
        answers.sort_by_key(|answer| *answer == Registered::Exists);
        assert_eq!(answers, [Registered::Created, Registered::Exists]);
        assert_eq!(two.load(&tracker.id).await.unwrap().unwrap(), tracker);
    }
    assert_eq!(all_changes(&one, &shop("a")).await.len(), 20);
}

async fn one_of_two_commits_wins(ground: Ground) {
    let (one, two) = (ground.store().await, ground.store().await);
    one.add_shop(&shop("a")).await.unwrap();
    let mut before = registered(&one, &shop("a"), "N1").await;
    for _ in 0..50 {
        let (after, changes) = moved(&before);
        let (first, second) =
            tokio::join!(one.commit(&before, &after, &changes, &[]), two.commit(&before, &after, &changes, &[]));
        let answers = [first.unwrap(), second.unwrap()];
        let won = answers.iter().filter(|answer| matches!(answer, Commit::Done { .. })).count();
        assert_eq!((won, answers.contains(&Commit::LostRace)), (1, true), "{answers:?}");
        before = one.load(&before.id).await.unwrap().unwrap();
        assert_eq!(before.sequence, after.sequence);
    }
    assert_eq!(all_changes(&one, &shop("a")).await.len(), 51);
}

async fn a_commit_writes_everything(ground: Ground) {
    let store = ground.store().await;
    let a = shop("a");
    store.add_shop(&a).await.unwrap();
    let now = store.now().await.unwrap();
    let hook = endpoint(&a, 1, now);
    store.put_endpoint(&hook).await.unwrap();
    let before = registered(&store, &a, "N1").await;
    let (id, shard) = (before.id.to_string(), before.id.shard());

    let (mut after, changes) = moved(&before);
    after.substatus = Substatus::Departed;
    after.status_since = now;
    after.poll.next_at = Some(later(now, Duration::from_secs(60)));
    let open = |kind| Condition {
        kind,
        cause: Cause::Clock,
        since: now,
        expected: None,
        seen: None,
        who_must_act: WhoMustAct::Carrier,
    };
    after.conditions = vec![open(DelayKind::Late)];
    after.registration.orders = vec![OrderRef { reference: "1234".to_owned(), placed_at: None }];
    let timers = [(TimerKind::Late, now), (TimerKind::Expire, later(now, Duration::from_secs(5)))];
    let Commit::Done { revision, ids } = store.commit(&before, &after, &changes, &timers).await.unwrap() else {
        panic!("not done")
    };
    after.revision = revision;
    assert_eq!(revision, before.revision + 1);
    assert_eq!(store.load(&before.id).await.unwrap().unwrap(), after);

    // The change, its log, its delivery.
    let told = store.change(&ids[0]).await.unwrap().unwrap();
    assert_eq!(
        (told.kind.as_str(), told.subject.as_str(), told.sequence),
        ("tracker.in_transit", id.as_str(), after.sequence)
    );
    assert_eq!((&told.data, told.shop, told.version), (&changes[0].data, a.clone(), 1));
    let log: Vec<String> = ground.ask(&["ZRANGE", &keys::log(shard, &id), "0", "-1"]).await;
    assert_eq!(log.len(), 2);
    assert_eq!(ground.pending(&hook.id, &before).await, log);
    let deliver: Option<f64> = ground.ask(&["ZSCORE", &keys::deliver(shard, &hook.id), &id]).await;
    let ready: Option<f64> = ground.ask(&["ZSCORE", &keys::ready(shard), &hook.id.to_string()]).await;
    assert!(deliver.is_some() && deliver == ready);

    // The indexes.
    let index = |key: String| {
        let id = id.clone();
        let ground = &ground;
        async move { ground.ask::<Option<f64>>(&["ZSCORE", &key, &id]).await }
    };
    assert_eq!(index(keys::by_status(shard, &a, Status::Pending)).await, None);
    assert!(index(keys::by_status(shard, &a, Status::InTransit)).await.is_some());
    assert!(index(keys::by_condition(shard, &a, "late")).await.is_some());
    assert_eq!(store.find(&a, &Lookup::Order("1234".to_owned()), 10).await.unwrap(), vec![after.clone()]);
    // Of the timers the earliest alone is kept: whoever runs it commits, and says what comes next.
    let end = later(now, Duration::from_secs(60));
    assert_eq!(store.due_timers(end, 10).await.unwrap(), vec![(TimerKind::Late, after.id.clone(), now)]);
    assert!(store.due(&after.account, now, 10).await.unwrap().is_empty());

    // And the way back: closed, ended, no longer polled.
    let (mut ended, changes) = moved(&after);
    ended.conditions.clear();
    ended.poll.next_at = None;
    ended.substatus = Substatus::Delivered;
    let done = store.commit(&after, &ended, &changes, &[]).await.unwrap();
    assert!(matches!(done, Commit::Done { .. }));
    assert_eq!(index(keys::by_condition(shard, &a, "late")).await, None);
    assert_eq!(index(keys::by_status(shard, &a, Status::InTransit)).await, None);
    let left: u32 = ground.ask(&["EXISTS", &keys::timers(shard)]).await;
    assert_eq!(left, 0);
    let left: u32 = ground.ask(&["EXISTS", &keys::due(shard, &after.account)]).await;
    assert_eq!(left, 0);
    let fields: Vec<String> = ground.ask(&["HKEYS", &keys::tracker(&after.id)]).await;
    assert!(!fields.contains(&"open".to_owned()) && !fields.contains(&"next_poll_at".to_owned()));
    assert_eq!(store.commit(&after, &ended, &changes, &[]).await.unwrap(), Commit::LostRace);
}

async fn a_delete_wins_over_commits(ground: Ground) {
    let (one, two) = (ground.store().await, ground.store().await);
    one.add_shop(&shop("a")).await.unwrap();
    for round in 0..10 {
        let tracker = registered(&one, &shop("a"), &format!("N{round}")).await;
        let id = tracker.id.clone();
        let committing = tokio::spawn({
            let (two, id) = (two.clone(), id.clone());
            async move { while commit_some_change(&two, &id).await.is_some() {} }
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
        loop {
            let now = one.load(&id).await.unwrap().unwrap();
            let last = Tracker { sequence: now.sequence + 1, ..now.clone() };
            match one.delete(&now, &[change(&last, ChangeKind::Deleted)]).await.unwrap() {
                Commit::Done { .. } => break,
                Commit::LostRace => {}
                Commit::Gone => panic!("nobody else deletes"),
            }
        }
        committing.await.unwrap();
        let (after, changes) = moved(&tracker);
        assert_eq!(two.commit(&tracker, &after, &changes, &[]).await.unwrap(), Commit::Gone);
        assert_eq!(one.load(&id).await.unwrap(), None);
        assert_eq!(one.delete(&tracker, &[]).await.unwrap(), Commit::Gone);
    }
}

async fn a_deleted_tracker_leaves_nothing_but_its_last_change(ground: Ground) {
    let store = ground.store().await;
    let a = shop("a");
    store.add_shop(&a).await.unwrap();
    let hook = endpoint(&a, 1, store.now().await.unwrap());
    store.put_endpoint(&hook).await.unwrap();
    let tracker = registered(&store, &a, "N1").await;
    commit_some_change(&store, &tracker.id).await.unwrap();
    let now = store.load(&tracker.id).await.unwrap().unwrap();
    let last = Tracker { sequence: now.sequence + 1, ..now.clone() };
    let Commit::Done { ids, .. } = store.delete(&now, &[change(&last, ChangeKind::Deleted)]).await.unwrap() else {
        panic!("not deleted")
    };
    let left = all_changes(&store, &a).await;
    assert_eq!(left.iter().map(|change| change.id.clone()).collect::<Vec<_>>(), ids);
    // Older changes still wait: whoever claims them finds nothing and lets them go.
    assert_eq!(ground.pending(&hook.id, &tracker).await.len(), 3);
    for key in [
        keys::tracker(&now.id),
        keys::events(&now.id),
        keys::due(now.id.shard(), &now.account),
        keys::by_status(now.id.shard(), &a, Status::Pending),
    ] {
        let left: u32 = ground.ask(&["EXISTS", &key]).await;
        assert_eq!(left, 0, "{key}");
    }
    // The same parcel again is a new tracker under the same id.
    let again = registered(&store, &a, "N1").await;
    assert_eq!(again.id, tracker.id);
}

async fn lookups_of_missing_trackers_are_swept(ground: Ground) {
    let options = StoreOptions { lookup_grace: Duration::from_millis(300), ..StoreOptions::default() };
    let store = ground.store_with(options).await.unwrap();
    let a = shop("a");
    store.add_shop(&a).await.unwrap();
    let kept = registered(&store, &a, "KEPT").await;
    let gone = registered(&store, &a, "GONE").await;
    let back = registered(&store, &a, "BACK").await;
    for tracker in [&gone, &back] {
        assert!(matches!(store.delete(tracker, &[]).await.unwrap(), Commit::Done { .. }));
    }
    let entries = |number: &'static str| {
        let ground = &ground;
        async move { ground.ask::<u32>(&["ZCARD", &keys::by_number(number)]).await }
    };
    assert_eq!(store.sweep_lookups().await.unwrap(), 0, "too early");
    assert_eq!(store.find(&a, &Lookup::Number("GONE".to_owned()), 5).await.unwrap(), vec![]);
    tokio::time::sleep(Duration::from_millis(400)).await;
    registered(&store, &a, "BACK").await;
    assert_eq!(store.sweep_lookups().await.unwrap(), 1);
    assert_eq!((entries("KEPT").await, entries("GONE").await, entries("BACK").await), (1, 0, 1));
    assert_eq!(store.find(&a, &Lookup::Number("KEPT".to_owned()), 5).await.unwrap(), vec![kept]);
    // A registration leaves no work for the sweeper.
    for shard in [gone.id.shard(), back.id.shard()] {
        let loose: u32 = ground.ask(&["ZCARD", &keys::loose_lookups(shard)]).await;
        assert_eq!(loose, 0);
    }
}

async fn a_lookup_that_the_shop_took_back_is_swept_with_its_tracker(ground: Ground) {
    let options = StoreOptions { lookup_grace: Duration::from_millis(50), ..StoreOptions::default() };
    let (store, a) = (ground.store_with(options).await.unwrap(), shop("a"));
    store.add_shop(&a).await.unwrap();
    let tracker = registered(&store, &a, "N1").await;
    let told = |order: &str, before: &Tracker| {
        let mut after = before.clone();
        after.registration.orders = vec![OrderRef { reference: order.to_owned(), placed_at: None }];
        after.registration.customer_ref = Some(format!("customer-of-{order}"));
        after
    };
    store.commit(&tracker, &told("WRONG", &tracker), &[], &[]).await.unwrap();
    let wrong = store.load(&tracker.id).await.unwrap().unwrap();
    store.commit(&wrong, &told("RIGHT", &wrong), &[], &[]).await.unwrap();
    let right = store.load(&tracker.id).await.unwrap().unwrap();
    let lookups = || async {
        let mut left = Vec::new();
        for key in ["WRONG", "RIGHT"]
            .map(|order| [keys::by_order(&a, order), keys::by_customer(&a, &format!("customer-of-{order}"))])
            .concat()
        {
            left.push(ground.ask::<u32>(&["EXISTS", &key]).await);
        }
        left
    };
    tokio::time::sleep(Duration::from_millis(60)).await;
    // While the tracker cannot be read, nobody knows, and the sweep goes on with the others.
    ground.ask::<u32>(&["HSET", &keys::tracker(&tracker.id), "substatus", "nonsense"]).await;
    assert_eq!(store.sweep_lookups().await.unwrap(), 0);
    ground.ask::<u32>(&["HSET", &keys::tracker(&tracker.id), "substatus", right.substatus.name()]).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    store.sweep_lookups().await.unwrap();
    let led = store.find(&a, &Lookup::Order("RIGHT".to_owned()), 5).await.unwrap();
    assert_eq!(led.len(), 1);
    assert!(store.find(&a, &Lookup::Order("WRONG".to_owned()), 5).await.unwrap().is_empty());
    assert!(matches!(store.delete(&right, &[]).await.unwrap(), Commit::Done { .. }));
    tokio::time::sleep(Duration::from_millis(60)).await;
    store.sweep_lookups().await.unwrap();
    assert_eq!(lookups().await, [0, 0, 0, 0], "nobody's customer stays behind");
}

async fn due_and_timers_come_in_order(ground: Ground) {
    let store = ground.store().await;
    let a = shop("a");
    store.add_shop(&a).await.unwrap();
    for n in 0..100_i64 {
        let mut tracker = tracker(&store, &a, &format!("N{n}"), from_millis(1_000_000));
        tracker.poll.next_at = Some(from_millis(1_000_000 + (n * 7919) % 100));
        let timers = [(TimerKind::Stalled, from_millis(5000 + n))];
        store.register(&tracker, &[], &timers).await.unwrap();
    }
    let account = "ups-main".parse().unwrap();
    let due = store.due(&account, from_millis(1_000_049), 100).await.unwrap();
    assert_eq!(due.len(), 50);
    assert!(due.is_sorted_by_key(|(_, at)| *at));
    assert_eq!(store.due(&account, from_millis(2_000_000), 10).await.unwrap()[..], due[..10]);
    let (first, at) = due[0].clone();
    store.push_due(&first, &account, from_millis(1_500_000)).await.unwrap();
    assert_ne!(store.due(&account, from_millis(2_000_000), 1).await.unwrap()[0].0, first);
    store.push_due(&first, &"another".parse().unwrap(), at).await.unwrap();
    assert!(store.due(&"another".parse().unwrap(), from_millis(2_000_000), 1).await.unwrap().is_empty());

    let timers = store.due_timers(from_millis(5004), 100).await.unwrap();
    assert_eq!(timers.len(), 5);
    let (kind, id, at) = timers[0].clone();
    assert!(!store.clear_timer(kind, &id, from_millis(1)).await.unwrap());
    assert!(store.clear_timer(kind, &id, at).await.unwrap());
    assert_eq!(store.due_timers(from_millis(5004), 100).await.unwrap().len(), 4);
}

async fn a_damaged_tracker_holds_up_nobody(ground: Ground) {
    let store = ground.store().await;
    store.add_shop(&shop("a")).await.unwrap();
    let (good, bad) = (registered(&store, &shop("a"), "GOOD").await, registered(&store, &shop("a"), "BAD").await);
    ground.ask::<u32>(&["HSET", &keys::tracker(&bad.id), "substatus", "nonsense"]).await;
    assert!(store.load(&bad.id).await.unwrap_err().to_string().contains("nonsense"));
    assert_eq!(store.load_many(&[bad.id.clone(), good.id.clone()]).await.unwrap(), vec![None, Some(good.clone())]);
    let now = later(store.now().await.unwrap(), Duration::from_secs(60));
    let due = store.due(&good.account, now, 10).await.unwrap();
    assert_eq!(due.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), vec![good.id.clone()]);
    // A key of another type is told as what it is, and nothing is written.
    ground.ask::<u32>(&["DEL", &keys::tracker(&good.id)]).await;
    ground.ask::<String>(&["SET", &keys::tracker(&good.id), "text"]).await;
    let (after, changes) = moved(&good);
    let error = store.commit(&good, &after, &changes, &[]).await.unwrap_err();
    assert!(error.to_string().contains("not a hash"), "{error}");
    assert!(store.load(&good.id).await.unwrap_err().to_string().contains("not a hash"));
    assert_eq!(all_changes(&store, &shop("a")).await.len(), 2);
}
