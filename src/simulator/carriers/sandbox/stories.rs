//! The stories that sandbox numbers tell, and what is known of a life at a moment.

use std::time::Duration;

use jiff::Zoned;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::wording::{place, taken_in_by, words};
use crate::simulator::ledger::{Shown, Trace};
use crate::simulator::time::{Moment, SimClock};
use crate::simulator::world::share;

/// The life that most stories share in part.
const PLAIN: &str = "LABEL@0 PICKED_UP@0.3 HUB_IN@0.6 HUB_OUT@0.9 DEPOT@1.6 SMS@1.8 ON_VAN@1.9 DELIVERED@2.2";
const SHOP: &str = "LABEL@0 DROPPED_OFF@0.3 HUB_IN@0.6 HUB_OUT@0.9";
const STALLS: &str = "LABEL@0 PICKED_UP@0.3 HUB_IN@0.6";
const BORDER: &str = "LABEL@0 PICKED_UP@0.3 HUB_OUT@0.9 CUSTOMS_IN@1.2";

/// A story: the part of a shared life up to a day, what follows, and how the estimate moves (from day, to day).
#[derive(Debug)]
pub struct Story {
    /// Its name in the number.
    pub name: &'static str,
    shared: (&'static str, f64),
    then: &'static str,
    estimates: &'static [(f64, f64)],
}

const USUAL: &[(f64, f64)] = &[(0.0, 2.6)];

const fn story(name: &'static str, shared: (&'static str, f64), then: &'static str) -> Story {
    Story { name, shared, then, estimates: USUAL }
}

const fn moved(
    name: &'static str,
    shared: (&'static str, f64),
    then: &'static str,
    estimates: &'static [(f64, f64)],
) -> Story {
    Story { name, shared, then, estimates }
}

/// Every story of the protocol.
pub const STORIES: &[Story] = &[
    story("DELIVERED", (PLAIN, 9.0), ""),
    story("SIGNED", (PLAIN, 2.0), "SIGNED@2.2"),
    story("MAILBOX", (PLAIN, 2.0), "MAILBOX@2.2"),
    story("SAFE-PLACE", (PLAIN, 2.0), "SAFE_PLACE@2.2"),
    story("NEIGHBOUR", (PLAIN, 2.0), "NEIGHBOUR@2.2"),
    story("LATE", (STALLS, 9.0), "HUB_OUT@3 DEPOT@4 ON_VAN@4.4 DELIVERED@4.6"),
    moved(
        "DELAYED",
        (STALLS, 9.0),
        "DELAY@1.5 HUB_OUT@3 DEPOT@3.6 ON_VAN@3.9 DELIVERED@4.2",
        &[(0.0, 2.6), (1.5, 4.6)],
    ),
    moved("STORM", (STALLS, 9.0), "STORM@1.5 HUB_OUT@3 DEPOT@3.6 ON_VAN@3.9 DELIVERED@4.2", &[(0.0, 2.6), (1.5, 4.6)]),
    moved("ETA", (PLAIN, 9.0), "", &[(0.0, 2.6), (0.6, 3.4), (0.9, 2.6)]),
    story("STALLED", (STALLS, 9.0), ""),
    story("STALLED-THEN-MOVES", (STALLS, 9.0), "HUB_OUT@8 DEPOT@8.6 ON_VAN@8.9 DELIVERED@9.2"),
    story("NOT-HANDED-OVER", ("LABEL@0", 9.0), ""),
    story(
        "NOT-HANDED-OVER-THEN-MOVES",
        ("LABEL@0", 9.0),
        "PICKED_UP@5 HUB_IN@5.3 HUB_OUT@5.6 DEPOT@6.3 ON_VAN@6.6 DELIVERED@6.9",
    ),
    story("PICKUP", (SHOP, 9.0), "AT_SHOP@1.9 SMS@1.9 COLLECTED@3"),
    story("LOCKER", (SHOP, 9.0), "AT_LOCKER@1.9 SMS@1.9 COLLECTED@3"),
    story("UNCLAIMED", (SHOP, 9.0), "AT_SHOP@1.9 REMINDER@4 UNCLAIMED@7 RETURNING@7.5 RETURNED@9"),
    story("ATTEMPT", (PLAIN, 1.9), "NO_ANSWER@2.1 DEPOT@2.4 ON_VAN@2.9 DELIVERED@3.2"),
    story("ATTEMPTS", (PLAIN, 1.9), "NO_ANSWER@2.1 DEPOT@2.4 ON_VAN@2.9 NO_ANSWER@3.1 AT_POST_OFFICE@3.5 COLLECTED@5"),
    story("ADDRESS", (PLAIN, 1.6), "BAD_ADDRESS@1.8 ADDRESS_FIXED@2.5 ON_VAN@2.9 DELIVERED@3.2"),
    story("REFUSED", (PLAIN, 1.9), "REFUSED@2.1 RETURNING@2.6 RETURNED@4"),
    story("RETURNED", (PLAIN, 1.9), "NO_ANSWER@2.1 RETURNING@2.6 RETURNED@4"),
    story("RETURN-AFTER-DELIVERY", (PLAIN, 9.0), "RETURNING@4 RETURNED@6"),
    story("REVOKED", (PLAIN, 9.0), "DELIVERY_REVOKED@2.5 ON_VAN@2.9 DELIVERED@3.2"),
    story("EXCEPTION", (PLAIN, 0.9), "ON_HOLD@1.5 RELEASED@2.5 DEPOT@2.8 ON_VAN@3.1 DELIVERED@3.4"),
    story("DAMAGED", (PLAIN, 1.6), "DAMAGED@1.8"),
    story("LOST", (PLAIN, 0.9), "ON_HOLD@2 LOST@4"),
    moved(
        "MISSORTED",
        (PLAIN, 0.9),
        "WRONG_HUB@1.2 HUB_OUT@1.6 DEPOT@2.6 ON_VAN@2.9 DELIVERED@3.2",
        &[(0.0, 2.6), (1.2, 3.6)],
    ),
    moved("CUSTOMS", (BORDER, 9.0), "HELD_CUSTOMS@1.5 CUSTOMS_OUT@3 DEPOT@3.6 ON_VAN@3.9 DELIVERED@4.2", &[(0.0, 4.6)]),
    moved(
        "DUTIES",
        (BORDER, 9.0),
        "DUTIES_DUE@1.5 DUTIES_PAID@2.5 CUSTOMS_OUT@3 DEPOT@3.6 ON_VAN@3.9 DELIVERED@4.2",
        &[(0.0, 4.6)],
    ),
    story("PARTNER", (PLAIN, 0.9), "HANDED_OVER@1.2 DEPOT@1.6 ON_VAN@1.9 DELIVERED@2.2"),
    story("CANCELLED", ("LABEL@0", 9.0), "CANCELLED@1"),
    story("UNKNOWN", ("", 9.0), ""),
    moved("UNKNOWN-THEN-FOUND", (PLAIN, 9.0), "", &[(0.0, 2.6)]),
    story("NEW-CODE", (PLAIN, 0.9), "TELEPORTED@1.2 DEPOT@1.6 SMS@1.8 ON_VAN@1.9 DELIVERED@2.2"),
    story("OLD-SCAN", (PLAIN, 9.0), ""),
    story("RETRACTED", (PLAIN, 9.0), ""),
    story("PLAIN-TIMES", (PLAIN, 9.0), ""),
    story("BAD-NUMBER", ("", 9.0), ""),
    story("FAULT", (PLAIN, 9.0), ""),
];

/// The story that a number (in upper case) names.
pub fn story_of(number: &str) -> Option<&'static Story> {
    let rest = number.strip_prefix("SANDBOX-")?;
    let named =
        |story: &&Story| rest.strip_prefix(story.name).is_some_and(|more| more.is_empty() || more.starts_with('-'));
    STORIES.iter().filter(named).max_by_key(|story| story.name.len())
}

/// One life of one number.
pub(super) struct Life<'a> {
    pub number: &'a str,
    pub story: &'static Story,
    pub began: Moment,
    pub day: Duration,
    pub clock: SimClock,
}

/// What can be told of a life.
pub(super) enum Seen {
    Nothing,
    Bad,
    Fault,
    Parcel { body: Box<Value>, scans: Vec<Shown> },
}

#[derive(Debug, Clone, Copy)]
struct Event {
    code: &'static str,
    day: f64,
    visible: f64,
}

impl Life<'_> {
    fn is(&self, name: &str) -> bool {
        self.story.name == name
    }

    /// What is told at a moment.
    pub fn at(&self, now: Moment) -> Seen {
        let today = now.since(self.began).as_secs_f64() / self.day.as_secs_f64().max(1e-6);
        match self.story.name {
            "UNKNOWN" => return Seen::Nothing,
            "UNKNOWN-THEN-FOUND" if today < 1.0 => return Seen::Nothing,
            "BAD-NUMBER" => return Seen::Bad,
            "FAULT" if today < 1.0 => return Seen::Fault,
            _ => {}
        }
        let events: Vec<Event> = self.events().into_iter().filter(|event| self.told(*event, today)).collect();
        let scans = events.iter().map(|event| self.shown(*event)).collect();
        Seen::Parcel { body: Box::new(self.body(&events, today)), scans }
    }

    fn shift(&self) -> f64 {
        if self.is("UNKNOWN-THEN-FOUND") { 1.0 } else { 0.0 }
    }

    fn events(&self) -> Vec<Event> {
        let (shared, until) = self.story.shared;
        let of_shared = parsed(shared).filter(|(_, day)| *day <= until);
        let event = |(code, day): (&'static str, f64)| {
            let day = day + self.shift();
            let visible = if self.is("OLD-SCAN") && code == "HUB_OUT" { 3.0 } else { day };
            Event { code, day, visible }
        };
        of_shared.chain(parsed(self.story.then)).map(event).collect()
    }

    fn told(&self, event: Event, today: f64) -> bool {
        let retracted = self.is("RETRACTED") && event.code == "HUB_OUT" && today >= 1.6;
        event.visible <= today && !retracted
    }

    fn moment(&self, day: f64) -> Moment {
        self.began.plus(share(self.day, day))
    }

    fn time(&self, day: f64) -> Zoned {
        self.clock.wall(self.moment(day)).to_zoned(TimeZone::get("Europe/Paris").unwrap_or(TimeZone::UTC))
    }

    fn iso(&self, day: f64) -> String {
        self.time(day).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    fn written(&self, event: Event) -> String {
        match (self.is("PLAIN-TIMES"), event.code) {
            (true, "PICKED_UP") => self.time(event.day).strftime("%Y-%m-%d").to_string(),
            (true, _) => self.time(event.day).strftime("%Y-%m-%dT%H:%M:%S").to_string(),
            (false, _) => self.iso(event.day),
        }
    }

    fn shown(&self, event: Event) -> Shown {
        let (codes, times) = (vec![event.code.to_owned()], vec![self.written(event)]);
        let place = place(event.code).1.to_owned();
        let trace = Trace { codes, times, text: words(event.code).to_owned(), place };
        Shown { number: self.number.to_owned(), visible: self.moment(event.visible), trace }
    }

    fn body(&self, events: &[Event], today: f64) -> Value {
        let seen = |code: &str| events.iter().any(|event| event.code == code);
        let abroad = matches!(self.story.name, "CUSTOMS" | "DUTIES");
        let destination = if abroad {
            json!({ "city": "Genève", "postcode": "1201", "country": "CH" })
        } else {
            json!({ "city": "Nantes", "postcode": "44000", "country": "FR" })
        };
        let delivered = delivery(events);
        let attempts = events.iter().filter(|event| event.code == "NO_ANSWER").count();
        json!({
            "number": self.number,
            "found": true,
            "service": "Sandbox Standard",
            "eta": self.estimate(seen("CANCELLED"), today),
            "delivered": delivered.map(|event| json!({ "at": self.written(event), "to": taken_in_by(event.code) })),
            "attempts": attempts,
            "weight": { "value": "1.25", "unit": "kg" },
            "pieces": { "total": 1, "delivered": u8::from(delivered.is_some()) },
            "origin": { "city": "Lyon", "postcode": "69007", "country": "FR" },
            "destination": destination,
            "pickup": self.pickup(events),
            "partner": seen("HANDED_OVER").then(|| json!({ "carrier": "laposte", "number": "6A10020030045" })),
            "charges": (seen("DUTIES_DUE") && !seen("DUTIES_PAID"))
                .then(|| json!({ "kind": "duties", "amount": "23.40", "currency": "CHF" })),
            "proof": self.proof(delivered),
            "url": null,
            "events": events.iter().map(|event| self.row(*event)).collect::<Vec<_>>(),
        })
    }

    fn row(&self, event: Event) -> Value {
        let (site, city, postcode, country) = place(event.code);
        json!({ "code": event.code, "text": words(event.code), "at": self.written(event), "site": site, "city": city,
                "postcode": postcode, "country": country })
    }

    fn estimate(&self, cancelled: bool, today: f64) -> Value {
        let today = today - self.shift();
        let Some((_, day)) = self.story.estimates.iter().rev().find(|(from, _)| *from <= today).filter(|_| !cancelled)
        else {
            return Value::Null;
        };
        let day = day + self.shift();
        if self.is("PLAIN-TIMES") {
            return json!({ "from": self.time(day).strftime("%Y-%m-%d").to_string(), "to": null });
        }
        json!({ "from": self.iso(day - 0.4), "to": self.iso(day) })
    }

    fn pickup(&self, events: &[Event]) -> Value {
        let waits = |event: &&Event| matches!(event.code, "AT_SHOP" | "AT_LOCKER" | "AT_POST_OFFICE");
        let Some(event) = events.iter().rev().find(waits) else { return Value::Null };
        let (kind, id, until) = match event.code {
            "AT_SHOP" => ("shop", "P-0042", 9.0),
            "AT_LOCKER" => ("locker", "L-0007", 9.0),
            _ => ("post_office", "B-0100", 10.0),
        };
        let (site, city, postcode, country) = place(event.code);
        json!({ "type": kind, "id": id, "name": site, "until": self.iso(until), "city": city, "postcode": postcode,
                "country": country })
    }

    fn proof(&self, delivered: Option<Event>) -> Value {
        let kind = match delivered.map(|event| event.code) {
            Some("SIGNED") => "signature",
            Some("SAFE_PLACE") => "photo",
            _ => return json!([]),
        };
        json!([{ "kind": kind, "url": format!("https://sandbox.invalid/proof/{}", self.number) }])
    }
}

fn parsed(script: &'static str) -> impl Iterator<Item = (&'static str, f64)> {
    script.split_whitespace().filter_map(|word| {
        let (code, day) = word.split_once('@')?;
        Some((code, day.parse().ok()?))
    })
}

/// The scan with which it was handed over, unless that was taken back.
fn delivery(events: &[Event]) -> Option<Event> {
    let hand_over = |event: &Event| taken_in_by(event.code).is_some();
    let last = events.iter().rposition(hand_over)?;
    let revoked = events[last..].iter().any(|event| event.code == "DELIVERY_REVOKED");
    (!revoked).then_some(events[last])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_wins_and_a_name_needs_its_end() {
        let name = |number: &str| story_of(number).map(|story| story.name);
        assert_eq!(name("SANDBOX-DELIVERED"), Some("DELIVERED"));
        assert_eq!(name("SANDBOX-STALLED-THEN-MOVES-7"), Some("STALLED-THEN-MOVES"));
        assert_eq!(name("SANDBOX-STALLED-7"), Some("STALLED"));
        assert_eq!(name("SANDBOX-DELIVEREDX"), None);
        assert_eq!(name("1Z12345E0205271688"), None);
    }

    #[tokio::test]
    async fn every_story_has_codes_that_grow_with_time_and_a_delivery_that_can_be_revoked() {
        let clock = SimClock::start();
        let life = |number: &'static str| Life {
            number,
            story: story_of(number).unwrap(),
            began: Moment::default(),
            day: Duration::from_secs(10),
            clock,
        };
        let told = |life: &Life<'_>, day: f64| match life.at(life.moment(day)) {
            Seen::Parcel { body, .. } => *body,
            _ => Value::Null,
        };
        let revoked = life("SANDBOX-REVOKED-1");
        assert_eq!(told(&revoked, 0.0)["events"].as_array().unwrap().len(), 1);
        assert!(told(&revoked, 2.3)["delivered"].is_object());
        assert!(told(&revoked, 2.6)["delivered"].is_null());
        assert!(told(&revoked, 3.3)["delivered"].is_object());
        let old = life("SANDBOX-OLD-SCAN");
        let codes = |body: &Value| {
            body["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(|event| event["code"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert!(!codes(&told(&old, 2.9)).contains(&"HUB_OUT".to_owned()));
        assert_eq!(codes(&told(&old, 3.1))[3], "HUB_OUT");
        let gone = life("SANDBOX-RETRACTED");
        assert!(codes(&told(&gone, 1.0)).contains(&"HUB_OUT".to_owned()));
        assert!(!codes(&told(&gone, 1.7)).contains(&"HUB_OUT".to_owned()));
        assert!(told(&life("SANDBOX-UNKNOWN-THEN-FOUND"), 0.9).is_null());
        assert_eq!(codes(&told(&life("SANDBOX-UNKNOWN-THEN-FOUND"), 1.0)), ["LABEL"]);
        assert!(told(&life("SANDBOX-CANCELLED"), 1.1)["eta"].is_null());
        assert_eq!(told(&life("SANDBOX-DUTIES"), 1.6)["charges"]["currency"], "CHF");
        assert_eq!(told(&life("SANDBOX-ATTEMPTS"), 9.0)["attempts"], 2);
    }
}
