//! Shops and their walls, the checks at the start, and what a tracker weighs.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use wismo::model::tracker::{Destination, OrderRef, Promise};
use wismo::model::{
    EventTime, KeptEvent, Local, Meaning, Moment, Place, PollOutcome, Precision, Rule, Shard, Substatus, TimerKind,
    Tracker, ZoneSource,
};
use wismo::store::{Lookup, MasterKey, Store, StoreOptions, Target, keys};

use super::ground::*;
use super::on_both;
use crate::support::redis::{RedisCluster, RedisServer};

on_both! {
    shops_do_not_meet
    a_wrong_master_key_is_refused
    a_tracker_weighs_little
}

async fn shops_do_not_meet(ground: Ground) {
    let store = ground.store().await;
    let (a, b) = (shop("a"), shop("b"));
    let (key_a, key_b) = (store.add_shop(&a).await.unwrap(), store.add_shop(&b).await.unwrap());
    assert!(key_a.expose().starts_with("wsk_") && key_a.expose() != key_b.expose());
    assert!(!format!("{key_a:?}").contains(key_a.expose()));
    assert_eq!(store.shop_of_key(key_a.expose()).await.unwrap(), Some(a.clone()));
    for wrong in ["", "wsk_", "wsk_x", &key_a.expose()[..20], &key_a.expose().to_uppercase()] {
        assert_eq!(store.shop_of_key(wrong).await.unwrap(), None);
    }
    let second = store.add_shop(&a).await.unwrap();
    assert!(store.revoke_key(key_a.expose()).await.unwrap());
    assert_eq!(store.shop_of_key(key_a.expose()).await.unwrap(), None);
    assert_eq!(store.shop_of_key(second.expose()).await.unwrap(), Some(a.clone()));
    let numbers: Vec<(String, u32)> =
        store.shops().await.unwrap().iter().map(|shop| (shop.id.to_string(), shop.number)).collect();
    assert_eq!(numbers, vec![("a".to_owned(), 1), ("b".to_owned(), 2)]);

    // The same number, order and customer at both: each finds its own.
    let mut both = Vec::new();
    for shop in [&a, &b] {
        let mut tracker = tracker(&store, shop, "SAME", store.now().await.unwrap());
        tracker.registration.orders = vec![OrderRef { reference: "1".to_owned(), placed_at: None }];
        tracker.registration.customer_ref = Some("c".to_owned());
        store.register(&tracker, &[], &[]).await.unwrap();
        both.push(tracker);
    }
    assert_ne!(both[0].id, both[1].id);
    for lookup in [Lookup::Number("SAME".to_owned()), Lookup::Order("1".to_owned()), Lookup::Customer("c".to_owned())] {
        assert_eq!(store.find(&a, &lookup, 10).await.unwrap(), vec![both[0].clone()]);
        assert_eq!(store.find(&b, &lookup, 10).await.unwrap(), vec![both[1].clone()]);
    }
    assert_eq!(store.find_number_anywhere("SAME", 10).await.unwrap().len(), 2);
    assert!(store.changes_after(&shop("c"), Shard::new(0), None, 1).await.is_err());
    let orphan = tracker(&store, &shop("c"), "X", store.now().await.unwrap());
    assert!(store.register(&orphan, &[], &[]).await.unwrap_err().to_string().contains("no shop c"));
}

async fn a_wrong_master_key_is_refused(ground: Ground) {
    let first = ground.store().await;
    let again = ground.store().await;
    let (shop, carrier) = (shop("a"), "ups".parse().unwrap());
    assert_eq!(first.tracker_id(&shop, &carrier, "1"), again.tracker_id(&shop, &carrier, "1"));
    let other = Store::connect(ground.target(), StoreOptions::default(), MasterKey::from_bytes([8; 32])).await;
    assert!(other.err().unwrap().to_string().starts_with("this is not the master key"));
    assert!(!first.waits_for_disk(), "no append-only file, nothing to wait for");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfit_servers_are_refused() {
    let refusal = |target: Target| async {
        let store = Store::connect(target, StoreOptions::default(), MasterKey::from_bytes([7; 32])).await;
        store.err().map(|error| error.to_string()).unwrap_or_default()
    };
    let evicting =
        RedisServer::start_with(&["--save", "", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]).await;
    let why = refusal(evicting.target()).await;
    assert!(why.contains("allkeys-lru") && why.contains("noeviction"), "{why}");
    let single = Ground::single().await;
    let cluster = Ground::Cluster(RedisCluster::start().await);
    let node = cluster.nodes()[0].target();
    assert!(refusal(node).await.contains("it is a cluster"));
    single.ask::<u32>(&["HSET", keys::META, "schema", "99"]).await;
    assert!(refusal(single.target()).await.contains("schema 99"));
    single.each_node(&["CONFIG", "SET", "hash-max-listpack-value", "32"]).await;
    single.ask::<u32>(&["DEL", keys::META]).await;
    let warnings = single.store().await.fitness().warnings.join("\n");
    for word in ["append-only", "maxmemory", "hash-max-listpack-value"] {
        assert!(warnings.contains(word), "{word} is missing in: {warnings}");
    }
    let lazy = Ground::Single(RedisServer::start_with(&["--save", "", "--appendonly", "yes"]).await);
    let store = lazy.store().await;
    let told = store.fitness().warnings.iter().any(|warning| warning.contains("appendfsync"));
    assert_eq!(told, !store.waits_for_disk());
}

/// A parcel half way through its life, as most are.
fn usual(store: &Store, n: usize) -> Tracker {
    let registered_at = "2026-11-18T08:12:13.456Z".parse().unwrap();
    let mut tracker = tracker(store, &shop("fashion-shop"), &format!("1Z999AA1{n:010}"), registered_at);
    tracker.registration.orders = vec![OrderRef { reference: format!("2026-{n:06}"), placed_at: None }];
    tracker.registration.customer_ref = Some(format!("cus_{n:08}"));
    tracker.registration.promised =
        Some(Promise { from: None, to: Moment::Date("2026-11-25".parse().unwrap()), zone: None });
    tracker.registration.destination =
        Some(Destination { country: Some("FR".to_owned()), postcode: Some("69007".to_owned()), zone: None });
    let names = [
        ("MP", "Shipper created a label, UPS has not received the package yet.", Substatus::LabelCreated, "", "DE"),
        ("OR", "Origin Scan", Substatus::Accepted, "Koeln", "DE"),
        ("DP", "Departed from Facility", Substatus::Departed, "Koeln", "DE"),
        ("AR", "Arrived at Facility", Substatus::Arrived, "Herne-Boernig", "DE"),
        ("DP", "Departed from Facility", Substatus::Departed, "Herne-Boernig", "DE"),
        ("AR", "Arrived at Facility", Substatus::Arrived, "Lummen", "BE"),
        ("DP", "Departed from Facility", Substatus::Departed, "Lummen", "BE"),
        ("AR", "Arrived at Facility", Substatus::Arrived, "Corbas", "FR"),
        ("YP", "Processing at UPS Facility", Substatus::AtLocalFacility, "Corbas", "FR"),
        ("OT", "Out For Delivery Today", Substatus::OutForDelivery, "Corbas", "FR"),
        ("48", "The receiver was not available for delivery.", Substatus::RecipientAbsent, "Lyon", "FR"),
        ("OT", "Out For Delivery Today", Substatus::OutForDelivery, "Corbas", "FR"),
    ];
    let offset = Offset::constant(1);
    let start: DateTime = "2026-11-18T09:01:02".parse().unwrap();
    let mut answers = Vec::new();
    for (position, (code, words, substatus, city, country)) in names.into_iter().enumerate() {
        let hours = i64::try_from(position).unwrap() * 9;
        let wall = start.checked_add(SignedDuration::from_hours(hours)).unwrap();
        let seen = offset.to_timestamp(wall).unwrap().checked_add(SignedDuration::from_millis(1_234_567)).unwrap();
        answers.push(seen);
        tracker.events.push(KeptEvent {
            code: code.to_owned(),
            description: Some(words.to_owned()),
            meaning: Meaning::Moves(substatus, Rule::Plain),
            time: EventTime {
                raw: wall.strftime("%Y%m%d %H%M%S").to_string(),
                local: Some(Local::DateTime(wall)),
                precision: Some(Precision::Second),
                offset: Some(offset),
                utc: offset.to_timestamp(wall).ok(),
                zone_source: ZoneSource::Carrier,
            },
            place: Some(Place {
                city: (!city.is_empty()).then(|| city.to_owned()),
                country: Some(country.to_owned()),
                ..Place::default()
            }),
            observed_at: seen,
            last_seen: seen,
            position: u32::try_from(position).unwrap(),
            retracted_at: None,
        });
    }
    let last = *answers.last().unwrap();
    tracker.events.iter_mut().for_each(|event| event.last_seen = last);
    tracker.answers = answers;
    tracker.first_seen_at = Some(registered_at);
    tracker.substatus = Substatus::OutForDelivery;
    tracker.status_since = last;
    tracker.facts.service = Some("UPS Standard".to_owned());
    tracker.facts.eta_to = Some(Moment::Date("2026-11-24".parse().unwrap()));
    tracker.eta_original = Some((registered_at, Moment::Date("2026-11-23".parse().unwrap())));
    tracker.poll.last_at = Some(last);
    tracker.poll.last_ok_at = Some(last);
    tracker.poll.outcome = Some(PollOutcome::Ok);
    tracker.poll.digest = 0x1234_5678_9abc_def0;
    tracker.poll.next_at = Some(last.checked_add(SignedDuration::from_hours(2)).unwrap());
    tracker
}

/// Bytes of Redis memory for an active tracker with 12 events, all its keys together.
async fn a_tracker_weighs_little(ground: Ground) {
    const TRACKERS: usize = 800;
    let store = ground.store().await;
    store.add_shop(&shop("fashion-shop")).await.unwrap();
    let mut keys_of_one: BTreeMap<&str, u64> = BTreeMap::new();
    let mut shards: BTreeMap<&str, u64> = BTreeMap::new();
    let mut sample = Vec::new();
    // All in few shards, as full as they are in production: Redis packs short queues more tightly.
    let crowded = (0..).map(|n| usual(&store, n)).filter(|tracker| tracker.id.shard().number() < 4);
    for (n, tracker) in crowded.take(TRACKERS).enumerate() {
        let at = tracker.poll.next_at.unwrap();
        let timers = [(TimerKind::Late, at), (TimerKind::Stalled, at), (TimerKind::Expire, at)];
        store.register(&tracker, &[], &timers).await.unwrap();
        if n % 100 == 0 {
            sample.push(tracker);
        }
    }
    let size =
        async |key: &str| ground.ask::<Option<u64>>(&["MEMORY", "USAGE", key, "SAMPLES", "0"]).await.unwrap_or(0);
    for tracker in &sample {
        for (name, key) in [
            ("tracker", keys::tracker(&tracker.id)),
            ("events", keys::events(&tracker.id)),
            ("about", keys::about(&tracker.id)),
            ("by number", keys::by_number(&tracker.number)),
            ("by order", keys::by_order(&tracker.shop, &tracker.registration.orders[0].reference)),
            ("by customer", keys::by_customer(&tracker.shop, tracker.registration.customer_ref.as_ref().unwrap())),
        ] {
            *keys_of_one.entry(name).or_default() += size(&key).await;
        }
    }
    for shard in Shard::all() {
        for (name, key) in [
            ("due", keys::due(shard, &"ups-main".parse().unwrap())),
            ("timers", keys::timers(shard)),
            ("status", keys::by_status(shard, &shop("fashion-shop"), Substatus::OutForDelivery.status())),
        ] {
            *shards.entry(name).or_default() += size(&key).await;
        }
    }
    let mut parts: Vec<(&str, u64)> =
        keys_of_one.into_iter().map(|(name, sum)| (name, sum / sample.len() as u64)).collect();
    parts.extend(shards.into_iter().map(|(name, sum)| (name, sum / TRACKERS as u64)));
    let total: u64 = parts.iter().map(|(_, size)| size).sum();
    println!("Redis memory for an active tracker with 12 events: {total} bytes {parts:?}");
    let events: String = ground.ask(&["GET", &keys::events(&sample[0].id)]).await;
    println!("events, {} bytes: {events}", events.len());
    let encoding: String = ground.ask(&["OBJECT", "ENCODING", &keys::tracker(&sample[0].id)]).await;
    assert_eq!(encoding, "listpack");
    assert_eq!(store.load(&sample[0].id).await.unwrap().as_ref(), Some(&sample[0]));
    // Its change log, which ages out, and its answers, which are not kept, are not counted. A node of a cluster keeps
    // its keys by slot as well, which takes 16 bytes for each.
    assert!(total <= 2600, "{total} bytes");
}
