//! Holds `docs/changes.md`: each row of its table is played here, and each example has the fields that are sent.

use serde_json::Value;

use super::*;
use crate::model::event::Rule;
use crate::model::status::Substatus as S;
use crate::model::tracker::History;

const PAGE: &str = include_str!("../../../docs/changes.md");

/// One row of the table: what was known, what a poll reveals, and exactly these changes.
struct Row {
    known: &'static str,
    reveals: &'static str,
    tells: Vec<String>,
}

fn on_the_way() -> Life {
    Life::seen(&[scan(S::Departed, -HOUR)])
}

/// Plays an answer two hours later that holds what was told before and these events too.
fn then(life: &mut Life, base: &[ObservedEvent], more: &[ObservedEvent]) -> Vec<String> {
    life.answer(2 * HOUR, &[base, more].concat())
}

fn eta(text: &str) -> Facts {
    Facts { eta_to: Some(moment(text)), ..Facts::default() }
}

fn rows_of_first_polls() -> Vec<Row> {
    let found = [scan(S::LabelCreated, -DAY), scan(S::Departed, -HOUR)];
    let mut silent = Life::new(Registration::default());
    let not_found = silent.input(Input::NotFound { at: at(MINUTE) }, MINUTE);
    let mut wrong = Life::new(Registration::default());
    let rejected = wrong.input(Input::NumberRejected { at: at(MINUTE) }, MINUTE);
    let mut collapsed = Life::new(Registration::default());
    let mut sent = Life::new(Registration { history: History::Send, ..Registration::default() });
    let with_eta = Observation { facts: eta("2026-11-26"), ..answer(MINUTE, &found) };
    let mut delayed = Life::new(Registration::default());
    vec![
        Row { known: "just registered", reveals: "nothing: not found", tells: not_found },
        Row { known: "just registered", reveals: "that the number is wrong", tells: rejected },
        Row {
            known: "just registered",
            reveals: "label, departed and an estimate",
            tells: collapsed.observe(&with_eta),
        },
        Row {
            known: "just registered, `history = \"send\"`",
            reveals: "label, departed and an estimate",
            tells: sent.observe(&with_eta),
        },
        Row {
            known: "just registered",
            reveals: "departed, delayed",
            tells: delayed.answer(MINUTE, &[scan(S::Departed, -HOUR), scan(S::Delayed, 0)]),
        },
    ]
}

fn rows_of_the_way() -> Vec<Row> {
    let base = [scan(S::Departed, -HOUR)];
    let out = scan(S::OutForDelivery, HOUR);
    let absent = scan(S::RecipientAbsent, HOUR + 2);
    let row = |reveals, more: &[ObservedEvent]| Row {
        known: "in transit",
        reveals,
        tells: then(&mut on_the_way(), &base, more),
    };
    let mut moved = on_the_way();
    let with_eta = Observation { facts: eta("2026-11-26"), ..answer(2 * HOUR, &base) };
    let mut attempted = Life::seen(std::slice::from_ref(&absent));
    let again = scan(S::RecipientAbsent, HOUR + 20);
    let mut out_before = Life::seen(std::slice::from_ref(&out));
    vec![
        row("the same", &[]),
        row("another hub", &[scan(S::Arrived, HOUR)]),
        row("an unknown code, a note", &[unmapped(HOUR), note(HOUR)]),
        Row { known: "in transit", reveals: "an estimate", tells: moved.observe(&with_eta) },
        row("out for delivery, delivered", &[out.clone(), scan(S::Delivered, HOUR + 1)]),
        row(
            "out for delivery, nobody at home, at the pickup point",
            &[out.clone(), absent.clone(), scan(S::AtPickupPoint, HOUR + 3)],
        ),
        row("delayed", &[scan(S::Delayed, HOUR)]),
        row("delayed, another hub", &[scan(S::Delayed, HOUR), scan(S::Arrived, HOUR + 1)]),
        row("lost", &[scan(S::Lost, HOUR)]),
        Row {
            known: "nobody at home",
            reveals: "nobody at home again",
            tells: then(&mut attempted, std::slice::from_ref(&absent), &[again]),
        },
        Row {
            known: "out for delivery",
            reveals: "nobody at home, out for delivery again",
            tells: then(&mut out_before, std::slice::from_ref(&out), &[absent, scan(S::OutForDelivery, HOUR + 9)]),
        },
    ]
}

fn rows_of_ends() -> Vec<Row> {
    let base = [scan(S::Delivered, -HOUR)];
    let row = |reveals, more: &[ObservedEvent]| Row {
        known: "delivered",
        reveals,
        tells: then(&mut Life::seen(&base), &base, more),
    };
    let lost = [scan(S::Lost, -HOUR)];
    let mut found_again = Life::seen(&lost);
    let mut vanished = Life::seen(&base);
    let mut expired = on_the_way();
    expired.clock(40 * DAY);
    let way = [scan(S::Departed, -HOUR)];
    vec![
        row("an old scan, listed late", &[scan(S::Departed, -DAY)]),
        row("another hub", &[scan(S::Arrived, HOUR)]),
        row("signed", &[scan(S::Signed, -HOUR + 1)]),
        row("revoked: back at the hub", &[ruled(S::Arrived, Rule::Revoke, HOUR)]),
        row("return started", &[scan(S::ReturnStarted, HOUR)]),
        Row { known: "delivered", reveals: "an answer without that scan", tells: vanished.answer(2 * HOUR, &[]) },
        Row { known: "lost", reveals: "another hub", tells: then(&mut found_again, &lost, &[scan(S::Arrived, HOUR)]) },
        Row {
            known: "expired",
            reveals: "another hub",
            tells: expired.answer(41 * DAY, &[way[0].clone(), scan(S::Arrived, 41 * DAY - HOUR)]),
        },
    ]
}

fn rows_without_polls() -> Vec<Row> {
    let promised = Registration { promised: promise("2026-11-25", Some("Europe/Paris")), ..Registration::default() };
    let mut late = Life::new(promised.clone());
    let way = [scan(S::Departed, 3 * DAY - HOUR)];
    late.answer(3 * DAY - 10 * HOUR, &way);
    let opened = late.clock(3 * DAY);
    let delivered = late.answer(3 * DAY + HOUR, &[way[0].clone(), scan(S::Delivered, 3 * DAY)]);
    let mut label = Life::seen(&[scan(S::LabelCreated, 0)]);
    let waiting = label.clock(2 * DAY);
    let collected = label.answer(2 * DAY + HOUR, &[scan(S::LabelCreated, 0), scan(S::CollectedFromSender, 2 * DAY)]);
    let mut silent = on_the_way();
    let stalled = silent.clock(7 * DAY);
    let expired = silent.clock(40 * DAY);
    let mut set = on_the_way();
    let by_hand = set.input(Input::SetByHand { substatus: S::Delivered, who: "support", why: "customer called" }, DAY);
    let updated = on_the_way().input(Input::Updated(&promised), HOUR);
    let deleted = on_the_way().input(Input::Deleted, HOUR);
    vec![
        Row { known: "in transit, promised", reveals: "the clock: the promise passed", tells: opened },
        Row { known: "in transit, late", reveals: "delivered", tells: delivered },
        Row { known: "label", reveals: "the clock: two working days without a scan", tells: waiting },
        Row { known: "label, not handed over", reveals: "collected", tells: collected },
        Row { known: "in transit", reveals: "the clock: five working days of silence", tells: stalled },
        Row { known: "in transit, stalled", reveals: "the clock: thirty days of silence", tells: expired },
        Row { known: "in transit", reveals: "the shop: delivered, set by hand", tells: by_hand },
        Row { known: "in transit", reveals: "the shop: another promise", tells: updated },
        Row { known: "in transit", reveals: "the shop: erase it", tells: deleted },
    ]
}

#[test]
fn the_page_has_each_row_as_it_is_played() {
    let sections = [rows_of_first_polls(), rows_of_the_way(), rows_of_ends(), rows_without_polls()];
    let mut table = String::new();
    let mut missing = 0;
    for Row { known, reveals, tells } in sections.into_iter().flatten() {
        let tells: Vec<String> =
            tells.iter().map(|name| format!("`{}`", name.trim_start_matches("tracker."))).collect();
        let tells = if tells.is_empty() { "nothing".to_owned() } else { tells.join(", ") };
        let row = format!("| {known} | {reveals} | {tells} |");
        missing += usize::from(!PAGE.lines().any(|line| line == row));
        table.push_str(&row);
        table.push('\n');
    }
    assert_eq!(missing, 0, "docs/changes.md lacks some of these rows:\n{table}");
    let rows = PAGE.lines().filter(|line| line.matches(" | ").count() == 2 && !line.starts_with("| known")).count();
    assert_eq!(rows, table.lines().count(), "docs/changes.md has rows that nobody plays");
}

fn keys(value: &Value) -> Vec<&String> {
    value.as_object().map(|o| o.keys().collect()).unwrap_or_default()
}

#[test]
fn the_page_shows_the_fields_that_are_sent() {
    let mut life = Life::seen(&[scan(S::Departed, -HOUR)]);
    life.answer(2 * HOUR, &[scan(S::Departed, -HOUR), scan(S::Delayed, HOUR)]);
    let sent = life.told("tracker.delayed");
    let examples: Vec<Value> = PAGE
        .split("```json\n")
        .skip(1)
        .map(|block| serde_json::from_str(block.split("```").next().unwrap()).unwrap())
        .collect();
    assert!(examples.len() >= 4, "some main types have an example");
    for example in &examples {
        assert_eq!(keys(example), keys(sent));
        for part in ["tracker", "parcel", "delay", "before"] {
            if example[part].is_object() && sent[part].is_object() {
                assert_eq!(keys(&example[part]), keys(&sent[part]), "{part}");
            }
        }
    }
    for kind in crate::model::ChangeKind::all() {
        let name = kind.to_string();
        let shown = if matches!(kind, crate::model::ChangeKind::Status(_)) { "tracker.<status>" } else { &name };
        assert!(PAGE.contains(&format!("| `{shown}` |")), "docs/changes.md does not list {shown}");
    }
}

#[test]
fn the_page_lists_every_substatus_as_it_is() {
    use crate::model::status::{Direction, End};
    let cells = |line: &str| -> Vec<String> { line.split('|').map(|cell| cell.trim().replace('`', "")).collect() };
    let rows: Vec<Vec<String>> = PAGE.lines().filter(|line| line.starts_with("| `")).map(cells).collect();
    let listed: Vec<&Vec<String>> = rows.iter().filter(|row| row.len() == 7).collect();
    assert_eq!(listed.len(), S::ALL.len());
    for (row, substatus) in listed.iter().zip(S::ALL) {
        let end = match substatus.end() {
            End::GoesOn => "no",
            End::Soft => "for the shop",
            End::Terminal => "yes",
        };
        let who = substatus.who_must_act(Direction::Outbound);
        assert_eq!(row[1..5], [substatus.status().name(), substatus.name(), who.name(), end]);
        assert!(row[5].len() > 5, "{row:?} has no meaning");
    }
}
