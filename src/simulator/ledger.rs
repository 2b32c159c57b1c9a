//! What one stand-in saw and said: every call with its instants, and every scan with the moment it was first told.
//!
//! Bounded: beyond [`CALLS_KEPT`] calls the oldest are forgotten, and the ledger says so, since an auditor must not
//! take a ledger with holes for a whole one.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::time::{Moment, SimClock};

/// Calls kept before the oldest are forgotten.
pub const CALLS_KEPT: usize = 400_000;
/// Scans kept; those told later are counted only.
pub const SCANS_KEPT: usize = 1_000_000;
const COMPLAINTS_KEPT: usize = 100;

/// What a call was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CallKind {
    /// It asked for an access token.
    Token,
    /// It asked about parcels.
    Track,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// Still at work.
    Open,
    /// An answer was handed out.
    Answered,
    /// The caller went away, or the stand-in cut it.
    Broken,
}

/// One call.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    /// Counted from 0.
    pub id: u64,
    /// Who called: key, client or brand; empty when it named nobody.
    pub account: String,
    /// What for.
    pub kind: CallKind,
    /// When it came in.
    pub arrived: Moment,
    /// When it was over.
    pub ended: Option<Moment>,
    /// How.
    pub ending: Ending,
    /// HTTP status of the answer; 0 without.
    pub status: u16,
    /// The numbers it asked for.
    pub numbers: Vec<String>,
    /// How many scans it was the first to be told.
    pub news: u32,
}

/// How a scan can be recognised by a reader of the carrier's answer: what stood on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Trace {
    /// Its code, or any of the codes that the answer gave for it.
    pub codes: Vec<String>,
    /// Its time, in each way in which the answer wrote it.
    pub times: Vec<String>,
    /// Its words.
    pub text: String,
    /// Its place.
    pub place: String,
}

/// A scan in an answer.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The parcel's number.
    pub number: String,
    /// From when on it could be told.
    pub visible: Moment,
    /// What stood on the wire.
    pub trace: Trace,
}

/// A scan that was told at least once.
#[derive(Debug, Clone, Serialize)]
pub struct Told {
    /// The parcel's number.
    pub number: String,
    /// From when on it could be told.
    pub visible: Moment,
    /// When it was told first.
    pub told: Moment,
    /// What stood on the wire.
    pub trace: Trace,
}

/// What is counted of one account, so that a quota is checked without reading the whole ledger.
#[derive(Debug, Default)]
struct Desk {
    arrivals: VecDeque<Moment>,
    at_work: usize,
}

#[derive(Debug, Default)]
struct Pages {
    calls: VecDeque<Call>,
    forgotten: u64,
    scans: Vec<Told>,
    seen: HashSet<(String, String)>,
    uncounted: u64,
    awaited: HashMap<String, Moment>,
    asked: HashMap<String, u64>,
    desks: HashMap<String, Desk>,
    complaints: Vec<String>,
}

/// The ledger of one stand-in. Cheap to share.
#[derive(Debug, Clone)]
pub struct Ledger {
    clock: SimClock,
    pages: Arc<Mutex<Pages>>,
}

impl Ledger {
    /// An empty ledger.
    pub fn new(clock: SimClock) -> Self {
        Self { clock, pages: Arc::default() }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a call came in. The entry is closed as broken unless [`OpenCall::answered`] is called.
    pub fn arrive(&self, kind: CallKind, account: &str, numbers: &[String]) -> OpenCall {
        let mut pages = self.pages();
        let arrived = self.clock.now();
        if kind == CallKind::Track {
            let desk = pages.desks.entry(account.to_owned()).or_default();
            desk.at_work += 1;
            desk.arrivals.push_front(arrived);
            desk.arrivals.truncate(CALLS_KEPT);
        }
        let id = pages.forgotten + pages.calls.len() as u64;
        if pages.calls.len() >= CALLS_KEPT {
            pages.calls.pop_front();
            pages.forgotten += 1;
        }
        for number in numbers {
            if let Some(count) = pages.asked.get_mut(number) {
                *count += 1;
            } else if pages.asked.len() < SCANS_KEPT {
                pages.asked.insert(number.clone(), 1);
            }
        }
        let (account, numbers) = (account.to_owned(), numbers.to_vec());
        let ending = Ending::Open;
        pages.calls.push_back(Call { id, account, kind, arrived, ended: None, ending, status: 0, numbers, news: 0 });
        OpenCall { ledger: self.clone(), id, arrived, closed: false }
    }

    /// Notes that somebody waits for news of a number from now on: what was visible before is history to them, and
    /// does not count when the speed of detection is measured.
    pub fn await_number(&self, number: &str) {
        let now = self.clock.now();
        self.pages().awaited.entry(number.to_owned()).or_insert(now);
    }

    /// When somebody began to wait for a number.
    pub fn awaited_since(&self, number: &str) -> Option<Moment> {
        self.pages().awaited.get(number).copied()
    }

    /// Notes a breach of protocol that was let pass or refused.
    pub fn complain(&self, what: impl Into<String>) {
        let mut pages = self.pages();
        if pages.complaints.len() < COMPLAINTS_KEPT {
            pages.complaints.push(what.into());
        }
    }

    /// The breaches of protocol so far.
    pub fn complaints(&self) -> Vec<String> {
        self.pages().complaints.clone()
    }

    /// A copy of all calls kept, in the order of their arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.pages().calls.iter().cloned().collect()
    }

    /// How many calls came in, ever.
    pub fn call_count(&self) -> u64 {
        let pages = self.pages();
        pages.forgotten + pages.calls.len() as u64
    }

    /// How many calls asked for a number.
    pub fn times_asked(&self, number: &str) -> u64 {
        self.pages().asked.get(number).copied().unwrap_or(0)
    }

    /// A copy of all scans told, in the order in which they were told first.
    pub fn told(&self) -> Vec<Told> {
        self.pages().scans.clone()
    }

    /// How many scans were told.
    pub fn told_count(&self) -> usize {
        self.pages().scans.len()
    }

    /// The scan of a number whose time was written like this, if one was told.
    pub fn find(&self, number: &str, raw_time: &str, words: &str) -> Option<Told> {
        let pages = self.pages();
        let mut of_time =
            pages.scans.iter().filter(|told| told.number == number && told.trace.has_time(raw_time)).peekable();
        let first = of_time.peek().copied();
        of_time.find(|told| told.trace.text == words).or(first).cloned()
    }

    /// True when nothing was forgotten for lack of room.
    pub fn is_whole(&self) -> bool {
        let pages = self.pages();
        pages.forgotten == 0 && pages.uncounted == 0
    }

    /// When the call of an account came in that had `newer` calls after it; token calls left out.
    pub(super) fn arrival(&self, account: &str, newer: usize) -> Option<Moment> {
        self.pages().desks.get(account).and_then(|desk| desk.arrivals.get(newer).copied())
    }

    /// Calls of an account still at work.
    pub(super) fn at_work(&self, account: &str) -> usize {
        self.pages().desks.get(account).map_or(0, |desk| desk.at_work)
    }

    fn close(&self, id: u64, ending: Ending, status: u16, shown: Vec<Shown>) {
        let now = self.clock.now();
        let mut pages = self.pages();
        let news = shown.into_iter().fold(0, |news, scan| news + u32::from(pages.tell(scan, now)));
        let index = id.checked_sub(pages.forgotten).and_then(|index| usize::try_from(index).ok());
        let Pages { calls, desks, .. } = &mut *pages;
        if let Some(call) = index.and_then(|index| calls.get_mut(index)) {
            (call.ended, call.ending, call.status, call.news) = (Some(now), ending, status, news);
            if let Some(desk) = desks.get_mut(&call.account).filter(|_| call.kind == CallKind::Track) {
                desk.at_work = desk.at_work.saturating_sub(1);
            }
        }
    }
}

impl Pages {
    /// True when the scan was never told before. Rows that are equal on the wire are one scan to any reader.
    fn tell(&mut self, shown: Shown, told: Moment) -> bool {
        let Shown { number, visible, trace } = shown;
        let row = format!("{}|{}|{}|{}", trace.codes.join(","), trace.times.join(","), trace.place, trace.text);
        if self.seen.len() >= SCANS_KEPT {
            self.uncounted += 1;
            return false;
        }
        let new = self.seen.insert((number.clone(), row));
        if new {
            self.scans.push(Told { number, visible, told, trace });
        }
        new
    }
}

impl Trace {
    /// True when `raw` is this scan's time, whatever stands between the digits.
    pub fn has_time(&self, raw: &str) -> bool {
        let digits = only_digits(raw);
        !digits.is_empty() && self.times.iter().any(|time| only_digits(time) == digits)
    }
}

/// The digits of a text: readers may join or space what the wire gave in parts.
pub(super) fn only_digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// A call at work. Dropping it unanswered means that the caller went away.
#[derive(Debug)]
pub struct OpenCall {
    ledger: Ledger,
    id: u64,
    arrived: Moment,
    closed: bool,
}

impl OpenCall {
    /// When it came in.
    pub fn arrived(&self) -> Moment {
        self.arrived
    }

    /// Closes the entry: the answer goes out now and tells these scans.
    pub fn answered(mut self, status: u16, shown: Vec<Shown>) {
        self.closed = true;
        self.ledger.close(self.id, Ending::Answered, status, shown);
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        if !self.closed {
            self.ledger.close(self.id, Ending::Broken, 0, Vec::new());
        }
    }
}
