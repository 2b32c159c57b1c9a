//! Two daemons on one store, of which one is killed now and then: its accounts go to the other.

use std::collections::HashMap;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::load::{self, Dice, Hits, Load};
use crate::support::daemon::{Config, Daemon, Redis, Setup};
use crate::support::redis::{RedisCluster, RedisServer};
use crate::support::tap::UnderWay;

#[tokio::test(flavor = "multi_thread")]
async fn of_two_daemons_one_is_killed_and_the_other_takes_its_accounts() {
    let redis = RedisServer::start_durable().await;
    play(Redis::Url(redis.url()), 16, Duration::from_secs(50)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_daemons_on_a_cluster_one_is_killed_and_the_other_takes_its_accounts() {
    let cluster = RedisCluster::start().await;
    play(Redis::Cluster(cluster.urls()), 5, Duration::from_secs(20)).await;
}

async fn play(redis: Redis, kills: usize, span: Duration) {
    let world = load::world().await;
    let setup = Setup { redis, ..load::setup() };
    let configs = [world.configure("one", &setup), world.configure("two", &setup)];
    let mut daemons = [Daemon::start(&configs[0]).await, Daemon::start(&configs[1]).await];
    let load = Load::start(&world, &configs[0], span).await;

    let (mut dice, mut hits, start) = (Dice::new(), Hits::default(), Instant::now());
    while hits.kills < kills {
        sleep(dice.between(Duration::from_millis(500), Duration::from_millis(5_000))).await;
        let daemon = &mut daemons[usize::try_from(dice.below(2)).unwrap()];
        daemon.signal(Signal::STOP);
        hits.note(&world, UnderWay::default());
        daemon.kill9();
        daemon.spawn();
    }
    let handed_over = hand_overs(&configs);
    println!(
        "{} kills in {:?}: {} with a call at a carrier, {} with a webhook at the endpoint; {handed_over} hand-overs",
        hits.kills,
        start.elapsed(),
        hits.requests,
        hits.deliveries
    );
    load.prove(&world).await;
    assert!(handed_over >= 2, "accounts go from one daemon to the other");
    for daemon in &mut daemons {
        daemon.ready().await;
        assert!(daemon.terminate().await.success(), "{}", daemon.log());
    }
}

/// How often an account was taken by another daemon than the last time, by the daemons' logs.
fn hand_overs(configs: &[Config]) -> usize {
    let mut taken: HashMap<String, Vec<(String, usize)>> = HashMap::new();
    for (daemon, config) in configs.iter().enumerate() {
        for line in config.log_text().lines() {
            let Ok(entry) = serde_json::from_str::<Value>(line) else { continue };
            let fields = entry.get("fields").unwrap_or(&entry);
            if fields["event"] == "lease_taken" {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                taken.entry(text(&fields["account"])).or_default().push((text(&entry["timestamp"]), daemon));
            }
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
