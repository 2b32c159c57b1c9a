//! The simulator's own words: whom a parcel travels with, and what happens to it.

/// The four real carriers whose protocols are spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Network {
    /// La Poste "Suivi v2".
    LaPoste,
    /// FedEx Track API.
    FedEx,
    /// UPS Tracking API.
    Ups,
    /// Mondial Relay `WSI2_TracingColisDetaille`.
    MondialRelay,
}

impl Network {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::LaPoste, Self::FedEx, Self::Ups, Self::MondialRelay];

    /// The code under which a shop registers a parcel of this carrier.
    pub const fn code(self) -> &'static str {
        match self {
            Self::LaPoste => "laposte",
            Self::FedEx => "fedex",
            Self::Ups => "ups",
            Self::MondialRelay => "mondialrelay",
        }
    }

    /// The carrier's name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LaPoste => "La Poste",
            Self::FedEx => "FedEx",
            Self::Ups => "UPS",
            Self::MondialRelay => "Mondial Relay",
        }
    }
}

/// What happens to a parcel, in the simulator's own words; each carrier says it in its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// The shipper announced it.
    Label,
    /// The carrier has it.
    Accepted,
    /// It left a site.
    Departed,
    /// It reached a site.
    Arrived,
    /// Customs look at it.
    CustomsIn,
    /// Customs hold it.
    CustomsHeld,
    /// Customs let it go.
    CustomsOut,
    /// It is where its round starts.
    AtDepot,
    /// It is on the round.
    OutForDelivery,
    /// Nobody could take it.
    Attempt,
    /// It waits at a pickup point.
    AtPickup,
    /// The recipient collected it.
    Collected,
    /// It was delivered.
    Delivered,
    /// It starts its way back.
    ReturnStarted,
    /// It is on its way back.
    ReturnMoving,
    /// The sender has it again.
    ReturnedToSender,
    /// The carrier says it will come later.
    Delay,
    /// The carrier harmed it.
    Damaged,
    /// The carrier lost it.
    Lost,
}

/// How a carrier names what happened; what each part means depends on the carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The code proper, or empty where the carrier has none.
    pub main: &'static str,
    /// A finer one.
    pub detail: &'static str,
    /// A coarser one.
    pub kind: &'static str,
}
