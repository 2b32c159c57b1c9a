//! Fields of a parcel that stand beside its events.

use serde_json::Value;

use super::text::{SHORT, clean, web_url};
use super::time::{self, Zones};
use super::trace::Trace;
use crate::carrier::definition::answer::parcel::{
    ChargesMap, ParcelMap, PartnerMap, PickupMap, PiecesMap, PlaceMap, ProofMap, Unit, WeightMap, WordOr, pickup_kind,
};
use crate::carrier::definition::answer::time::TimeSpec;
use crate::carrier::expr::{Scope, Source, lookup_country};
use crate::model::parcel::{Charges, Partner, Pickup, Pieces, Proof, Weight};
use crate::model::{Facts, Moment, Place};

/// More proofs than this are no proof.
const MAX_PROOFS: usize = 10;

/// Reads fields at one scope and tells the trace about each.
pub struct Fields<'a, 't> {
    scope: &'a Scope<'a>,
    zones: Zones<'a>,
    trace: &'t mut Trace,
}

impl<'a, 't> Fields<'a, 't> {
    /// A reader of fields.
    pub fn new(scope: &'a Scope<'a>, zones: Zones<'a>, trace: &'t mut Trace) -> Self {
        Self { scope, zones, trace }
    }

    /// A text of at most `max` characters.
    pub fn text(&mut self, field: &str, source: Option<&Source>, max: usize) -> Option<String> {
        let source = source?;
        let text = source.text(self.scope).and_then(|text| clean(&text, max));
        self.told(field, source, text)
    }

    fn short(&mut self, field: &str, source: Option<&Source>) -> Option<String> {
        self.text(field, source, SHORT)
    }

    fn told<T: serde::Serialize>(&mut self, field: &str, source: &Source, value: Option<T>) -> Option<T> {
        self.trace.line(field, Some(source), || serde_json::to_value(&value).unwrap_or(Value::Null));
        value
    }

    fn count(&mut self, field: &str, source: Option<&Source>) -> Option<u32> {
        let source = source?;
        let count = source.text(self.scope).and_then(|text| whole(&text));
        self.told(field, source, count)
    }

    fn decimal(&mut self, field: &str, source: Option<&Source>) -> Option<String> {
        let source = source?;
        let number = source.text(self.scope).and_then(|text| decimal(&text));
        self.told(field, source, number)
    }

    fn url(&mut self, field: &str, source: Option<&Source>) -> Option<String> {
        let source = source?;
        let url = source.text(self.scope).and_then(|text| web_url(&text));
        self.told(field, source, url)
    }

    fn moment(&mut self, field: &str, spec: Option<&TimeSpec>) -> Option<Moment> {
        let (read, form) = time::read(spec?, self.scope, self.zones);
        let moment = read.moment();
        let source = form.map(|form| format!("form {form}"));
        let source = source.as_ref().map(|source| source as &dyn std::fmt::Display);
        self.trace.line(field, source, || match moment {
            Some(moment) => Value::String(moment.to_string()),
            // Something stood there that no form reads: worth seeing.
            None if !read.raw.is_empty() => serde_json::json!({"unread": read.raw}),
            None => Value::Null,
        });
        moment
    }

    /// A place; nothing when it says nothing.
    pub fn place(&mut self, field: &str, map: &PlaceMap) -> Option<Place> {
        let country = map.country.as_ref().and_then(|source| source.text(self.scope));
        let place = Place {
            name: self.quiet(map.name.as_ref()),
            city: self.quiet(map.city.as_ref()),
            region: self.quiet(map.region.as_ref()),
            postcode: self.quiet(map.postcode.as_ref()),
            country: country.and_then(|text| lookup_country(&text)).map(str::to_owned),
        }
        .or_none();
        self.trace.line(field, None, || serde_json::to_value(&place).unwrap_or(Value::Null));
        place
    }

    fn quiet(&self, source: Option<&Source>) -> Option<String> {
        source?.text(self.scope).and_then(|text| clean(&text, SHORT))
    }

    /// All fields of a parcel.
    pub fn facts(&mut self, map: &ParcelMap) -> Facts {
        Facts {
            service: self.short("service", map.service.as_ref()),
            eta_from: self.moment("eta.from", map.eta_from.as_ref()),
            eta_to: self.moment("eta.to", map.eta_to.as_ref()),
            delivered_at: self.moment("delivered_at", map.delivered_at.as_ref()),
            delivered_to: self.short("delivered_to", map.delivered_to.as_ref()),
            attempts: self.count("attempts", map.attempts.as_ref()),
            pickup: map.pickup.as_ref().and_then(|map| self.pickup(map)),
            partner: map.partner.as_ref().and_then(|map| self.partner(map)),
            pieces: map.pieces.as_ref().and_then(|map| self.pieces(map)),
            charges: map.charges.as_ref().and_then(|map| self.charges(map)),
            weight: map.weight.as_ref().and_then(|map| self.weight(map)),
            origin: map.origin.as_ref().and_then(|map| self.place("origin", map)),
            destination: map.destination.as_ref().and_then(|map| self.place("destination", map)),
            proof: self.proofs(&map.proof),
            public_url: self.url("public_url", map.public_url.as_ref()),
        }
    }

    fn pickup(&mut self, map: &PickupMap) -> Option<Pickup> {
        let (fixed, kind) = match &map.kind {
            None => (None, None),
            Some(WordOr::Word(kind)) => (Some(*kind), None),
            Some(WordOr::From(source)) => {
                let kind = source.text(self.scope).and_then(|word| pickup_kind(&word));
                (None, self.told("pickup.type", source, kind))
            }
        };
        let found = Pickup {
            kind,
            id: self.short("pickup.id", map.id.as_ref()),
            name: self.short("pickup.name", map.name.as_ref()),
            place: map.place.as_ref().and_then(|map| self.place("pickup.place", map)),
            until: self.moment("pickup.until", map.until.as_ref()),
        };
        // A kind that the definition fixes tells nothing by itself.
        (found != Pickup::default()).then(|| Pickup { kind: found.kind.or(fixed), ..found })
    }

    fn partner(&mut self, map: &PartnerMap) -> Option<Partner> {
        let partner = Partner {
            carrier: self.short("partner.carrier", map.carrier.as_ref()),
            number: self.short("partner.number", map.number.as_ref()),
        };
        (partner != Partner::default()).then_some(partner)
    }

    fn pieces(&mut self, map: &PiecesMap) -> Option<Pieces> {
        let pieces = Pieces {
            total: self.count("pieces.total", map.total.as_ref()),
            delivered: self.count("pieces.delivered", map.delivered.as_ref()),
        };
        (pieces != Pieces::default()).then_some(pieces)
    }

    fn charges(&mut self, map: &ChargesMap) -> Option<Charges> {
        let amount = self.decimal("charges.amount", map.amount.as_ref())?;
        let currency = self.short("charges.currency", map.currency.as_ref()).map(|code| code.to_ascii_uppercase());
        Some(Charges {
            kind: self.short("charges.kind", map.kind.as_ref()),
            amount: Some(amount),
            currency: currency.filter(|code| code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase())),
        })
    }

    fn weight(&mut self, map: &WeightMap) -> Option<Weight> {
        let value = self.decimal("weight.value", Some(&map.value))?;
        let unit = match &map.unit {
            WordOr::Word(unit) => *unit,
            WordOr::From(source) => {
                let unit = source.text(self.scope).and_then(|word| Unit::read(&word));
                self.told("weight.unit", source, unit.map(|unit| unit.0))?;
                unit?
            }
        };
        Some(Weight { value, unit: unit.0.to_owned() })
    }

    fn proofs(&mut self, maps: &[ProofMap]) -> Vec<Proof> {
        let mut proofs = Vec::new();
        for map in maps.iter().take(MAX_PROOFS) {
            let asked = map.when.as_ref().map(|when| when.holds(self.scope));
            if asked == Some(false) {
                continue;
            }
            let url = self.url("proof.url", map.url.as_ref());
            // Without a condition only a URL says that there is one.
            if url.is_some() || asked == Some(true) {
                proofs.push(Proof { kind: map.kind.name().to_owned(), url });
            }
        }
        proofs
    }
}

fn whole(text: &str) -> Option<u32> {
    let text = text.trim();
    let (digits, fraction) = text.split_once('.').unwrap_or((text, ""));
    fraction.bytes().all(|b| b == b'0').then(|| digits.parse().ok())?
}

/// Decimal text that is more than 0; a comma counts as the point.
fn decimal(text: &str) -> Option<String> {
    let text = text.trim().replace(',', ".");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let good = text.len() <= 18 && !(whole.is_empty() && fraction.is_empty()) && digits(whole) && digits(fraction);
    let nonzero = text.bytes().any(|b| matches!(b, b'1'..=b'9'));
    (good && nonzero).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn facts(map: &str, p: &Value) -> Facts {
        let map: ParcelMap = toml::from_str(map).unwrap();
        let scope = Scope::new().with("p", p).focus(p);
        Fields::new(&scope, Zones::default(), &mut Trace::off()).facts(&map)
    }

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for (text, expected) in [
            ("4.20", Some("4.20")),
            ("1,5", Some("1.5")),
            ("0.00", None),
            ("3", Some("3")),
            ("1.2.3", None),
            ("-1", None),
            ("", None),
            ("1 kg", None),
        ] {
            assert_eq!(decimal(text).as_deref(), expected, "{text}");
        }
        for (text, expected) in [("2", Some(2)), ("2.0", Some(2)), ("2.5", None), ("-1", None), ("two", None)] {
            assert_eq!(whole(text), expected, "{text}");
        }
    }

    #[test]
    fn units_are_understood_or_the_weight_is_not_known() {
        let map = "weight = { value = 'w', unit = 'u' }";
        let unit = |unit: &str| facts(map, &json!({"w": "4.20", "u": unit})).weight.map(|weight| weight.unit);
        assert_eq!(unit("LBS").as_deref(), Some("lb"));
        assert_eq!(unit("KGS").as_deref(), Some("kg"));
        assert_eq!(unit("stone"), None);
        assert_eq!(facts("weight = { value = 'w', unit = 'g' }", &json!({"w": 180})).weight.unwrap().unit, "g");
    }

    #[test]
    fn a_fixed_kind_alone_makes_no_pickup() {
        let map = "pickup = { type = 'locker', id = 'point' }";
        assert_eq!(facts(map, &json!({})).pickup, None);
        assert!(facts(map, &json!({"point": "L1"})).pickup.unwrap().kind.is_some());
    }

    #[test]
    fn a_date_stays_a_date_and_empty_objects_are_absent() {
        let map = "eta_to = 'eta'\nservice = 'product'\nproof = [{ kind = 'signature', url = 'sign' }]";
        let facts = facts(map, &json!({"eta": "2026-11-25", "product": {}, "sign": "javascript:x"}));
        assert_eq!(facts.eta_to.unwrap().to_string(), "2026-11-25");
        assert_eq!(facts.service, None);
        assert_eq!(facts.proof, []);
    }
}
