//! Everything around the daemon: stand-in carriers and a receiver, each with its own ledger, and the auditor of both.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};
use wismo::simulator::audit::{Audited, Books, Report};
use wismo::simulator::carriers::{self, Options, StandIn};
use wismo::simulator::receiver::{Arrival, Receiver};
use wismo::simulator::time::SimClock;
use wismo::simulator::world::{self, Network, Parcel};

use super::shop::until;

/// The world of one test. Gone when dropped.
pub struct World {
    /// The clock of all ledgers.
    pub clock: SimClock,
    /// The carriers.
    pub stand_ins: Vec<StandIn>,
    /// The shops' receiver.
    pub receiver: Receiver,
    _stop: DropGuard,
}

impl World {
    /// These carriers, set up as told.
    pub async fn with(networks: &[Network], options: impl Fn(Network) -> Options) -> Self {
        let (clock, stop) = (SimClock::start(), CancellationToken::new());
        let mut stand_ins = Vec::new();
        for &network in networks {
            let parcels = Arc::new(world::World::new(clock));
            stand_ins.push(carriers::start(network, parcels, options(network), stop.clone()).await.unwrap());
        }
        let receiver = Receiver::start(clock, 0, None, stop.clone()).await.unwrap();
        Self { clock, stand_ins, receiver, _stop: stop.drop_guard() }
    }

    /// The stand-in of a carrier.
    pub fn carrier(&self, network: Network) -> &StandIn {
        self.stand_ins.iter().find(|stand_in| stand_in.code == network.code()).unwrap()
    }

    /// Puts a parcel into its carrier's world; from now on somebody waits for its news.
    pub fn stage(&self, parcel: &Parcel) {
        let stand_in = self.carrier(parcel.network);
        stand_in.world.add(parcel.clone());
        stand_in.ledger.await_number(&parcel.number);
    }

    /// What arrived at one endpoint of the receiver.
    pub fn arrived(&self, endpoint: &str) -> Vec<Arrival> {
        self.receiver.arrivals().matching(|arrival| arrival.endpoint == endpoint)
    }

    /// Waits until something arrives, and gives the first of it.
    pub async fn arrival(&self, what: &str, wanted: impl Fn(&Arrival) -> bool) -> Arrival {
        until(what, || async { self.receiver.arrivals().matching(&wanted).into_iter().next() }).await
    }

    /// The auditor's report now. What was told up to now must have arrived at every one of `endpoints`.
    pub fn audit(&self, endpoints: &[&str]) -> Report {
        let audited = endpoints.iter().map(|name| Audited::whole(name)).collect();
        Books::copy(self.clock, &self.stand_ins, &self.receiver, audited, self.clock.now()).audit()
    }

    /// Waits until every scan of every parcel was told, everything told has arrived, and then nothing new for `quiet`.
    /// Gives the last report, clean or not, after `patience` without anything new at the latest.
    pub async fn settle(&self, endpoints: &[&str], quiet: Duration, patience: Duration) -> Report {
        let last = self.stand_ins.iter().filter_map(|stand_in| stand_in.world.last_scan()).max();
        self.clock.until(last.unwrap_or_default()).await;
        let (mut seen, mut since, mut audited) = (self.seen(), self.clock.now(), self.clock.now());
        loop {
            sleep(Duration::from_millis(100)).await;
            let (now, seen_now) = (self.clock.now(), self.seen());
            if seen_now != seen {
                (seen, since, audited) = (seen_now, now, now);
            }
            // An audit reads whole ledgers: only when it may be the last.
            if now.since(audited) >= quiet {
                let report = self.audit(endpoints);
                if (report.lost == 0 && self.all_told()) || now.since(since) >= patience {
                    return report;
                }
                audited = now;
            }
        }
    }

    fn seen(&self) -> (u64, usize) {
        let told = self.stand_ins.iter().map(|stand_in| stand_in.ledger.told_count()).sum();
        (self.receiver.arrivals().count(), told)
    }

    /// True when the carriers told every scan that they can tell by now.
    pub fn all_told(&self) -> bool {
        self.stand_ins.iter().all(|stand_in| stand_in.ledger.told_count() >= stand_in.world.visible_scans())
    }
}

/// Sequences of the first arrivals, tracker by tracker, rise.
pub fn assert_in_order(arrivals: &[Arrival]) {
    let mut highest = std::collections::HashMap::new();
    for arrival in arrivals.iter().filter(|arrival| arrival.first && !arrival.subject.is_empty()) {
        let sequence = arrival.sequence.unwrap();
        let last = highest.insert(arrival.subject.clone(), sequence).unwrap_or(0);
        assert!(sequence > last, "{} came with {sequence} after {last}", arrival.subject);
    }
}

/// Every delivery is signed right, and repeats have the same bytes.
pub fn assert_trusted(arrivals: &[Arrival]) {
    for arrival in arrivals {
        assert!(arrival.verified(), "{arrival:?}");
        assert!(arrival.same_bytes, "other bytes under the same id: {arrival:?}");
    }
}
