//! Promise 10: each opening of a delay has exactly one end, end to end and over the death of a daemon.

use std::time::Duration;

use serde_json::json;
use wismo::simulator::lives::{Story, Teller};
use wismo::simulator::world::Network;

use crate::support::house::{House, Plan, assert_in_order, until};

/// Openings and ends of one kind for one parcel, in the order of first arrival.
fn told(house: &House, id: &str, kind: &str) -> Vec<String> {
    let about =
        |a: &wismo::simulator::receiver::Arrival| a.subject == id && a.first && a.delay.as_deref() == Some(kind);
    house.arrived("shop").into_iter().filter(about).map(|a| a.kind).collect()
}

const ONCE: [&str; 2] = ["tracker.delayed", "tracker.delay_cleared"];

#[tokio::test]
async fn every_kind_of_delay_opens_once_and_clears_once() {
    let house = Plan::new().sandbox_day("1s").open().await;
    let shop = house.shop("boutique").await;
    shop.endpoint(&house, "shop", &["tracker.*"]).await;
    let stories = [
        ("late", "SANDBOX-LATE-1"),
        ("not_handed_over", "SANDBOX-NOT-HANDED-OVER-THEN-MOVES-1"),
        ("stalled", "SANDBOX-STALLED-THEN-MOVES-1"),
        ("carrier", "SANDBOX-DELAYED-1"),
    ];
    let mut ids = Vec::new();
    for (kind, number) in stories {
        ids.push((kind, shop.track(number).await));
    }
    let on_time = shop.register(&json!({ "number": "SANDBOX-PICKUP-1", "promised": { "to": "2099-01-01" } })).await;
    for (kind, id) in &ids {
        shop.shows(id, "delivery", |t| t["parcel"]["status"] == "delivered").await;
        until(&format!("{kind} told"), || async { (told(&house, id, kind).len() >= 2).then_some(()) }).await;
        assert_eq!(told(&house, id, kind), ONCE, "{kind}");
        let shown = shop.get(&format!("/v1/trackers/{id}")).await.1;
        assert_eq!(shown["conditions"], json!([]), "{shown}");
    }
    shop.shows(&on_time, "delivery", |t| t["parcel"]["status"] == "delivered").await;
    for kind in ["late", "not_handed_over", "stalled", "carrier"] {
        assert!(told(&house, &on_time, kind).is_empty(), "{kind} of a parcel that is on time");
        for (_, id) in &ids {
            until("its end, too", || async { told(&house, id, kind).len().is_multiple_of(2).then_some(()) }).await;
            // Another kind may open again, on a slow machine above all: each time with its end.
            let told = told(&house, id, kind);
            assert!(told.chunks(2).all(|pair| pair == ONCE), "{kind}: {told:?}");
        }
    }
    assert_in_order(&house.arrived("shop"));
}

/// The daemon is killed while all four are open; the next one tells their ends, and no opening twice.
#[tokio::test]
async fn a_death_between_opening_and_end_loses_neither() {
    let carriers = [Network::FedEx, Network::Ups, Network::LaPoste];
    let mut house = Plan::new().carriers(&carriers).more("[delays]\nday = \"2s\"\n").open().await;
    let shop = house.shop("boutique").await;
    shop.endpoint(&house, "shop", &["tracker.*"]).await;
    let mut teller = Teller::new(house.clock, 5);
    let (start, span) = (house.clock.now(), Duration::from_secs(16));
    let mut ids = Vec::new();
    for (kind, network, story) in [
        ("late", Network::LaPoste, Story::LateThenClear),
        ("not_handed_over", Network::Ups, Story::HandedOverLate),
        ("stalled", Network::Ups, Story::StalledThenMoves),
        ("carrier", Network::FedEx, Story::CarrierDelay),
    ] {
        let parcel = teller.parcel(network, story, start, span);
        house.carrier(network).world.add(parcel.clone());
        let mut body = json!({ "number": parcel.number, "carrier": network.code() });
        // The shop's promise decides over the carrier's estimate.
        let due =
            if kind == "late" { start.plus(Duration::from_secs(4)) } else { start.plus(Duration::from_secs(3_600)) };
        body["promised"] = json!({ "to": house.clock.wall(due).strftime("%Y-%m-%dT%H:%M:%SZ").to_string() });
        body["destination"] = json!({ "country": parcel.destination.country });
        ids.push((kind, shop.register(&body).await));
    }
    for (kind, id) in &ids {
        until(&format!("the opening of {kind}"), || async { told(&house, id, kind).first().cloned() }).await;
    }
    house.daemons[0].kill().await;
    let open: Vec<_> = ids.iter().filter(|(kind, id)| told(&house, id, kind).len() == 1).collect();
    assert!(open.len() >= 3, "most are still open at the kill: {open:?}");
    let next = house.daemon().await;
    house.daemons.push(next);
    let shop = shop.at(&house.daemons[1]);
    for (kind, id) in &ids {
        shop.shows(id, "delivery", |t| t["parcel"]["status"] == "delivered").await;
        until(&format!("the end of {kind}"), || async { (told(&house, id, kind).len() >= 2).then_some(()) }).await;
        assert_eq!(told(&house, id, kind), ONCE, "{kind}");
    }
    assert_in_order(&house.arrived("shop"));
}

/// A life that ends while a delay is open ends the delay, too: lost after it was late.
#[tokio::test]
async fn a_delay_that_never_clears_ends_with_its_parcel() {
    let house = Plan::new().sandbox_day("1s").more("[delays]\nexpire = \"3s\"\n").open().await;
    let shop = house.shop("boutique").await;
    shop.endpoint(&house, "shop", &["tracker.*"]).await;
    let id = shop.track("SANDBOX-NOT-HANDED-OVER-1").await;
    shop.shows(&id, "expiry", |t| t["parcel"]["status"] == "expired").await;
    until("the end", || async { (told(&house, &id, "not_handed_over").len() >= 2).then_some(()) }).await;
    for kind in ["late", "not_handed_over"] {
        assert!(
            [&ONCE[..], &[]].contains(&&told(&house, &id, kind).iter().map(String::as_str).collect::<Vec<_>>()[..]),
            "{kind}"
        );
    }
    // Deleting ends what is open without another word.
    let id = shop.track("SANDBOX-NOT-HANDED-OVER-2").await;
    until("the opening", || async { told(&house, &id, "not_handed_over").first().cloned() }).await;
    assert_eq!(shop.delete(&format!("/v1/trackers/{id}")).await.0, 204);
    house.arrival("the deletion", |a| a.subject == id && a.kind == "tracker.deleted").await;
    assert_in_order(&house.arrived("shop"));
}
