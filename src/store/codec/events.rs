//! The events STRING: a compact JSON array. The first element is a header, every other one an event.
//!
//! Header: `{"v":1,"a":[ms, +ms, +ms, …]}`, the answers that told something new: the first in unix milliseconds, the
//! others as the distance from the one before. Event keys, each left out where the default says the same:
//!
//! | key | what | default |
//! |---|---|---|
//! | `c` | the carrier's code | empty |
//! | `d` | its words; `null`: none | as in the last event with this code; none |
//! | `m` | substatus, with `!` for a revocation or `+` for "only forward"; `note`; `?` for unmapped | likewise; unmapped |
//! | `t` | wall clock and offset, as far as known; `~`: without the offset of the event before | none |
//! | `f` | precision | date for a date, second for a time |
//! | `u` | the instant; `null`: unknown | what clock and offset say |
//! | `z` | zone source: `c`arrier, `p`lace, carrier's `d`efault, `n`one | carrier with an offset, none without |
//! | `r` | the text the carrier gave; a number: in that form of [`RAW_FORMS`]; -1: clock and offset | the form of the event before |
//! | `p` | place: city, country, post code, name, region; `null`: none | as in the event before |
//! | `o` | answer that first held it: place in `a`, or ms | as in the event before |
//! | `l` | newest answer that held it | as in the event before |
//! | `x` | first answer that lacked it | none |
//! | `n` | its place in the newest answer that held it | its place in this array |

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::{Map, Value, json};

use super::time::{Carry as TimeCarry, instant_from, instant_value, time_from, time_into};
use crate::model::{KeptEvent, Meaning, Place, Rule, Substatus};

const VERSION: u64 = 1;

/// Forms in which carriers write times: an event whose raw text is one of them stores the number of the form.
pub(super) const RAW_FORMS: [&str; 5] =
    ["%Y%m%d %H%M%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M", "%d.%m.%y %H:%M"];

/// What an event need not say because those before it said it. Writer and reader keep it alike.
#[derive(Default)]
struct Carry {
    time: TimeCarry,
    place: Option<Place>,
    observed_at: Option<Timestamp>,
    last_seen: Option<Timestamp>,
    codes: HashMap<String, (Option<String>, Meaning)>,
}

impl Carry {
    fn of_code(&self, code: &str) -> (Option<String>, Meaning) {
        self.codes.get(code).cloned().unwrap_or((None, Meaning::Unmapped))
    }

    fn take(&mut self, event: &KeptEvent) {
        self.place.clone_from(&event.place);
        self.observed_at = Some(event.observed_at);
        self.last_seen = Some(event.last_seen);
        self.codes.insert(event.code.clone(), (event.description.clone(), event.meaning));
    }
}

/// The text to store; empty when there is nothing to tell.
pub(super) fn encode(events: &[KeptEvent], answers: &[Timestamp]) -> String {
    if events.is_empty() && answers.is_empty() {
        return String::new();
    }
    let mut array = Vec::with_capacity(events.len() + 1);
    array.push(json!({"v": VERSION, "a": distances(answers)}));
    let mut carry = Carry::default();
    for (index, event) in events.iter().enumerate() {
        array.push(Value::Object(encode_one(event, &mut carry, index, answers)));
        carry.take(event);
    }
    Value::Array(array).to_string()
}

fn encode_one(event: &KeptEvent, carry: &mut Carry, index: usize, answers: &[Timestamp]) -> Map<String, Value> {
    let mut map = Map::new();
    let (usual_words, usual_meaning) = carry.of_code(&event.code);
    if !event.code.is_empty() {
        map.insert("c".into(), json!(event.code));
    }
    if event.description != usual_words {
        map.insert("d".into(), json!(event.description));
    }
    if event.meaning != usual_meaning {
        map.insert("m".into(), json!(meaning_text(event.meaning)));
    }
    time_into(&mut map, &event.time, &mut carry.time);
    if event.place != carry.place {
        map.insert("p".into(), event.place.as_ref().map_or(Value::Null, place_value));
    }
    if carry.observed_at != Some(event.observed_at) {
        map.insert("o".into(), answer_value(event.observed_at, answers));
    }
    if carry.last_seen != Some(event.last_seen) {
        map.insert("l".into(), answer_value(event.last_seen, answers));
    }
    if let Some(at) = event.retracted_at {
        map.insert("x".into(), answer_value(at, answers));
    }
    if usize::try_from(event.position).ok() != Some(index) {
        map.insert("n".into(), json!(event.position));
    }
    map
}

/// What [`encode`] wrote.
pub(super) fn decode(text: &str) -> Result<(Vec<KeptEvent>, Vec<Timestamp>), String> {
    if text.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let array: Vec<Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let header = array.first().ok_or("no header")?;
    if header["v"] != VERSION {
        return Err(format!("version {} is not known here", header["v"]));
    }
    let answers = answers_from(&header["a"])?;
    let mut events: Vec<KeptEvent> = Vec::with_capacity(array.len() - 1);
    let mut carry = Carry::default();
    for (index, value) in array[1..].iter().enumerate() {
        let event = decode_one(value, &mut carry, index, &answers).map_err(|e| format!("event {index}: {e}"))?;
        carry.take(&event);
        events.push(event);
    }
    Ok((events, answers))
}

fn decode_one(value: &Value, carry: &mut Carry, index: usize, answers: &[Timestamp]) -> Result<KeptEvent, String> {
    let map = value.as_object().ok_or("not an object")?;
    let text = |key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
    let carried = |key: &str, old: Option<Timestamp>| match map.get(key) {
        Some(value) => answer_from(value, answers),
        None => old.ok_or_else(|| format!("{key} is missing")),
    };
    let code = text("c").unwrap_or_default();
    let (usual_words, usual_meaning) = carry.of_code(&code);
    Ok(KeptEvent {
        code,
        description: if map.contains_key("d") { text("d") } else { usual_words },
        meaning: text("m").map_or(Ok(usual_meaning), |text| meaning_from(&text))?,
        time: time_from(map, &mut carry.time)?,
        place: match map.get("p") {
            Some(Value::Null) => None,
            Some(place) => Some(place_from(place)?),
            None => carry.place.clone(),
        },
        observed_at: carried("o", carry.observed_at)?,
        last_seen: carried("l", carry.last_seen)?,
        retracted_at: map.get("x").map(|value| answer_from(value, answers)).transpose()?,
        position: match map.get("n") {
            Some(n) => n.as_u64().and_then(|n| u32::try_from(n).ok()).ok_or("n is no number")?,
            None => u32::try_from(index).map_err(|_| "too many events")?,
        },
    })
}

fn distances(answers: &[Timestamp]) -> Value {
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
    Value::Array(each.collect())
}

fn answers_from(value: &Value) -> Result<Vec<Timestamp>, String> {
    let mut answers: Vec<Timestamp> = Vec::new();
    for value in value.as_array().ok_or("a is no array")? {
        let at = match (value.as_i64(), answers.last()) {
            (Some(distance), Some(before)) if whole_millis(*before) => {
                let ms = before.as_millisecond().checked_add(distance).ok_or("a is out of range")?;
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

fn place_from(value: &Value) -> Result<Place, String> {
    let fields = value.as_array().filter(|fields| fields.len() <= 5).ok_or("p is no place")?;
    let field = |index: usize| fields.get(index).and_then(Value::as_str).map(str::to_owned);
    Ok(Place { city: field(0), country: field(1), postcode: field(2), name: field(3), region: field(4) })
}

/// The raw text that a form gives for a wall clock.
pub(super) fn raw_in_form(form: usize, at: DateTime) -> Option<String> {
    RAW_FORMS.get(form).map(|form| at.strftime(form).to_string())
}
