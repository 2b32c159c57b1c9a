//! Polls a second of one daemon against a stand-in, beside a bare reqwest loop that sends the same requests to the
//! same stand-in with as many at once in the same run.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss, clippy::disallowed_methods, missing_docs)]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use support::{Asking, Daemon, Process, Redis, Used, account, at_once, items, setting, stand_in};
use tokio_util::sync::CancellationToken;
use wismo::simulator::world::{Network, Step};

fn main() {
    support::runtime().block_on(async {
        for network in [Network::Ups, Network::FedEx] {
            measure(network).await;
        }
    });
}

async fn measure(network: Network) {
    let (trackers, at_once, seconds) = (setting("TRACKERS", 2000), setting("CONCURRENT", 32), setting("LENGTH", 5));
    let stop = CancellationToken::new();
    let (stand_in, numbers) = stand_in(network, trackers, 6, &stop).await;
    let asking = Arc::new(Asking::new(&stand_in).await);
    let per_call = asking.carrier.limits("production").numbers_per_call as usize;
    let redis = Redis::start();
    // Everything is due again long before its turn comes: the daemon is never idle.
    let settings = "[polling]\njitter = 0.0\nconcurrency = 256\n[polling.intervals]\npending = \"100ms\"\ninfo_received = \"100ms\"\nin_transit = \"100ms\"\nretry = \"100ms\"\n[sandbox]\nenabled = false";
    let mut daemon = Daemon::prepare(&redis, settings, &account(&stand_in, at_once));
    daemon.start().await;
    daemon.shop().await.register(stand_in.code, &numbers).await;
    while stand_in.ledger.told_count() < trackers * 6 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!(
        "{} ({per_call} a call, {at_once} calls at once, {trackers} trackers due, appendfsync {})",
        stand_in.code, redis.fsync
    );
    let before = bare(&asking, &numbers, per_call, at_once, 1).await;
    let processes = [("daemon", daemon.process()), ("redis", redis.process()), ("stand-in", Process::own())];
    let (calls, used) = (stand_in.ledger.call_count(), Used::since_now(&processes));
    tokio::time::sleep(Duration::from_secs(seconds as u64)).await;
    let calls = usize::try_from(stand_in.ledger.call_count() - calls).unwrap();
    let rate = calls as f64 / used.seconds();
    println!(
        "  daemon, nothing new: {:>8.0} numbers/s {rate:>8.0} calls/s; a number costs {}",
        rate * per_call as f64,
        used.each(calls * per_call)
    );
    let (told, used) = (stand_in.ledger.told_count(), Used::since_now(&processes));
    for number in &numbers {
        stand_in.world.scan_now(number, Step::Departed, None);
    }
    while stand_in.ledger.told_count() < told + trackers {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    println!(
        "  daemon, one new scan for each parcel: all told after {:.2} s, {:.0} numbers/s; a number costs {}",
        used.seconds(),
        trackers as f64 / used.seconds(),
        used.each(trackers)
    );
    drop(daemon);
    let after = bare(&asking, &numbers, per_call, at_once, seconds).await;
    println!(
        "  bare loop alone:     {:>8.0} numbers/s {after:>8.0} calls/s (beside the busy daemon: {before:.0} calls/s)",
        after * per_call as f64
    );
    println!("  ratio: the daemon polls at {:.2} of the bare loop", rate / after);
    stop.cancel();
}

/// Calls a second of nothing but the client.
async fn bare(asking: &Arc<Asking>, numbers: &[String], per_call: usize, most: usize, seconds: usize) -> f64 {
    let requests: Vec<_> = numbers.chunks(per_call).map(|chunk| Arc::new(asking.request(&items(chunk)))).collect();
    let (began, end) = (Instant::now(), Instant::now() + Duration::from_secs(seconds as u64));
    let count = support::Count::default();
    at_once(most, requests.iter().cycle().take_while(|_| Instant::now() < end), |request| {
        let (asking, request, count) = (Arc::clone(asking), Arc::clone(request), count.clone());
        async move {
            assert_eq!(asking.send(&request).await.status, 200);
            count.add();
        }
    })
    .await;
    count.get() as f64 / began.elapsed().as_secs_f64()
}
