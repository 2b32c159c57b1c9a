//! The parcel: one shape for the API, webhooks and `wismo normalize`. What is unknown is null.

use serde::{Deserialize, Serialize};

use super::event::{Event, Place};
use super::ids::CarrierCode;
use super::status::{Status, Substatus, WhoMustAct};
use super::time::Moment;

/// When the carrier expects to deliver.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Eta {
    /// Start of the window, or the only moment given.
    pub from: Option<Moment>,
    /// End of the window, where the carrier gave one.
    pub to: Option<Moment>,
    /// The first estimate that the carrier ever gave (the end of its window where it had one).
    pub original: Option<Moment>,
}

/// What sort of place holds a parcel for its recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PickupKind {
    /// A shop that takes parcels in.
    PickupPoint,
    /// A machine.
    Locker,
    /// A post office.
    PostOffice,
    /// A depot of the carrier.
    Depot,
}

/// Where and until when the recipient can collect.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Pickup {
    /// What sort of place.
    #[serde(rename = "type")]
    pub kind: Option<PickupKind>,
    /// The carrier's id of it.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Where it is.
    pub place: Option<Place>,
    /// Last day or moment to collect.
    pub until: Option<Moment>,
}

/// Another carrier that took over, and the number there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Partner {
    /// The carrier, as named.
    pub carrier: Option<String>,
    /// Its tracking number.
    pub number: Option<String>,
}

/// Parts of a shipment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Pieces {
    /// How many there are.
    pub total: Option<u32>,
    /// How many were delivered.
    pub delivered: Option<u32>,
}

/// Money that somebody has to pay.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Charges {
    /// What for: `cash_on_delivery`, `duties`, `postage`, or the carrier's word.
    pub kind: Option<String>,
    /// Decimal text, so that no digit is lost.
    pub amount: Option<String>,
    /// ISO 4217, upper case.
    pub currency: Option<String>,
}

/// What it weighs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weight {
    /// Decimal text, as the carrier gave it.
    pub value: String,
    /// `kg`, `g`, `lb` or `oz`.
    pub unit: String,
}

/// A document that proves delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// `signature`, `photo` or `document`.
    pub kind: String,
    /// Where it can be had.
    pub url: Option<String>,
}

/// What a carrier says of a parcel as a whole, beside its events.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The carrier's product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Start of the estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eta_from: Option<Moment>,
    /// End of the estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eta_to: Option<Moment>,
    /// When it was delivered, where the carrier says so beside the events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Moment>,
    /// Who or what took it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_to: Option<String>,
    /// Attempts as the carrier counts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Where to collect it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pickup: Option<Pickup>,
    /// Who took over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partner: Option<Partner>,
    /// Its parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pieces: Option<Pieces>,
    /// What is to be paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charges: Option<Charges>,
    /// What it weighs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<Weight>,
    /// Where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Place>,
    /// Where it goes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<Place>,
    /// Proofs of delivery.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proof: Vec<Proof>,
    /// The carrier's page for the public.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
}

/// One parcel, as everybody outside sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is documented where its type is, or in docs/parcel.md")]
pub struct Parcel {
    pub number: String,
    pub carrier: CarrierCode,
    pub status: Status,
    pub substatus: Substatus,
    pub who_must_act: WhoMustAct,
    pub service: Option<String>,
    pub eta: Option<Eta>,
    pub delivered_at: Option<Moment>,
    pub delivered_to: Option<String>,
    pub attempts: u32,
    pub first_attempt_at: Option<Moment>,
    pub pickup: Option<Pickup>,
    pub partner: Option<Partner>,
    pub pieces: Option<Pieces>,
    pub charges: Option<Charges>,
    pub weight: Option<Weight>,
    pub origin: Option<Place>,
    pub destination: Option<Place>,
    pub proof: Vec<Proof>,
    pub public_url: Option<String>,
    /// Oldest first. In a webhook: those that the change is about.
    pub events: Vec<Event>,
}
