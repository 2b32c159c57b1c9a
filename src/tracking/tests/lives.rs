//! Delays over time: when each kind opens, when it closes, and which timer finds it.

use super::*;
use crate::model::status::Substatus as S;
use crate::model::tracker::{DelayKind, Destination, PollOutcome, TimerKind};

fn to_country(country: &str) -> Option<Destination> {
    Some(Destination { country: Some(country.to_owned()), ..Destination::default() })
}

fn promised(to: &str) -> Registration {
    Registration { promised: promise(to, Some("Europe/Paris")), ..Registration::default() }
}

fn utc(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn since_start(text: &str) -> i64 {
    utc(text).as_millisecond() - START
}

#[test]
fn late_fires_when_the_promised_day_ends_for_the_recipient() {
    let of = |promised, destination| {
        let registration = Registration { promised, destination, ..Registration::default() };
        Life::new(registration).timer(TimerKind::Late)
    };
    let in_zone = |zone: &str| Some(Destination { zone: Some(zone.to_owned()), ..Destination::default() });
    let day = || promise("2026-11-28", None); // a Saturday: late needs no working day
    assert_eq!(of(day(), None), Some(utc("2026-11-29T12:00:00Z")), "everywhere on earth");
    assert_eq!(of(day(), to_country("US")), Some(utc("2026-11-29T12:00:00Z")), "several zones: unknown");
    assert_eq!(of(day(), to_country("FR")), Some(utc("2026-11-28T23:00:00Z")));
    assert_eq!(of(day(), in_zone("Asia/Tokyo")), Some(utc("2026-11-28T15:00:00Z")));
    assert_eq!(
        of(promise("2026-11-28", Some("America/New_York")), to_country("FR")),
        Some(utc("2026-11-29T05:00:00Z"))
    );
    assert_eq!(of(promise("2026-11-28", Some("No/Where")), to_country("FR")), Some(utc("2026-11-28T23:00:00Z")));
    assert_eq!(of(promise("2026-11-28T10:00:00+01:00", None), None), Some(utc("2026-11-28T09:00:00Z")));
    assert_eq!(of(None, None), None);
}

#[test]
fn late_opens_once_and_clears_when_delivered() {
    let mut life = Life::new(promised("2026-11-25"));
    let way = scan(S::OutForDelivery, since_start("2026-11-25T09:00:00Z"));
    life.answer(since_start("2026-11-25T10:00:00Z"), std::slice::from_ref(&way));
    let due = since_start("2026-11-25T23:00:00Z");
    assert!(life.clock(due - 1).is_empty());
    assert_eq!(life.timer(TimerKind::Late), Some(at(due)));
    assert_eq!(life.clock(due), ["tracker.delayed"]);
    assert!(life.clock(due).is_empty() && life.timer(TimerKind::Late).is_none());
    let delay = life.told("tracker.delayed")["delay"].clone();
    assert_eq!(delay["kind"], "late");
    assert_eq!(delay["cause"], "clock");
    assert_eq!(delay["since"], "2026-11-25T23:00:00Z");
    assert_eq!(delay["expected"], "2026-11-25");
    assert_eq!(delay["seen"], "2026-11-25T09:00:00Z");
    assert_eq!(delay["who_must_act"], "carrier");
    assert!(delay["reason"].is_null());
    let door = scan(S::Delivered, due + HOUR);
    let names = life.answer(due + 2 * HOUR, &[way, door]);
    assert_eq!(names, ["tracker.delivered", "tracker.event_added", "tracker.delay_cleared"]);
    assert_eq!(life.told("tracker.delay_cleared")["delay"]["reason"], "cleared");
}

#[test]
fn an_attempt_before_the_promise_ends_keeps_it_for_good() {
    let mut life = Life::new(promised("2026-11-25"));
    let tried = [scan(S::RecipientAbsent, DAY), scan(S::AtLocalFacility, DAY + HOUR)];
    life.answer(DAY + 2 * HOUR, &tried);
    assert_eq!(life.timer(TimerKind::Late), None);
    assert!(life.clock(3 * DAY).is_empty());
}

#[test]
fn a_promise_moved_by_the_shop_clears_late() {
    let mut life = Life::new(promised("2026-11-25"));
    life.answer(2 * DAY, &[scan(S::Departed, 2 * DAY)]);
    assert_eq!(life.clock(3 * DAY), ["tracker.delayed"]);
    let moved = promised("2026-11-30");
    assert_eq!(life.input(Input::Updated(&moved), 3 * DAY + 1), ["tracker.updated", "tracker.delay_cleared"]);
    assert_eq!(life.clock(7 * DAY + 16 * HOUR), ["tracker.delayed"], "a new opening");
}

#[test]
fn without_a_promise_the_estimate_counts_and_moves_the_expectation() {
    let mut life = Life::new(Registration { destination: to_country("FR"), ..Registration::default() });
    let way = [scan(S::Departed, 0)];
    let with = |arrived: i64, eta: Option<&str>| Observation {
        facts: Facts { eta_to: eta.map(moment), ..Facts::default() },
        ..answer(arrived, &way)
    };
    life.observe(&with(MINUTE, Some("2026-11-24")));
    assert_eq!(life.timer(TimerKind::Late), Some(utc("2026-11-24T23:00:00Z")));
    assert_eq!(life.clock(since_start("2026-11-24T23:00:00Z")), ["tracker.delayed"]);
    assert!(life.observe(&with(2 * DAY, None)).is_empty(), "an estimate that vanished clears nothing");
    assert_eq!(
        life.observe(&with(2 * DAY + HOUR, Some("2026-11-26"))),
        ["tracker.eta_changed", "tracker.delay_cleared"]
    );
    assert_eq!(life.timer(TimerKind::Late), Some(utc("2026-11-26T23:00:00Z")));
}

#[test]
fn a_promise_that_was_past_at_registration_waits_for_the_carriers_word() {
    let mut known = Life::new(promised("2026-11-20"));
    assert_eq!(known.told.len(), 1);
    assert_eq!(known.answer(MINUTE, &[scan(S::Delivered, -DAY)]), ["tracker.first_seen"]);
    let mut late = Life::new(promised("2026-11-20"));
    assert_eq!(late.answer(MINUTE, &[scan(S::Departed, -HOUR)]), ["tracker.first_seen", "tracker.delayed"]);
    let mut unasked = Life::new(promised("2026-11-20"));
    assert_eq!(unasked.timer(TimerKind::Late), Some(at(DAY)), "and not for ever");
    assert_eq!(unasked.clock(DAY), ["tracker.delayed"]);
}

#[test]
fn a_poll_that_fails_takes_no_delay_back() {
    let mut life = Life::new(promised("2026-11-20"));
    assert_eq!(life.input(Input::NotFound { at: at(MINUTE) }, MINUTE), ["tracker.delayed"], "asked, and not known");
    let failed = Input::Failed { at: at(HOUR), outcome: PollOutcome::CarrierFault };
    assert!(life.input(failed, HOUR).is_empty());
    assert!(life.input(Input::NotFound { at: at(2 * HOUR) }, 2 * HOUR).is_empty());
    assert_eq!(life.answer(3 * HOUR, &[scan(S::Delivered, -DAY)]), ["tracker.first_seen", "tracker.delay_cleared"]);
}

#[test]
fn a_country_that_an_answer_no_longer_names_ends_no_silence() {
    let mut life = Life::new(Registration::default());
    let way = [scan(S::Departed, 0)];
    let home = Facts { origin: place("FR"), destination: place("FR"), ..Facts::default() };
    life.observe(&Observation { facts: home, ..answer(MINUTE, &way) });
    assert_eq!(life.clock(3 * DAY), ["tracker.delayed"]);
    assert!(life.answer(3 * DAY + HOUR, &way).is_empty(), "without news nothing is cleared");
    let on = [way[0].clone(), scan(S::Arrived, 3 * DAY)];
    assert_eq!(life.answer(3 * DAY + 2 * HOUR, &on), ["tracker.event_added", "tracker.delay_cleared"]);
    assert_eq!(life.clock(9 * DAY), [] as [&str; 0], "from then on it counts as international");
    assert_eq!(life.clock(11 * DAY), ["tracker.delayed"]);
}

#[test]
fn a_label_without_a_scan_for_two_working_days_is_not_handed_over() {
    let friday = since_start("2026-11-27T15:00:00Z");
    let mut life = Life::new(Registration::default());
    let label = scan(S::LabelCreated, friday);
    life.answer(friday + HOUR, std::slice::from_ref(&label));
    let due = since_start("2026-12-01T15:00:00Z"); // Tuesday
    assert_eq!(life.timer(TimerKind::NotHandedOver), Some(at(due)));
    assert!(life.clock(due - 1).is_empty());
    assert_eq!(life.clock(due), ["tracker.delayed"]);
    assert_eq!(life.told("tracker.delayed")["delay"]["who_must_act"], "shop");
    let names = life.answer(due + HOUR, &[label, scan(S::Accepted, due)]);
    assert_eq!(names, ["tracker.in_transit", "tracker.event_added", "tracker.delay_cleared"]);
}

#[test]
fn a_number_that_no_carrier_knows_yet_is_no_label() {
    let mut life = Life::new(Registration::default());
    life.input(Input::NotFound { at: at(1) }, 1);
    assert_eq!(life.timer(TimerKind::NotHandedOver), None);
    assert!(life.clock(10 * DAY).is_empty());
}

#[test]
fn a_ship_by_date_postpones_not_handed_over() {
    let mut life = Life::new(Registration { ship_by: Some(moment("2026-12-10")), ..Registration::default() });
    life.answer(MINUTE, &[scan(S::LabelCreated, 0)]);
    assert_eq!(life.timer(TimerKind::NotHandedOver), Some(utc("2026-12-11T12:00:00Z")));
}

#[test]
fn silence_stalls_after_three_days_at_home_and_five_abroad() {
    let stalls = |origin: &str, destination: &str| {
        let mut life = Life::new(Registration { destination: to_country(destination), ..Registration::default() });
        let facts = Facts { origin: place(origin), ..Facts::default() };
        life.observe(&Observation { facts, ..answer(MINUTE, &[scan(S::Departed, 0)]) });
        life.timer(TimerKind::Stalled)
    };
    assert_eq!(stalls("FR", "FR"), Some(at(3 * DAY)), "Monday to Thursday");
    assert_eq!(stalls("FR", "DE"), Some(at(7 * DAY)), "Monday to Monday");
    let unknown = Life::seen(&[scan(S::Departed, 0)]);
    assert_eq!(unknown.timer(TimerKind::Stalled), Some(at(7 * DAY)), "unknown counts as international");
}

#[test]
fn stalled_clears_at_the_next_scan_and_not_at_a_note() {
    let way = scan(S::Departed, 0);
    let mut life = Life::seen(std::slice::from_ref(&way));
    assert_eq!(life.clock(7 * DAY), ["tracker.delayed"]);
    assert_eq!(life.answer(7 * DAY + 1, &[way.clone(), note(7 * DAY)]), ["tracker.event_added"]);
    let names = life.answer(7 * DAY + HOUR, &[way, note(7 * DAY), scan(S::Arrived, 6 * DAY)]);
    assert_eq!(names, ["tracker.event_added", "tracker.delay_cleared"]);
    assert!(life.timer(TimerKind::Stalled).is_some());
}

#[test]
fn a_parcel_that_waits_for_its_recipient_does_not_stall() {
    let life = Life::seen(&[scan(S::AtPickupPoint, 0)]);
    assert_eq!(life.timer(TimerKind::Stalled), None);
}

#[test]
fn the_carriers_delay_ends_at_the_next_moving_event_that_is_none() {
    let delay = scan(S::DelayedWeather, 0);
    let mut life = Life::seen(&[scan(S::Departed, -HOUR)]);
    let base = [scan(S::Departed, -HOUR), delay];
    assert_eq!(life.answer(HOUR, &base), ["tracker.event_added", "tracker.delayed"]);
    assert_eq!(life.told("tracker.delayed")["delay"]["cause"], "carrier");
    let more = [&base[..], &[unmapped(HOUR), scan(S::Delayed, 2 * HOUR)]].concat();
    assert_eq!(life.answer(3 * HOUR, &more), ["tracker.event_added"], "another delay is the same condition");
    let on = [&more[..], &[scan(S::Arrived, 4 * HOUR)]].concat();
    assert_eq!(life.answer(5 * HOUR, &on), ["tracker.event_added", "tracker.delay_cleared"]);
}

#[test]
fn the_end_of_a_life_ends_what_still_holds() {
    let mut life = Life::new(promised("2026-11-25"));
    let way = [scan(S::Delayed, 2 * DAY)];
    assert_eq!(life.answer(3 * DAY, &way), ["tracker.first_seen", "tracker.delayed", "tracker.delayed"]);
    let lost = [way[0].clone(), scan(S::Lost, 4 * DAY)];
    let names = life.answer(4 * DAY, &lost);
    assert_eq!(names, ["tracker.exception", "tracker.event_added", "tracker.delay_cleared", "tracker.delay_cleared"]);
    let ended: Vec<_> = life.told.iter().filter(|(name, _)| name == "tracker.delay_cleared").collect();
    assert_eq!((&ended[0].1["delay"]["kind"], &ended[0].1["delay"]["reason"]), (&"late".into(), &"ended".into()));
    assert_eq!((&ended[1].1["delay"]["kind"], &ended[1].1["delay"]["reason"]), (&"carrier".into(), &"cleared".into()));
    assert!(life.tracker.conditions.is_empty());
    let found = [way[0].clone(), lost[1].clone(), scan(S::Arrived, 5 * DAY)];
    let names = life.answer(5 * DAY, &found);
    assert_eq!(
        names,
        ["tracker.in_transit", "tracker.resumed", "tracker.event_added", "tracker.delayed"],
        "late once more"
    );
}

#[test]
fn silence_of_a_month_gives_it_up_and_a_scan_brings_it_back() {
    let label = scan(S::LabelCreated, 0);
    let mut life = Life::seen(std::slice::from_ref(&label));
    life.clock(3 * DAY);
    let due = life.timer(TimerKind::Expire).unwrap();
    assert_eq!(due, at(MINUTE) + days(30), "since its status, by our clock");
    assert_eq!(life.clock(31 * DAY), ["tracker.expired", "tracker.delay_cleared"]);
    assert_eq!(life.tracker.substatus, S::NeverHandedOver);
    assert_eq!(life.told("tracker.delay_cleared")["delay"]["reason"], "ended");
    assert!(life.answer(32 * DAY, std::slice::from_ref(&label)).is_empty(), "the old scan alone reopens nothing");
    let names = life.answer(33 * DAY, &[label, scan(S::Accepted, 33 * DAY - 1)]);
    assert_eq!(names, ["tracker.in_transit", "tracker.resumed", "tracker.event_added"]);
    assert_eq!(life.tracker.ended_at, None);
}

#[test]
fn what_was_never_known_expires_as_no_update() {
    let mut life = Life::new(Registration::default());
    life.input(Input::NotFound { at: at(1) }, 1);
    assert_eq!(life.clock(30 * DAY), ["tracker.expired"]);
    assert_eq!(life.tracker.substatus, S::NoUpdate);
}

#[test]
fn a_restart_between_opening_and_closing_loses_neither() {
    // Conditions are part of the state: a state that was written down and read again goes on from there.
    let mut life = Life::new(promised("2026-11-25"));
    life.answer(2 * DAY, &[scan(S::Departed, 2 * DAY)]);
    life.clock(3 * DAY);
    let kept = life.tracker.clone();
    assert_eq!(kept.conditions[0].kind, DelayKind::Late);
    let again = advance(&kept, Input::Clock, at(3 * DAY + 1), &rules());
    assert!(again.changes.is_empty() && again.tracker.conditions == kept.conditions);
}

#[test]
fn a_compressed_day_makes_the_same_life_in_seconds() {
    let quick = Rules { unit: SignedDuration::from_secs(1), ..rules() };
    let born = advance(&tracker(), Input::Registered, at(0), &quick).tracker;
    let label = answer(100, &[scan(S::LabelCreated, 0)]);
    let known = advance(&born, Input::Answer(&label), at(100), &quick);
    assert!(known.timers.contains(&(TimerKind::NotHandedOver, at(2000))));
    let open = advance(&known.tracker, Input::Clock, at(2000), &quick);
    assert_eq!(open.changes[0].kind.to_string(), "tracker.delayed");
    let moving = answer(3000, &[scan(S::LabelCreated, 0), scan(S::Departed, 2900)]);
    let gone = advance(&open.tracker, Input::Answer(&moving), at(3000), &quick);
    assert!(gone.timers.contains(&(TimerKind::Stalled, at(8000))));
}

#[test]
fn a_promise_is_open_then_kept_late_or_broken() {
    use crate::tracking::{Verdict, promised as verdict};
    let of = |life: &Life, at: i64| verdict(&life.tracker, super::at(at)).map(|promise| promise.verdict);
    let end = since_start("2026-11-25T23:00:00Z");
    let mut life = Life::new(promised("2026-11-25"));
    assert_eq!((of(&life, end - 1), of(&life, end)), (Some(Verdict::Open), Some(Verdict::Broken)));
    life.answer(end + HOUR, &[scan(S::Delivered, end - HOUR)]);
    assert_eq!(of(&life, end + DAY), Some(Verdict::Kept), "delivered in time, seen later");
    let mut late = Life::new(promised("2026-11-25"));
    late.answer(end + HOUR, &[scan(S::Delivered, end)]);
    assert_eq!(of(&late, end + DAY), Some(Verdict::KeptLate));
    assert_eq!(of(&Life::new(Registration::default()), DAY), None, "nothing was promised");
}

#[test]
fn a_mended_definition_reads_the_newest_answer_anew() {
    use crate::tracking::rereads;
    let mut life = Life::new(promised("2026-11-25"));
    let unknown = |happened| event("X9", Meaning::Unmapped, time(at(happened)));
    life.answer(HOUR, &[scan(S::Departed, 0), unknown(MINUTE)]);
    assert_eq!(life.tracker.substatus, S::Departed);
    let newest = answer(HOUR, &[]);
    assert!(rereads(&life.tracker, newest.observed_at, newest.digest));
    assert!(!rereads(&life.tracker, at(2 * HOUR), newest.digest) && !rereads(&life.tracker, newest.observed_at, 9));
    // The code is known now, and the first scan was misread: its time was another.
    let known = event("X9", Meaning::Moves(S::Damaged, Rule::Plain), time(at(MINUTE)));
    let mended = Observation { digest: 1, ..answer(HOUR, &[scan(S::Departed, -HOUR), known.clone()]) };
    let told = life.input(Input::Reclassified(&mended), 3 * HOUR);
    assert_eq!(told, ["tracker.reclassified"]);
    assert_eq!((life.tracker.substatus, life.tracker.events.len()), (S::Damaged, 2));
    assert_eq!(life.told("tracker.reclassified")["before"]["substatus"], "departed");
    assert_eq!(life.tracker.poll.last_at, Some(at(HOUR)), "nobody was asked");
    // Once more says nothing; and the next answer, read by the same definition, is no news either.
    assert!(life.input(Input::Reclassified(&mended), 3 * HOUR).is_empty());
    assert!(life.answer(4 * HOUR, &[scan(S::Departed, -HOUR), known]).is_empty());
}

#[test]
fn what_a_person_set_or_time_brought_outlives_a_reading_that_says_the_same() {
    let mut life = Life::new(promised("2026-11-25"));
    life.answer(HOUR, &[scan(S::Departed, 0)]);
    life.input(Input::SetByHand { substatus: S::Lost, who: "anna", why: "the carrier paid" }, 2 * HOUR);
    let facts = Facts { service: Some("express".to_owned()), ..Facts::default() };
    let mended = Observation { digest: 1, facts, ..answer(HOUR, &[scan(S::Departed, 0)]) };
    assert_eq!(life.input(Input::Reclassified(&mended), 3 * HOUR), ["tracker.reclassified"]);
    assert_eq!(life.tracker.substatus, S::Lost);
    let otherwise = Observation { digest: 2, ..answer(HOUR, &[event("departed", Meaning::Note, time(at(0)))]) };
    life.input(Input::Reclassified(&otherwise), 4 * HOUR);
    assert_eq!(life.tracker.substatus, S::Lost, "a reading that says nothing takes nothing back");
}
