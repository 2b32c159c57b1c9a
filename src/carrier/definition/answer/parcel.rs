//! `[map.parcel]`: where the fields of a parcel are.

use serde::Deserialize;
use serde::de::{self, Deserializer};

use crate::carrier::expr::{Condition, Source};
use crate::model::parcel::PickupKind;

use super::time::TimeSpec;

/// A fixed word of a known set, or a source that gives one.
#[derive(Debug, Clone)]
pub enum WordOr<W> {
    /// The word itself.
    Word(W),
    /// Where the answer has it.
    From(Source),
}

macro_rules! word_or {
    ($word:ty, $read:expr) => {
        impl<'de> Deserialize<'de> for WordOr<$word> {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                let read: fn(&str) -> Option<$word> = $read;
                match read(&text) {
                    Some(word) => Ok(Self::Word(word)),
                    None => Source::deserialize(de::value::StrDeserializer::<D::Error>::new(&text)).map(Self::From),
                }
            }
        }
    };
}
word_or!(PickupKind, pickup_kind);
word_or!(Unit, Unit::read);

/// The kind of this name.
pub fn pickup_kind(name: &str) -> Option<PickupKind> {
    match name {
        "pickup_point" => Some(PickupKind::PickupPoint),
        "locker" => Some(PickupKind::Locker),
        "post_office" => Some(PickupKind::PostOffice),
        "depot" => Some(PickupKind::Depot),
        _ => None,
    }
}

/// A unit of weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit(pub &'static str);

impl Unit {
    /// The unit that a carrier's word means.
    pub fn read(word: &str) -> Option<Self> {
        Some(Self(match word.trim().trim_end_matches('.').to_ascii_lowercase().as_str() {
            "kg" | "kgs" | "kgm" | "kilogram" | "kilograms" | "kilo" => "kg",
            "g" | "gr" | "grm" | "gram" | "grams" => "g",
            "lb" | "lbs" | "lbr" | "pound" | "pounds" => "lb",
            "oz" | "ozs" | "onz" | "ounce" | "ounces" => "oz",
            _ => return None,
        }))
    }
}

/// `[map.parcel]`: every field optional, each a source at the parcel.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the fields are those of `model::Facts`")]
pub struct ParcelMap {
    pub service: Option<Source>,
    pub eta_from: Option<TimeSpec>,
    pub eta_to: Option<TimeSpec>,
    pub delivered_at: Option<TimeSpec>,
    pub delivered_to: Option<Source>,
    pub attempts: Option<Source>,
    pub weight: Option<WeightMap>,
    pub origin: Option<PlaceMap>,
    pub destination: Option<PlaceMap>,
    pub pickup: Option<PickupMap>,
    pub partner: Option<PartnerMap>,
    pub pieces: Option<PiecesMap>,
    pub charges: Option<ChargesMap>,
    pub proof: Vec<ProofMap>,
    pub public_url: Option<Source>,
}

/// A place, field by field.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the fields are those of `model::Place`")]
pub struct PlaceMap {
    pub name: Option<Source>,
    pub city: Option<Source>,
    pub region: Option<Source>,
    pub postcode: Option<Source>,
    pub country: Option<Source>,
}

/// What it weighs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "{ value = \"..\", unit = \"..\" }")]
pub struct WeightMap {
    /// Decimal text or a number.
    pub value: Source,
    /// Its unit.
    pub unit: WordOr<Unit>,
}

/// Where it can be collected.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the fields are those of `model::Pickup`")]
pub struct PickupMap {
    #[serde(rename = "type")]
    pub kind: Option<WordOr<PickupKind>>,
    pub id: Option<Source>,
    pub name: Option<Source>,
    pub until: Option<TimeSpec>,
    pub place: Option<PlaceMap>,
}

/// Who took over.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the fields are those of `model::Partner`")]
pub struct PartnerMap {
    pub carrier: Option<Source>,
    pub number: Option<Source>,
}

/// Parts of a shipment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the fields are those of `model::Pieces`")]
pub struct PiecesMap {
    pub total: Option<Source>,
    pub delivered: Option<Source>,
}

/// What is to be paid.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the fields are those of `model::Charges`")]
pub struct ChargesMap {
    pub kind: Option<Source>,
    pub amount: Option<Source>,
    pub currency: Option<Source>,
}

/// A proof of delivery.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofMap {
    /// `signature`, `photo` or `document`.
    pub kind: ProofKind,
    /// Where it can be had.
    pub url: Option<Source>,
    /// Whether there is one.
    pub when: Option<Condition>,
}

/// What a proof is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofKind {
    /// A signature.
    Signature,
    /// A picture.
    Photo,
    /// A paper.
    Document,
}

impl ProofKind {
    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Photo => "photo",
            Self::Document => "document",
        }
    }
}
