//! Two daemons on one store, of which one is killed now and then: its accounts go to the other.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::load::{self, Dice, Hits, Load};
use crate::support::house::{Daemon, Redis};
use crate::support::tap::UnderWay;

/// Accounts that have to go from one daemon to the other.
const HAND_OVERS: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn of_two_daemons_one_is_killed_and_the_other_takes_its_accounts() {
    play(Redis::Durable, 16, Duration::from_secs(50)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_daemons_on_a_cluster_one_is_killed_and_the_other_takes_its_accounts() {
    play(Redis::Cluster, 5, Duration::from_secs(20)).await;
}

async fn play(redis: Redis, kills: usize, span: Duration) {
    let mut house = load::plan().redis(redis).open().await;
    let second = house.daemon().await;
    house.daemons.push(second);
    let load = Load::start(&house, span).await;

    let (mut dice, mut hits, start) = (Dice::new(), Hits::default(), Instant::now());
    // The dice may kill the one that holds nothing, or both at once: then some more.
    while hits.kills < kills || (hits.kills < 10 * kills && hand_overs(&house.daemons) < HAND_OVERS) {
        sleep(dice.between(Duration::from_millis(500), Duration::from_millis(5_000))).await;
        let which = usize::try_from(dice.below(2)).unwrap();
        house.daemons[which].freeze();
        hits.note(&house, UnderWay::default());
        house.daemons[which].kill().await;
        house.daemons[which].spawn();
    }
    let handed_over = hand_overs(&house.daemons);
    println!(
        "{} kills in {:?}: {} with a call at a carrier, {} with a webhook at the endpoint; {handed_over} hand-overs",
        hits.kills,
        start.elapsed(),
        hits.requests,
        hits.deliveries
    );
    load.prove(&house).await;
    assert!(handed_over >= HAND_OVERS, "accounts go from one daemon to the other");
    for daemon in &mut house.daemons {
        daemon.ready().await;
        assert_eq!(daemon.stop().await, 0, "{}", daemon.last_words());
    }
}

/// How often an account was taken by another daemon than the last time, by the daemons' logs.
fn hand_overs(daemons: &[Daemon]) -> usize {
    let mut taken: HashMap<String, Vec<(String, usize)>> = HashMap::new();
    for (which, daemon) in daemons.iter().enumerate() {
        for line in daemon.events("lease_taken") {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            taken.entry(text(&line["account"])).or_default().push((text(&line["timestamp"]), which));
        }
    }
    taken
        .into_values()
        .map(|mut of_account| {
            of_account.sort();
            of_account.windows(2).filter(|pair| pair[0].1 != pair[1].1).count()
        })
        .sum()
}
