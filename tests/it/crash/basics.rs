//! An orphan's adoption, delays over restarts, and an order to stop.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};
use wismo::simulator::ledger::{CallKind, Ending};
use wismo::simulator::lives::{Story, Teller};
use wismo::simulator::world::{Network, Step};

use super::load::WEBHOOK;
use crate::support::house::{House, PATIENCE, Plan, Redis, until};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_daemons_private_redis_is_adopted_and_nothing_is_lost() {
    let mut house = plan(&Network::ALL).redis(Redis::Private).open().await;
    let shop = house.shop("shop").await.patient();
    shop.endpoint(&house, "shop", &["*"]).await;
    let mut teller = Teller::new(house.clock, 7);
    for network in Network::ALL {
        let parcel = teller.unceasing(network, house.clock.now(), SECOND, 8);
        house.stage(&parcel);
        shop.follow(&parcel).await;
    }
    let before = house.first().private_redis_pid().expect("the log names the private server");
    house.daemons[0].restart().await;
    assert_eq!(house.first().private_redis_pid(), Some(before), "the same server goes on");
    assert!(house.first().log().contains("\"adopted\":true"));
    let report = house.settle(&["shop"], SECOND, PATIENCE).await;
    println!("{}", report.summary());
    assert!(report.is_clean(), "{:?} {:#?}", report.problems(), report.notes);
    // In order this time: the server ends as well, and the next one reads all of it from its file.
    assert_eq!(house.daemons[0].stop().await, 0);
    house.daemons[0].spawn();
    house.daemons[0].ready().await;
    assert_ne!(house.first().private_redis_pid(), Some(before));
    let parcel = teller.unceasing(Network::Ups, house.clock.now(), SECOND, 2);
    house.stage(&parcel);
    shop.follow(&parcel).await;
    let report = house.settle(&["shop"], SECOND, PATIENCE).await;
    assert!(report.is_clean(), "{:?} {:#?}", report.problems(), report.notes);
}

/// How many changes of a kind about this sort of delay arrived for a number.
fn told(house: &House, number: &str, kind: &str, delay: &str) -> usize {
    let meant = house.receiver.arrivals().matching(|arrival| {
        arrival.first && arrival.number == number && arrival.kind == kind && arrival.delay.as_deref() == Some(delay)
    });
    meant.len()
}

async fn wait(what: &str, condition: impl Fn() -> bool) {
    until(what, || async { condition().then_some(()) }).await;
}

/// Published quotas, polls twice a second, attempts for as long as all may be down.
fn plan(carriers: &[Network]) -> Plan {
    Plan::new().published(carriers).no_sandbox().quiet().pace("500ms").deadline("10s").webhook(WEBHOOK)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_that_opens_while_all_is_down_and_ends_while_all_is_down_is_told_once_each() {
    let days = "[delays]\nday = \"2s\"\n";
    let mut house = plan(&[Network::FedEx]).redis(Redis::Private).more(days).open().await;
    let shop = house.shop("shop").await.patient();
    shop.endpoint(&house, "shop", &["*"]).await;
    let mut teller = Teller::new(house.clock, 8);
    let began = house.clock.now();
    let label = teller.parcel(Network::FedEx, Story::NotHandedOver, began, SECOND);
    let late = teller.unceasing(Network::FedEx, began, SECOND, 2);
    house.stage(&label);
    house.stage(&late);
    let due = began.plus(SECOND * 5);
    shop.follow(&label).await;
    let promise = json!({"to": house.clock.wall(due).to_string()});
    shop.register(&json!({"number": late.number, "carrier": "fedex", "promised": promise})).await;
    let seen = |number: &str| {
        !house.receiver.arrivals().matching(|a| a.number == number && a.kind == "tracker.first_seen").is_empty()
    };
    wait("both are seen", || seen(&label.number) && seen(&late.number)).await;

    // Both fall due while nobody is there.
    let both = [(&label.number, "not_handed_over"), (&late.number, "late")];
    house.daemons[0].kill().await;
    house.clock.until(due.plus(SECOND)).await;
    house.daemons[0].spawn();
    let all = |kind: &str| both.iter().all(|(number, delay)| told(&house, number, kind, delay) > 0);
    wait("both delays open", || all("tracker.delayed")).await;

    // Both end while nobody is there.
    house.daemons[0].kill().await;
    let parcels = &house.carrier(Network::FedEx).world;
    assert!(parcels.scan_now(&label.number, Step::Accepted, None));
    assert!(parcels.scan_now(&late.number, Step::Delivered, None));
    sleep(SECOND).await;
    house.daemons[0].spawn();
    wait("both delays end", || {
        both.iter().all(|(number, delay)| told(&house, number, "tracker.delay_cleared", delay) > 0)
    })
    .await;
    house.daemons[0].restart().await;
    let report = house.settle(&["shop"], SECOND, PATIENCE).await;
    assert!(report.is_clean(), "{:?} {:#?}", report.problems(), report.notes);
    for (number, delay) in both {
        for kind in ["tracker.delayed", "tracker.delay_cleared"] {
            assert_eq!(told(&house, number, kind, delay), 1, "{kind} {delay}");
        }
    }
    assert_eq!(house.daemons[0].stop().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordered_stop_breaks_no_call_and_hands_the_accounts_over_at_once() {
    let latency = Duration::from_millis(400);
    // After a crash the other one would wait twice this long, and more.
    let lease = SECOND * 10;
    let mut house = plan(&[Network::Ups, Network::MondialRelay]).latency(latency).lease(lease).open().await;
    let shop = house.shop("shop").await;
    shop.endpoint(&house, "shop", &["*"]).await;
    let mut teller = Teller::new(house.clock, 9);
    for network in [Network::Ups, Network::MondialRelay].into_iter().cycle().take(8) {
        let parcel = teller.unceasing(network, house.clock.now(), SECOND, 10);
        house.stage(&parcel);
        shop.follow(&parcel).await;
    }
    let world = Arc::clone(&house.world);
    let busy = || {
        let open = |call: &wismo::simulator::ledger::Call| call.ending == Ending::Open;
        world.stand_ins.iter().all(|stand_in| stand_in.ledger.calls().iter().any(open))
    };
    wait("calls are in flight", busy).await;
    let staying = house.daemon().await;
    house.daemons.push(staying);
    wait("calls are in flight", busy).await;

    let (asked, instant) = (world.clock.now(), Instant::now());
    let code = house.daemons[0].stop().await;
    let (took, ended) = (instant.elapsed(), world.clock.now());
    assert_eq!(code, 0, "{}", house.first().last_words());
    assert!(took < SECOND * 10, "within its deadline: {took:?}");
    let of_after = |stand_in: &wismo::simulator::carriers::StandIn| {
        stand_in.ledger.calls().into_iter().find(|call| call.kind == CallKind::Track && call.arrived > ended)
    };
    wait("the other one calls", || world.stand_ins.iter().all(|stand_in| of_after(stand_in).is_some())).await;
    for stand_in in &world.stand_ins {
        let gap = of_after(stand_in).unwrap().arrived.since(ended);
        println!("{}: stopped in {took:?}, the next call {gap:?} after the end", stand_in.code);
        assert!(gap < lease / 2, "{} waited {gap:?} as if for a dead one", stand_in.code);
        let broken = stand_in.ledger.calls().into_iter().filter(|call| call.ending == Ending::Broken).count();
        assert_eq!(broken, 0, "calls in flight were let end (asked at {asked:?})");
    }
    let report = world.settle(&["shop"], SECOND, PATIENCE).await;
    assert!(report.is_clean(), "{:?} {:#?}", report.problems(), report.notes);
    assert_eq!(house.daemons[1].stop().await, 0);
}
