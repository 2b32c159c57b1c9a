//! Accounts: leases that fence, long windows that no set of calls exceeds, pauses, price and token.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tokio::time::sleep;
use wismo::model::AccountName;
use wismo::model::time::{after, from_millis};
use wismo::store::{AccountPause, Lease, LongWindow, MasterKey, Store, StoreOptions, Target, keys};

use crate::support::redis::{RedisCluster, RedisServer};

const SHORT: Duration = Duration::from_millis(150);
const WINDOW: Duration = Duration::from_millis(100);

async fn open(target: Target) -> Store {
    Store::connect(target, StoreOptions::default(), MasterKey::generate().unwrap()).await.unwrap()
}

fn account(name: &str) -> AccountName {
    name.parse().unwrap()
}

async fn acquire(store: &Store, account: &AccountName, owner: &str, lease: Duration) -> Option<Lease> {
    store.acquire_lease_for(account, owner, lease, WINDOW).await.unwrap()
}

/// Makes the store look old: nobody may take it for one that was never used.
async fn age(server: &RedisServer) {
    let mut raw = server.raw().await;
    let _: () = redis::cmd("HSET").arg(keys::META).arg("created_at").arg(1).query_async(&mut raw).await.unwrap();
}

#[tokio::test]
async fn a_lease_has_one_holder_and_tokens_rise() {
    let server = RedisServer::start().await;
    let store = open(server.target()).await;
    let name = account("a");
    let long = Duration::from_secs(30);
    let first = acquire(&store, &name, "one", long).await.unwrap();
    assert!(first.token >= 1_600_000_000_000, "tokens start at the time");
    assert_eq!(acquire(&store, &name, "two", long).await, None);
    let repeated = acquire(&store, &name, "one", long).await.unwrap();
    assert_eq!(repeated.token, first.token, "a repeat of a call whose answer was lost");
    // Or the holder lost sight of the store, could not give the lease back, and comes again: what it called a moment
    // ago still counts.
    assert!(repeated.wait_before_first_call >= WINDOW, "{repeated:?}");
    assert!(store.renew_lease(&name, &first, long).await.unwrap());
    let forged = Lease { token: first.token + 1, ..first.clone() };
    assert!(!store.renew_lease(&name, &forged, long).await.unwrap());
    assert!(!store.release_lease(&name, &forged).await.unwrap());
    assert!(store.release_lease(&name, &first).await.unwrap());
    assert!(store.release_lease(&name, &first).await.unwrap(), "twice is once");
    assert!(!store.renew_lease(&name, &first, long).await.unwrap(), "given back is given back");
    let second = acquire(&store, &name, "two", long).await.unwrap();
    assert!(second.token > first.token);
    assert!(second.wait_before_first_call <= WINDOW, "only the windows remain after a release");
    assert!(!store.release_lease(&name, &first).await.unwrap());
    assert!(store.renew_lease(&name, &second, long).await.unwrap());
}

#[tokio::test]
async fn whoever_takes_over_waits_for_what_the_last_holder_may_have_done() {
    let server = RedisServer::start().await;
    let store = open(server.target()).await;
    age(&server).await;
    let name = account("a");
    // Never held, in a store that is not new: its last writes may be lost.
    let first = acquire(&store, &name, "one", SHORT).await.unwrap();
    let unknown = SHORT + WINDOW + Duration::from_secs(1);
    assert_eq!(first.wait_before_first_call, unknown);
    sleep(SHORT + Duration::from_millis(20)).await;
    let second = acquire(&store, &name, "two", Duration::from_secs(30)).await.unwrap();
    let wait = second.wait_before_first_call;
    assert!(wait <= SHORT + WINDOW + Duration::from_secs(1), "{wait:?}");
    assert!(wait >= Duration::from_millis(900), "{wait:?}");
    assert!(!store.renew_lease(&name, &first, SHORT).await.unwrap(), "it lost it");
    // Giving back before the wait is over does not shorten it for the next.
    assert!(store.release_lease(&name, &second).await.unwrap());
    let third = acquire(&store, &name, "three", SHORT).await.unwrap();
    assert!(third.wait_before_first_call > WINDOW, "{third:?}");
    // Nobody else: the holder that was only late goes on.
    sleep(SHORT + Duration::from_millis(20)).await;
    assert!(store.renew_lease(&name, &third, SHORT).await.unwrap());
}

#[tokio::test]
async fn many_who_want_a_lease_get_one() {
    let server = RedisServer::start().await;
    let store = open(server.target()).await;
    let owners: Vec<String> = (0..20).map(|n| format!("owner-{n}")).collect();
    let name = account("a");
    let tries = owners.iter().map(|owner| acquire(&store, &name, owner, Duration::from_secs(9)));
    let got = futures_util::future::join_all(tries).await;
    assert_eq!(got.into_iter().flatten().count(), 1);
}

#[tokio::test]
async fn accounts_in_a_cluster() {
    let cluster = RedisCluster::start().await;
    let store = open(cluster.target()).await;
    for n in 0..20 {
        let name = account(&format!("account-{n}"));
        let lease = acquire(&store, &name, "one", Duration::from_secs(9)).await.unwrap();
        assert!(
            store
                .save_token(&name, &lease, "sealed", after(store.now().await.unwrap(), SignedDuration::from_hours(1)))
                .await
                .unwrap()
        );
        let window = LongWindow::rolling(1000, Duration::from_hours(24), Duration::from_secs(10));
        assert_eq!(store.reserve_calls(&name, &window, 100).await.unwrap().granted, 5);
        assert!(store.release_lease(&name, &lease).await.unwrap());
    }
}

#[tokio::test]
async fn pause_token_and_price_are_kept() {
    let server = RedisServer::start().await;
    let store = open(server.target()).await;
    let name = account("a");
    let now = store.now().await.unwrap();
    let later = |seconds| after(now, SignedDuration::from_secs(seconds));
    assert_eq!(store.account_pause(&name).await.unwrap(), None);
    let pause = |seconds, why: &str, refused: Option<&str>| AccountPause {
        until: later(seconds),
        why: why.to_owned(),
        refused: refused.map(str::to_owned),
    };
    let longest = pause(60, "auth_failed", Some("sealed"));
    store.pause_account(&name, &longest).await.unwrap();
    store.pause_account(&name, &pause(30, "less", None)).await.unwrap();
    assert_eq!(store.account_pause(&name).await.unwrap(), Some(longest));
    let longer = pause(90, "throttled", None);
    store.pause_account(&name, &longer).await.unwrap();
    assert_eq!(store.account_pause(&name).await.unwrap(), Some(longer));
    store.unpause_account(&name).await.unwrap();
    store.pause_account(&name, &pause(-1, "over", None)).await.unwrap();
    assert_eq!(store.account_pause(&name).await.unwrap(), None);

    let lease = acquire(&store, &name, "one", Duration::from_secs(9)).await.unwrap();
    let stale = Lease { token: lease.token - 1, ..lease.clone() };
    assert!(!store.save_token(&name, &stale, "old", later(60)).await.unwrap());
    assert_eq!(store.load_token(&name).await.unwrap(), None);
    assert!(store.save_token(&name, &lease, "sealed", later(60)).await.unwrap());
    assert_eq!(store.load_token(&name).await.unwrap().as_deref(), Some("sealed"));
    store.forget_token(&name).await.unwrap();
    assert_eq!(store.load_token(&name).await.unwrap(), None);
    assert!(store.save_token(&name, &lease, "expired", later(-1)).await.unwrap());
    assert_eq!(store.load_token(&name).await.unwrap(), None);

    let price = [("price".to_owned(), "1.25".to_owned()), ("demand".to_owned(), "7".to_owned())].into();
    assert!(!store.save_price(&name, &stale, &price).await.unwrap());
    assert!(store.save_price(&name, &lease, &price).await.unwrap());
    assert_eq!(store.load_price(&name).await.unwrap(), price);
}

#[tokio::test]
async fn by_the_servers_clock_a_block_is_small_and_short_lived() {
    let server = RedisServer::start().await;
    let store = open(server.target()).await;
    let name = account("a");
    let day = LongWindow::rolling(10_000, Duration::from_hours(24), Duration::from_secs(30));
    let got = store.reserve_calls(&name, &day, 1000).await.unwrap();
    assert_eq!((got.granted, got.void_after, got.retry_at), (50, Duration::from_secs(60), None));
    // A quota that was made smaller counts what was reserved under the larger one.
    let smaller = LongWindow { calls: 50, ..day };
    let got = store.reserve_calls(&name, &smaller, 1).await.unwrap();
    assert_eq!(got.granted, 0);
    let now = store.now().await.unwrap();
    assert!(got.retry_at.unwrap() > after(now, SignedDuration::from_hours(24)));
    let hours =
        LongWindow::calendar(1, Duration::from_hours(24), TimeZone::UTC, Duration::from_secs(1), Duration::ZERO);
    let got = store.reserve_calls(&name, &hours, 1).await.unwrap();
    assert!(got.granted == 1 || got.retry_at.is_some());
    let odd = LongWindow::calendar(1, Duration::from_secs(77), TimeZone::UTC, Duration::ZERO, Duration::ZERO);
    assert!(store.reserve_calls(&name, &odd, 1).await.is_err());
}

/// What one step of a simulated polling does.
#[derive(Debug, Clone)]
struct Step {
    /// How long after the last step, in thousandths of the window.
    wait: u64,
    /// Calls wanted.
    block: u32,
    /// When the calls of the block reach the carrier: thousandths of the longest possible time.
    landings: Vec<u64>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wait = prop_oneof![3 => Just(0_u64), 4 => 0_u64..12, 1 => 0_u64..400];
    let landing = prop_oneof![Just(0_u64), Just(1000_u64), 0_u64..=1000];
    let step = (wait, 1_u32..9, prop::collection::vec(landing, 9));
    prop::collection::vec(step.prop_map(|(wait, block, landings)| Step { wait, block, landings }), 60..160)
}

/// The moments at which calls of a simulated account reach the carrier.
async fn landings(store: &Store, name: &AccountName, window: &LongWindow, steps: &[Step], start: i64) -> Vec<i64> {
    let per = i64::try_from(window.per.as_millis()).unwrap();
    let deadline = i64::try_from(window.deadline.as_millis()).unwrap();
    let mut landed = Vec::new();
    let mut now = start;
    for step in steps {
        now += i64::try_from(step.wait).unwrap() * per / 1000;
        let got = store.reserve_calls_at(name, window, step.block, from_millis(now)).await.unwrap();
        let longest = i64::try_from(got.void_after.as_millis()).unwrap() + deadline;
        for n in 0..got.granted {
            landed.push(now + i64::try_from(step.landings[n as usize % 9]).unwrap() * longest / 1000);
        }
        if let Some(retry_at) = got.retry_at {
            assert!(got.granted == 0 && retry_at > from_millis(now), "asking again at {retry_at} would spin");
            // Waiting exactly so long must bring something, or polling would stand still.
            if step.wait % 2 == 0 {
                now = retry_at.as_millisecond();
                let again = store.reserve_calls_at(name, window, 1, retry_at).await.unwrap();
                assert_eq!(again.granted, 1, "at {retry_at}");
                landed.push(now);
            }
        }
    }
    landed.sort_unstable();
    landed
}

#[test]
fn no_rolling_window_is_ever_exceeded() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (server, store) = runtime.block_on(async {
        let server = RedisServer::start().await;
        let store = open(server.target()).await;
        (server, store)
    });
    let case = std::cell::Cell::new(0);
    proptest!(ProptestConfig::with_cases(40), |(
        steps in steps(), calls in 1_u32..40, per in 6_u64..100_000, deadline in 0_u64..40, start in 0_i64..100_000,
    )| {
        case.set(case.get() + 1);
        let name = account(&format!("case-{}", case.get()));
        let window = LongWindow::rolling(calls, Duration::from_secs(per), Duration::from_secs(deadline));
        let landed = runtime.block_on(landings(&store, &name, &window, &steps, 1_800_000_000_000 + start));
        prop_assert!(!landed.is_empty());
        let per = i64::try_from(per).unwrap() * 1000;
        for (n, first) in landed.iter().enumerate() {
            // Every window that starts anywhere: the worst start at a call.
            if let Some(beyond) = landed.get(n + calls as usize) {
                prop_assert!(beyond - first >= per, "{} calls within {} ms", calls + 1, beyond - first);
            }
        }
    });
    drop(server);
}

#[test]
fn no_period_of_the_calendar_is_ever_exceeded() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (server, store) = runtime.block_on(async {
        let server = RedisServer::start().await;
        let store = open(server.target()).await;
        (server, store)
    });
    let case = std::cell::Cell::new(0);
    // Around both changes of the clocks, and anywhere.
    let starts = prop_oneof![Just("2026-03-28T20:00:00Z"), Just("2026-10-24T18:00:00Z"), Just("2026-06-30T21:00:00Z")];
    let zones = prop_oneof![Just("Europe/Paris"), Just("America/New_York"), Just("UTC"), Just("Asia/Kolkata")];
    proptest!(ProptestConfig::with_cases(30), |(
        steps in steps(), calls in 1_u32..40, hours in prop_oneof![Just(1_u64), Just(24), Just(7 * 24), Just(30 * 24)],
        start in starts, zone in zones, off in -2000_i64..=2000,
    )| {
        case.set(case.get() + 1);
        let name = account(&format!("case-{}", case.get()));
        let zone = TimeZone::get(zone).unwrap();
        let skew = Duration::from_secs(2);
        let window = LongWindow::calendar(calls, Duration::from_hours(hours), zone.clone(), Duration::from_secs(30), skew);
        let start: Timestamp = start.parse().unwrap();
        let landed = runtime.block_on(landings(&store, &name, &window, &steps, start.as_millisecond()));
        let mut counts = std::collections::HashMap::new();
        for at in landed {
            // The carrier's clock is off by as much as is allowed for.
            let there = from_millis(at + off).to_zoned(zone.clone());
            let day = there.date();
            let period = match hours {
                // An hour by its own start: the same hour of the clock comes twice in autumn.
                1 => from_millis(at + off).as_second().div_euclid(1800) / if zone.iana_name() == Some("Asia/Kolkata") { 1 } else { 2 },
                24 => i64::from(day.year()) * 1000 + i64::from(day.day_of_year()),
                168 => i64::from(day.iso_week_date().year()) * 100 + i64::from(day.iso_week_date().week()),
                _ => i64::from(day.year()) * 100 + i64::from(day.month()),
            };
            *counts.entry(period).or_insert(0_u32) += 1;
        }
        prop_assert!(counts.values().all(|count| *count <= calls), "{:?} of {}", counts, calls);
    });
    drop(server);
}
