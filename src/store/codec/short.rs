//! Short texts of what is told beside the events. Each can be read back, or is not used: then `about` tells it.

use crate::model::parcel::{Pieces, Weight};
use crate::model::tracker::{Destination, OrderRef};
use crate::model::{Headline, Place, Substatus};

/// No field is longer than this many bytes: one longer field makes Redis unpack the whole hash.
pub(crate) const LONGEST_FIELD: usize = 64;

/// A headline that is a status and nothing else.
pub(super) fn headline_field(headline: &Headline) -> Option<Substatus> {
    (headline.time.is_none() && !headline.authoritative).then_some(headline.substatus)
}

/// The only order, where its reference fits and says all.
pub(super) fn only_order(orders: &[OrderRef]) -> Option<&str> {
    match orders {
        [only] if only.placed_at.is_none() && only.reference.len() <= LONGEST_FIELD => Some(&only.reference),
        _ => None,
    }
}

/// Parts with slashes between them, without those at the end.
fn joined(parts: &[&Option<String>]) -> String {
    let parts: Vec<&str> = parts.iter().map(|part| part.as_deref().unwrap_or_default()).collect();
    parts.join("/").trim_end_matches('/').to_owned()
}

/// The parts of such a text; what is empty is absent.
fn parted<const N: usize>(text: &str) -> [Option<String>; N] {
    let mut parts = text.splitn(N, '/').map(|part| (!part.is_empty()).then(|| part.to_owned()));
    std::array::from_fn(|_| parts.next().flatten())
}

/// Country/post code/zone.
pub(super) fn destination_text(destination: &Destination) -> Option<String> {
    let text = joined(&[&destination.country, &destination.postcode, &destination.zone]);
    (text.len() <= LONGEST_FIELD && destination_from(&text) == *destination).then_some(text)
}

/// What [`destination_text`] wrote.
pub(super) fn destination_from(text: &str) -> Destination {
    let [country, postcode, zone] = parted(text);
    Destination { country, postcode, zone }
}

/// City/country/post code/name/region.
pub(super) fn place_text(place: &Place) -> Option<String> {
    let text = joined(&[&place.city, &place.country, &place.postcode, &place.name, &place.region]);
    (place_from(&text) == *place).then_some(text)
}

/// What [`place_text`] wrote.
pub(super) fn place_from(text: &str) -> Place {
    let [city, country, postcode, name, region] = parted(text);
    Place { name, city, region, postcode, country }
}

/// A place as a field of the hash.
pub(super) fn place_field(place: &Place) -> Option<String> {
    place_text(place).filter(|text| text.len() <= LONGEST_FIELD)
}

/// `3`, or `1 of 3` where it is known how many were delivered.
pub(super) fn pieces_text(pieces: &Pieces) -> Option<String> {
    match (pieces.delivered, pieces.total?) {
        (Some(delivered), total) => Some(format!("{delivered} of {total}")),
        (None, total) => Some(total.to_string()),
    }
}

/// What [`pieces_text`] wrote.
pub(super) fn pieces_from(text: &str) -> Result<Pieces, String> {
    let number = |text: &str| text.parse::<u32>().map(Some).map_err(|error| format!("pieces: {text:?}: {error}"));
    Ok(match text.split_once(" of ") {
        Some((delivered, total)) => Pieces { delivered: number(delivered)?, total: number(total)? },
        None => Pieces { delivered: None, total: number(text)? },
    })
}

/// `4.20 kg`.
pub(super) fn weight_text(weight: &Weight) -> Option<String> {
    let text = format!("{} {}", weight.value, weight.unit);
    (text.len() <= LONGEST_FIELD && !weight.unit.contains(' ')).then_some(text)
}

/// What [`weight_text`] wrote.
pub(super) fn weight_from(text: &str) -> Result<Weight, String> {
    let (value, unit) = text.rsplit_once(' ').ok_or_else(|| format!("weight: {text:?} has no unit"))?;
    Ok(Weight { value: value.to_owned(), unit: unit.to_owned() })
}

/// Stands for the tracking number in the address of the carrier's page.
const NUMBER: &str = "{number}";

/// The address of the carrier's page, with `{number}` for the number.
pub(super) fn page_text(url: &str, number: &str) -> Option<String> {
    let text = if number.is_empty() { url.to_owned() } else { url.replace(number, NUMBER) };
    (text.len() <= LONGEST_FIELD && page_from(&text, number) == url).then_some(text)
}

/// What [`page_text`] wrote.
pub(super) fn page_from(text: &str, number: &str) -> String {
    text.replace(NUMBER, number)
}
