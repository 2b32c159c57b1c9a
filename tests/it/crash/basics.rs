//! An orphan's adoption, delays over restarts, and an order to stop.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};
use wismo::simulator::carriers::Options;
use wismo::simulator::demo;
use wismo::simulator::ledger::{CallKind, Ending};
use wismo::simulator::lives::{Story, Teller};
use wismo::simulator::world::{Network, Step};

use crate::support::daemon::{Daemon, PATIENCE, Redis, Setup, World};
use crate::support::redis::RedisServer;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_daemons_private_redis_is_adopted_and_nothing_is_lost() {
    let world = World::new().await;
    let config = world.configure("one", &Setup { timeout: SECOND, ..Setup::default() });
    let mut daemon = Daemon::start(&config).await;
    let shop = world.shop(&config, "shop").await;
    world.endpoint(&shop, "shop").await;
    let mut teller = Teller::new(world.clock, 7);
    for network in Network::ALL {
        let parcel = teller.unceasing(network, world.clock.now(), SECOND, 8);
        world.stage(&parcel);
        world.register(&shop, &parcel).await;
    }
    let before = daemon.private_redis_pid().expect("the log names the private server");
    daemon.restart().await;
    assert_eq!(daemon.private_redis_pid(), Some(before), "the same server goes on:\n{}", daemon.log());
    assert!(daemon.log().contains("\"adopted\":true"), "{}", daemon.log());
    let report = world.settle(&["shop"], SECOND, PATIENCE).await;
    println!("{}", report.summary());
    assert!(report.is_clean(), "{:?} {:#?}", report.problems(), report.notes);
    // In order this time: the server ends as well, and the next one reads all of it from its file.
    assert!(daemon.terminate().await.success());
    daemon.spawn();
    daemon.ready().await;
    assert_ne!(daemon.private_redis_pid(), Some(before));
    let parcel = teller.unceasing(Network::Ups, world.clock.now(), SECOND, 2);
    world.stage(&parcel);
    world.register(&shop, &parcel).await;
    let report = world.settle(&["shop"], SECOND, PATIENCE).await;
    assert!(report.is_clean(), "{:?} {:#?}", report.problems(), report.notes);
}

/// How many changes of a kind about this sort of delay arrived for a number.
fn told(world: &World, number: &str, kind: &str, delay: &str) -> usize {
    let meant = world.receiver.arrivals().matching(|arrival| {
        arrival.first && arrival.number == number && arrival.kind == kind && arrival.delay.as_deref() == Some(delay)
    });
    meant.len()
}

async fn until(what: &str, daemon: &Daemon, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{what}:\n{}", daemon.log());
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_that_opens_while_all_is_down_and_ends_while_all_is_down_is_told_once_each() {
    let world = World::new().await;
    let config = world.configure("one", &Setup { day: SECOND * 2, timeout: SECOND, ..Setup::default() });
    let mut daemon = Daemon::start(&config).await;
    let shop = world.shop(&config, "shop").await;
    world.endpoint(&shop, "shop").await;
    let mut teller = Teller::new(world.clock, 8);
    let began = world.clock.now();
    let label = teller.parcel(Network::FedEx, Story::NotHandedOver, began, SECOND);
    let late = teller.unceasing(Network::FedEx, began, SECOND, 2);
    world.stage(&label);
    world.stage(&late);
    let due = began.plus(SECOND * 5);
    world.register(&shop, &label).await;
    let promise = json!({"to": world.clock.wall(due).to_string()});
    shop.post("/v1/trackers", &json!({"number": late.number, "carrier": "fedex", "promised": promise})).await;
    let seen = |number: &str| {
        !world.receiver.arrivals().matching(|a| a.number == number && a.kind == "tracker.first_seen").is_empty()
    };
    until("both are seen", &daemon, || seen(&label.number) && seen(&late.number)).await;

    // Both fall due while nobody is there.
    let both = [(&label.number, "not_handed_over"), (&late.number, "late")];
    daemon.kill9();
    world.clock.until(due.plus(SECOND)).await;
    daemon.spawn();
    let all = |kind: &str| both.iter().all(|(number, delay)| told(&world, number, kind, delay) > 0);
    until("both delays open", &daemon, || all("tracker.delayed")).await;

    // Both end while nobody is there.
    daemon.kill9();
    let parcels = &world.carrier(Network::FedEx).world;
    assert!(parcels.scan_now(&label.number, Step::Accepted, None));
    assert!(parcels.scan_now(&late.number, Step::Delivered, None));
    sleep(SECOND).await;
    daemon.spawn();
    until("both delays end", &daemon, || all("tracker.delay_cleared")).await;
    daemon.restart().await;
    let report = world.settle(&["shop"], SECOND, PATIENCE).await;
    assert!(report.is_clean(), "{:?} {:#?}", report.problems(), report.notes);
    for (number, delay) in both {
        for kind in ["tracker.delayed", "tracker.delay_cleared"] {
            assert_eq!(told(&world, number, kind, delay), 1, "{kind} {delay}");
        }
    }
    assert!(daemon.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordered_stop_breaks_no_call_and_hands_the_accounts_over_at_once() {
    let latency = Duration::from_millis(400);
    let options = |network| Options { quota: demo::quota(network), latency, ..Options::default() };
    let world = World::with(&[Network::Ups, Network::MondialRelay], options).await;
    let redis = RedisServer::start().await;
    // After a crash the other one would wait twice this long, and more.
    let lease = SECOND * 10;
    let setup = Setup { redis: Redis::Url(redis.url()), lease, ..Setup::default() };
    let (first, second) = (world.configure("one", &setup), world.configure("two", &setup));
    let mut leaving = Daemon::start(&first).await;
    let shop = world.shop(&first, "shop").await;
    world.endpoint(&shop, "shop").await;
    let mut teller = Teller::new(world.clock, 9);
    for network in [Network::Ups, Network::MondialRelay].into_iter().cycle().take(8) {
        let parcel = teller.unceasing(network, world.clock.now(), SECOND, 10);
        world.stage(&parcel);
        world.register(&shop, &parcel).await;
    }
    let busy = || {
        let open = |call: &wismo::simulator::ledger::Call| call.ending == Ending::Open;
        world.carriers.iter().all(|stand_in| stand_in.ledger.calls().iter().any(open))
    };
    until("calls are in flight", &leaving, busy).await;
    let mut staying = Daemon::start(&second).await;
    until("calls are in flight", &leaving, busy).await;

    let (asked, instant) = (world.clock.now(), Instant::now());
    let status = leaving.terminate().await;
    let (took, ended) = (instant.elapsed(), world.clock.now());
    assert!(status.success(), "{status}\n{}", leaving.log());
    assert!(took < SECOND * 10, "within its deadline: {took:?}");
    let of_after = |stand_in: &wismo::simulator::carriers::StandIn| {
        stand_in.ledger.calls().into_iter().find(|call| call.kind == CallKind::Track && call.arrived > ended)
    };
    until("the other one calls", &staying, || world.carriers.iter().all(|stand_in| of_after(stand_in).is_some())).await;
    for stand_in in &world.carriers {
        let gap = of_after(stand_in).unwrap().arrived.since(ended);
        println!("{}: stopped in {took:?}, the next call {gap:?} after the end", stand_in.code);
        assert!(gap < lease / 2, "{} waited {gap:?} as if for a dead one", stand_in.code);
        let broken = stand_in.ledger.calls().into_iter().filter(|call| call.ending == Ending::Broken).count();
        assert_eq!(broken, 0, "calls in flight were let end (asked at {asked:?})");
    }
    let report = world.settle(&["shop"], SECOND, PATIENCE).await;
    assert!(report.is_clean(), "{:?} {:#?}", report.problems(), report.notes);
    assert!(staying.terminate().await.success());
}
