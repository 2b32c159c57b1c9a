//! Single rules, each by an example that reads aloud.

use super::*;
use crate::model::event::Rule;
use crate::model::status::{Status, Substatus as S, WhoMustAct};
use crate::model::tracker::{Destination, History, PollOutcome, TimerKind};
use crate::tracking::merge::merge;
use crate::tracking::{is_over, new_life, parcel, preview};

fn codes(tracker: &Tracker) -> Vec<&str> {
    tracker.events.iter().map(|event| event.code.as_str()).collect()
}

#[test]
fn first_seen_carries_everything_that_the_first_poll_found() {
    let mut life = Life::new(Registration::default());
    let names = life
        .answer(MINUTE, &[scan(S::LabelCreated, -2 * DAY), scan(S::Departed, -DAY), scan(S::OutForDelivery, -HOUR)]);
    assert_eq!(names, ["tracker.first_seen"]);
    let data = life.told("tracker.first_seen");
    assert_eq!(data["before"]["substatus"], "registered");
    assert_eq!(data["passed"], serde_json::json!(["info_received", "in_transit"]));
    assert_eq!(data["parcel"]["events"].as_array().unwrap().len(), 3);
    assert_eq!(data["backfill"], true, "it happened before the registration");
    assert_eq!(data["observed_at"], at(MINUTE).to_string());
}

#[test]
fn a_delivery_found_late_is_told_as_delivered_and_never_as_on_its_way() {
    let mut life = Life::seen(&[scan(S::Departed, -HOUR)]);
    let all = [scan(S::Departed, -HOUR), scan(S::OutForDelivery, HOUR), scan(S::Delivered, 2 * HOUR)];
    let late_news = Observation {
        facts: Facts { eta_to: Some(moment("2026-11-23")), ..Facts::default() },
        ..answer(3 * HOUR, &all)
    };
    assert_eq!(life.observe(&late_news), ["tracker.delivered", "tracker.event_added"]);
    let data = life.told("tracker.delivered");
    assert_eq!(data["passed"], serde_json::json!(["out_for_delivery"]));
    assert_eq!(data["before"]["status"], "in_transit");
    assert_eq!(data["occurred_at"], Moment::from_timestamp(at(2 * HOUR)).to_string());
    assert_eq!(data["backfill"], false);
    assert_eq!(data["parcel"]["events"][0]["code"], "delivered");
    assert_eq!(life.told("tracker.event_added")["parcel"]["events"].as_array().unwrap().len(), 2);
    assert_eq!(life.tracker.ended_at, Some(at(3 * HOUR)));
}

#[test]
fn an_answer_that_says_the_same_tells_nothing() {
    let mut life = Life::seen(&[scan(S::Departed, -HOUR)]);
    assert!(life.answer(HOUR, &[scan(S::Departed, -HOUR)]).is_empty());
    assert!(life.answer(HOUR, &[scan(S::Departed, -HOUR)]).is_empty());
    assert!(life.input(Input::Failed { at: at(2 * HOUR), outcome: PollOutcome::Ok }, 2 * HOUR).is_empty());
    assert_eq!(life.tracker.poll.failures, 0);
    assert_eq!(life.tracker.poll.last_ok_at, Some(at(2 * HOUR)));
}

#[test]
fn not_found_moves_nothing_once_the_carrier_knew_it() {
    let mut life = Life::new(Registration::default());
    assert!(life.input(Input::NotFound { at: at(1) }, 1).is_empty());
    assert_eq!(life.tracker.substatus, S::NotFound);
    life.answer(MINUTE, &[scan(S::Departed, 0)]);
    assert!(life.input(Input::NotFound { at: at(HOUR) }, HOUR).is_empty());
    assert!(life.input(Input::NumberRejected { at: at(HOUR) }, HOUR).is_empty());
    assert_eq!(life.tracker.substatus, S::Departed);
    assert_eq!(life.tracker.poll.failures, 2);
}

#[test]
fn a_rejected_number_that_the_carrier_knows_after_all_goes_on() {
    let mut life = Life::new(Registration::default());
    assert_eq!(life.input(Input::NumberRejected { at: at(1) }, 1), ["tracker.pending"]);
    assert_eq!(life.told("tracker.pending")["parcel"]["who_must_act"], "shop");
    assert!(life.tracker.ended_at.is_some());
    assert_eq!(life.answer(HOUR, &[unmapped(0)]), ["tracker.first_seen", "tracker.resumed"]);
    assert_eq!(life.tracker.substatus, S::Registered);
    assert_eq!(life.tracker.ended_at, None);
}

#[test]
fn duplicates_within_an_answer_are_one_event() {
    let life = Life::seen(&[scan(S::Departed, 0), scan(S::Departed, 0), unmapped(1)]);
    assert_eq!(codes(&life.tracker), ["departed", "X99"]);
}

#[test]
fn events_without_code_are_told_apart_by_their_text() {
    let text = |words: &str| ObservedEvent {
        description: Some(words.to_owned()),
        ..event("", Meaning::Moves(S::InTransit, Rule::Plain), wall("2026-11-23T09:00:00"))
    };
    let life = Life::seen(&[text("left"), text("came"), text("left")]);
    assert_eq!(life.tracker.events.len(), 2);
    assert_eq!(parcel(&life.tracker).events[0].code, None);
}

#[test]
fn the_newest_answers_order_stands_and_the_vanished_keep_their_place() {
    let (a, b, c) = (scan(S::Accepted, 0), scan(S::Departed, HOUR), scan(S::Arrived, 2 * HOUR));
    let mut life = Life::seen(&[a.clone(), b.clone(), c.clone()]);
    life.answer(3 * HOUR, &[a.clone(), c.clone()]);
    assert_eq!(codes(&life.tracker), ["accepted", "departed", "arrived"]);
    assert_eq!(life.tracker.events[1].retracted_at, Some(at(3 * HOUR)));
    life.answer(4 * HOUR, &[c.clone(), a.clone()]);
    assert_eq!(codes(&life.tracker), ["arrived", "departed", "accepted"], "one of its companions stood before it");
    life.answer(5 * HOUR, &[a, b, c]);
    assert_eq!(life.tracker.events[1].retracted_at, None, "it came back");
}

#[test]
fn a_carrier_that_tells_only_the_last_scans_loses_none() {
    let all = [scan(S::Accepted, 0), scan(S::Departed, 1), scan(S::Arrived, 2), scan(S::AtLocalFacility, 3)];
    let mut life = Life::seen(&all[0..2]);
    life.answer(HOUR, &all[1..3]);
    life.answer(2 * HOUR, &all[2..4]);
    assert_eq!(codes(&life.tracker), ["accepted", "departed", "arrived", "at_local_facility"]);
}

#[test]
fn vanishing_alone_moves_nothing_and_a_vanished_end_lets_new_scans_through() {
    let way = scan(S::Departed, 0);
    let door = scan(S::Delivered, HOUR);
    let after = scan(S::Arrived, 2 * HOUR);
    let mut life = Life::seen(&[way.clone(), door, after.clone()]);
    assert_eq!(life.tracker.substatus, S::Delivered);
    assert!(life.answer(3 * HOUR, &[way.clone(), after.clone()]).is_empty());
    assert_eq!(life.tracker.substatus, S::Delivered);
    let more = [way, after, scan(S::OutForDelivery, 4 * HOUR)];
    assert_eq!(life.answer(5 * HOUR, &more), ["tracker.out_for_delivery", "tracker.resumed", "tracker.event_added"]);
    assert_eq!(life.tracker.ended_at, None);
}

#[test]
fn an_older_answer_that_comes_late_does_not_turn_time_back() {
    let mut life = Life::seen(&[scan(S::Departed, 0)]);
    life.answer(3 * HOUR, &[scan(S::Departed, 0), scan(S::OutForDelivery, 2 * HOUR)]);
    let late = life.answer(HOUR, &[scan(S::Departed, 0), scan(S::Arrived, HOUR - 1)]);
    assert_eq!(late, ["tracker.event_added"]);
    assert_eq!(life.tracker.substatus, S::OutForDelivery);
    assert_eq!(codes(&life.tracker), ["departed", "arrived", "out_for_delivery"]);
    assert_eq!(life.tracker.events[1].retracted_at, Some(at(3 * HOUR)));
}

#[test]
fn advance_only_counts_only_forward() {
    let back = Life::seen(&[scan(S::OutForDelivery, 0), ruled(S::InTransit, Rule::AdvanceOnly, 1)]);
    assert_eq!(back.tracker.substatus, S::OutForDelivery);
    let forward = Life::seen(&[scan(S::Departed, 0), ruled(S::AtLocker, Rule::AdvanceOnly, 1)]);
    assert_eq!(forward.tracker.substatus, S::AtLocker);
}

#[test]
fn returned_is_not_followed_by_return_and_disposed_by_nothing() {
    let back = Life::seen(&[scan(S::Delivered, 0), scan(S::ReturnedToSender, 1), scan(S::ReturnInTransit, 2)]);
    assert_eq!(back.tracker.substatus, S::ReturnedToSender);
    let gone = Life::seen(&[scan(S::Disposed, 0), scan(S::OnHold, 1), scan(S::Delivered, 2)]);
    assert_eq!(gone.tracker.substatus, S::Disposed);
}

#[test]
fn a_headline_counts_without_events_or_when_it_may_and_is_certainly_newer() {
    let observed = |events: &[ObservedEvent], headline| {
        preview(&"ups".parse().unwrap(), "1", &Observation { headline, ..answer(DAY, events) }).substatus
    };
    let way = [scan(S::Departed, HOUR)];
    assert_eq!(observed(&[], headline(S::Delivered, None, false)), S::Delivered);
    assert_eq!(observed(&[unmapped(0)], headline(S::Delivered, None, false)), S::Delivered);
    assert_eq!(observed(&way, headline(S::Delivered, Some(2 * HOUR), false)), S::Departed);
    assert_eq!(observed(&way, headline(S::Delivered, Some(2 * HOUR), true)), S::Delivered);
    assert_eq!(observed(&way, headline(S::Delivered, Some(0), true)), S::Departed);
    assert_eq!(observed(&way, headline(S::Delivered, None, true)), S::Departed);
    assert_eq!(observed(&[scan(S::Delivered, 0)], headline(S::InTransit, Some(HOUR), true)), S::Delivered);
    assert_eq!(observed(&[unmapped(0)], None), S::Registered);
}

#[test]
fn a_headline_that_vanishes_moves_nothing() {
    let mut life = Life::new(Registration::default());
    life.observe(&Observation { headline: headline(S::Departed, None, false), ..answer(1, &[]) });
    assert!(life.answer(HOUR, &[]).is_empty());
    assert_eq!(life.tracker.substatus, S::Departed);
    assert_eq!(
        life.answer(2 * HOUR, &[scan(S::OutForDelivery, HOUR)]),
        ["tracker.out_for_delivery", "tracker.event_added"]
    );
}

#[test]
fn set_by_hand_stays_until_the_carrier_has_news() {
    let way = scan(S::Departed, 0);
    let mut life = Life::seen(std::slice::from_ref(&way));
    let hand = Input::SetByHand { substatus: S::Delivered, who: "ann", why: "phoned" };
    assert_eq!(life.input(hand, HOUR), ["tracker.delivered", "tracker.updated"]);
    assert_eq!(life.told("tracker.updated")["by_hand"]["who"], "ann");
    assert!(life.answer(2 * HOUR, std::slice::from_ref(&way)).is_empty());
    assert_eq!(life.answer(3 * HOUR, &[way.clone(), scan(S::Arrived, 2 * HOUR)]), ["tracker.event_added"]);
    assert_eq!(life.tracker.substatus, S::Delivered);
    let word = life.tracker.by_hand.clone().expect("its status is the shop's word");
    assert_eq!((word.who.as_str(), word.why.as_str()), ("ann", "phoned"));
    let back = [way, scan(S::Arrived, 2 * HOUR), scan(S::ReturnStarted, 4 * HOUR)];
    assert_eq!(life.answer(5 * HOUR, &back), ["tracker.return_to_sender", "tracker.resumed", "tracker.event_added"]);
    assert_eq!(life.tracker.by_hand, None, "now it stands where the carrier says");
}

#[test]
fn an_estimate_is_told_when_it_appears_or_moves_and_not_when_it_vanishes() {
    let way = [scan(S::Departed, 0)];
    let mut life = Life::seen(&way);
    let mut with = |arrived: i64, eta: Option<&str>| {
        let facts = Facts { eta_to: eta.map(moment), ..Facts::default() };
        life.observe(&Observation { facts, ..answer(arrived, &way) })
    };
    assert_eq!(with(HOUR, Some("2026-11-26")), ["tracker.eta_changed"]);
    assert!(with(2 * HOUR, Some("2026-11-26")).is_empty());
    assert_eq!(with(3 * HOUR, Some("2026-11-27")), ["tracker.eta_changed"]);
    assert!(with(4 * HOUR, None).is_empty());
    let data = life.told("tracker.eta_changed");
    assert_eq!(data["eta_before"]["to"], "2026-11-26");
    assert_eq!(data["parcel"]["eta"]["to"], "2026-11-27");
    assert_eq!(data["parcel"]["eta"]["original"], "2026-11-26");
}

#[test]
fn history_send_tells_the_usual_changes() {
    let mut life = Life::new(Registration { history: History::Send, ..Registration::default() });
    let facts = Facts { eta_to: Some(moment("2026-11-26")), ..Facts::default() };
    let names = life.observe(&Observation { facts, ..answer(1, &[scan(S::LabelCreated, -2), scan(S::Departed, -1)]) });
    assert_eq!(names, ["tracker.in_transit", "tracker.event_added", "tracker.eta_changed"]);
    assert_eq!(life.told("tracker.in_transit")["passed"], serde_json::json!(["info_received"]));
}

#[test]
fn a_new_life_ignores_the_old_ones_scans() {
    let old = [scan(S::Departed, 0), scan(S::Delivered, HOUR)];
    let mut life = Life::seen(&old);
    let now = 100 * DAY;
    assert!(is_over(&life.tracker, at(now)) && !is_over(&life.tracker, at(80 * DAY)));
    let born = new_life(&life.tracker, Registration::default(), at(now));
    assert_eq!(born.revision, life.tracker.revision);
    assert!(born.sequence > life.tracker.sequence && born.events.is_empty() && born.conditions.is_empty());
    life.tracker = born;
    let stale = Observation {
        headline: headline(S::Delivered, None, false),
        facts: Facts { eta_to: Some(moment("2026-11-24")), ..Facts::default() },
        ..answer(now + 1, &old)
    };
    assert!(life.observe(&stale).is_empty(), "the carrier still tells of the old parcel");
    assert_eq!(life.tracker.substatus, S::Registered);
    let fresh = [old[0].clone(), old[1].clone(), scan(S::LabelCreated, now)];
    assert_eq!(life.answer(now + HOUR, &fresh), ["tracker.first_seen"]);
    assert_eq!(codes(&life.tracker), ["label_created"]);
}

#[test]
fn a_parcel_shows_what_follows_from_its_events() {
    let events = [
        scan(S::RecipientAbsent, HOUR),
        scan(S::RecipientAbsent, DAY),
        scan(S::Delivered, 2 * DAY),
        scan(S::Signed, 2 * DAY + 1),
    ];
    let life = Life::seen(&events);
    let parcel = parcel(&life.tracker);
    assert_eq!((parcel.attempts, parcel.first_attempt_at), (2, Some(Moment::from_timestamp(at(HOUR)))));
    assert_eq!(parcel.delivered_at, Some(Moment::from_timestamp(at(2 * DAY))), "signing tells more, not later");
    assert_eq!(
        (parcel.status, parcel.substatus, parcel.who_must_act),
        (Status::Delivered, S::Signed, WhoMustAct::Nobody)
    );
}

#[test]
fn the_estimate_of_the_oldest_answer_stays_the_original() {
    let mut tracker = tracker();
    let with = |arrived: i64, to: &str| Observation {
        facts: Facts { eta_from: Some(moment("2026-11-01")), eta_to: Some(moment(to)), ..Facts::default() },
        ..answer(arrived, &[])
    };
    merge(&mut tracker, &with(HOUR, "2026-11-28"));
    merge(&mut tracker, &with(MINUTE, "2026-11-25"));
    merge(&mut tracker, &with(2 * HOUR, "2026-11-29"));
    assert_eq!(tracker.eta_original, Some((at(MINUTE), moment("2026-11-25"))));
    assert_eq!(tracker.facts.eta_to, Some(moment("2026-11-29")));
}

#[test]
fn an_unchanged_registration_is_no_news_and_history_cannot_change() {
    let mut life = Life::seen(&[scan(S::Departed, 0)]);
    let same = Registration { history: History::Send, ..Registration::default() };
    assert!(life.input(Input::Updated(&same), HOUR).is_empty());
    assert_eq!(life.tracker.registration.history, History::Collapse);
    let country = Some(Destination { country: Some("FR".to_owned()), ..Destination::default() });
    let moved = Registration { destination: country, ..Registration::default() };
    assert_eq!(life.input(Input::Updated(&moved), HOUR), ["tracker.updated"]);
}

#[test]
fn an_ended_tracker_is_kept_for_its_retention_and_asks_again_when_missed() {
    let mut life = Life::seen(&[scan(S::Delivered, 0)]);
    assert_eq!(life.timer(TimerKind::Retention), Some(at(MINUTE) + days(90)));
    assert_eq!(life.last.timers.len(), 1);
    life.clock(100 * DAY);
    assert_eq!(life.timer(TimerKind::Retention), Some(at(100 * DAY + HOUR)));
}

#[test]
fn an_erased_tracker_tells_no_more_than_that() {
    let mut life = Life::seen(&[scan(S::Delayed, 0)]);
    assert_eq!(life.tracker.conditions.len(), 1);
    assert_eq!(life.input(Input::Deleted, HOUR), ["tracker.deleted"]);
    assert!(life.told("tracker.deleted")["parcel"].is_null());
    assert!(life.last.timers.is_empty() && life.tracker.conditions.is_empty());
}

#[test]
fn a_return_older_than_any_comparable_delivery_scan_is_an_old_scan() {
    let guessed = event("D0", Meaning::Moves(S::Delivered, Rule::Plain), wall("2026-11-23T09:00:00"));
    let life = Life::seen(&[guessed, scan(S::Signed, 0), scan(S::ReturnStarted, -HOUR)]);
    assert_eq!(life.tracker.substatus, S::Signed);
    let between = Life::seen(&[scan(S::Delivered, -9 * HOUR), scan(S::Signed, 0), scan(S::ReturnStarted, -HOUR)]);
    assert_eq!(between.tracker.substatus, S::Signed);
}
