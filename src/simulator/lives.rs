//! Lives of parcels: stories told in a given span, and lives that never rest, for load.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::chance::Chance;
use super::numbers;
use super::time::{Moment, SimClock};
use super::words;
use super::world::{Estimate, Network, Parcel, Place, Scan, Step, share, wall_clock};

/// What becomes of a parcel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Story {
    /// Label to doorstep without a hitch.
    Normal,
    /// Comes after its promise; the carrier says nothing of it.
    LateThenClear,
    /// A label and nothing more.
    NotHandedOver,
    /// A label, a long pause, then a normal way.
    HandedOverLate,
    /// Falls silent on its way.
    Stalled,
    /// Falls silent, then goes on and arrives.
    StalledThenMoves,
    /// Nobody at home the first time.
    FailedAttempt,
    /// Goes to a pickup point and is collected.
    PickupPoint,
    /// Cannot be delivered and goes back.
    Returned,
    /// Delivered, then sent back.
    ReturnAfterDelivery,
    /// The carrier loses it.
    Lost,
    /// The carrier damages it.
    Damaged,
    /// The carrier says that it will be later, then delivers.
    CarrierDelay,
    /// Crosses a border and is held there for a while.
    Customs,
    /// Told as delivered, which is withdrawn, then really delivered.
    RevokedDelivery,
    /// The carrier never hears of it.
    Unknown,
}

/// A moment of a story: what, when (as a share of the span), where, and when it is withdrawn.
type Beat = (Step, f64, Spot, Option<f64>);

#[derive(Debug, Clone, Copy)]
enum Spot {
    Origin,
    Hub,
    Destination,
}

impl Story {
    /// Every story.
    pub const ALL: [Self; 16] = [
        Self::Normal,
        Self::LateThenClear,
        Self::NotHandedOver,
        Self::HandedOverLate,
        Self::Stalled,
        Self::StalledThenMoves,
        Self::FailedAttempt,
        Self::PickupPoint,
        Self::Returned,
        Self::ReturnAfterDelivery,
        Self::Lost,
        Self::Damaged,
        Self::CarrierDelay,
        Self::Customs,
        Self::RevokedDelivery,
        Self::Unknown,
    ];

    /// The promise to register with it, as a share of its span, where the story needs one.
    pub const fn promise(self) -> Option<f64> {
        match self {
            Self::LateThenClear => Some(0.55),
            _ => None,
        }
    }

    fn beats(self) -> Vec<Beat> {
        use Spot::{Destination, Hub, Origin};
        use Step::{
            Accepted, Arrived, AtDepot, AtPickup, Attempt, Collected, CustomsHeld, CustomsIn, CustomsOut, Damaged,
            Delay, Delivered, Departed, Label, Lost, OutForDelivery, ReturnMoving, ReturnStarted, ReturnedToSender,
        };
        let label = (Label, 0.0, Origin, None);
        let way = |accepted: f64, departed: f64| {
            vec![label, (Accepted, accepted, Origin, None), (Departed, departed, Origin, None)]
        };
        let then = |mut beats: Vec<Beat>, more: &[(Step, f64, Spot)]| {
            beats.extend(more.iter().map(|&(step, at, spot)| (step, at, spot, None)));
            beats
        };
        match self {
            Self::Normal => then(
                way(0.12, 0.3),
                &[
                    (Arrived, 0.45, Hub),
                    (AtDepot, 0.65, Destination),
                    (OutForDelivery, 0.8, Destination),
                    (Delivered, 1.0, Destination),
                ],
            ),
            Self::LateThenClear => then(
                way(0.1, 0.2),
                &[
                    (Arrived, 0.35, Hub),
                    (AtDepot, 0.6, Destination),
                    (OutForDelivery, 0.9, Destination),
                    (Delivered, 1.0, Destination),
                ],
            ),
            Self::NotHandedOver => vec![label],
            Self::HandedOverLate => {
                then(vec![label], &[(Accepted, 0.8, Origin), (Departed, 0.9, Origin), (Delivered, 1.0, Destination)])
            }
            Self::Stalled => way(0.1, 0.2),
            Self::StalledThenMoves => then(
                way(0.05, 0.1),
                &[(Arrived, 0.8, Hub), (OutForDelivery, 0.9, Destination), (Delivered, 1.0, Destination)],
            ),
            Self::FailedAttempt => then(
                way(0.1, 0.25),
                &[
                    (AtDepot, 0.4, Destination),
                    (OutForDelivery, 0.5, Destination),
                    (Attempt, 0.62, Destination),
                    (OutForDelivery, 0.85, Destination),
                    (Delivered, 1.0, Destination),
                ],
            ),
            Self::PickupPoint => then(
                way(0.12, 0.3),
                &[(Arrived, 0.45, Hub), (AtPickup, 0.65, Destination), (Collected, 1.0, Destination)],
            ),
            Self::Returned => then(
                way(0.1, 0.2),
                &[
                    (OutForDelivery, 0.35, Destination),
                    (Attempt, 0.45, Destination),
                    (ReturnStarted, 0.6, Destination),
                    (ReturnMoving, 0.8, Hub),
                    (ReturnedToSender, 1.0, Origin),
                ],
            ),
            Self::ReturnAfterDelivery => then(
                way(0.1, 0.2),
                &[
                    (OutForDelivery, 0.35, Destination),
                    (Delivered, 0.5, Destination),
                    (ReturnStarted, 0.7, Destination),
                    (ReturnedToSender, 1.0, Origin),
                ],
            ),
            Self::Lost => then(way(0.15, 0.3), &[(Arrived, 0.45, Hub), (Departed, 0.7, Hub), (Lost, 1.0, Hub)]),
            Self::Damaged => then(way(0.15, 0.3), &[(Arrived, 0.45, Hub), (Departed, 0.7, Hub), (Damaged, 1.0, Hub)]),
            Self::CarrierDelay => then(
                way(0.1, 0.2),
                &[
                    (Delay, 0.4, Hub),
                    (Arrived, 0.7, Hub),
                    (OutForDelivery, 0.85, Destination),
                    (Delivered, 1.0, Destination),
                ],
            ),
            Self::Customs => then(
                way(0.1, 0.2),
                &[
                    (CustomsIn, 0.35, Hub),
                    (CustomsHeld, 0.45, Hub),
                    (CustomsOut, 0.65, Hub),
                    (Arrived, 0.75, Destination),
                    (OutForDelivery, 0.88, Destination),
                    (Delivered, 1.0, Destination),
                ],
            ),
            Self::RevokedDelivery => {
                let mut beats = then(way(0.1, 0.25), &[(OutForDelivery, 0.4, Destination)]);
                beats.push((Delivered, 0.55, Destination, Some(0.7)));
                then(beats, &[(OutForDelivery, 0.85, Destination), (Delivered, 1.0, Destination)])
            }
            Self::Unknown => Vec::new(),
        }
    }
}

const fn place(
    city: &'static str,
    state: &'static str,
    postcode: &'static str,
    country: &'static str,
    zone: &'static str,
) -> Place {
    Place { city, state, postcode, country, zone }
}

const FRANCE: [Place; 5] = [
    place("LYON", "", "69007", "FR", "Europe/Paris"),
    place("NANTES", "", "44000", "FR", "Europe/Paris"),
    place("LILLE", "", "59000", "FR", "Europe/Paris"),
    place("RENNES", "", "35000", "FR", "Europe/Paris"),
    place("MARSEILLE", "", "13002", "FR", "Europe/Paris"),
];
const AMERICA: [Place; 5] = [
    place("RENO", "NV", "89502", "US", "America/Los_Angeles"),
    place("BOISE", "ID", "83702", "US", "America/Boise"),
    place("MEMPHIS", "TN", "38118", "US", "America/Chicago"),
    place("ALBANY", "NY", "12205", "US", "America/New_York"),
    place("DENVER", "CO", "80202", "US", "America/Denver"),
];
const ABROAD: [Place; 3] = [
    place("GENEVE", "", "1201", "CH", "Europe/Zurich"),
    place("TORONTO", "ON", "M5V", "CA", "America/Toronto"),
    place("HAMBURG", "", "20095", "DE", "Europe/Berlin"),
];
const RECEIVERS: [&str; 4] = ["A. SAMPLE", "FRONT DESK", "B. EXAMPLE", "NEIGHBOUR"];

/// Makes lives of one carrier.
#[derive(Debug, Clone)]
pub struct Teller {
    clock: SimClock,
    chance: Chance,
}

impl Teller {
    /// A teller on a clock; the same seed tells the same.
    pub fn new(clock: SimClock, seed: u64) -> Self {
        Self { clock, chance: Chance::new(seed) }
    }

    /// A fresh tracking number of a carrier, with a valid check digit.
    pub fn number(&mut self, network: Network) -> String {
        match network {
            Network::LaPoste => numbers::colissimo(&mut self.chance),
            Network::FedEx => numbers::fedex(&mut self.chance),
            Network::Ups => numbers::ups(&mut self.chance),
            Network::MondialRelay => numbers::mondialrelay(&mut self.chance),
        }
    }

    /// A parcel that lives through `story` from `start` on, within `span`.
    pub fn parcel(&mut self, network: Network, story: Story, start: Moment, span: Duration) -> Parcel {
        let (origin, hub, destination) = self.route(network, story == Story::Customs);
        let spoken = |&(step, ..): &Beat| words::say(network, step).is_some();
        let beats: Vec<_> = story.beats().into_iter().filter(spoken).collect();
        let due = story.promise().unwrap_or(1.0);
        let estimate = self.estimate(start.plus(share(span, due)));
        let mut scans: Vec<Scan> = beats
            .iter()
            .enumerate()
            .filter_map(|(index, &(step, at, spot, withdrawn))| {
                let place = match spot {
                    Spot::Origin => origin,
                    Spot::Hub => hub,
                    Spot::Destination => destination,
                };
                let withdrawn = withdrawn.map(|gone| start.plus(share(span, gone)));
                let visible = start.plus(share(span, at));
                let plain = self.scan(network, index, step, visible, place)?;
                Some(Scan { withdrawn, estimate: (step == Step::Accepted).then_some(estimate), ..plain })
            })
            .collect();
        part_times(&mut scans);
        self.assemble(network, (origin, destination), scans)
    }

    /// A parcel that is scanned `count` times, every `every`, between two hubs and without end: for load. Each scan of
    /// it differs from every other in time, so that each can be told apart in the ledgers.
    pub fn unceasing(&mut self, network: Network, start: Moment, every: Duration, count: u32) -> Parcel {
        let (origin, hub, destination) = self.route(network, false);
        let mut scans: Vec<Scan> = (0..count)
            .filter_map(|index| {
                let (step, place) = match index {
                    0 => (Step::Accepted, origin),
                    odd if odd % 2 == 1 => (Step::Departed, origin),
                    _ => (Step::Arrived, hub),
                };
                let mut scan = self.scan(network, index as usize, step, start.plus(every * index), place)?;
                if network == Network::MondialRelay {
                    // Its times have minutes only and its events no code: the words have to tell them apart.
                    scan.text = format!("{} ({index})", scan.text);
                }
                Some(scan)
            })
            .collect();
        part_times(&mut scans);
        self.assemble(network, (origin, destination), scans)
    }

    fn assemble(&mut self, network: Network, (origin, destination): (Place, Place), scans: Vec<Scan>) -> Parcel {
        Parcel {
            number: self.number(network),
            network,
            origin,
            destination,
            pickup: Some(("012345", "LIBRAIRIE DU PORT")),
            receiver: self.chance.one_of(&RECEIVERS).copied().unwrap_or("A. SAMPLE"),
            scans: scans.into_iter().map(Arc::new).collect(),
        }
    }

    fn scan(&self, network: Network, index: usize, step: Step, visible: Moment, place: Place) -> Option<Scan> {
        let (code, text) = words::say(network, step)?;
        let at = wall_clock(self.clock.wall(visible), place.zone);
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        Some(Scan { index, visible, withdrawn: None, at, step, code, text: text.to_owned(), place, estimate: None })
    }

    fn route(&mut self, network: Network, abroad: bool) -> (Place, Place, Place) {
        let home = match network {
            Network::LaPoste | Network::MondialRelay => &FRANCE,
            Network::FedEx | Network::Ups => &AMERICA,
        };
        let first = self.chance.below(5);
        let at = |offset: u64| home[usize::try_from((first + offset) % 5).unwrap_or(0)];
        let destination = if abroad { self.chance.one_of(&ABROAD).copied().unwrap_or(at(2)) } else { at(2) };
        (at(0), at(1), destination)
    }

    fn estimate(&self, due: Moment) -> Estimate {
        let to = self.clock.wall(due);
        let from = to.saturating_sub(SignedDuration::from_hours(2)).unwrap_or(to);
        Estimate { from, to }
    }
}

/// Moves times back where two scans would share a second, so that none lies in the future and each differs.
fn part_times(scans: &mut [Scan]) {
    for index in (1..scans.len()).rev() {
        let latest = scans[index].at.timestamp().saturating_sub(SignedDuration::from_secs(1));
        let earlier = &mut scans[index - 1];
        if let Ok(latest) = latest
            && earlier.at.timestamp() > latest
        {
            earlier.at = wall_clock(latest, earlier.place.zone);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::world::World;

    #[tokio::test(start_paused = true)]
    async fn scans_become_visible_as_time_passes_and_a_revoked_delivery_vanishes() {
        let clock = SimClock::start();
        let world = World::new(clock);
        let parcel = Teller::new(clock, 1).parcel(
            Network::Ups,
            Story::RevokedDelivery,
            Moment::seconds(1),
            Duration::from_secs(100),
        );
        let number = parcel.number.clone();
        world.add(parcel);
        assert!(world.view(&number).is_none(), "nothing before the label");
        clock.until(Moment::seconds(2)).await;
        assert_eq!(world.view(&number).unwrap().scans.len(), 1);
        clock.until(Moment::seconds(60)).await;
        assert!(world.view(&number).unwrap().delivery().is_some());
        clock.until(Moment::seconds(72)).await;
        assert!(!world.view(&number).unwrap().reached(Step::Delivered), "withdrawn");
        clock.until(Moment::seconds(102)).await;
        assert!(world.view(&number).unwrap().delivery().is_some());
    }

    #[tokio::test]
    async fn no_two_scans_of_a_parcel_share_a_second_however_short_its_life() {
        let clock = SimClock::start();
        let mut teller = Teller::new(clock, 2);
        for network in Network::ALL {
            for story in Story::ALL {
                let parcel = teller.parcel(network, story, Moment::seconds(5), Duration::from_millis(1500));
                let times: Vec<_> = parcel.scans.iter().map(|scan| scan.at.timestamp()).collect();
                assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{network:?} {story:?} {times:?}");
                let early = |scan: &Arc<Scan>| scan.at.timestamp() <= clock.wall(scan.visible);
                assert!(parcel.scans.iter().all(early), "no time in the future");
            }
            let restless = teller.unceasing(network, Moment::default(), Duration::from_millis(200), 50);
            assert_eq!(restless.scans.len(), 50);
        }
    }
}
