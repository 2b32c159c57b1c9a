//! The auditor: from the ledgers of stand-ins and receivers alone it tells what was called, told, delivered, and
//! whether anything was lost, doubled, reordered or invented, and how fast it all was.
//!
//! It takes plain copies of the ledgers, so that a test can tamper with them and see the figures turn wrong.

use std::collections::{HashMap, HashSet};

use super::carriers::StandIn;
use super::ledger::{Call, CallKind, Ledger, Told};
use super::quota::{Breach, Quota};
use super::receiver::{Arrival, Receiver};
use super::time::{Moment, SimClock};

mod matching;
mod report;

use matching::ScanIndex;
pub use report::{CarrierFigures, Report};

/// A sequence that jumps further than this began a new life of its tracker: nothing is missing in between.
const NEW_LIFE: u64 = 10_000;

/// A copy of one stand-in's ledger.
#[derive(Debug, Clone)]
pub struct CarrierBook {
    /// Carrier code.
    pub code: String,
    /// What its account may do.
    pub quota: Quota,
    /// All calls.
    pub calls: Vec<Call>,
    /// All scans that were told.
    pub told: Vec<Told>,
    /// Since when somebody waits for a number, where that was noted.
    pub awaited: HashMap<String, Moment>,
    /// False when entries were forgotten for lack of room.
    pub whole: bool,
    /// Breaches of its protocol.
    pub complaints: Vec<String>,
}

impl CarrierBook {
    /// Copies a stand-in's ledger.
    pub fn copy(stand_in: &StandIn) -> Self {
        Self::of(stand_in.code, stand_in.quota.clone(), &stand_in.ledger)
    }

    /// Copies a ledger.
    pub fn of(code: &str, quota: Quota, ledger: &Ledger) -> Self {
        let told = ledger.told();
        let awaited =
            told.iter().filter_map(|scan| Some((scan.number.clone(), ledger.awaited_since(&scan.number)?))).collect();
        let (calls, complaints) = (ledger.calls(), ledger.complaints());
        Self { code: code.to_owned(), quota, calls, told, awaited, whole: ledger.is_whole(), complaints }
    }
}

/// An endpoint that is audited.
#[derive(Debug, Clone)]
pub struct Audited {
    /// Its name at the receiver.
    pub name: String,
    /// The numbers it is to hear of; `None`: all that the stand-ins told of.
    pub numbers: Option<HashSet<String>>,
    /// True when it takes every type of change, so that no sequence number may be missing.
    pub unfiltered: bool,
}

impl Audited {
    /// An endpoint that hears of everything.
    pub fn whole(name: &str) -> Self {
        Self { name: name.to_owned(), numbers: None, unfiltered: true }
    }
}

/// Copies of all ledgers of a run.
#[derive(Debug, Clone)]
pub struct Books {
    /// The common clock.
    pub clock: SimClock,
    /// The carriers' side.
    pub carriers: Vec<CarrierBook>,
    /// The shops' side, in the order of arrival.
    pub arrivals: Vec<Arrival>,
    /// False when arrivals were forgotten for lack of room.
    pub whole: bool,
    /// The endpoints to audit.
    pub endpoints: Vec<Audited>,
    /// Scans told after this moment need not have been delivered yet.
    pub settled: Moment,
}

impl Books {
    /// Copies the ledgers. What was told up to `settled` must have been delivered.
    pub fn copy(
        clock: SimClock,
        stand_ins: &[StandIn],
        receiver: &Receiver,
        endpoints: Vec<Audited>,
        settled: Moment,
    ) -> Self {
        let carriers = stand_ins.iter().map(CarrierBook::copy).collect();
        let (arrivals, whole) = (receiver.arrivals().all(), receiver.arrivals().is_whole());
        Self { clock, carriers, arrivals, whole, endpoints, settled }
    }

    /// Computes every figure.
    pub fn audit(&self) -> Report {
        let breaches = self.breaches();
        let mut report =
            Report { whole: self.whole && self.carriers.iter().all(|book| book.whole), ..Report::default() };
        report.carriers = self.carriers.iter().map(|book| figures(book, &breaches)).collect();
        report.calls = report.carriers.iter().map(|carrier| carrier.calls).sum();
        report.token_calls = report.carriers.iter().map(|carrier| carrier.token_calls).sum();
        report.quota_violations = breaches.len() as u64;
        report.complaints = self.carriers.iter().flat_map(|book| book.complaints.clone()).collect();
        report.note_all(breaches.into_iter().map(|(code, breach)| {
            format!("quota: {code} account {} at {:?}: more than {}", breach.account, breach.at, breach.rule)
        }));
        self.count_deliveries(&mut report);
        self.follow_scans(&mut report);
        self.check_order(&mut report);
        report
    }

    fn breaches(&self) -> Vec<(String, Breach)> {
        let of_book = |book: &CarrierBook| {
            let code = book.code.clone();
            book.quota.breaches(&book.calls, self.clock).into_iter().map(move |breach| (code.clone(), breach))
        };
        self.carriers.iter().flat_map(of_book).collect()
    }

    fn audited(&self, arrival: &Arrival) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.name == arrival.endpoint)
    }

    fn count_deliveries(&self, report: &mut Report) {
        let mut changes = HashSet::new();
        let mut delivered = HashSet::new();
        let mut verified = HashSet::new();
        for arrival in self.arrivals.iter().filter(|arrival| self.audited(arrival)) {
            report.attempts += 1;
            report.bytes_differ += u64::from(!arrival.same_bytes);
            if arrival.kind.starts_with("tracker.") {
                changes.insert(&arrival.id);
            }
            if !arrival.accepted() {
                continue;
            }
            let key = (&arrival.endpoint, &arrival.id);
            report.repeated += u64::from(!delivered.insert(key));
            match arrival.problem {
                None => {
                    verified.insert(key);
                }
                Some(problem) => report.note(format!("unverified: {} at {}: {problem}", arrival.id, arrival.endpoint)),
            }
        }
        report.changes = changes.len() as u64;
        report.webhooks_delivered = delivered.len() as u64;
        report.webhooks_verified = verified.len() as u64;
    }

    /// Follows each scan from its carrier to each endpoint.
    fn follow_scans(&self, report: &mut Report) {
        let index = ScanIndex::new(&self.carriers);
        report.scans_told = index.len() as u64;
        let mut first_arrival: HashMap<usize, Moment> = HashMap::new();
        for endpoint in &self.endpoints {
            let mut told_in: HashMap<usize, HashSet<&str>> = HashMap::new();
            let mut looked_at = HashSet::new();
            for arrival in self.arrivals.iter().filter(|arrival| arrival.endpoint == endpoint.name) {
                // A repeat brings nothing new, unless its bytes differ.
                let fresh = looked_at.insert((&arrival.id, arrival.accepted(), arrival.verified()));
                if !fresh && arrival.same_bytes {
                    continue;
                }
                for event in &arrival.events {
                    match index.find(arrival, event) {
                        None => {
                            report.invented += 1;
                            report.note(format!(
                                "invented: {} {} {event:?} in {}",
                                arrival.carrier, arrival.number, arrival.id
                            ));
                        }
                        Some(scan) if arrival.brings_events() && arrival.verified() && arrival.accepted() => {
                            told_in.entry(scan).or_default().insert(&arrival.id);
                            first_arrival.entry(scan).and_modify(|at| *at = arrival.at.min(*at)).or_insert(arrival.at);
                        }
                        Some(_) => {}
                    }
                }
            }
            self.weigh(endpoint, &index, &told_in, report);
        }
        self.measure(&index, &first_arrival, report);
    }

    fn weigh(
        &self,
        endpoint: &Audited,
        index: &ScanIndex<'_>,
        told_in: &HashMap<usize, HashSet<&str>>,
        report: &mut Report,
    ) {
        for (position, code, scan) in index.scans() {
            let meant = endpoint.numbers.as_ref().is_none_or(|numbers| numbers.contains(&scan.number));
            match told_in.get(&position).map_or(0, HashSet::len) {
                0 if meant && scan.told <= self.settled => {
                    report.lost_scans += 1;
                    report.note(format!(
                        "lost: {code} {} {:?}, told at {:?}, for {}",
                        scan.number, scan.trace, scan.told, endpoint.name
                    ));
                }
                0 | 1 => {}
                more => {
                    report.duplicated += more as u64 - 1;
                    report.note(format!("doubled: {code} {} {:?} in {more} changes", scan.number, scan.trace));
                }
            }
        }
        report.lost = report.lost_scans + report.missing_changes;
    }

    fn measure(&self, index: &ScanIndex<'_>, first_arrival: &HashMap<usize, Moment>, report: &mut Report) {
        let mut detection = Vec::new();
        let mut webhook = Vec::new();
        for (position, code, scan) in index.scans() {
            let awaited =
                self.carriers.iter().find(|book| book.code == code).and_then(|book| book.awaited.get(&scan.number));
            if awaited.is_none_or(|since| *since <= scan.visible) {
                detection.push(scan.told.since(scan.visible));
            }
            if let Some(arrived) = first_arrival.get(&position) {
                webhook.push(arrived.since(scan.told));
            }
        }
        (report.detection_p50_ms, report.detection_p95_ms) = report::percentiles(&mut detection);
        (report.webhook_p50_ms, report.webhook_p95_ms) = report::percentiles(&mut webhook);
    }

    /// First arrivals of one tracker's changes must come in the order of their sequences, none left out, none twice.
    fn check_order(&self, report: &mut Report) {
        for endpoint in &self.endpoints {
            let mut trackers: HashMap<&str, Vec<(u64, &str)>> = HashMap::new();
            let mut known = HashSet::new();
            for arrival in self.arrivals.iter().filter(|arrival| arrival.endpoint == endpoint.name) {
                let Some(sequence) = arrival.sequence.filter(|_| !arrival.subject.is_empty()) else { continue };
                if known.insert(&arrival.id) {
                    trackers.entry(&arrival.subject).or_default().push((sequence, &arrival.id));
                }
            }
            for (tracker, mut sequences) in trackers {
                let late = sequences.windows(2).filter(|pair| pair[1].0 < pair[0].0).count() as u64;
                if late > 0 {
                    report.reordered += late;
                    report.note(format!("reordered: {tracker} at {}: {:?}", endpoint.name, sequences));
                }
                sequences.sort_unstable();
                for pair in sequences.windows(2) {
                    match pair[1].0 - pair[0].0 {
                        0 => {
                            report.duplicated += 1;
                            report.note(format!(
                                "doubled: {tracker} has {} and {} under one sequence",
                                pair[0].1, pair[1].1
                            ));
                        }
                        step @ 2..=NEW_LIFE if endpoint.unfiltered => {
                            report.missing_changes += step - 1;
                            report.note(format!(
                                "missing: {tracker} at {}: {} after {}",
                                endpoint.name,
                                step - 1,
                                pair[0].1
                            ));
                        }
                        _ => {}
                    }
                }
            }
        }
        report.lost = report.lost_scans + report.missing_changes;
    }
}

fn figures(book: &CarrierBook, breaches: &[(String, Breach)]) -> CarrierFigures {
    let tracking = || book.calls.iter().filter(|call| call.kind == CallKind::Track);
    CarrierFigures {
        carrier: book.code.clone(),
        calls: tracking().count() as u64,
        token_calls: book.calls.len() as u64 - tracking().count() as u64,
        numbers_asked: tracking().map(|call| call.numbers.len() as u64).sum(),
        refused: tracking().filter(|call| matches!(call.status, 429 | 403)).count() as u64,
        failed: tracking().filter(|call| call.status >= 500 || call.status == 0).count() as u64,
        scans_told: book.told.len() as u64,
        quota_violations: breaches.iter().filter(|(code, _)| *code == book.code).count() as u64,
    }
}

#[cfg(test)]
mod tests;
