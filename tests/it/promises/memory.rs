//! Promise 8: memory is bounded whatever the backlog.

use futures_util::StreamExt as _;
use serde_json::json;
use wismo::simulator::receiver::Behaviour;

use crate::support::house::{Plan, until};

const TRACKERS: usize = 600;
const ENDPOINTS: usize = 16;
const UPDATES: usize = 2;

#[tokio::test]
async fn a_backlog_of_tens_of_thousands_does_not_grow_the_daemon() {
    let house = Plan::new().quiet().sandbox_day("1h").webhook("timeout = \"2s\"").open().await;
    let shop = house.shop("boutique").await;
    for number in 0..ENDPOINTS {
        let name = format!("dead-{number}");
        shop.endpoint(&house, &name, &["tracker.*"]).await;
        house.receiver.behave(&name, Behaviour::Hang, None);
    }
    let empty = house.first().resident_kib();
    for round in 0..=UPDATES {
        let requests = (0..TRACKERS).map(|n| {
            let shop = shop.clone();
            async move {
                let body =
                    json!({ "number": format!("SANDBOX-UNKNOWN-{n}"), "customer_ref": format!("round {round}") });
                let (status, told) = shop.post("/v1/trackers", &body).await;
                assert_eq!(status, if round == 0 { 201 } else { 200 }, "{told}");
            }
        });
        futures_util::stream::iter(requests).buffer_unordered(32).collect::<Vec<()>>().await;
    }
    let pending = until("the count of what waits", || async { Some(pending(&house).await) }).await;
    assert!(pending > 25_000, "{pending} wait");
    let resident = house.first().resident_kib();
    assert!(resident < 150 * 1024, "{resident} KiB with {pending} waiting; {empty} KiB before");
    // And it does not grow while they wait.
    until("attempts at all of them", || async {
        let tried = |n: usize| house.arrived(&format!("dead-{n}")).len() >= 2;
        (0..ENDPOINTS).all(tried).then_some(())
    })
    .await;
    let later = house.first().resident_kib();
    assert!(later < 150 * 1024, "{later} KiB");
    println!("{pending} deliveries wait; resident {empty} KiB before, {resident} KiB after, {later} KiB later");
}

async fn pending(house: &crate::support::house::House) -> usize {
    let mut raw = house.redis.raw().await;
    let (mut cursor, mut count) = (0_u64, 0);
    loop {
        let (next, keys): (u64, Vec<String>) = redis::cmd("SCAN")
            .arg(cursor)
            .arg("MATCH")
            .arg("wismo:*:pending:*")
            .arg("COUNT")
            .arg(1000)
            .query_async(&mut raw)
            .await
            .unwrap();
        let mut pipe = redis::pipe();
        for key in &keys {
            pipe.zcard(key);
        }
        let sizes: Vec<usize> = pipe.query_async(&mut raw).await.unwrap();
        count += sizes.iter().sum::<usize>();
        cursor = next;
        if cursor == 0 {
            return count;
        }
    }
}
