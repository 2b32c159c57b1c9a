//! The events STRING: a compact JSON array. Its first element lists the answers, every other one is an event, oldest
//! first: `["<clock> <code>", words, meaning, "@place", {rest}]`. What an event need not say it leaves out.
//!
//! Answers: those that told something new, the first in unix milliseconds, the others as the distance from the one
//! before. Each brought one event and the last one the others, or as many as a last element `{"n":[…]}` says.
//!
//! | part | what | left out |
//! |---|---|---|
//! | clock | wall clock and offset, as far as known: see [`super::time`] | unknown |
//! | code | the carrier's code | empty |
//! | words | the carrier's words | as in the last event with this code; none |
//! | meaning | substatus, with `!` for a revocation or `+` for "only forward"; `note`; `?` for unmapped | likewise; unmapped |
//! | @place | city/country/post code/name/region; `@3`: as in array element 3 | as in the event before |
//!
//! | key of the rest | what | default |
//! |---|---|---|
//! | `d` `m` `p` | words (`null`: none), meaning, place (list or `null`) where they cannot stand above | as above |
//! | `f` | precision | date for a date; for a time as the event before, second |
//! | `u` | the instant; `null`: unknown | what clock and offset say |
//! | `z` | zone source: `c`arrier, `p`lace, carrier's `d`efault, `n`one | as the last event with (or without) an offset; carrier (none) |
//! | `r` | the text the carrier gave; a number: in that form of [`super::time::RAW_FORMS`]; -1: clock and offset | the form of the event before |
//! | `o` | answer that first held it: place among the answers, or ms | see above |
//! | `l` | newest answer that held it | as in the event before; the last answer |
//! | `x` | first answer that lacked it | none |
//! | `n` | its place in the newest answer that held it | its place among the events |

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::short::{place_from, place_text};
use super::time::{Carry as TimeCarry, instant_from, instant_value, time_from, time_into};
use crate::model::{KeptEvent, Meaning, Place, Rule, Substatus};

/// What an event need not say because those before it said it. Writer and reader keep it alike.
#[derive(Default)]
struct Carry {
    time: TimeCarry,
    place: Option<Place>,
    last_seen: Option<Timestamp>,
    codes: HashMap<String, (Option<String>, Meaning)>,
}

impl Carry {
    fn of_code(&self, code: &str) -> (Option<String>, Meaning) {
        self.codes.get(code).cloned().unwrap_or((None, Meaning::Unmapped))
    }

    fn take(&mut self, event: &KeptEvent) {
        self.place.clone_from(&event.place);
        self.last_seen = Some(event.last_seen);
        self.codes.insert(event.code.clone(), (event.description.clone(), event.meaning));
    }
}

/// The text to store; empty when there is nothing to tell.
pub(super) fn encode(events: &[KeptEvent], answers: &[Timestamp]) -> String {
    if events.is_empty() && answers.is_empty() {
        return String::new();
    }
    let counts = counts_of(events, answers);
    let mut header = distances(answers);
    if let Some(counts) = &counts {
        header.push(json!({"n": counts}));
    }
    let mut array = Vec::with_capacity(events.len() + 1);
    array.push(Value::Array(header));
    let mut carry = Carry { last_seen: answers.last().copied(), ..Carry::default() };
    let brought = brought(counts.as_deref(), answers, events.len());
    for (index, event) in events.iter().enumerate() {
        let (mut row, mut rest) = row_of(events, index, &mut carry);
        if brought[index] != Some(event.observed_at) {
            rest.insert("o".into(), answer_value(event.observed_at, answers));
        }
        if carry.last_seen != Some(event.last_seen) {
            rest.insert("l".into(), answer_value(event.last_seen, answers));
        }
        if let Some(at) = event.retracted_at {
            rest.insert("x".into(), answer_value(at, answers));
        }
        if usize::try_from(event.position).ok() != Some(index) {
            rest.insert("n".into(), json!(event.position));
        }
        if !rest.is_empty() {
            row.push(Value::Object(rest));
        }
        array.push(Value::Array(row));
        carry.take(event);
    }
    Value::Array(array).to_string()
}

/// The texts of one event, and of the rest what tells of its time, words and place.
fn row_of(events: &[KeptEvent], index: usize, carry: &mut Carry) -> (Vec<Value>, Map<String, Value>) {
    let event = &events[index];
    let mut rest = Map::new();
    let clock = time_into(&mut rest, &event.time, &mut carry.time);
    let first = if event.code.is_empty() { clock } else { format!("{clock} {}", event.code) };
    let mut row = vec![json!(first)];
    let (usual_words, usual_meaning) = carry.of_code(&event.code);
    let words = event.description.as_ref().filter(|words| !words.starts_with('@'));
    let (new_words, new_meaning) = (event.description != usual_words, event.meaning != usual_meaning);
    match words {
        Some(words) if new_words => {
            row.push(json!(words));
            row.extend(new_meaning.then(|| json!(meaning_text(event.meaning))));
        }
        _ => {
            rest.extend(new_words.then(|| ("d".to_owned(), json!(event.description))));
            rest.extend(new_meaning.then(|| ("m".to_owned(), json!(meaning_text(event.meaning)))));
        }
    }
    if event.place != carry.place {
        match event.place.as_ref().map(|place| (place, placed(&events[..index], place))) {
            Some((_, Some(text))) => row.push(json!(format!("@{text}"))),
            Some((place, None)) => drop(rest.insert("p".into(), place_value(place))),
            None => drop(rest.insert("p".into(), Value::Null)),
        }
    }
    (row, rest)
}

/// A place in one text: that of an earlier event, or written out.
fn placed(earlier: &[KeptEvent], place: &Place) -> Option<String> {
    let known = earlier.iter().position(|event| event.place.as_ref() == Some(place)).map(|n| (n + 1).to_string());
    let text = place_text(place).filter(|text| text.parse::<usize>().is_err());
    match (known, text) {
        (Some(known), Some(text)) if text.len() <= known.len() => Some(text),
        (Some(known), _) => Some(known),
        (None, text) => text,
    }
}

/// What [`encode`] wrote.
pub(super) fn decode(text: &str) -> Result<(Vec<KeptEvent>, Vec<Timestamp>), String> {
    if text.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let array: Vec<Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let (header, rows) = array.split_first().ok_or("no list of answers")?;
    let header = header.as_array().ok_or("the first element is no list of answers")?;
    let (times, counts) = match header.split_last() {
        Some((Value::Object(more), times)) => (times, more.get("n")),
        _ => (&header[..], None),
    };
    let answers = answers_from(times)?;
    let number = |n: &Value| n.as_u64().and_then(|n| usize::try_from(n).ok());
    let counts: Option<Vec<usize>> = match counts {
        Some(counts) => Some(counts.as_array().and_then(|n| n.iter().map(number).collect()).ok_or("n is no list")?),
        None => None,
    };
    let brought = brought(counts.as_deref(), &answers, rows.len());
    let mut events: Vec<KeptEvent> = Vec::with_capacity(rows.len());
    let mut carry = Carry { last_seen: answers.last().copied(), ..Carry::default() };
    for (row, brought) in rows.iter().zip(brought) {
        let read = decode_one(row, &mut carry, &events, &answers, brought);
        let event = read.map_err(|problem| format!("element {}: {problem}", events.len() + 1))?;
        carry.take(&event);
        events.push(event);
    }
    Ok((events, answers))
}

fn decode_one(
    row: &Value,
    carry: &mut Carry,
    earlier: &[KeptEvent],
    answers: &[Timestamp],
    brought: Option<Timestamp>,
) -> Result<KeptEvent, String> {
    let row = Row::of(row)?;
    let (usual_words, usual_meaning) = carry.of_code(row.code);
    let given = |key: &str, otherwise: Option<Timestamp>| match row.rest(key) {
        Some(value) => answer_from(value, answers),
        None => otherwise.ok_or_else(|| format!("{key} is missing")),
    };
    Ok(KeptEvent {
        code: row.code.to_owned(),
        description: match (row.words, row.rest("d")) {
            (Some(words), _) => Some(words.to_owned()),
            (None, Some(words)) => words.as_str().map(str::to_owned),
            (None, None) => usual_words,
        },
        meaning: match row.meaning.or_else(|| row.rest("m").and_then(Value::as_str)) {
            Some(text) => meaning_from(text)?,
            None => usual_meaning,
        },
        time: time_from(row.clock, row.rest.unwrap_or(&Map::new()), &mut carry.time)?,
        place: match (row.place, row.rest("p")) {
            (Some(text), _) => match text.parse::<usize>() {
                Ok(n) => {
                    let event = n.checked_sub(1).and_then(|n| earlier.get(n));
                    event.ok_or_else(|| format!("no element {n} before it"))?.place.clone()
                }
                Err(_) => Some(place_from(text)),
            },
            (None, Some(Value::Null)) => None,
            (None, Some(place)) => Some(place_of(place)?),
            (None, None) => carry.place.clone(),
        },
        observed_at: given("o", brought)?,
        last_seen: given("l", carry.last_seen)?,
        retracted_at: row.rest("x").map(|value| answer_from(value, answers)).transpose()?,
        position: match row.rest("n") {
            Some(n) => n.as_u64().and_then(|n| u32::try_from(n).ok()).ok_or("n is no number")?,
            None => u32::try_from(earlier.len()).map_err(|_| "too many events")?,
        },
    })
}

/// An event's element, taken apart.
struct Row<'a> {
    clock: &'a str,
    code: &'a str,
    words: Option<&'a str>,
    meaning: Option<&'a str>,
    place: Option<&'a str>,
    rest: Option<&'a Map<String, Value>>,
}

impl<'a> Row<'a> {
    fn of(row: &'a Value) -> Result<Self, String> {
        let row = row.as_array().ok_or("not a list")?;
        let mut texts = row.iter().map_while(Value::as_str);
        let first = texts.next().ok_or("no clock and code")?;
        let (clock, code) = first.split_once(' ').unwrap_or((first, ""));
        let mut texts = texts.peekable();
        let words = texts.next_if(|text| !text.starts_with('@'));
        let meaning = texts.next_if(|text| !text.starts_with('@'));
        let place = texts.next().and_then(|text| text.strip_prefix('@'));
        Ok(Self { clock, code, words, meaning, place, rest: row.last().and_then(Value::as_object) })
    }

    fn rest(&self, key: &str) -> Option<&'a Value> {
        self.rest.and_then(|rest| rest.get(key))
    }
}

/// How many events each answer brought, up to the one before the last that brought any; nothing where it is shorter to
/// say of each event which answer brought it, or where each brought one.
fn counts_of(events: &[KeptEvent], answers: &[Timestamp]) -> Option<Vec<usize>> {
    let count = |answer: &Timestamp| events.iter().filter(|event| event.observed_at == *answer).count();
    let mut counts: Vec<usize> = answers.iter().map(count).collect();
    counts.truncate(counts.iter().rposition(|n| *n > 0)?);
    let told = |counts: Option<&[usize]>| {
        let pairs = events.iter().zip(brought(counts, answers, events.len()));
        pairs.filter(|(event, brought)| *brought != Some(event.observed_at)).count()
    };
    // About seven bytes for each event that tells its answer; two for each count, and eight around them.
    (told(None) * 7 > told(Some(&counts)) * 7 + counts.len() * 2 + 8).then_some(counts)
}

/// The answer that brought each event, as far as the counts tell.
fn brought(counts: Option<&[usize]>, answers: &[Timestamp], events: usize) -> Vec<Option<Timestamp>> {
    let ones = vec![1; answers.len().saturating_sub(1)];
    let counts = counts.unwrap_or(&ones);
    let each = counts.iter().enumerate().flat_map(|(answer, count)| std::iter::repeat_n(answer, *count));
    let rest = std::iter::repeat(counts.len());
    each.chain(rest).take(events).map(|answer| answers.get(answer).copied()).collect()
}

fn distances(answers: &[Timestamp]) -> Vec<Value> {
    let mut before: Option<Timestamp> = None;
    let each = answers.iter().map(|at| {
        let value = match before {
            Some(before) if whole_millis(*at) && whole_millis(before) => {
                json!(at.as_millisecond() - before.as_millisecond())
            }
            _ => instant_value(*at),
        };
        before = Some(*at);
        value
    });
    each.collect()
}

fn answers_from(values: &[Value]) -> Result<Vec<Timestamp>, String> {
    let mut answers: Vec<Timestamp> = Vec::new();
    for value in values {
        let at = match (value.as_i64(), answers.last()) {
            (Some(distance), Some(before)) if whole_millis(*before) => {
                let ms = before.as_millisecond().checked_add(distance).ok_or("an answer is out of range")?;
                Timestamp::from_millisecond(ms).map_err(|error| error.to_string())?
            }
            _ => instant_from(value)?,
        };
        answers.push(at);
    }
    Ok(answers)
}

fn whole_millis(at: Timestamp) -> bool {
    at.subsec_nanosecond() % 1_000_000 == 0
}

/// Places in the list of answers are small numbers, instants large ones or text.
const MOST_ANSWERS: usize = 1000;

fn answer_value(at: Timestamp, answers: &[Timestamp]) -> Value {
    match answers.iter().take(MOST_ANSWERS).position(|known| *known == at) {
        Some(index) => json!(index),
        None if (0..=1000).contains(&at.as_millisecond()) => json!(at.to_string()),
        None => instant_value(at),
    }
}

fn answer_from(value: &Value, answers: &[Timestamp]) -> Result<Timestamp, String> {
    match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
        Some(index) if index < MOST_ANSWERS => answers.get(index).copied().ok_or_else(|| format!("no answer {index}")),
        _ => instant_from(value),
    }
}

fn meaning_text(meaning: Meaning) -> String {
    match meaning {
        Meaning::Moves(substatus, Rule::Plain) => substatus.name().to_owned(),
        Meaning::Moves(substatus, Rule::Revoke) => format!("{substatus}!"),
        Meaning::Moves(substatus, Rule::AdvanceOnly) => format!("{substatus}+"),
        Meaning::Note => "note".to_owned(),
        Meaning::Unmapped => "?".to_owned(),
    }
}

fn meaning_from(text: &str) -> Result<Meaning, String> {
    let (name, rule) = match text.as_bytes().last() {
        Some(b'?') => return Ok(Meaning::Unmapped),
        _ if text == "note" => return Ok(Meaning::Note),
        Some(b'!') => (&text[..text.len() - 1], Rule::Revoke),
        Some(b'+') => (&text[..text.len() - 1], Rule::AdvanceOnly),
        _ => (text, Rule::Plain),
    };
    Ok(Meaning::Moves(name.parse::<Substatus>()?, rule))
}

fn place_value(place: &Place) -> Value {
    let mut fields = vec![&place.city, &place.country, &place.postcode, &place.name, &place.region];
    while fields.last().is_some_and(|field| field.is_none()) {
        fields.pop();
    }
    json!(fields)
}

fn place_of(value: &Value) -> Result<Place, String> {
    let fields = value.as_array().filter(|fields| fields.len() <= 5).ok_or("p is no place")?;
    let field = |index: usize| fields.get(index).and_then(Value::as_str).map(str::to_owned);
    Ok(Place { city: field(0), country: field(1), postcode: field(2), name: field(3), region: field(4) })
}
