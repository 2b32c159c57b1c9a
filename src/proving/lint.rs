//! What a definition can be blamed for although its samples hold: codes that nobody mapped, rules that nothing hits,
//! rules that everything would hit.

use std::collections::BTreeSet;

use serde_json::Value;

use super::reads::Reads;
use super::report::{Kind, Report};
use super::sample::{Sample, printed};
use crate::carrier::answer::Hit;
use crate::carrier::definition::answer::OutcomeRule;
use crate::carrier::definition::answer::codes::{CodeEntry, CodeLookup, LookupBody, LookupOf};
use crate::carrier::definition::{AuthKind, Definition};
use crate::carrier::expr::{Condition, Scope, watch};
use crate::carrier::{Carrier, Normalized, document};

/// Kinds of samples that every carrier has, by the start of their names.
const KINDS: &[&str] = &[
    "moving",
    "delivered",
    "unknown_number",
    "bad_number",
    "auth_failed",
    "throttled",
    "carrier_fault",
    "malformed",
    "other_shape",
];

/// What `wismo carriers new` marks its examples with.
const MARK: &str = "FILL IN";

/// What the samples of a carrier touched.
#[derive(Debug, Default)]
pub struct Touched {
    outcome: BTreeSet<usize>,
    item_outcome: BTreeSet<usize>,
    codes: BTreeSet<(usize, usize)>,
    reads: Reads,
}

impl Touched {
    /// Runs one sample: notes what it touches, tells what is wrong with it, and gives what came out.
    pub fn run(&mut self, sample: &Sample, carrier: &Carrier, report: &mut Report) -> Value {
        let (read, failures) = watch::failures(|| sample.run(carrier, true));
        self.note(&read);
        self.reads.note(&read);
        let found = printed(carrier, &read.answer);
        unmapped(sample, &found, report);
        // An answer of no known shape makes expressions stumble, and may.
        if found["outcome"] != "drifted" {
            for failure in failures {
                report.warning(Kind::Expression, &sample.name, None, &format!("an expression fails: {failure}"));
            }
        }
        found
    }

    fn note(&mut self, read: &Normalized) {
        for line in &read.explain {
            if let Some(Hit { lookup, entry, .. }) = &line.hit {
                self.codes.insert((*lookup, *entry));
            }
            let Some(rule) = line.source.as_deref().filter(|_| line.field.ends_with("outcome")) else { continue };
            for (list, touched) in [("outcome[", &mut self.outcome), ("item_outcome[", &mut self.item_outcome)] {
                let at: Option<usize> = rule.strip_prefix(list).and_then(|rest| rest.strip_suffix(']')?.parse().ok());
                touched.extend(at);
            }
        }
    }

    /// Tells every rule that no sample hits.
    pub fn untouched(&self, definition: &Definition, origins: &[String], text: &str, report: &mut Report) {
        self.reads.tell(report);
        let told = "no sample hits this rule";
        for (list, rules, touched) in [
            ("outcome", &definition.outcome, &self.outcome),
            ("item_outcome", &definition.item_outcome, &self.item_outcome),
        ] {
            for at in (0..rules.len()).filter(|at| !touched.contains(at)) {
                report.warning(Kind::Untouched, "carrier.toml", Some(format!("{list}[{at}]")), told);
            }
        }
        for (at, lookup) in definition.codes.iter().enumerate() {
            let names = entry_names(&lookup.body);
            let missing = names.into_iter().enumerate().filter(|(n, _)| !self.codes.contains(&(at, *n)));
            let origin = |at: usize| origins.get(at).cloned().unwrap_or_else(|| format!("codes[{at}]"));
            let key = origin(at);
            let by_an_earlier = |code: &String| answers_first(&definition.codes, at, code);
            let (shadowed, missing): (Vec<String>, Vec<String>) =
                missing.map(|(_, name)| name).partition(|code| by_an_earlier(code).is_some());
            for code in shadowed {
                let first = by_an_earlier(&code).map(origin).unwrap_or_default();
                let place = first.split(' ').next().unwrap_or_default();
                let line = document::line_of(text, place).map_or_else(String::new, |line| format!(" (line {line})"));
                let message = format!("{first}{line} answers {code} first: what stands here is never asked");
                report.warning(Kind::Untouched, "carrier.toml", Some(key.clone()), &message);
            }
            if !missing.is_empty() {
                report.warning(
                    Kind::Untouched,
                    "carrier.toml",
                    Some(key),
                    &format!("no sample has {}", missing.join(", ")),
                );
            }
        }
    }
}

/// The earlier look-up of the same value that answers this code whatever the scan says besides.
fn answers_first(lookups: &[CodeLookup], at: usize, code: &str) -> Option<usize> {
    let on = |lookup: &CodeLookup| lookup.on.as_ref().map(ToString::to_string);
    let of = |entry: &CodeEntry| entry.otherwise.is_some();
    let this = lookups.get(at)?;
    lookups[..at].iter().position(|earlier| {
        let answers = match (&earlier.body, &this.body) {
            (LookupBody::Table(table), LookupBody::Table(_)) => table.get(code).is_some_and(of),
            (LookupBody::Integers(table), LookupBody::Integers(_)) => {
                code.parse().ok().and_then(|code: i64| table.get(&code)).is_some_and(of)
            }
            _ => false,
        };
        answers
            && earlier.when.is_none()
            && on(earlier) == on(this)
            && (earlier.of == this.of || earlier.of == LookupOf::Both)
    })
}

/// Codes, or the first words of rules.
fn entry_names(body: &LookupBody) -> Vec<String> {
    match body {
        LookupBody::Table(table) => table.keys().cloned().collect(),
        LookupBody::Integers(table) => table.keys().map(ToString::to_string).collect(),
        LookupBody::Text(rules) => {
            let words = |all: &[String]| all.first().map(|word| format!("{word:?}"));
            rules.all().map(|rule| words(&rule.contains).or_else(|| words(&rule.all)).unwrap_or_default()).collect()
        }
        LookupBody::Include(_) => Vec::new(),
    }
}

/// Codes that no table knows, unless the expectation itself says so.
fn unmapped(sample: &Sample, found: &Value, report: &mut Report) {
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let expected = Value::Object(sample.expected.call.clone());
    let expected = list(&expected, "parcels");
    for (at, parcel) in list(found, "parcels").iter().enumerate() {
        let known = expected.get(at).map(|parcel| list(parcel, "events")).unwrap_or_default();
        for (place, event) in list(parcel, "events").iter().enumerate() {
            let meant = known.get(place).is_some_and(|event| event["effect"] == "unmapped");
            if event["effect"] != "unmapped" || meant {
                continue;
            }
            let key = format!("parcels[{at}].events[{place}]");
            let what = format!("the code {} ({}) is unmapped", event["code"], event["description"]);
            let message = format!("{what}: map it, or expect \"effect\": \"unmapped\" if nobody knows it");
            report.problem_at(Kind::Unmapped, &sample.name, key, &message);
        }
    }
}

/// What the definition itself can be blamed for.
pub fn definition(definition: &Definition, samples: &[String], report: &mut Report) {
    kinds(definition, samples, report);
    for (at, format) in definition.numbers.iter().enumerate() {
        let key = format!("numbers[{at}]");
        if format.examples.is_empty() {
            let message = format!(
                "{:?} has no examples: numbers that match, their check digits made by other means",
                format.name
            );
            report.warning(Kind::Numbers, "carrier.toml", Some(key.clone()), &message);
        }
        if TEXTS.iter().all(|text| format.regex.is_match(text)) {
            let message = format!("{:?} matches whatever is written: say what its numbers look like", format.name);
            report.problem_at(Kind::CatchAll, "carrier.toml", key, &message);
        }
    }
    for (list, rules) in [("outcome", &definition.outcome), ("item_outcome", &definition.item_outcome)] {
        for (at, rule) in rules.iter().enumerate() {
            if let Some(message) = matches_everything(rule) {
                report.problem_at(Kind::CatchAll, "carrier.toml", format!("{list}[{at}]"), &message);
            }
        }
    }
    for (at, lookup) in definition.codes.iter().enumerate() {
        for message in code_catch_alls(lookup) {
            report.problem_at(Kind::CatchAll, "carrier.toml", format!("codes[{at}]"), &message);
        }
    }
}

/// What a skeleton left to be written.
pub fn unfinished(text: &str, report: &mut Report) {
    for (line, _) in (1..).zip(text.lines()).filter(|(_, line)| line.contains(MARK)) {
        report.at_line(Kind::Unfinished, "carrier.toml", line, format!("still to be written: {MARK}"));
    }
}

fn kinds(definition: &Definition, samples: &[String], report: &mut Report) {
    let is = |kind: &str| samples.iter().any(|name| name.rsplit('/').next().unwrap_or_default().starts_with(kind));
    let asks = |kind: &str| kind != "auth_failed" || definition.auth.kind != AuthKind::None;
    let missing: Vec<&str> = KINDS.iter().copied().filter(|kind| asks(kind) && !is(kind)).collect();
    if !missing.is_empty() {
        let message = format!("no sample whose name starts with {}", missing.join(", "));
        report.warning(Kind::Kinds, "samples", None, &message);
    }
}

/// Texts of all sorts: what matches each of them looks at none.
const TEXTS: &[&str] = &["1Z", "0123456789", "{}", "<a>b</a>", "not found", "é", "[null]", "AB 12-3"];

fn matches_everything(rule: &OutcomeRule) -> Option<String> {
    if rule.when.as_ref().is_some_and(Condition::is_constant) {
        return Some("its `when` looks at nothing of the answer: it holds always or never".to_owned());
    }
    let by_text = rule.text.as_ref().is_some_and(|pattern| TEXTS.iter().all(|text| pattern.0.is_match(text)));
    let by_http =
        !rule.http.is_empty() && (100..600).all(|status| rule.http.iter().any(|range| range.contains(status)));
    let asks_more = rule.when.is_some() || rule.empty.is_some() || rule.unparsable.is_some();
    let all = match (by_text, by_http) {
        (true, _) => Some("its pattern matches any text"),
        (_, true) if !asks_more && rule.text.is_none() => Some("it holds for every HTTP status"),
        _ => None,
    };
    all.map(|why| format!("{why}: a rule for everything hides what nobody has thought of"))
}

fn code_catch_alls(lookup: &CodeLookup) -> Vec<String> {
    let mut told = Vec::new();
    if lookup.on.as_ref().is_some_and(|on| on.is_constant() && on.text(&Scope::new()).is_some()) {
        told.push("`on` gives the same for every event: an unknown code would move the status".to_owned());
    }
    if lookup.when.as_ref().is_some_and(Condition::is_constant) {
        told.push("its `when` looks at nothing of the answer: it holds always or never".to_owned());
    }
    if let LookupBody::Text(rules) = &lookup.body {
        let short = |word: &&String| word.chars().count() < 2 && word.is_ascii();
        for rule in rules.all().filter(|rule| rule.all.iter().all(|word| short(&word))) {
            let words = rule.contains.iter().chain(rule.all.iter().take(usize::from(rule.contains.is_empty())));
            told.extend(words.filter(short).map(|word| format!("the text {word:?} is in nearly every sentence")));
        }
    }
    told
}
