//! The fields of a tracker's hash.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use jiff::Timestamp;

use super::about::About;
use super::short::{
    LONGEST_FIELD, destination_from, destination_text, headline_field, page_from, page_text, pieces_from, pieces_text,
    place_field, place_from, weight_from, weight_text,
};
use crate::model::tracker::{OrderRef, Promise};
use crate::model::{Facts, Headline, Moment, PollOutcome, PollState, Substatus, Tracker, TrackerId, WhoMustAct};

/// Every field that this build writes; a commit removes those of them that have nothing to say.
pub(crate) const FIELDS: [&str; 39] = [
    "shop",
    "number",
    "carrier",
    "account",
    "status",
    "substatus",
    "who_must_act",
    "status_since",
    "order",
    "customer",
    "promised",
    "destination",
    "service",
    "origin",
    "goes_to",
    "pieces",
    "weight",
    "page",
    "headline",
    "eta_from",
    "eta_to",
    "eta_first",
    "delivered_at",
    "first_seen_at",
    "last_event_at",
    "last_event",
    "open",
    "ended_at",
    "next_poll_at",
    "last_poll_at",
    "last_ok_at",
    "outcome",
    "failures",
    "registered_at",
    "floor",
    "digest",
    "bytes",
    "revision",
    "sequence",
];

struct Writer<'a> {
    fields: Vec<(&'static str, String)>,
    about: &'a mut About,
}

impl Writer<'_> {
    fn put(&mut self, name: &'static str, value: impl Display) {
        self.fields.push((name, format!("{value}")));
    }

    fn maybe(&mut self, name: &'static str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    /// The value where it is short; else its start here and all of it in `about`.
    fn text(&mut self, name: &'static str, value: &str) {
        if value.len() > LONGEST_FIELD {
            self.about.long.insert(name.to_owned(), value.to_owned());
        }
        self.put(name, cut(value, LONGEST_FIELD));
    }
}

/// Writes the fields; what is too long for one goes to `about`.
pub(super) fn encode(tracker: &Tracker, about: &mut About) -> Vec<(&'static str, String)> {
    let mut to = Writer { fields: Vec::with_capacity(FIELDS.len()), about };
    to.put("shop", &tracker.shop);
    to.text("number", &tracker.number);
    to.put("carrier", &tracker.carrier);
    to.put("account", &tracker.account);
    write_state(&mut to, tracker);
    write_registration(&mut to, tracker);
    write_facts(&mut to, tracker);
    write_polling(&mut to, &tracker.poll);
    to.put("registered_at", tracker.registered_at);
    to.maybe("floor", tracker.floor);
    to.put("revision", tracker.revision);
    to.put("sequence", tracker.sequence);
    to.fields
}

fn write_state(to: &mut Writer<'_>, tracker: &Tracker) {
    to.put("status", tracker.substatus.status());
    if tracker.substatus.name() != tracker.substatus.status().name() {
        to.put("substatus", tracker.substatus);
    }
    match tracker.substatus.who_must_act(tracker.registration.direction) {
        WhoMustAct::Nobody => {}
        WhoMustAct::Recipient => to.put("who_must_act", "recipient"),
        WhoMustAct::Shop => to.put("who_must_act", "shop"),
        WhoMustAct::Carrier => to.put("who_must_act", "carrier"),
    }
    to.put("status_since", tracker.status_since);
    to.maybe("first_seen_at", tracker.first_seen_at);
    to.maybe("ended_at", tracker.ended_at);
    if let Some(event) = tracker.events.iter().rev().find(|event| event.retracted_at.is_none()) {
        let at = if event.time.local.is_none() { event.time.raw.clone() } else { String::new() };
        to.put("last_event_at", event.time.moment().map_or_else(|| cut(&at, LONGEST_FIELD), |at| at.to_string()));
        let words = event.description.as_deref().unwrap_or(&event.code);
        to.put("last_event", cut(words, 60));
    }
    if !tracker.conditions.is_empty() {
        let names: Vec<&str> = tracker.conditions.iter().map(|open| open.kind.name()).collect();
        to.put("open", cut(&names.join(","), LONGEST_FIELD));
    }
}

fn write_registration(to: &mut Writer<'_>, tracker: &Tracker) {
    let registration = &tracker.registration;
    if let Some(first) = registration.orders.first() {
        to.put("order", cut(&first.reference, LONGEST_FIELD));
    }
    if let Some(customer) = &registration.customer_ref {
        to.text("customer", customer);
    }
    if let Some(promise) = &registration.promised {
        to.put("promised", promise.to);
    }
    if let Some(text) = registration.destination.as_ref().and_then(destination_text) {
        to.put("destination", text);
    }
}

fn write_facts(to: &mut Writer<'_>, tracker: &Tracker) {
    let facts = &tracker.facts;
    to.maybe("origin", facts.origin.as_ref().and_then(place_field));
    to.maybe("goes_to", facts.destination.as_ref().and_then(place_field));
    to.maybe("pieces", facts.pieces.as_ref().and_then(pieces_text));
    to.maybe("weight", facts.weight.as_ref().and_then(weight_text));
    to.maybe("page", facts.public_url.as_ref().and_then(|url| page_text(url, &tracker.number)));
    to.maybe("headline", tracker.headline.as_ref().and_then(headline_field));
    if let Some(service) = &facts.service {
        to.text("service", service);
    }
    to.maybe("eta_from", facts.eta_from);
    to.maybe("eta_to", facts.eta_to);
    to.maybe("delivered_at", facts.delivered_at);
    // It usually came with the first answer.
    let eta_first = |(seen, eta)| match tracker.first_seen_at {
        Some(first) if first == seen => format!("{eta}"),
        _ => format!("{eta} seen {seen}"),
    };
    to.maybe("eta_first", tracker.eta_original.map(eta_first));
}

fn write_polling(to: &mut Writer<'_>, poll: &PollState) {
    to.maybe("next_poll_at", poll.next_at);
    to.maybe("last_poll_at", poll.last_at);
    if poll.last_ok_at != poll.last_at || (poll.last_at.is_some() && poll.outcome != Some(PollOutcome::Ok)) {
        to.put("last_ok_at", poll.last_ok_at.map_or_else(|| "never".to_owned(), |at| at.to_string()));
    }
    // Polled and nothing said: it went well.
    match (poll.last_at, poll.outcome) {
        (Some(_), Some(PollOutcome::Ok)) | (None, None) => {}
        (_, outcome) => to.put("outcome", outcome.map_or("none", PollOutcome::name)),
    }
    if poll.failures > 0 {
        to.put("failures", poll.failures);
    }
    if poll.digest != 0 || poll.paused {
        let paused = if poll.paused { " paused" } else { "" };
        // A signed integer, which Redis packs into eight bytes.
        to.put("digest", format!("{}{paused}", poll.digest.cast_signed()));
    }
    if poll.bytes != 0 {
        to.put("bytes", poll.bytes.cast_signed());
    }
}

struct Reader<'a> {
    fields: &'a HashMap<String, String>,
    about: &'a About,
}

impl Reader<'_> {
    fn text(&self, name: &str) -> Option<String> {
        self.about.long.get(name).or_else(|| self.fields.get(name)).cloned()
    }

    fn maybe<T: FromStr<Err: ToString>>(&self, name: &str) -> Result<Option<T>, String> {
        let read = |text: &String| text.parse().map_err(|error: T::Err| format!("{name}: {}", error.to_string()));
        self.fields.get(name).map(read).transpose()
    }

    fn must<T: FromStr<Err: ToString>>(&self, name: &str) -> Result<T, String> {
        self.maybe(name)?.ok_or_else(|| format!("{name} is missing"))
    }
}

/// Reads what [`encode`] wrote; what lives in `about` alone is poured in afterwards.
pub(super) fn decode(id: &TrackerId, fields: &HashMap<String, String>, about: &About) -> Result<Tracker, String> {
    let from = Reader { fields, about };
    let number = from.text("number").ok_or("number is missing")?;
    let registered_at: Timestamp = from.must("registered_at")?;
    let mut tracker = Tracker::new(
        id.clone(),
        from.must("shop")?,
        from.must("carrier")?,
        number,
        from.must("account")?,
        about.registration()?,
        registered_at,
    );
    tracker.revision = from.must("revision")?;
    tracker.sequence = from.must("sequence")?;
    tracker.substatus = from.maybe("substatus")?.map_or_else(|| from.must::<Substatus>("status"), Ok)?;
    tracker.status_since = from.must("status_since")?;
    tracker.first_seen_at = from.maybe("first_seen_at")?;
    tracker.ended_at = from.maybe("ended_at")?;
    tracker.floor = from.maybe("floor")?;
    tracker.poll = read_polling(&from)?;
    read_facts(&from, &mut tracker)?;
    read_registration(&from, &mut tracker)?;
    Ok(tracker)
}

fn read_facts(from: &Reader<'_>, tracker: &mut Tracker) -> Result<(), String> {
    let mut facts: Facts = from.about.facts()?;
    let field = |name: &str| from.fields.get(name).map(String::as_str);
    facts.service = from.text("service");
    facts.eta_from = from.maybe("eta_from")?;
    facts.eta_to = from.maybe("eta_to")?;
    facts.delivered_at = from.maybe("delivered_at")?;
    facts.origin = field("origin").map(place_from).or(facts.origin);
    facts.destination = field("goes_to").map(place_from).or(facts.destination);
    facts.pieces = field("pieces").map(pieces_from).transpose()?.or(facts.pieces);
    facts.weight = field("weight").map(weight_from).transpose()?.or(facts.weight);
    facts.public_url = field("page").map(|text| page_from(text, &tracker.number)).or(facts.public_url);
    tracker.facts = facts;
    tracker.headline =
        from.maybe("headline")?.map(|substatus| Headline { substatus, time: None, authoritative: false });
    if let Some(text) = field("eta_first") {
        tracker.eta_original = Some(read_eta_first(text, tracker.first_seen_at)?);
    }
    Ok(())
}

fn read_registration(from: &Reader<'_>, tracker: &mut Tracker) -> Result<(), String> {
    let registration = &mut tracker.registration;
    if registration.orders.is_empty()
        && let Some(reference) = from.text("order")
    {
        registration.orders = vec![OrderRef { reference, placed_at: None }];
    }
    registration.customer_ref = from.text("customer");
    if registration.promised.is_none()
        && let Some(to) = from.maybe::<Moment>("promised")?
    {
        registration.promised = Some(Promise { from: None, to, zone: None });
    }
    if registration.destination.is_none() {
        registration.destination = from.text("destination").map(|text| destination_from(&text));
    }
    Ok(())
}

fn read_eta_first(text: &str, first_seen_at: Option<Timestamp>) -> Result<(Timestamp, Moment), String> {
    let (eta, seen) = match text.split_once(" seen ") {
        Some((eta, seen)) => (eta, seen.parse().map_err(|error: jiff::Error| format!("eta_first: {error}"))?),
        None => (text, first_seen_at.ok_or_else(|| format!("eta_first: {text:?} was seen by no answer"))?),
    };
    Ok((seen, eta.parse()?))
}

fn read_polling(from: &Reader<'_>) -> Result<PollState, String> {
    let last_at = from.maybe("last_poll_at")?;
    let outcome = match from.fields.get("outcome").map(String::as_str) {
        None => last_at.map(|_| PollOutcome::Ok),
        Some("none") => None,
        Some(name) => Some(outcome_from(name)?),
    };
    let (digest, paused) = match from.fields.get("digest") {
        Some(text) => {
            let (digest, rest) = text.split_once(' ').unwrap_or((text, ""));
            let digest: i64 = digest.parse().map_err(|error| format!("digest: {error}"))?;
            (digest.cast_unsigned(), rest == "paused")
        }
        None => (0, false),
    };
    Ok(PollState {
        next_at: from.maybe("next_poll_at")?,
        last_at,
        last_ok_at: match from.fields.get("last_ok_at").map(String::as_str) {
            None => last_at,
            Some("never") => None,
            Some(_) => from.maybe("last_ok_at")?,
        },
        outcome,
        failures: from.maybe("failures")?.unwrap_or(0),
        digest,
        bytes: from.maybe::<i64>("bytes")?.map_or(0, i64::cast_unsigned),
        paused,
    })
}

fn outcome_from(name: &str) -> Result<PollOutcome, String> {
    use PollOutcome::{AuthFailed, CarrierFault, Drifted, InvalidNumber, NotFound, Ok as Fine, Throttled};
    [Fine, NotFound, InvalidNumber, AuthFailed, Throttled, CarrierFault, Drifted]
        .into_iter()
        .find(|outcome| outcome.name() == name)
        .ok_or_else(|| format!("outcome: {name:?}"))
}

/// The start of a text, cut where a character ends.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text[..end].to_owned()
}
