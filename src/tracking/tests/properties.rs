//! What holds for every history.

use std::collections::{HashMap, HashSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::model::event::Rule;
use crate::model::status::{Direction, End, Status};
use crate::model::tracker::{Destination, History, KeptEvent, PollOutcome};
use crate::tracking::{parcel, preview};

fn a_substatus() -> impl Strategy<Value = Substatus> {
    select(Substatus::ALL).prop_filter("set by us", |s| !matches!(s.status(), Status::Pending | Status::Expired))
}

fn a_meaning() -> impl Strategy<Value = Meaning> {
    prop_oneof![
        8 => (a_substatus(), select(vec![Rule::Plain, Rule::Plain, Rule::Plain, Rule::Revoke, Rule::AdvanceOnly]))
            .prop_map(|(substatus, rule)| Meaning::Moves(substatus, rule)),
        1 => Just(Meaning::Note),
        1 => Just(Meaning::Unmapped),
    ]
}

fn a_time() -> impl Strategy<Value = EventTime> {
    prop_oneof![
        6 => (-40..40_i64).prop_map(|h| time(at(h * HOUR))),
        1 => (0..28_u32, 0..24_u32).prop_map(|(d, h)| wall(&format!("2026-11-{:02}T{h:02}:00:00", d + 1))),
        1 => (0..28_u32).prop_map(|d| wall(&format!("2026-11-{:02}", d + 1))),
        1 => "[a-z]{0,3}".prop_map(|raw| wall(&raw)),
        1 => any::<i64>().prop_map(|ms| time(from_millis(ms))),
    ]
}

fn an_event() -> impl Strategy<Value = ObservedEvent> {
    ("[A-E]?", proptest::option::of("[a-c]"), a_meaning(), a_time())
        .prop_map(|(code, description, meaning, time)| ObservedEvent { code, description, meaning, time, place: None })
}

fn some_facts() -> impl Strategy<Value = Facts> {
    (
        proptest::option::of(select(vec!["2026-11-20", "2026-11-24", "2026-11-30T10:00:00+01:00", "9999-12-31"])),
        any::<bool>(),
    )
        .prop_map(|(eta, home)| Facts {
            eta_to: eta.map(moment),
            origin: place("FR"),
            destination: home.then(|| place("FR")).flatten(),
            ..Facts::default()
        })
}

/// Answers that a carrier could give: each a part of one pool of events, in one order, at different instants.
fn answers() -> impl Strategy<Value = Vec<Observation>> {
    (vec(an_event(), 1..10), any::<bool>()).prop_flat_map(|(pool, headlines)| {
        let one = (
            subsequence(pool.clone(), 0..=pool.len()),
            some_facts(),
            (a_substatus(), proptest::option::of(-40..40_i64), any::<bool>()),
            any::<u64>(),
        );
        vec(one, 1..7).prop_map(move |many| {
            let arrival = 1..;
            many.into_iter()
                .zip(arrival)
                .map(|((events, facts, (substatus, when, wins), digest), n)| Observation {
                    observed_at: at(n * HOUR),
                    digest,
                    facts,
                    headline: headlines.then(|| headline(substatus, when.map(|h| h * HOUR), wins)).flatten(),
                    events,
                })
                .collect()
        })
    })
}

/// Answers, and the same in another order with some twice.
fn answers_twice() -> impl Strategy<Value = (Vec<Observation>, Vec<Observation>)> {
    answers().prop_flat_map(|list| {
        let doubled: Vec<_> = list.iter().chain(&list).cloned().collect();
        let cut = list.len();
        (Just(list), Just(doubled).prop_shuffle(), 0..=cut).prop_map(|(list, mut shuffled, extra)| {
            // Keep one of each at least: drop repeats down to `extra`.
            let mut seen = HashSet::new();
            let mut repeats = 0;
            shuffled.retain(|o| {
                seen.insert(o.observed_at) || {
                    repeats += 1;
                    repeats <= extra
                }
            });
            (list, shuffled)
        })
    })
}

fn fold(list: &[Observation]) -> Tracker {
    let end = at(100 * HOUR);
    list.iter().fold(tracker(), |tracker, answer| advance(&tracker, Input::Answer(answer), end, &rules()).tracker)
}

/// A step in the life of a tracker.
#[derive(Debug, Clone)]
enum Step {
    Answer(Vec<ObservedEvent>, Box<Facts>),
    Late(Vec<ObservedEvent>),
    NotFound,
    Rejected,
    Failed,
    Clock,
    NextTimer,
    Promise(Option<&'static str>),
    Hand(Substatus),
}

fn a_step() -> impl Strategy<Value = Step> {
    let promises = vec![None, Some("2026-11-24"), Some("2026-12-03T10:00:00"), Some("2027-01-15"), Some("9999-12-31")];
    prop_oneof![
        6 => (vec(an_event(), 0..4), some_facts()).prop_map(|(events, facts)| Step::Answer(events, Box::new(facts))),
        1 => vec(an_event(), 0..4).prop_map(Step::Late),
        1 => Just(Step::NotFound),
        1 => Just(Step::Rejected),
        1 => Just(Step::Failed),
        2 => Just(Step::Clock),
        4 => Just(Step::NextTimer),
        1 => select(promises).prop_map(Step::Promise),
        1 => select(Substatus::ALL).prop_map(Step::Hand),
    ]
}

fn a_registration() -> impl Strategy<Value = Registration> {
    (proptest::option::of(select(vec!["2026-11-20", "2026-11-25", "9999-12-31"])), any::<bool>(), any::<bool>())
        .prop_map(|(promised, send, back)| Registration {
            promised: promised.and_then(|to| promise(to, None)),
            history: if send { History::Send } else { History::Collapse },
            direction: if back { Direction::Return } else { Direction::Outbound },
            destination: Some(Destination { country: Some("FR".to_owned()), ..Destination::default() }),
            ..Registration::default()
        })
}

/// Plays a step; gives back when it was played.
fn play(life: &mut Life, step: &Step, now: i64, told: &mut Vec<ObservedEvent>) -> i64 {
    match step {
        Step::Answer(events, facts) => {
            told.extend(events.iter().cloned());
            life.observe(&Observation { facts: Facts::clone(facts), ..answer(now, told) });
        }
        Step::Late(events) => {
            let old = Observation { observed_at: at(now / 2), ..answer(now, events) };
            let next = advance(&life.tracker, Input::Answer(&old), at(now), &rules());
            life.take(next);
        }
        Step::NotFound => drop(life.input(Input::NotFound { at: at(now) }, now)),
        Step::Rejected => drop(life.input(Input::NumberRejected { at: at(now) }, now)),
        Step::Failed => drop(life.input(Input::Failed { at: at(now), outcome: PollOutcome::CarrierFault }, now)),
        Step::Clock => drop(life.clock(now)),
        Step::NextTimer => {
            let next = life.last.timers.iter().map(|(_, at)| at.as_millisecond() - START).min();
            let due = next.filter(|due| (now..400 * DAY).contains(due)).unwrap_or(now);
            life.clock(due);
            return due;
        }
        Step::Promise(to) => {
            let mut registration = life.tracker.registration.clone();
            registration.promised = to.and_then(|to| promise(to, None));
            life.input(Input::Updated(&registration), now);
        }
        Step::Hand(substatus) => drop(life.input(Input::SetByHand { substatus: *substatus, who: "w", why: "y" }, now)),
    }
    now
}

fn identity(value: &Value) -> String {
    let text = if value["code"].is_null() { value["description"].to_string() } else { String::new() };
    format!("{}|{}|{}|{text}", value["code"], value["time"]["raw"], value["place"])
}

fn identity_of(event: &KeptEvent) -> String {
    identity(&serde_json::json!({
        "code": (!event.code.is_empty()).then_some(&event.code),
        "description": event.description,
        "time": { "raw": event.time.raw },
        "place": event.place,
    }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, max_global_rejects: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn merging_depends_on_the_set_of_answers_alone((one, other) in answers_twice()) {
        let (a, b) = (fold(&one), fold(&other));
        prop_assert_eq!(&a.events, &b.events);
        prop_assert_eq!(a.substatus, b.substatus);
        prop_assert_eq!(&a.facts, &b.facts);
        prop_assert_eq!(&a.headline, &b.headline);
        prop_assert_eq!(&a.eta_original, &b.eta_original);
        prop_assert_eq!(&a.answers, &b.answers);
        prop_assert_eq!(a.first_seen_at, b.first_seen_at);
        prop_assert_eq!(a.poll.digest, b.poll.digest);
    }

    #[test]
    fn vanishing_alone_moves_nothing(mut list in answers(), keep in any::<u32>()) {
        for answer in &mut list {
            answer.headline = None;
        }
        let before = fold(&list);
        let newest = list.last().cloned().unwrap();
        // Two of the same identity vanish together, or the second one would tell another meaning of it.
        let name = |e: &ObservedEvent| (e.code.clone(), e.time.raw.clone(), e.description.clone().filter(|_| e.code.is_empty()));
        let first = |e: &ObservedEvent| newest.events.iter().position(|other| name(other) == name(e)).unwrap();
        let kept = newest.events.iter().filter(|e| keep >> first(e) & 1 == 1).cloned().collect();
        let fewer = Observation { observed_at: at(50 * HOUR), events: kept, ..newest.clone() };
        let after = advance(&before, Input::Answer(&fewer), at(100 * HOUR), &rules());
        prop_assert_eq!(after.tracker.substatus, before.substatus);
        let order = |t: &Tracker| t.events.iter().map(identity_of).collect::<Vec<_>>();
        prop_assert_eq!(order(&after.tracker), order(&before));
    }

    #[test]
    fn the_newest_answers_order_stands(list in answers()) {
        let tracker = fold(&list);
        let newest = list.last().unwrap();
        let kept: Vec<_> = tracker.events.iter().filter(|e| e.last_seen == newest.observed_at).collect();
        prop_assert!(kept.is_sorted_by_key(|e| e.position));
        prop_assert!(kept.iter().all(|e| e.retracted_at.is_none()));
        prop_assert_eq!(tracker.events.len(), tracker.events.iter().map(identity_of).collect::<HashSet<_>>().len());
    }

    #[test]
    fn an_old_scan_never_reopens_a_delivered_parcel(
        before in vec(an_event(), 0..5),
        after in vec(an_event(), 0..5),
        place in any::<proptest::sample::Index>(),
        late in (a_substatus(), -80..0_i64),
    ) {
        let mut events = before;
        events.push(scan(Substatus::Delivered, HOUR));
        events.extend(after.into_iter().filter(|e| !matches!(e.meaning, Meaning::Moves(s, rule)
            if rule == Rule::Revoke || matches!(s.status(), Status::ReturnToSender | Status::Returned))));
        let known = fold(&[answer(2 * HOUR, &events)]);
        prop_assume!(known.substatus.status() == Status::Delivered && known.ended_at.is_some());
        // A scan from before, listed wherever the carrier likes.
        let mut more = events.clone();
        let old = event("OLD", Meaning::Moves(late.0, Rule::Plain), time(at(late.1 * 1000 * HOUR - HOUR)));
        more.insert(place.index(events.len() + 1), old);
        prop_assume!(!before_any_other_end(&more));
        let then = advance(&known, Input::Answer(&answer(3 * HOUR, &more)), at(3 * HOUR), &rules());
        prop_assert_eq!(then.tracker.substatus.status(), Status::Delivered);
        prop_assert!(then.tracker.ended_at == known.ended_at);
    }

    #[test]
    fn an_unknown_code_and_a_note_move_no_status(list in answers(), place in any::<proptest::sample::Index>()) {
        let before = fold(&list);
        let mut newest = list.last().cloned().unwrap();
        newest.observed_at = at(50 * HOUR);
        for silent in [unmapped(HOUR), note(HOUR)] {
            newest.events.insert(place.index(newest.events.len() + 1), silent);
        }
        let after = advance(&before, Input::Answer(&newest), at(100 * HOUR), &rules());
        let known = |s: Substatus| (s != Substatus::NotFound).then_some(s);
        prop_assert_eq!(known(after.tracker.substatus), known(before.substatus));
        prop_assert!(!after.changes.iter().any(|c| matches!(c.kind, crate::model::ChangeKind::Status(_))));
    }

    #[test]
    fn no_date_ever_shifts(list in answers(), day in 1..29_u32) {
        let date = format!("2026-11-{day:02}");
        let dated = event("DATED", Meaning::Moves(Substatus::InTransit, Rule::Plain), wall(&date));
        let mut list = list;
        for one in &mut list {
            one.events.push(dated.clone());
            one.facts.eta_to = Some(moment(&date));
        }
        let tracker = fold(&list);
        for parcel in [parcel(&tracker), preview(&tracker.carrier, "1", &list[0])] {
            let shown = serde_json::to_value(&parcel).unwrap();
            prop_assert_eq!(&shown["eta"]["to"], &date);
            prop_assert_eq!(&shown["eta"]["original"], &date);
            let event = shown["events"].as_array().unwrap().iter().find(|e| e["code"] == "DATED").cloned().unwrap();
            prop_assert_eq!(&event["time"]["local"], &date);
            prop_assert!(event["time"]["utc"].is_null() && event["time"]["offset"].is_null());
        }
        // Every time of every event is shown as it was given.
        for (kept, shown) in tracker.events.iter().zip(parcel(&tracker).events) {
            prop_assert_eq!(&kept.time, &shown.time);
            prop_assert!(list.iter().flat_map(|o| &o.events).any(|told| told.time == kept.time));
        }
    }

    #[test]
    fn every_life_keeps_the_promises(registration in a_registration(), steps in vec((a_step(), 1..(3 * DAY)), 1..25)) {
        let mut life = Life::new(registration);
        let mut now = 0;
        let mut told = Vec::new();
        let mut open: HashMap<String, bool> = HashMap::new();
        let mut events_told: HashSet<String> = HashSet::new();
        let mut heard = 0;
        for (step, wait) in &steps {
            now += wait;
            now = play(&mut life, step, now, &mut told);
            let changes: Vec<_> = life.told[heard..].to_vec();
            heard = life.told.len();
            // One status change at most, and each kind and delay once.
            let mut kinds = HashSet::new();
            for (name, data) in &changes {
                let unit = format!("{name}{}", data["delay"]["kind"]);
                prop_assert!(kinds.insert(unit), "{} twice in one commit", name);
            }
            let statuses = changes.iter().filter(|(name, _)| Status::ALL.iter().any(|s| *name == format!("tracker.{s}")));
            prop_assert!(statuses.count() <= 1);
            for (name, data) in &changes {
                let kind = data["delay"]["kind"].to_string();
                match name.as_str() {
                    "tracker.delayed" => prop_assert_eq!(open.insert(kind, true), None, "opened twice"),
                    "tracker.delay_cleared" => {
                        prop_assert!(matches!(data["delay"]["reason"].as_str(), Some("cleared" | "ended")));
                        prop_assert_eq!(open.remove(&kind), Some(true), "ended without opening");
                    }
                    "tracker.first_seen" | "tracker.event_added" => {
                        for event in data["parcel"]["events"].as_array().unwrap() {
                            prop_assert!(events_told.insert(identity(event)), "an event told twice");
                        }
                    }
                    _ => {}
                }
            }
            let tracker = &life.tracker;
            prop_assert_eq!(open.len(), tracker.conditions.len());
            prop_assert_eq!(events_told.len(), tracker.events.len(), "each event is told");
            let ended = tracker.substatus.end() != End::GoesOn;
            prop_assert_eq!(ended, tracker.ended_at.is_some());
            prop_assert!(!ended || open.is_empty(), "nothing stays open after an end");
            // Timers are finite, once each, not past; and the clock at one of them makes it go.
            let mut kinds = HashSet::new();
            for (kind, due) in &life.last.timers {
                prop_assert!(kinds.insert(*kind));
                prop_assert!(*due >= at(now) && *due < Timestamp::MAX);
                let then = advance(tracker, Input::Clock, *due, &rules());
                let again = then.timers.iter().find(|(k, _)| k == kind);
                prop_assert!(again.is_none_or(|(_, next)| next > due), "{kind:?} would spin");
            }
            prop_assert!(life.last.changes.iter().all(|c| c.sequence <= tracker.sequence));
        }
    }

    #[test]
    fn nothing_panics_at_the_ends_of_time(ms in any::<i64>(), input in 0..6_u8, list in answers(), days in any::<u32>()) {
        let now = from_millis(ms);
        let rules = Rules { not_handed_over_days: days, stalled_international_days: days, unit: SignedDuration::MAX, ..rules() };
        let mut tracker = fold(&list);
        tracker.registration.promised = promise("9999-12-31", Some("Pacific/Kiritimati"));
        let far = Observation { observed_at: now, ..list[0].clone() };
        let registration = Registration { promised: promise("0001-01-01T00:00:00", None), ..Registration::default() };
        let input = match input {
            0 => Input::Answer(&far),
            1 => Input::Clock,
            2 => Input::NotFound { at: now },
            3 => Input::Deleted,
            4 => Input::Updated(&registration),
            _ => Input::SetByHand { substatus: Substatus::Lost, who: "", why: "" },
        };
        tracker.sequence = u64::MAX;
        let next = advance(&tracker, input, now, &rules);
        prop_assert!(next.timers.iter().all(|(_, at)| *at < Timestamp::MAX));
    }
}

/// Whether an end of another kind than delivered stands anywhere: then "delivered" may rest on another order.
fn before_any_other_end(events: &[ObservedEvent]) -> bool {
    events.iter().any(
        |e| matches!(e.meaning, Meaning::Moves(s, _) if s.end() == End::Terminal && s.status() != Status::Delivered),
    )
}
