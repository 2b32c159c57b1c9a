//! Lists of trackers, merged from the sorted sets of all shards.

use std::time::Duration;

use wismo::model::tracker::OrderRef;
use wismo::model::{Status, TrackerId};
use wismo::store::{Listed, Position, Store};

use super::ground::*;
use super::on_both;

on_both! {
    pages_show_each_tracker_once_even_when_all_are_of_one_instant
    a_tracker_of_two_orders_is_listed_once
    a_forced_poll_is_had_once_in_a_while
}

async fn pages(store: &Store, listed: Listed<'_>, limit: usize) -> Vec<TrackerId> {
    let (mut ids, mut after): (Vec<TrackerId>, Option<Position>) = (Vec::new(), None);
    loop {
        let page = store.reader().newest(&shop("a"), listed, after.as_ref(), limit).await.unwrap();
        assert!(page.entries.len() <= limit && (page.end || !page.entries.is_empty()));
        after = page.entries.last().map(|entry| entry.position.clone()).or(after);
        ids.extend(page.entries.into_iter().filter_map(|entry| entry.id));
        if page.end {
            return ids;
        }
    }
}

fn sorted(ids: &[TrackerId]) -> Vec<TrackerId> {
    let mut ids = ids.to_vec();
    ids.sort();
    ids
}

async fn pages_show_each_tracker_once_even_when_all_are_of_one_instant(ground: Ground) {
    let store = ground.store().await;
    for name in ["a", "b"] {
        store.add_shop(&shop(name)).await.unwrap();
    }
    let now = store.now().await.unwrap();
    let mut mine = Vec::new();
    for n in 0..60 {
        for name in ["a", "b"] {
            let tracker = tracker(&store, &shop(name), &format!("N{n}"), now);
            store.register(&tracker, &[], &[]).await.unwrap();
            if name == "a" {
                mine.push(tracker.id);
            }
        }
    }
    let first = pages(&store, Listed::Statuses(Status::ALL), 1).await;
    assert_eq!(sorted(&first), sorted(&mine));
    for limit in [7, 100] {
        assert_eq!(pages(&store, Listed::Statuses(Status::ALL), limit).await, first, "the same order");
    }
    assert_eq!(pages(&store, Listed::Statuses(&[Status::Pending]), 13).await, first);
    assert!(pages(&store, Listed::Statuses(&[Status::Delivered]), 13).await.is_empty());
}

async fn a_tracker_of_two_orders_is_listed_once(ground: Ground) {
    let store = ground.store().await;
    store.add_shop(&shop("a")).await.unwrap();
    let order = |reference: &str| OrderRef { reference: reference.to_owned(), placed_at: None };
    let mut mine = Vec::new();
    for n in 0..30 {
        let mut tracker = tracker(&store, &shop("a"), &format!("N{n}"), store.now().await.unwrap());
        tracker.registration.orders = if n % 3 == 0 { vec![order("x")] } else { vec![order("x"), order("y")] };
        store.register(&tracker, &[], &[]).await.unwrap();
        mine.push(tracker);
    }
    // One joins the second order later: it stands there by another time than in the first.
    let before = store.load(&mine[0].id).await.unwrap().unwrap();
    let mut after = before.clone();
    after.registration.orders.push(order("y"));
    store.commit(&before, &after, &[], &[]).await.unwrap();
    let both = ["x".to_owned(), "y".to_owned()];
    let ids: Vec<TrackerId> = mine.iter().map(|tracker| tracker.id.clone()).collect();
    for limit in [1, 4, 100] {
        assert_eq!(sorted(&pages(&store, Listed::Orders(&both), limit).await), sorted(&ids), "{limit}");
    }
    assert_eq!(pages(&store, Listed::Orders(&both[1..]), 4).await.len(), 21);
}

async fn a_forced_poll_is_had_once_in_a_while(ground: Ground) {
    let store = ground.store().await;
    store.add_shop(&shop("a")).await.unwrap();
    let (one, two) = (registered(&store, &shop("a"), "N1").await, registered(&store, &shop("a"), "N2").await);
    let minute = Duration::from_secs(60);
    assert_eq!(store.take_forced_poll(&one.id, minute).await.unwrap(), None);
    let wait = store.take_forced_poll(&one.id, minute).await.unwrap().expect("it was had");
    assert!(wait <= minute && !wait.is_zero(), "{wait:?}");
    assert_eq!(store.take_forced_poll(&two.id, Duration::from_millis(1)).await.unwrap(), None);
    loop {
        // It comes back by itself.
        if store.take_forced_poll(&two.id, minute).await.unwrap().is_none() {
            break;
        }
    }
}
