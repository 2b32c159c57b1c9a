//! Which scan of a carrier's ledger an event in a webhook is.

use std::collections::HashMap;

use super::CarrierBook;
use crate::simulator::ledger::{Told, only_digits};
use crate::simulator::receiver::{Arrival, ArrivedEvent};

/// All told scans, found by carrier, number and time.
pub(super) struct ScanIndex<'a> {
    scans: Vec<(&'a str, &'a Told)>,
    by_time: HashMap<(String, String, String), Vec<usize>>,
}

/// A number without what readers may add or drop: blanks, dashes, case.
fn bare(number: &str) -> String {
    number.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_uppercase()).collect()
}

fn same_words(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

impl<'a> ScanIndex<'a> {
    pub fn new(books: &'a [CarrierBook]) -> Self {
        let scans: Vec<_> =
            books.iter().flat_map(|book| book.told.iter().map(|told| (book.code.as_str(), told))).collect();
        let mut by_time: HashMap<_, Vec<usize>> = HashMap::new();
        for (position, (code, told)) in scans.iter().enumerate() {
            let mut ways: Vec<String> = told.trace.times.iter().map(|time| only_digits(time)).collect();
            ways.sort_unstable();
            ways.dedup();
            for way in ways {
                by_time.entry(((*code).to_owned(), bare(&told.number), way)).or_default().push(position);
            }
        }
        Self { scans, by_time }
    }

    pub fn len(&self) -> usize {
        self.scans.len()
    }

    pub fn scans(&self) -> impl Iterator<Item = (usize, &'a str, &'a Told)> {
        self.scans.iter().enumerate().map(|(position, (code, told))| (position, *code, *told))
    }

    /// The scan of this tracker with the event's time, and its code or its words; `None` when no carrier told it. Where a
    /// carrier tells minutes only, two scans may share all of that: then the place parts them.
    pub fn find(&self, arrival: &Arrival, event: &ArrivedEvent) -> Option<usize> {
        let time = only_digits(event.raw_time.as_deref()?);
        let candidates = self.by_time.get(&(arrival.carrier.clone(), bare(&arrival.number), time))?;
        let likeness = |position: &usize| {
            let trace = &self.scans[*position].1.trace;
            let code = event.code.as_ref().is_some_and(|code| trace.codes.iter().any(|known| known == code));
            let words = event.text.as_ref().is_some_and(|text| same_words(text, &trace.text));
            let place = !trace.place.is_empty() && event.place.to_lowercase().contains(&trace.place.to_lowercase());
            (u8::from(code) * 2 + u8::from(words), place)
        };
        let best = candidates.iter().copied().max_by_key(likeness)?;
        (likeness(&best).0 > 0).then_some(best)
    }
}
