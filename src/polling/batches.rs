//! Which parcels share a call.

use std::collections::BTreeMap;

use crate::model::Tracker;

/// Parcels with equal keys, at most so many in a batch, and none with another's number: the same number may be two
/// shops' parcels, and one shop's answer (found with its postcode, or not mapped because this shop knows it) is not the
/// other's.
pub fn batches(trackers: Vec<Tracker>, most: usize, key_of: impl Fn(&Tracker) -> String) -> Vec<Vec<Tracker>> {
    let mut groups: BTreeMap<String, Vec<Vec<Tracker>>> = BTreeMap::new();
    for tracker in trackers {
        let group = groups.entry(key_of(&tracker)).or_default();
        let fits = |batch: &&mut Vec<Tracker>| {
            batch.len() < most.max(1) && batch.iter().all(|other| other.number != tracker.number)
        };
        match group.iter_mut().find(fits) {
            Some(batch) => batch.push(tracker),
            None => group.push(vec![tracker]),
        }
    }
    groups.into_values().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Registration, TrackerId, time};

    fn tracker(id: u8, number: &str) -> Tracker {
        Tracker::new(
            TrackerId::from_bytes([id; 16]),
            "shop".parse().unwrap(),
            "fedex".parse().unwrap(),
            number.to_owned(),
            "main".parse().unwrap(),
            Registration::default(),
            time::from_millis(1_700_000_000_000),
        )
    }

    fn numbers(batches: &[Vec<Tracker>]) -> Vec<Vec<&str>> {
        batches.iter().map(|batch| batch.iter().map(|tracker| tracker.number.as_str()).collect()).collect()
    }

    #[test]
    fn batches_are_full_and_grouped() {
        let all = ["a1", "b1", "a2", "a3", "b2"].iter().zip(0..).map(|(number, id)| tracker(id, number)).collect();
        let made = batches(all, 2, |tracker| tracker.number[..1].to_owned());
        assert_eq!(numbers(&made), [vec!["a1", "a2"], vec!["a3"], vec!["b1", "b2"]]);
    }

    #[test]
    fn two_shops_parcels_of_one_number_never_share_a_call() {
        let all = vec![tracker(1, "n1"), tracker(2, "n1"), tracker(3, "n2"), tracker(4, "n1")];
        let made = batches(all, 30, |_| String::new());
        assert_eq!(numbers(&made), [vec!["n1", "n2"], vec!["n1"], vec!["n1"]]);
    }
}
