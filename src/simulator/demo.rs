//! The script of the demonstration: some forty parcels of four carriers, what becomes of each, what goes wrong at the
//! carriers meanwhile, and how a webhook is told in one line. Starting a daemon on it is the command line's part.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::carriers::StandIn;
use super::faults::{Fault, Lasting};
use super::ledger::CallKind;
use super::lives::{Story, Teller};
use super::quota::Quota;
use super::receiver::Arrival;
use super::time::{Moment, SimClock};
use super::world::{Network, Parcel, share};

/// A parcel of the demonstration.
#[derive(Debug, Clone)]
pub struct Cast {
    /// The carrier's side of it: goes into that stand-in's world. Without scans for a number that nobody knows.
    pub parcel: Parcel,
    /// What becomes of it.
    pub story: Story,
    /// What the shop promised its customer, where it did.
    pub promise: Option<Timestamp>,
    /// The shop's order.
    pub order: String,
}

/// A carrier's bad moment.
#[derive(Debug, Clone)]
pub struct BadMoment {
    /// Whose.
    pub network: Network,
    /// What happens.
    pub fault: Fault,
    /// From when.
    pub from: Moment,
    /// Until when.
    pub until: Moment,
}

/// The whole script.
#[derive(Debug, Clone)]
pub struct Script {
    /// The parcels.
    pub cast: Vec<Cast>,
    /// What goes wrong.
    pub bad_moments: Vec<BadMoment>,
    /// How long a day is, for the rules that count days.
    pub day: Duration,
    /// When the last scan has become visible.
    pub last_scan: Moment,
}

const LA_POSTE: [Story; 11] = [
    Story::Normal,
    Story::FailedAttempt,
    Story::LateThenClear,
    Story::PickupPoint,
    Story::NotHandedOver,
    Story::Normal,
    Story::Returned,
    Story::Customs,
    Story::HandedOverLate,
    Story::Unknown,
    Story::Normal,
];
const FEDEX: [Story; 10] = [
    Story::Normal,
    Story::LateThenClear,
    Story::Stalled,
    Story::FailedAttempt,
    Story::Customs,
    Story::Normal,
    Story::StalledThenMoves,
    Story::PickupPoint,
    Story::CarrierDelay,
    Story::Unknown,
];
const UPS: [Story; 10] = [
    Story::Normal,
    Story::NotHandedOver,
    Story::RevokedDelivery,
    Story::HandedOverLate,
    Story::Normal,
    Story::StalledThenMoves,
    Story::ReturnAfterDelivery,
    Story::Lost,
    Story::FailedAttempt,
    Story::Normal,
];
// Its times have minutes only, so no story here depends on how long a silence lasts.
const MONDIAL_RELAY: [Story; 9] = [
    Story::PickupPoint,
    Story::Normal,
    Story::PickupPoint,
    Story::Returned,
    Story::Normal,
    Story::Damaged,
    Story::PickupPoint,
    Story::Unknown,
    Story::Normal,
];

fn stories(network: Network) -> &'static [Story] {
    match network {
        Network::LaPoste => &LA_POSTE,
        Network::FedEx => &FEDEX,
        Network::Ups => &UPS,
        Network::MondialRelay => &MONDIAL_RELAY,
    }
}

/// What each carrier allows an account, as published, else five calls a second.
pub fn quota(network: Network) -> Quota {
    let second = Duration::from_secs(1);
    match network {
        Network::LaPoste => Quota::rolling(10, second).and_numbers(10),
        Network::FedEx => {
            Quota::rolling(1_400, second * 10).and_calendar(100_000, second * 86_400, "UTC").and_numbers(30)
        }
        Network::Ups | Network::MondialRelay => Quota::rolling(5, second).and_numbers(1),
    }
}

/// Writes the script for a demonstration of `length` that begins at `start`. All scans are visible after four fifths.
pub fn script(clock: SimClock, start: Moment, length: Duration, seed: u64) -> Script {
    let life = share(length, 0.6);
    let mut teller = Teller::new(clock, seed);
    let total: usize = Network::ALL.iter().map(|network| stories(*network).len()).sum();
    let longest = Network::ALL.iter().map(|network| stories(*network).len()).max().unwrap_or(0);
    let mut cast = Vec::with_capacity(total);
    // One of each carrier in turn, the beginnings spread over a fifth of the time.
    for round in 0..longest {
        for network in Network::ALL {
            let Some(&story) = stories(network).get(round) else { continue };
            let begins =
                start.plus(share(length, 0.2).mul_f64(f64::from(u32::try_from(cast.len()).unwrap_or(0)) / 40.0));
            let parcel = teller.parcel(network, story, begins, life);
            let promise = story.promise().map(|due| clock.wall(begins.plus(share(life, due))));
            cast.push(Cast { parcel, story, promise, order: format!("{}", 1001 + cast.len()) });
        }
    }
    let during = |network, fault, from, until| BadMoment {
        network,
        fault,
        from: start.plus(share(length, from)),
        until: start.plus(share(length, until)),
    };
    Script {
        cast,
        bad_moments: vec![
            during(Network::FedEx, Fault::Throttle(Some(Duration::from_secs(1))), 0.3, 0.36),
            during(Network::Ups, Fault::Status(503), 0.42, 0.5),
            during(Network::LaPoste, Fault::Slow(Duration::from_millis(700)), 0.55, 0.6),
        ],
        // Two days without a scan (not handed over) are a third of a life, three (stalled) are half of one: longer than
        // any pause of the other stories.
        day: life / 6,
        last_scan: start.plus(share(length, 0.82)),
    }
}

impl Script {
    /// Puts a carrier's parcels into its stand-in's world and plans its bad moments. Whoever registers a parcel notes that
    /// by [`Ledger::await_number`](super::ledger::Ledger::await_number).
    pub fn stage(&self, network: Network, stand_in: &StandIn) {
        for cast in self.cast.iter().filter(|cast| cast.parcel.network == network) {
            stand_in.world.add(cast.parcel.clone());
        }
        for bad in self.bad_moments.iter().filter(|bad| bad.network == network) {
            stand_in.faults.plan(bad.fault.clone(), Some(CallKind::Track), bad.from, Lasting::Until(bad.until));
        }
    }
}

/// Tells webhooks in one line each.
#[derive(Debug, Clone)]
pub struct Narrator {
    clock: SimClock,
    stand_ins: Vec<StandIn>,
}

impl Narrator {
    /// A narrator who knows the stand-ins' ledgers.
    pub fn new(clock: SimClock, stand_ins: Vec<StandIn>) -> Self {
        Self { clock, stand_ins }
    }

    /// The line for an arrival, such as
    /// `12:03:07  ✔ UPS 1Z…1688  in_transit → delivered  'DELIVERED'  (1.2 s after the scan)`.
    pub fn line(&self, arrival: &Arrival) -> String {
        let time = self.clock.wall(arrival.at).to_zoned(TimeZone::system()).strftime("%H:%M:%S");
        let mark = if arrival.verified() { '✔' } else { '✘' };
        let who = format!("{} {}", carrier_name(&arrival.carrier), short(&arrival.number));
        let mut line = format!("{time}  {mark} {who:<25}  {}", news(arrival));
        if let Some(problem) = arrival.problem {
            line.push_str("  NOT TRUSTED: ");
            line.push_str(problem);
        }
        if let Some(text) = arrival.events.last().and_then(|event| event.text.as_deref()) {
            let _ = write!(line, "  '{text}'");
        }
        if let Some(lag) = self.lag(arrival) {
            let _ = write!(line, "  ({:.1} s after the scan)", lag.as_secs_f64());
        }
        line
    }

    /// How long after its newest scan became visible an arrival came.
    fn lag(&self, arrival: &Arrival) -> Option<Duration> {
        let event = arrival.events.last()?;
        let stand_in = self.stand_ins.iter().find(|stand_in| stand_in.code == arrival.carrier)?;
        let text = event.text.as_deref().unwrap_or_default();
        let told = stand_in.ledger.find(&arrival.number, event.raw_time.as_deref()?, text)?;
        Some(arrival.at.since(told.visible))
    }
}

fn carrier_name(code: &str) -> &str {
    Network::ALL.iter().find(|network| network.code() == code).map_or(code, |network| network.name())
}

/// A number with its middle left out.
fn short(number: &str) -> String {
    let letters: Vec<char> = number.chars().collect();
    match letters.len() {
        0..=8 => number.to_owned(),
        length => letters[..2].iter().chain(['…'].iter()).chain(&letters[length - 4..]).collect(),
    }
}

fn news(arrival: &Arrival) -> String {
    let status = arrival.status.as_deref().unwrap_or("?");
    let delay = arrival.delay.as_deref().unwrap_or("delay").replace('_', " ");
    let scans = match arrival.events.len() {
        1 => "1 scan".to_owned(),
        count => format!("{count} scans"),
    };
    match arrival.kind.as_str() {
        "tracker.created" => "registered".to_owned(),
        "tracker.first_seen" => format!("first seen: {status}, {scans}"),
        "tracker.event_added" => format!("+ {scans}"),
        "tracker.delayed" => format!("⚠ {delay}: still {status}"),
        "tracker.delay_cleared" => format!("{delay} is over: {status}"),
        "tracker.eta_changed" => "new estimate".to_owned(),
        "tracker.resumed" => format!("goes on: {status}"),
        kind if kind.strip_prefix("tracker.") == Some(status) => {
            let before = arrival.before.as_deref().unwrap_or("?");
            let finer = arrival.substatus.as_deref().filter(|substatus| *substatus != status);
            format!("{before} → {status}{}", finer.map_or(String::new(), |finer| format!(" ({finer})")))
        }
        kind => kind.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn forty_parcels_tell_every_story_in_time() {
        let clock = SimClock::start();
        let script = script(clock, Moment::seconds(1), Duration::from_secs(30), 1);
        assert_eq!(script.cast.len(), 40);
        let missing: Vec<_> =
            Story::ALL.iter().filter(|story| !script.cast.iter().any(|cast| cast.story == **story)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        let numbers: std::collections::HashSet<_> = script.cast.iter().map(|cast| &cast.parcel.number).collect();
        assert_eq!(numbers.len(), 40, "all numbers differ");
        let latest = script.cast.iter().flat_map(|cast| &cast.parcel.scans).map(|scan| scan.visible).max();
        assert!(latest.unwrap() <= script.last_scan);
        let promised = script.cast.iter().filter(|cast| cast.promise.is_some()).count();
        assert_eq!(promised, 2);
    }

    #[tokio::test]
    async fn pauses_of_stories_that_do_not_stall_are_shorter_than_the_rules() {
        let clock = SimClock::start();
        let script = script(clock, Moment::seconds(1), Duration::from_secs(60), 1);
        let meant = [Story::NotHandedOver, Story::HandedOverLate, Story::Stalled, Story::StalledThenMoves];
        for cast in script.cast.iter().filter(|cast| !meant.contains(&cast.story)) {
            for pair in cast.parcel.scans.windows(2) {
                assert!(pair[1].visible.since(pair[0].visible) < script.day * 5 / 2, "{:?}", cast.story);
            }
        }
    }

    #[test]
    fn numbers_are_shortened() {
        assert_eq!(short("1Z12345E0205271688"), "1Z…1688");
        assert_eq!(short("12345678"), "12345678");
    }
}
