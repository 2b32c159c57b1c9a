//! Promise 4: one slow, dead or hostile endpoint, carrier or tracker delays nobody else.

use serde_json::json;
use wismo::simulator::faults::{Fault, Lasting};
use wismo::simulator::lives::{Story, Teller};
use wismo::simulator::receiver::Behaviour;
use wismo::simulator::world::Network;

use crate::support::house::{Plan, assert_in_order, until};

#[tokio::test]
async fn a_hanging_endpoint_a_hanging_carrier_and_a_backlog_delay_nobody_else() {
    let carriers = [Network::LaPoste, Network::Ups];
    let limits = "[accounts.laposte.limits]\nconcurrent = 2\n";
    let house =
        Plan::new().carriers(&carriers).webhook("timeout = \"30s\"").more(limits).sandbox_day("1s").open().await;
    let shop = house.shop("boutique").await;
    shop.endpoint(&house, "hanging", &["tracker.*"]).await;
    house.receiver.behave("hanging", Behaviour::Hang, None);
    house.carrier(Network::LaPoste).faults.set(Fault::Hang, Lasting::Always);
    // A thousand changes wait for the endpoint that hangs before the healthy one is even there.
    let backlog = (0..1_000).map(|n| {
        let shop = shop.clone();
        async move { shop.track(&format!("SANDBOX-UNKNOWN-{n}")).await }
    });
    futures_util::future::join_all(backlog).await;
    shop.endpoint(&house, "healthy", &["tracker.*"]).await;
    let mut teller = Teller::new(house.clock, 7);
    for _ in 0..10 {
        let number = teller.number(Network::LaPoste);
        shop.register(&json!({ "number": number, "carrier": "laposte" })).await;
    }
    until("the carrier that hangs", || async {
        let calls = house.carrier(Network::LaPoste).ledger.calls();
        calls.iter().any(|call| call.ended.is_none()).then_some(())
    })
    .await;
    let now = house.clock.now();
    let parcel = teller.parcel(Network::Ups, Story::Normal, now, std::time::Duration::from_secs(3));
    let number = parcel.number.clone();
    house.carrier(Network::Ups).world.add(parcel);
    shop.register(&json!({ "number": number, "carrier": "ups" })).await;
    shop.track("SANDBOX-DELIVERED-1").await;
    for (what, carrier) in [("the healthy carrier's delivery", "ups"), ("the sandbox's delivery", "sandbox")] {
        house.arrival(what, |a| a.endpoint == "healthy" && a.carrier == carrier && a.kind == "tracker.delivered").await;
    }
    assert_in_order(&house.arrived("healthy"));
    let hanging: Vec<_> = house.arrived("hanging");
    assert!(hanging.len() <= 20, "the endpoint that hangs holds few slots, not {}", hanging.len());
    assert!(house.carrier(Network::Ups).ledger.times_asked(&number) >= 3);
    let told = house.carrier(Network::LaPoste).ledger.calls();
    assert!(told.iter().all(|call| call.ended.is_none() || call.status == 0), "it still hangs");
}

/// A webhook that its endpoint cannot digest holds up that parcel's later ones, and no other parcel's.
#[tokio::test]
async fn one_parcels_trouble_is_not_anothers() {
    let house = Plan::new().carriers(&[Network::Ups]).open().await;
    let shop = house.shop("boutique").await;
    shop.endpoint(&house, "shop", &["tracker.*"]).await;
    // This parcel's carrier fails for its number for a day of the sandbox; the ones beside it in the call do not.
    let failing = shop.track("SANDBOX-FAULT-1").await;
    let bad = shop.track("SANDBOX-BAD-NUMBER-1").await;
    let fine = shop.track("SANDBOX-DELIVERED-1").await;
    let delivered = |tracker: &serde_json::Value| tracker["parcel"]["status"] == "delivered";
    shop.shows(&fine, "delivery beside failures", delivered).await;
    shop.shows(&failing, "delivery after its failures", delivered).await;
    let rejected = shop.shows(&bad, "rejection", |t| t["parcel"]["substatus"] == "number_rejected").await;
    assert_eq!(rejected["parcel"]["status"], "pending", "{rejected}");
}
