//! Whose a number is, held against the examples of every format of every definition.

use super::*;
use crate::model::CarrierCode;

fn registry() -> Registry {
    Registry::builtin()
}

/// Every example of every format, with the carrier that it is of.
fn each_example(check: impl Fn(&Registry, &Carrier, &definition::NumberFormat, &str)) {
    let registry = registry();
    for carrier in registry.all() {
        for format in &carrier.definition().numbers {
            assert!(!format.examples.is_empty(), "{}: the format {:?} has no example", carrier.code(), format.name);
            for example in &format.examples {
                check(&registry, carrier, format, example);
            }
        }
    }
}

fn with_account(carrier: &Carrier) -> Hints {
    Hints { carriers: vec![carrier.code().clone()], ..Hints::default() }
}

fn codes(found: &[Candidate]) -> Vec<&str> {
    found.iter().map(|candidate| candidate.carrier.as_str()).collect()
}

#[test]
fn every_example_is_detected_however_it_is_written() {
    each_example(|registry, carrier, format, example| {
        let number = carrier.normalise(example).unwrap();
        let spaced = example.split("").collect::<Vec<_>>().join(" ").to_lowercase();
        let dash = if carrier.definition().normalise.strip.contains('-') { "-" } else { "" };
        let dashed = example.split("").collect::<Vec<_>>().join(dash);
        for written in [example, &spaced, &dashed] {
            let told = format!("{} {} {written}", carrier.code(), format.name);
            assert_eq!(carrier.normalise(written), Ok(number.clone()), "{told}");
            let found = registry.detect(written, &with_account(carrier));
            let own = found.iter().any(|candidate| candidate.carrier == *carrier.code());
            assert!(own || !format.detect, "{told}: {:?}", codes(&found));
        }
    });
}

#[test]
fn a_right_check_character_goes_before_every_shape_and_an_account_before_its_equals() {
    each_example(|registry, carrier, format, example| {
        if !format.detect {
            return;
        }
        let told = format!("{} {} {example}", carrier.code(), format.name);
        let verified = carrier.check_number(example).unwrap().checksum == ChecksumState::Verified;
        let everybody = registry.detect(example, &Hints::default());
        if verified && carrier.definition().enabled {
            assert_eq!(everybody[0].checksum, ChecksumState::Verified, "{told}: {everybody:?}");
        }
        let found = registry.detect(example, &with_account(carrier));
        let rank = |candidate: &Candidate| candidate.checksum == ChecksumState::Verified;
        let first = if verified { found.iter().position(rank) } else { found.iter().position(|one| !rank(one)) };
        // What another carrier verifies goes before a shape of ours; among its equals, the account is first.
        assert_eq!(found[first.unwrap()].carrier, *carrier.code(), "{told}: {found:?}");
    });
}

#[test]
fn an_address_of_the_carriers_own_page_names_the_carrier() {
    each_example(|registry, carrier, format, example| {
        let number = carrier.normalise(example).unwrap();
        let Some(page) = carrier.public_url(&number, &Hints::default()) else { return };
        if carrier.outline().page.is_none() {
            return;
        }
        let found = registry.detect(&page, &with_account(carrier));
        let first = found.first().unwrap_or_else(|| panic!("{} {}: {page}", carrier.code(), format.name));
        assert_eq!((&first.carrier, first.number.as_str()), (carrier.code(), number.as_str()), "{page}: {found:?}");
    });
}

#[test]
fn a_shape_that_is_too_common_is_never_guessed_from() {
    let registry = registry();
    for carrier in registry.all() {
        for format in carrier.definition().numbers.iter().filter(|format| !format.detect) {
            for example in &format.examples {
                let guessed = registry.detect(example, &with_account(carrier));
                let told = guessed.iter().find(|one| one.carrier == *carrier.code() && one.format == format.name);
                assert_eq!(told, None, "{} {example}", carrier.code());
            }
        }
    }
    assert_eq!(codes(&registry.detect("12345678", &Hints::default())), Vec::<&str>::new());
}

#[test]
fn a_carrier_that_is_off_is_offered_only_to_who_has_an_account() {
    let folder = tempfile::tempdir().unwrap();
    let text = include_str!("load/everything.toml").replace("detect = false", "detect = true");
    std::fs::create_dir_all(folder.path().join("everything")).unwrap();
    std::fs::create_dir_all(folder.path().join("_shared")).unwrap();
    std::fs::write(folder.path().join("everything/carrier.toml"), text).unwrap();
    std::fs::write(folder.path().join("_shared/shared.toml"), "[[codes]]\ntable = { \"9\" = \"delivered\" }\n")
        .unwrap();
    let registry = Registry::load(Some(folder.path())).unwrap();
    let everything: CarrierCode = "everything".parse().unwrap();
    let (nobody, owner) = (Hints::default(), Hints { carriers: vec![everything.clone()], ..Hints::default() });
    // Both of its checks fail for one of these two at most.
    let has = |hints: &Hints| {
        (0..10).any(|n| registry.detect(&format!("1200000000{n}"), hints).iter().any(|one| one.carrier == everything))
    };
    assert!(has(&owner) && !has(&nobody));
}

#[test]
fn the_destination_is_a_hint_and_no_more() {
    let registry = registry();
    let to = |country: &str| {
        let hints = Hints { country: Some(country.to_owned()), ..Hints::default() };
        registry.detect("241234567801", &hints)
    };
    let rank = |found: &[Candidate], code: &str| found.iter().position(|one| one.carrier.as_str() == code).unwrap();
    let (france, america) = (to("FR"), to("US"));
    assert!(rank(&france, "mondialrelay") <= rank(&america, "mondialrelay"));
    assert!(france.iter().all(|one| america.iter().any(|other| other.carrier == one.carrier)), "none is left out");
}

#[test]
fn a_shape_without_a_check_hides_no_slip_of_a_carrier_in_use() {
    let hidden = std::cell::Cell::new(0);
    each_example(|registry, carrier, format, example| {
        let Some(last) = example.rfind(|c: char| c.is_ascii_digit()).filter(|_| format.detect) else { return };
        let other = if &example[last..=last] == "3" { "4" } else { "3" };
        let wrong = format!("{}{other}{}", &example[..last], &example[last + 1..]);
        let found = registry.recognise(&wrong, &with_account(carrier));
        let is_wrong = carrier.check_number(&wrong).is_ok_and(|checked| checked.checksum == ChecksumState::Wrong);
        let verified = found.candidates.iter().any(|one| one.checksum == ChecksumState::Verified);
        if is_wrong && !verified && !found.candidates.is_empty() {
            assert!(codes(&found.mistyped).contains(&carrier.code().as_str()), "{wrong}: {found:?}");
            hidden.set(hidden.get() + 1);
        }
    });
    assert!(hidden.get() > 0, "no number of any carrier was one of such a shape");
}
