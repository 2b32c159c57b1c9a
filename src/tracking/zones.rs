//! In which zone a promise is meant. A country counts only when all of it keeps one time, because a wrong guess
//! must never raise an alarm.

use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::model::tracker::Tracker;

/// The database compiled into the program: no file is read here.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// Countries that keep one time everywhere, with their zone. Left out on purpose: those with several zones
/// (also by an island, as Spain and Portugal) and those where one is disputed.
const ONE_ZONE: [(&str, &str); 62] = [
    ("AD", "Europe/Andorra"),
    ("AE", "Asia/Dubai"),
    ("AL", "Europe/Tirane"),
    ("AM", "Asia/Yerevan"),
    ("AT", "Europe/Vienna"),
    ("AZ", "Asia/Baku"),
    ("BA", "Europe/Sarajevo"),
    ("BD", "Asia/Dhaka"),
    ("BE", "Europe/Brussels"),
    ("BG", "Europe/Sofia"),
    ("BH", "Asia/Bahrain"),
    ("CH", "Europe/Zurich"),
    ("CI", "Africa/Abidjan"),
    ("CO", "America/Bogota"),
    ("CZ", "Europe/Prague"),
    ("DE", "Europe/Berlin"),
    ("DK", "Europe/Copenhagen"),
    ("DZ", "Africa/Algiers"),
    ("EE", "Europe/Tallinn"),
    ("EG", "Africa/Cairo"),
    ("FI", "Europe/Helsinki"),
    ("FR", "Europe/Paris"),
    ("GB", "Europe/London"),
    ("GE", "Asia/Tbilisi"),
    ("GR", "Europe/Athens"),
    ("HK", "Asia/Hong_Kong"),
    ("HR", "Europe/Zagreb"),
    ("HU", "Europe/Budapest"),
    ("IE", "Europe/Dublin"),
    ("IL", "Asia/Jerusalem"),
    ("IN", "Asia/Kolkata"),
    ("IS", "Atlantic/Reykjavik"),
    ("IT", "Europe/Rome"),
    ("JP", "Asia/Tokyo"),
    ("KE", "Africa/Nairobi"),
    ("KR", "Asia/Seoul"),
    ("KW", "Asia/Kuwait"),
    ("LI", "Europe/Vaduz"),
    ("LT", "Europe/Vilnius"),
    ("LU", "Europe/Luxembourg"),
    ("LV", "Europe/Riga"),
    ("MA", "Africa/Casablanca"),
    ("MC", "Europe/Monaco"),
    ("MD", "Europe/Chisinau"),
    ("ME", "Europe/Podgorica"),
    ("MK", "Europe/Skopje"),
    ("MT", "Europe/Malta"),
    ("NL", "Europe/Amsterdam"),
    ("NO", "Europe/Oslo"),
    ("PE", "America/Lima"),
    ("PL", "Europe/Warsaw"),
    ("QA", "Asia/Qatar"),
    ("RO", "Europe/Bucharest"),
    ("RS", "Europe/Belgrade"),
    ("SA", "Asia/Riyadh"),
    ("SE", "Europe/Stockholm"),
    ("SG", "Asia/Singapore"),
    ("SI", "Europe/Ljubljana"),
    ("SK", "Europe/Bratislava"),
    ("TH", "Asia/Bangkok"),
    ("TN", "Africa/Tunis"),
    ("TR", "Europe/Istanbul"),
];

/// Where the recipient is, as far as we were told: the destination's zone, else that of a country with one zone.
#[must_use]
pub(super) fn of_recipient(tracker: &Tracker) -> Option<TimeZone> {
    let told = tracker.registration.destination.as_ref();
    if let Some(zone) = told.and_then(|d| d.zone.as_deref()).and_then(named) {
        return Some(zone);
    }
    let carrier = tracker.facts.destination.as_ref();
    let (country, postcode) = match told.and_then(|d| d.country.as_deref()) {
        Some(country) => (Some(country), told.and_then(|d| d.postcode.as_deref())),
        None => (carrier.and_then(|p| p.country.as_deref()), carrier.and_then(|p| p.postcode.as_deref())),
    };
    of_country(country?, postcode)
}

/// The zone in which a date promised by the shop is meant: the promise's own, else the recipient's.
#[must_use]
pub(super) fn of_promise(tracker: &Tracker) -> Option<TimeZone> {
    let own = tracker.registration.promised.as_ref().and_then(|p| p.zone.as_deref());
    own.and_then(named).or_else(|| of_recipient(tracker))
}

fn named(name: &str) -> Option<TimeZone> {
    ZONES.get(name).ok()
}

fn of_country(country: &str, postcode: Option<&str>) -> Option<TimeZone> {
    // French post codes 97 and 98 lie overseas, from UTC-10 to UTC+12.
    let overseas = postcode.is_some_and(|p| p.trim_start().starts_with("97") || p.trim_start().starts_with("98"));
    if country == "FR" && overseas {
        return None;
    }
    let at = ONE_ZONE.binary_search_by_key(&country, |(code, _)| code).ok()?;
    named(ONE_ZONE[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_zone_exists() {
        assert!(ONE_ZONE.is_sorted_by_key(|(code, _)| *code));
        for (code, name) in ONE_ZONE {
            assert!(named(name).is_some(), "{code}: {name}");
            assert!(of_country(code, None).is_some(), "{code}");
        }
    }

    #[test]
    fn what_is_not_certain_is_not_guessed() {
        for country in ["US", "ES", "PT", "BR", "AU", "CN", "", "fr", "XX"] {
            assert!(of_country(country, None).is_none(), "{country}");
        }
        assert!(of_country("FR", Some("97200")).is_none(), "Martinique");
        assert!(of_country("FR", Some("75001")).is_some());
    }
}
