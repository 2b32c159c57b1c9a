//! `kill -9` of the private Redis under a daemon that goes on.

use std::time::Duration;

use rustix::process::{Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::load::{self, Dice, Hits, Load};
use crate::support::daemon::{Daemon, PATIENCE, redis_in};
use crate::support::tap::UnderWay;

const KILLS: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn kills_of_the_private_redis_lose_double_reorder_and_invent_nothing() {
    let world = load::world().await;
    let config = world.configure("one", &load::setup());
    let mut daemon = Daemon::start(&config).await;
    let load = Load::start(&world, &config, Duration::from_secs(45)).await;
    let folder = world.folder().join("state/redis");
    let alive = daemon.pid();

    let (mut dice, mut hits, start) = (Dice::new(), Hits::default(), Instant::now());
    while hits.kills < KILLS {
        // One that serves, for a while: a server that is killed while it starts is started with ever longer pauses.
        daemon.ready().await;
        sleep(dice.between(Duration::from_millis(100), Duration::from_millis(3_000))).await;
        let since = Instant::now();
        let pid = loop {
            if let Some(pid) = redis_in(&folder) {
                break pid;
            }
            assert!(since.elapsed() < PATIENCE, "the daemon does not start its Redis again:\n{}", daemon.log());
            sleep(Duration::from_millis(20)).await;
        };
        hits.note(&world, UnderWay::default());
        kill_process(pid, Signal::KILL).unwrap();
        // Until it is gone, it would be taken for the next one.
        while redis_in(&folder) == Some(pid) {
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
    load.prove(&world).await;
    assert_eq!(daemon.pid(), alive, "one daemon lived through all of it");
    assert!(daemon.terminate().await.success());
}
