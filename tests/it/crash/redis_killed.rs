//! `kill -9` of the private Redis under a daemon that goes on.

use std::time::Duration;

use rustix::process::{Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::load::{self, Dice, Hits, Load};
use crate::support::house::{PATIENCE, Redis};
use crate::support::tap::UnderWay;

const KILLS: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn kills_of_the_private_redis_lose_double_reorder_and_invent_nothing() {
    let mut house = load::plan().redis(Redis::Private).open().await;
    let load = Load::start(&house, Duration::from_secs(45)).await;
    let alive = house.first().pid();

    let (mut dice, mut hits, start) = (Dice::new(), Hits::default(), Instant::now());
    while hits.kills < KILLS {
        // One that serves, for a while: a server that is killed while it starts is started with ever longer pauses.
        house.daemons[0].ready().await;
        sleep(dice.between(Duration::from_millis(100), Duration::from_millis(3_500))).await;
        let since = Instant::now();
        let pid = loop {
            if let Some(pid) = house.private_redis() {
                break pid;
            }
            assert!(
                since.elapsed() < PATIENCE,
                "the daemon does not start its Redis again:\n{}",
                house.first().last_words()
            );
            sleep(Duration::from_millis(20)).await;
        };
        hits.note(&house, UnderWay::default());
        kill_process(pid, Signal::KILL).unwrap();
        // Until it is gone, it would be taken for the next one.
        while house.private_redis() == Some(pid) {
            sleep(Duration::from_millis(1)).await;
        }
    }
    println!(
        "{} kills of Redis in {:?}: {} with a call at a carrier, {} with a webhook at the endpoint",
        hits.kills,
        start.elapsed(),
        hits.requests,
        hits.deliveries
    );
    load.prove(&house).await;
    assert_eq!(house.first().pid(), alive, "one daemon lived through all of it");
    assert_eq!(house.daemons[0].stop().await, 0);
}
