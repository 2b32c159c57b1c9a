use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;

use super::*;
use crate::model::parcel::{Charges, Partner, Pickup, PickupKind, Pieces, Proof, Weight};
use crate::model::tracker::{ByHand, Destination, OrderRef, Promise};
use crate::model::{
    Cause, Condition, DelayKind, Direction, EventTime, Facts, Headline, History, KeptEvent, Local, Meaning, Moment,
    Place, PollOutcome, PollState, Precision, Registration, Rule, Substatus, WhoMustAct, ZoneSource,
};

fn text() -> BoxedStrategy<String> {
    prop_oneof!["[a-zA-Z0-9 /|.-]{0,20}", "\\PC{0,90}", Just(String::new()), Just("é".repeat(40))].boxed()
}

fn instant() -> BoxedStrategy<Timestamp> {
    prop_oneof![
        (1_600_000_000_000_i64..1_900_000_000_000).prop_map(|ms| Timestamp::from_millisecond(ms).unwrap()),
        (0_i64..3000).prop_map(|ms| Timestamp::from_millisecond(ms).unwrap()),
        (-5_000_000_000_000_i64..5_000_000_000_000_000).prop_map(|us| Timestamp::from_microsecond(us).unwrap()),
    ]
    .boxed()
}

fn wall() -> BoxedStrategy<DateTime> {
    (1_600_000_000_i64..1_900_000_000, prop_oneof![Just(0), 0_i64..1_000_000_000])
        .prop_map(|(s, ns)| Offset::UTC.to_datetime(Timestamp::new(s, i32::try_from(ns).unwrap()).unwrap()))
        .boxed()
}

fn whole_wall() -> BoxedStrategy<DateTime> {
    (1_600_000_000_i64..1_900_000_000).prop_map(|s| Offset::UTC.to_datetime(Timestamp::from_second(s).unwrap())).boxed()
}

fn offset() -> BoxedStrategy<Offset> {
    (-18 * 60..18 * 60_i32).prop_map(|minutes| Offset::from_seconds(minutes * 60).unwrap()).boxed()
}

fn moment() -> BoxedStrategy<Moment> {
    prop_oneof![
        whole_wall().prop_map(|at| Moment::Date(at.date())),
        whole_wall().prop_map(Moment::Local),
        (whole_wall(), offset()).prop_map(|(at, offset)| Moment::Exact(at, offset)),
    ]
    .boxed()
}

fn event_time() -> BoxedStrategy<EventTime> {
    let local = of(prop_oneof![wall().prop_map(|at| Local::Date(at.date())), wall().prop_map(Local::DateTime)]);
    let precision = of(prop_oneof![Just(Precision::Second), Just(Precision::Minute), Just(Precision::Date)]);
    let source = prop_oneof![
        Just(ZoneSource::Carrier),
        Just(ZoneSource::Place),
        Just(ZoneSource::CarrierDefault),
        Just(ZoneSource::None)
    ];
    let utc = prop_oneof![Just(None), instant().prop_map(Some), Just(Some(Timestamp::MAX))];
    (text(), of(0..12_usize), local, precision, of(offset()), utc, source)
        .prop_map(|(raw, form, local, precision, offset, utc, zone_source)| {
            let known = match (local, offset) {
                (Some(Local::DateTime(at)), Some(offset)) => offset.to_timestamp(at).ok(),
                _ => None,
            };
            let utc = if utc == Some(Timestamp::MAX) { known } else { utc };
            let mut time = EventTime { raw, local, precision, offset, utc, zone_source };
            // As often in a form that is known as not.
            time.raw = time::raw_in_form(form, &time).unwrap_or(time.raw);
            time
        })
        .boxed()
}

fn place() -> BoxedStrategy<Place> {
    (of(text()), of(text()), of(text()), of(text()), of(text()))
        .prop_map(|(name, city, region, postcode, country)| Place { name, city, region, postcode, country })
        .boxed()
}

fn substatus() -> BoxedStrategy<Substatus> {
    proptest::sample::select(Substatus::ALL).boxed()
}

fn meaning() -> BoxedStrategy<Meaning> {
    let rule = prop_oneof![Just(Rule::Plain), Just(Rule::Revoke), Just(Rule::AdvanceOnly)];
    prop_oneof![
        Just(Meaning::Note),
        Just(Meaning::Unmapped),
        (substatus(), rule).prop_map(|(substatus, rule)| Meaning::Moves(substatus, rule))
    ]
    .boxed()
}

fn event() -> BoxedStrategy<KeptEvent> {
    (text(), of(text()), meaning(), event_time(), of(place()), instant(), instant(), any::<u32>(), of(instant()))
        .prop_map(|(code, description, meaning, time, place, observed_at, last_seen, position, retracted_at)| {
            KeptEvent { code, description, meaning, time, place, observed_at, last_seen, position, retracted_at }
        })
        .boxed()
}

/// Events as carriers tell them: codes, words, places, days and offsets come again, answers bring several each.
fn usual_events() -> BoxedStrategy<(Vec<KeptEvent>, Vec<Timestamp>)> {
    let words = ["Departed", "@Arrived", "=", "", "12"].map(str::to_owned);
    let cities = ["Lyon", "7", "+2", "a/b", "", "Saint-Denis-les-Bourg"].map(str::to_owned);
    let place = (proptest::sample::select(cities.to_vec()), of(Just("FR".to_owned())))
        .prop_map(|(city, country)| Place { city: Some(city), country, ..Place::default() });
    let offset = proptest::sample::select(&[0, 3600, -5 * 3600, 19_800, -1845]);
    let precision = proptest::sample::select(&[Precision::Second, Precision::Minute]);
    let time = (0..90 * 24 * 60_i64, of(offset), any::<bool>(), precision, of(0..9_usize)).prop_map(
        |(minute, offset, dated, precision, form)| {
            let at = Offset::UTC.to_datetime(Timestamp::from_second(1_795_000_000 + minute * 60).unwrap());
            let offset = offset.map(|seconds| Offset::from_seconds(seconds).unwrap());
            let local = Some(if dated { Local::Date(at.date()) } else { Local::DateTime(at) });
            let utc = offset.filter(|_| !dated).and_then(|offset| offset.to_timestamp(at).ok());
            let zone_source = if offset.is_some() { ZoneSource::Place } else { ZoneSource::None };
            let raw = String::new();
            let mut time = EventTime { raw, local, precision: Some(precision), offset, utc, zone_source };
            time.raw = time::raw_in_form(form, &time).unwrap_or_default();
            time
        },
    );
    let one =
        (proptest::sample::select(&["A", "B C", ""]), of(proptest::sample::select(words.to_vec())), meaning(), time);
    let one = (one, of(place), 0..4_usize, 0..4_usize, any::<bool>(), of(0..4_usize));
    (vec(one, 0..12), vec(instant(), 4), any::<bool>())
        .prop_map(|(rows, mut answers, in_order)| {
            answers.sort();
            let mut events = Vec::new();
            for ((code, description, meaning, time), place, first, last, kept, lacked) in rows {
                events.push(KeptEvent {
                    code: code.to_owned(),
                    description,
                    meaning: if kept { Meaning::Moves(Substatus::Departed, Rule::Plain) } else { meaning },
                    time,
                    place,
                    observed_at: answers[first],
                    last_seen: answers[if kept { 3 } else { last }],
                    position: u32::try_from(if kept { events.len() } else { first }).unwrap(),
                    retracted_at: lacked.map(|answer| answers[answer]),
                });
            }
            if in_order {
                events.sort_by_key(|event| event.observed_at);
            }
            (events, answers)
        })
        .boxed()
}

fn registration() -> BoxedStrategy<Registration> {
    let orders =
        vec((text(), of(moment())).prop_map(|(reference, placed_at)| OrderRef { reference, placed_at }), 0..3).boxed();
    let promise = (of(moment()), moment(), of(text())).prop_map(|(from, to, zone)| Promise { from, to, zone }).boxed();
    let destination = (of(text()), of(text()), of(text()))
        .prop_map(|(country, postcode, zone)| Destination { country, postcode, zone })
        .boxed();
    let direction = prop_oneof![Just(Direction::Outbound), Just(Direction::Return), Just(Direction::Exchange)];
    let history = prop_oneof![Just(History::Collapse), Just(History::Send)];
    (
        (orders, of(text()), direction, vec(text(), 0..2), of(promise), of(moment())),
        (of(destination), of(text()), vec(text(), 0..3), btree_map(text(), text(), 0..3), of(any::<u8>()), history),
        btree_map(text(), text(), 0..2),
    )
        .prop_map(|((orders, customer_ref, direction, related, promised, ship_by), rest, inputs)| {
            let (destination, locale, tags, metadata, importance, history) = rest;
            Registration {
                orders,
                customer_ref,
                direction,
                related,
                promised,
                ship_by,
                destination,
                locale,
                tags,
                metadata,
                importance,
                history,
                inputs,
            }
        })
        .boxed()
}

fn facts() -> BoxedStrategy<Facts> {
    let pickup = (of(Just(PickupKind::Locker)), of(text()), of(text()), of(place()), of(moment()))
        .prop_map(|(kind, id, name, place, until)| Pickup { kind, id, name, place, until })
        .boxed();
    let partner = (of(text()), of(text())).prop_map(|(carrier, number)| Partner { carrier, number }).boxed();
    let charges = (of(text()), of(text()), of(text()))
        .prop_map(|(kind, amount, currency)| Charges { kind, amount, currency })
        .boxed();
    let proof = vec((text(), of(text())).prop_map(|(kind, url)| Proof { kind, url }), 0..2).boxed();
    (
        (of(text()), of(moment()), of(moment()), of(moment()), of(text()), of(any::<u32>())),
        (of(pickup), of(partner), of((of(any::<u32>()), of(any::<u32>()))), of(charges), of((text(), text()))),
        (of(place()), of(place()), proof, of(text())),
    )
        .prop_map(|((service, eta_from, eta_to, delivered_at, delivered_to, attempts), middle, last)| {
            let (pickup, partner, pieces, charges, weight) = middle;
            let (origin, destination, proof, public_url) = last;
            Facts {
                service,
                eta_from,
                eta_to,
                delivered_at,
                delivered_to,
                attempts,
                pickup,
                partner,
                pieces: pieces.map(|(total, delivered)| Pieces { total, delivered }),
                charges,
                weight: weight.map(|(value, unit)| Weight { value, unit }),
                origin,
                destination,
                proof,
                public_url,
            }
        })
        .boxed()
}

fn condition() -> BoxedStrategy<Condition> {
    (proptest::sample::select(&DelayKind::ALL), any::<bool>(), instant(), of(moment()), of(moment()))
        .prop_map(|(kind, clock, since, expected, seen)| Condition {
            kind,
            cause: if clock { Cause::Clock } else { Cause::Carrier },
            since,
            expected,
            seen,
            who_must_act: WhoMustAct::Shop,
        })
        .boxed()
}

fn poll() -> BoxedStrategy<PollState> {
    let outcome = prop_oneof![Just(PollOutcome::Ok), Just(PollOutcome::Throttled), Just(PollOutcome::Drifted)];
    (of(instant()), of(instant()), of(instant()), any::<bool>(), of(outcome), 0..3_u32, 0..2_u64, any::<bool>())
        .prop_map(|(next_at, last_at, last_ok_at, same, outcome, failures, digest, paused)| PollState {
            next_at,
            last_at,
            last_ok_at: if same { last_at } else { last_ok_at },
            outcome,
            failures,
            digest: digest.wrapping_mul(u64::MAX),
            bytes: digest.wrapping_mul(u64::MAX / 3),
            paused,
        })
        .boxed()
}

fn by_hand() -> BoxedStrategy<ByHand> {
    (text(), text(), instant()).prop_map(|(who, why, at)| ByHand { who, why, at }).boxed()
}

fn tracker() -> BoxedStrategy<Tracker> {
    let headline = (substatus(), of(event_time()), any::<bool>())
        .prop_map(|(substatus, time, authoritative)| Headline { substatus, time, authoritative })
        .boxed();
    (
        (any::<[u8; 16]>(), text(), registration(), instant(), any::<u64>(), any::<u64>(), substatus(), instant()),
        (of(instant()), of(moment()), of(instant()), facts(), of(headline), of((instant(), moment()))),
        (vec(event(), 0..5), vec(instant(), 0..64), vec(condition(), 0..3), of(by_hand()), poll()),
    )
        .prop_map(|(first, second, third)| {
            let (id, number, registration, registered_at, revision, sequence, substatus, status_since) = first;
            let (ended_at, floor, first_seen_at, facts, headline, eta_original) = second;
            let (events, answers, conditions, by_hand, poll) = third;
            Tracker {
                id: TrackerId::from_bytes(id),
                shop: "a-shop".parse().unwrap(),
                carrier: "ups".parse().unwrap(),
                number,
                account: "ups-main".parse().unwrap(),
                registration,
                registered_at,
                revision,
                sequence,
                substatus,
                status_since,
                ended_at,
                floor,
                first_seen_at,
                facts,
                headline,
                eta_original,
                events,
                answers,
                conditions,
                by_hand,
                poll,
            }
        })
        .boxed()
}

fn read_back(tracker: &Tracker) -> Tracker {
    let stored = encode(tracker);
    let fields = stored.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    decode(&tracker.id, &fields, &stored.events, &stored.about).unwrap()
}

proptest! {
    #[test]
    fn everything_of_a_tracker_is_read_back(tracker in tracker()) {
        prop_assert_eq!(read_back(&tracker), tracker);
    }

    #[test]
    fn usual_events_are_read_back((events, answers) in usual_events()) {
        prop_assert_eq!(events::decode(&events::encode(&events, &answers)).unwrap(), (events, answers));
    }

    #[test]
    fn short_texts_are_read_back(
        (number, before, after) in ("[A-Z0-9]{0,12}|\\{number\\}|n", "[a-z/.{}]{0,12}", "[a-z/{}]{0,6}"),
        (place, value, unit) in (place(), "[0-9. ]{0,6}", "kg|lb|k g|"),
        (delivered, total) in (of(any::<u32>()), of(any::<u32>())),
        (same, answer, eta) in (any::<bool>(), instant(), moment()),
        tracker in tracker(),
    ) {
        let facts = Facts {
            public_url: Some(format!("{before}{number}{after}")),
            origin: Some(place.clone()),
            destination: Some(place),
            weight: Some(Weight { value, unit }),
            pieces: Some(Pieces { total, delivered }),
            ..Facts::default()
        };
        let first_seen_at = if same { Some(answer) } else { tracker.first_seen_at };
        let tracker = Tracker { number, facts, first_seen_at, eta_original: Some((answer, eta)), ..tracker };
        prop_assert_eq!(read_back(&tracker), tracker);
    }

    #[test]
    fn no_field_is_long_and_each_is_known(tracker in tracker()) {
        for (name, value) in encode(&tracker).fields {
            prop_assert!(FIELDS.contains(&name), "{} is missing in FIELDS: it would never be removed", name);
            prop_assert!(value.len() <= LONGEST_FIELD && name.len() <= LONGEST_FIELD, "{}: {}", name, value);
        }
    }

    #[test]
    fn no_bytes_panic(
        events in r#"\PC{0,60}|\[\[1,2\](,\["[0-9T:+~-]{0,12} A","@[0-9]"\]){0,3}\]"#,
        about in "\\PC{0,60}",
        field in "\\PC{0,40}",
        n in 0..FIELDS.len(),
    ) {
        let mut fields = HashMap::new();
        fields.insert(FIELDS[n].to_owned(), field);
        let id = TrackerId::from_bytes([7; 16]);
        let _ = decode(&id, &fields, &events, &about);
        let _ = events::decode(&events);
        let _ = about::About::from_text(&about);
    }
}

#[test]
fn a_usual_event_takes_few_bytes() {
    let at: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
    let events: Vec<KeptEvent> = (0..12_i32)
        .map(|n| {
            let wall: DateTime = "2026-11-20T08:15:30".parse().unwrap();
            let wall = wall.checked_add(SignedDuration::from_hours(i64::from(n))).unwrap();
            let offset = Offset::constant(1);
            KeptEvent {
                code: format!("LT{n}"),
                description: Some("Arrived at the sorting centre".to_owned()),
                meaning: Meaning::Moves(Substatus::Arrived, Rule::Plain),
                time: EventTime {
                    raw: wall.strftime("%Y%m%d %H%M%S").to_string(),
                    local: Some(Local::DateTime(wall)),
                    precision: Some(Precision::Second),
                    offset: Some(offset),
                    utc: offset.to_timestamp(wall).ok(),
                    zone_source: ZoneSource::Carrier,
                },
                place: Some(Place {
                    city: Some("Lyon".to_owned()),
                    country: Some("FR".to_owned()),
                    ..Place::default()
                }),
                observed_at: at,
                last_seen: at,
                position: u32::try_from(n).unwrap(),
                retracted_at: None,
            }
        })
        .collect();
    let text = events::encode(&events, &[at]);
    assert_eq!(events::decode(&text).unwrap(), (events, vec![at]));
    assert!(text.len() < 12 * 115, "{} bytes: {text}", text.len());
}

#[test]
fn texts_are_cut_where_a_character_ends() {
    assert_eq!(fields::cut("héé", 3), "hé");
    assert_eq!(fields::cut("héé", 4), "hé");
    assert_eq!(fields::cut("abc", 3), "abc");
}
