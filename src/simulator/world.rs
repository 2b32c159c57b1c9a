//! The world that the stand-in carriers report on: parcels, and the scans that become visible as time passes.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

pub use super::steps::{Code, Network, Step};
use super::time::{Moment, SimClock};

/// A site, with the zone of its clock on the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Town.
    pub city: &'static str,
    /// State or province where the country has them, else empty.
    pub state: &'static str,
    /// Post code.
    pub postcode: &'static str,
    /// ISO 3166-1 alpha-2.
    pub country: &'static str,
    /// IANA zone.
    pub zone: &'static str,
}

/// A span of time in which the carrier means to deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Not before.
    pub from: Timestamp,
    /// Not after.
    pub to: Timestamp,
}

/// One scan of one parcel.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Which one of the parcel's, from 0.
    pub index: u32,
    /// From when on the carrier tells it.
    pub visible: Moment,
    /// From when on it no longer tells it.
    pub withdrawn: Option<Moment>,
    /// When it happened, on the clock of the place, to the second.
    pub at: Zoned,
    /// What happened.
    pub step: Step,
    /// What happened, in the carrier's codes.
    pub code: Code,
    /// What happened, in the carrier's words.
    pub text: String,
    /// Where.
    pub place: Place,
    /// The estimate, where this scan brought one.
    pub estimate: Option<Estimate>,
}

/// A parcel and its scripted life.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// Tracking number.
    pub number: String,
    /// Whose parcel.
    pub network: Network,
    /// Where it starts.
    pub origin: Place,
    /// Where it is to go.
    pub destination: Place,
    /// Its pickup point, where it goes to one: id and name.
    pub pickup: Option<(&'static str, &'static str)>,
    /// Who signs for it.
    pub receiver: &'static str,
    /// Its scans, oldest first.
    pub scans: Vec<Arc<Scan>>,
}

/// What a carrier can tell of a parcel now.
#[derive(Debug, Clone)]
pub struct View {
    /// Where it starts.
    pub origin: Place,
    /// Where it is to go.
    pub destination: Place,
    /// Its pickup point, once it waits there.
    pub pickup: Option<(&'static str, &'static str)>,
    /// Who signs for it.
    pub receiver: &'static str,
    /// The scans told now, oldest first; never empty.
    pub scans: Vec<Arc<Scan>>,
}

impl View {
    /// The newest scan.
    pub fn newest(&self) -> Option<&Scan> {
        self.scans.last().map(AsRef::as_ref)
    }

    /// The newest estimate.
    pub fn estimate(&self) -> Option<Estimate> {
        self.scans.iter().rev().find_map(|scan| scan.estimate)
    }

    /// The scan with which the recipient got it, if the newest state is that.
    pub fn delivery(&self) -> Option<&Scan> {
        self.newest().filter(|scan| matches!(scan.step, Step::Delivered | Step::Collected))
    }

    /// True when any told scan is this step.
    pub fn reached(&self, step: Step) -> bool {
        self.scans.iter().any(|scan| scan.step == step)
    }
}

/// The parcels of one stand-in. Cheap to share.
#[derive(Debug)]
pub struct World {
    clock: SimClock,
    parcels: RwLock<HashMap<String, Parcel>>,
}

impl World {
    /// An empty world on a clock.
    pub fn new(clock: SimClock) -> Self {
        Self { clock, parcels: RwLock::default() }
    }

    /// Its clock.
    pub fn clock(&self) -> SimClock {
        self.clock
    }

    /// Adds a parcel, or gives one a new life.
    pub fn add(&self, parcel: Parcel) {
        self.parcels.write().unwrap_or_else(PoisonError::into_inner).insert(parcel.number.clone(), parcel);
    }

    /// Adds one scan, visible at once, to the life of a parcel; false when there is no such parcel. Its time is now,
    /// or a second after the parcel's last scan if that is later, so that no two of its scans share one.
    pub fn scan_now(&self, number: &str, step: Step, place: Option<Place>) -> bool {
        let now = self.clock.now();
        let mut parcels = self.parcels.write().unwrap_or_else(PoisonError::into_inner);
        let Some(parcel) = parcels.get_mut(number) else { return false };
        let Some((code, text)) = super::words::say(parcel.network, step) else { return false };
        let place = place.unwrap_or(parcel.destination);
        let mut at = self.clock.wall(now);
        if let Some(last) = parcel.scans.last() {
            at = at.max(last.at.timestamp().saturating_add(SignedDuration::from_secs(1)).unwrap_or(at));
        }
        let index = u32::try_from(parcel.scans.len()).unwrap_or(u32::MAX);
        let text = text.to_owned();
        let at = wall_clock(at, place.zone);
        let scan = Scan { index, visible: now, withdrawn: None, at, step, code, text, place, estimate: None };
        parcel.scans.push(Arc::new(scan));
        true
    }

    /// What can be told of a parcel now; `None` when nothing is.
    pub fn view(&self, number: &str) -> Option<View> {
        let now = self.clock.now();
        let parcels = self.parcels.read().unwrap_or_else(PoisonError::into_inner);
        let parcel = parcels.get(number)?;
        let told = |scan: &&Arc<Scan>| scan.visible <= now && scan.withdrawn.is_none_or(|gone| now < gone);
        let scans: Vec<_> = parcel.scans.iter().filter(told).cloned().collect();
        let waits = scans.iter().any(|scan| scan.step == Step::AtPickup);
        (!scans.is_empty()).then(|| View {
            origin: parcel.origin,
            destination: parcel.destination,
            pickup: parcel.pickup.filter(|_| waits),
            receiver: parcel.receiver,
            scans,
        })
    }

    /// The numbers of all parcels, in no order.
    pub fn numbers(&self) -> Vec<String> {
        self.parcels.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// When the last scan of all becomes visible or is withdrawn.
    pub fn last_scan(&self) -> Option<Moment> {
        let parcels = self.parcels.read().unwrap_or_else(PoisonError::into_inner);
        parcels.values().flat_map(|parcel| &parcel.scans).map(|scan| scan.withdrawn.unwrap_or(scan.visible)).max()
    }

    /// How many scans are visible by now, over all parcels.
    pub fn visible_scans(&self) -> usize {
        let now = self.clock.now();
        let parcels = self.parcels.read().unwrap_or_else(PoisonError::into_inner);
        parcels.values().flat_map(|parcel| &parcel.scans).filter(|scan| scan.visible <= now).count()
    }
}

/// A time on the clock of a zone, cut to the second, as carriers write it.
pub(super) fn wall_clock(at: Timestamp, zone: &str) -> Zoned {
    let whole = Timestamp::from_second(at.as_second()).unwrap_or(at);
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    whole.to_zoned(zone)
}

/// How long after `from` the moment `fraction` of `span` is.
pub(super) fn share(span: Duration, fraction: f64) -> Duration {
    span.mul_f64(fraction.clamp(0.0, 1_000.0))
}
