//! `kill -9` of the daemon, at random moments, under unceasing load.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::load::{self, Dice, Hits, Load};
use crate::support::house::Redis;
use crate::support::redis::RedisServer;
use crate::support::tap::Tap;

const KILLS: usize = 50;
/// Kills may go on beyond, until each kind of work was hit this often.
const EACH: usize = 5;
const LONGEST: Duration = Duration::from_secs(200);

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_of_the_daemon_lose_double_reorder_and_invent_nothing() {
    let redis = RedisServer::start_durable().await;
    let tap = Tap::start(redis.address(), Duration::from_millis(15)).await;
    let mut house = load::plan().redis(Redis::At(tap.url())).open().await;
    let load = Load::start(&house, Duration::from_secs(100)).await;

    let (mut dice, mut hits, start) = (Dice::new(), Hits::default(), Instant::now());
    while hits.kills < KILLS || !hits.enough(EACH) {
        assert!(start.elapsed() < LONGEST, "too few hits in {LONGEST:?}: {hits}");
        let wait = moment(&mut dice);
        sleep(wait).await;
        if wait >= polling() && hits.commits < EACH {
            // Commits are short: on a busy machine chance alone may not meet enough of them.
            catch_a_commit(&tap, Duration::from_secs(2)).await;
        }
        // It stands still while we look, so that the count is exact, and never moves again.
        house.first().freeze();
        hits.note(&house, tap.commits());
        house.daemons[0].kill().await;
        house.daemons[0].spawn();
    }
    println!("{hits} in {:?}", start.elapsed());
    house.daemons[0].ready().await;
    load.prove(&house).await;
}

/// Most kills hit a daemon that is starting, waiting for its lease or delivering; the others one that polls as well,
/// which it does from twice the lease and two seconds after the last kill on.
fn moment(dice: &mut Dice) -> Duration {
    if dice.below(5) < 3 {
        dice.between(Duration::from_millis(20), Duration::from_millis(1_000))
    } else {
        dice.between(polling(), polling() + Duration::from_millis(2_000))
    }
}

/// How long after a kill the daemon polls again.
fn polling() -> Duration {
    load::LEASE * 2 + Duration::from_secs(2)
}

/// Waits until a commit is under way, or in vain.
async fn catch_a_commit(tap: &Tap, patience: Duration) {
    let start = Instant::now();
    while !tap.commits().any() && start.elapsed() < patience {
        sleep(Duration::from_millis(1)).await;
    }
}
