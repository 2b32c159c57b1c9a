//! Promise 3 where it is hardest: what a killed daemon called in its last moments counts, though only it knew.

use std::time::Duration;

use tokio::time::sleep;
use wismo::simulator::carriers::StandIn;
use wismo::simulator::ledger::{Call, CallKind};
use wismo::simulator::lives::Teller;
use wismo::simulator::quota::Quota;
use wismo::simulator::time::Moment;
use wismo::simulator::world::Network;

use super::load::LEASE;
use crate::support::house::{House, Plan, until};

const CALLS: u32 = 3;
/// Short enough to be counted in the daemon's memory alone, and longer than a lease: whoever takes over is there
/// while its calls still count.
const WINDOW: Duration = Duration::from_secs(4);
const LIMITS: &str = "[accounts.ups.limits]\nwindows = [{ calls = 3, per = \"4s\" }]\n";

/// Tracking calls that came after a moment.
fn calls_after(carrier: &StandIn, moment: Moment) -> Vec<Call> {
    let late = |call: &Call| call.kind == CallKind::Track && call.arrived > moment;
    carrier.ledger.calls().into_iter().filter(late).collect()
}

/// Which daemon took the account last, by the daemons' logs.
fn holder(house: &House) -> usize {
    let taken = |which: &usize| {
        let events = house.daemons[*which].events("lease_taken");
        let last = events.iter().rev().find(|line| line["account"] == "ups");
        last.map(|line| line["timestamp"].as_str().unwrap().to_owned())
    };
    (0..house.daemons.len()).max_by_key(taken).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_an_account_over_waits_until_the_killed_ones_last_calls_count_no_more() {
    let quota = Quota::rolling(CALLS, WINDOW);
    let plan = Plan::new().carriers(&[Network::Ups]).quotas(&[(Network::Ups, quota.clone())]).more(LIMITS);
    let mut house = plan.lease(LEASE).no_sandbox().quiet().open().await;
    let second = house.daemon().await;
    house.daemons.push(second);
    let shop = house.shop("shop").await;
    let mut teller = Teller::new(house.clock, 17);
    // More than the window lets through: there is always a next call to make.
    for _ in 0..CALLS * 4 {
        let parcel = teller.unceasing(Network::Ups, house.clock.now(), Duration::from_secs(1), 60);
        house.stage(&parcel);
        shop.follow(&parcel).await;
    }
    let carrier = house.carrier(Network::Ups).clone();
    for _ in 0..2 {
        // A daemon that calls has used up a window just now: the worst moment to take its place with an empty one.
        let before = house.clock.now();
        until("a window full of calls", || async {
            (calls_after(&carrier, before).len() >= CALLS as usize).then_some(())
        })
        .await;
        let killed = holder(&house);
        house.daemons[killed].kill().await;
        let dead = house.clock.now();
        until("calls of the one that took over", || async {
            (calls_after(&carrier, dead).len() >= CALLS as usize).then_some(())
        })
        .await;
        assert_ne!(holder(&house), killed, "the other one has the account");
        let first = calls_after(&carrier, dead)[0].arrived;
        println!("taken over: the first call came {:?} after the death", first.since(dead));
        house.daemons[killed].spawn();
        house.daemons[killed].ready().await;
        // The carrier measures any window, also one that begins just before the death.
        sleep(WINDOW).await;
        let breaches = quota.breaches(&carrier.ledger.calls(), house.clock);
        assert!(breaches.is_empty(), "{breaches:#?}");
    }
}
