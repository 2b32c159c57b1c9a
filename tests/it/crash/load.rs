//! Unceasing load, and what a kill hit.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;
use wismo::simulator::audit::Report;
use wismo::simulator::demo;
use wismo::simulator::ledger::{CallKind, Ending};
use wismo::simulator::lives::Teller;
use wismo::simulator::receiver::Behaviour;
use wismo::simulator::world::{Network, Parcel};

use crate::support::house::{House, PATIENCE, Plan, Shop, World};
use crate::support::tap::UnderWay;

/// How long a carrier takes to answer, and the endpoint: long enough that a kill hits some of both.
const CARRIER: Duration = Duration::from_millis(120);
const ENDPOINT: Duration = Duration::from_millis(250);
/// A lease that lets a test of many kills end: twice this and two seconds pass from a kill to the next call.
pub const LEASE: Duration = Duration::from_millis(800);

/// A window too long to be kept in memory, and so tight that it is used up all the time: a daemon that began each life
/// with an empty one would exceed it at once.
const LONG_WINDOW: (u32, Duration) = (25, Duration::from_secs(10));
const LONG_WINDOW_LIMITS: &str = "[accounts.mondialrelay.limits]\nwindows = [{ calls = 25, per = \"10s\" }]\n";

/// Attempts for as long as all may be down.
pub const WEBHOOK: &str = "timeout = \"1s\"\nretry = [\"0s\", \"200ms\", \"500ms\", \"1s\", \"1s\", \"2s\", \"2s\", \"2s\", \"2s\", \"5s\", \"5s\", \"10s\"]";

/// A small generator, seeded, so that a run can be told from another.
pub struct Dice(u64);

impl Dice {
    /// Seeded by the clock, or by `WISMO_TEST_SEED`; prints which.
    pub fn new() -> Self {
        let given = std::env::var("WISMO_TEST_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| wismo::clock::now().as_microsecond().unsigned_abs());
        println!("WISMO_TEST_SEED={seed}");
        Self(seed | 1)
    }

    /// The next number below `most`.
    pub fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most.max(1)
    }

    /// A span between two.
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let span = u64::try_from(most.saturating_sub(least).as_micros()).unwrap();
        least + Duration::from_micros(self.below(span))
    }
}

/// A house of all carriers, which take their time; short leases, polls and exchanges.
pub fn plan() -> Plan {
    let quotas = Network::ALL.map(|network| {
        let quota = demo::quota(network);
        let tight = network == Network::MondialRelay;
        (network, if tight { quota.and_rolling(LONG_WINDOW.0, LONG_WINDOW.1) } else { quota })
    });
    let plan = Plan::new().carriers(&Network::ALL).quotas(&quotas).latency(CARRIER).no_sandbox().quiet();
    plan.lease(LEASE).pace("500ms").deadline("10s").webhook(WEBHOOK).more(LONG_WINDOW_LIMITS)
}

/// Parcels that are scanned every two seconds for `span`, registered by a shop; one more of each carrier every few
/// seconds, so that registrations are under way as well.
pub struct Load {
    more: JoinHandle<usize>,
}

impl Load {
    /// Registers the first parcels and goes on in the background.
    pub async fn start(house: &House, span: Duration) -> Self {
        let world = &house.world;
        let shop = house.shop("shop").await.patient();
        shop.endpoint(world, "shop", &["*"]).await;
        world.receiver.behave("shop", Behaviour::Slow(ENDPOINT), None);
        let mut teller = Teller::new(world.clock, 11);
        let end = world.clock.now().plus(span);
        for (network, count) in
            [(Network::LaPoste, 10), (Network::FedEx, 14), (Network::Ups, 5), (Network::MondialRelay, 5)]
        {
            for _ in 0..count {
                begin(world, &shop, &unceasing(world, &mut teller, network, span)).await;
            }
        }
        let (of_task, by) = (Arc::clone(world), shop.clone());
        let more = tokio::spawn(async move {
            let mut registered = 34;
            while of_task.clock.now() < end {
                sleep(Duration::from_secs(5)).await;
                let network = Network::ALL[registered % 4];
                let left = end.since(of_task.clock.now()).min(Duration::from_secs(20));
                begin(&of_task, &by, &unceasing(&of_task, &mut teller, network, left)).await;
                registered += 1;
            }
            registered
        });
        Self { more }
    }

    /// Waits until all was scanned, told and delivered; prints the report and proves it clean.
    pub async fn prove(self, world: &World) -> Report {
        let parcels = self.more.await.unwrap();
        let report = world.settle(&["shop"], Duration::from_millis(1500), PATIENCE).await;
        println!("{parcels} parcels\n{}", report.summary());
        for note in &report.notes {
            println!("  {note}");
        }
        assert!(report.is_clean(), "{:?}\n{:#?}", report.problems(), report.notes);
        assert!(world.all_told(), "every scan was asked for in the end");
        report
    }
}

fn unceasing(world: &World, teller: &mut Teller, network: Network, span: Duration) -> Parcel {
    let every = Duration::from_secs(2);
    let scans = u32::try_from(span.as_secs() / every.as_secs()).unwrap().max(2);
    teller.unceasing(network, world.clock.now(), every, scans)
}

async fn begin(world: &World, shop: &Shop, parcel: &Parcel) {
    world.stage(parcel);
    shop.follow(parcel).await;
}

/// What kills hit.
#[derive(Debug, Default)]
pub struct Hits {
    /// All.
    pub kills: usize,
    /// A carrier had a call and had not answered it.
    pub requests: usize,
    /// A commit with changes was asked for and not answered.
    pub commits: usize,
    /// Of these: it had not reached Redis.
    pub commits_held: usize,
    /// Of these: Redis had got it.
    pub commits_unanswered: usize,
    /// The endpoint had a webhook and had not answered it.
    pub deliveries: usize,
}

impl Hits {
    /// Notes what is under way in a world whose daemon stands still at this moment.
    pub fn note(&mut self, world: &World, commits: UnderWay) {
        self.kills += 1;
        self.requests += usize::from(request_in_flight(world));
        self.deliveries += usize::from(delivery_in_flight(world));
        self.commits += usize::from(commits.any());
        self.commits_held += usize::from(commits.held > 0);
        self.commits_unanswered += usize::from(commits.unanswered > 0);
    }

    /// True when each kind was hit so often.
    pub fn enough(&self, each: usize) -> bool {
        self.requests.min(self.commits).min(self.deliveries) >= each
    }
}

impl std::fmt::Display for Hits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} kills: {} hit a request in flight, {} a commit ({} before Redis had it, {} before its answer was heard), {} a delivery",
            self.kills, self.requests, self.commits, self.commits_held, self.commits_unanswered, self.deliveries
        )
    }
}

fn request_in_flight(world: &World) -> bool {
    let open = |stand_in: &wismo::simulator::carriers::StandIn| {
        stand_in.ledger.calls().iter().any(|call| call.kind == CallKind::Track && call.ending == Ending::Open)
    };
    world.stand_ins.iter().any(open)
}

fn delivery_in_flight(world: &World) -> bool {
    let since = world.clock.now().minus(ENDPOINT);
    !world.receiver.arrivals().matching(|arrival| arrival.at > since).is_empty()
}
