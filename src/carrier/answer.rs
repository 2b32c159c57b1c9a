//! Reads what a carrier sends back: from bytes to one observation for each number that was asked.
//!
//! ```text
//! bytes ─▶ body (charset, JSON or XML) ─▶ outcome of the call ─▶ parcels, matched by number ─▶ outcome of each
//!       ─▶ digest (unchanged?) ─▶ mapping: fields, events, times, codes
//! ```
//! Nothing here fails or panics, whatever the bytes are: what cannot be read is `drifted`.

mod body;
mod carrier;
mod codes;
mod digest;
mod fields;
mod kept;
mod mapping;
mod nodes;
mod outcome;
mod reason;
mod repeat;
mod text;
mod time;
mod trace;
mod xml;
mod zones;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::Value;

use self::body::Body;
use self::mapping::Mapper;
use self::nodes::{Call, is_better, picked, scopes, without};
use self::outcome::{Seen, Verdict, by_http, by_rules};
use self::reason::{reason, rule_name};
use self::trace::Trace;
use super::call::{CallItem, RawAnswer};
use super::definition::Definition;
use super::definition::answer::{AnswerSpec, Format, Missing, OutcomeRule};
use super::expr::{Scope, objects_of};
use crate::model::{Observation, PollOutcome};

pub(super) use self::body::text_of;
pub use self::carrier::normalize;
pub use self::codes::{Hit, Tried, knows};
pub use self::kept::KeptAnswer;
pub use self::outcome::{RetryAfter, retry_after};
pub use self::trace::TraceLine;
pub use super::time_text::{Reading, iso, loose_offset, written};

/// Parcels of one answer that are looked at, and parcels under one number that are mapped: a hostile answer must not
/// keep a daemon busy.
const MAX_NODES: usize = 5_000;
const MAX_SAME_NUMBER: usize = 20;

/// What one answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// How the call ended.
    pub call: PollOutcome,
    /// The carrier's words for the operator.
    pub message: Option<String>,
    /// When the carrier wants to be asked again.
    pub retry_after: Option<RetryAfter>,
    /// One bad number spoilt the call: ask again in halves. Nothing is known of any of the numbers.
    pub split: bool,
    /// The token was refused: drop it and try once more.
    pub token_refused: bool,
    /// Every number that was asked, once each, in the order in which they were asked.
    pub parcels: Vec<ParcelAnswer>,
}

impl Answer {
    /// To a call that succeeded.
    fn of(parcels: Vec<ParcelAnswer>, message: Option<String>) -> Self {
        Self { call: PollOutcome::Ok, message, retry_after: None, split: false, token_refused: false, parcels }
    }
}

/// What one answer says of one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParcelAnswer {
    /// As it was asked.
    pub number: String,
    /// How its poll ended.
    pub outcome: PollOutcome,
    /// The carrier's words for the operator.
    pub message: Option<String>,
    /// The answer says what the newest one said: there is no observation.
    pub unchanged: bool,
    /// What it says, with outcome `ok`, unless unchanged.
    pub observation: Option<Observation>,
    /// Hash of the answer as it came and of the digest that it has, where it is about this parcel alone and says
    /// nothing but `ok`: the next one of the same bytes says the same.
    pub bytes: Option<u64>,
    /// What was read of it, to be read again one day: with an observation, where it was asked for.
    pub kept: Option<Box<KeptAnswer>>,
}

impl ParcelAnswer {
    fn without(number: &str, outcome: PollOutcome, message: Option<String>) -> Self {
        Self {
            number: number.to_owned(),
            outcome,
            message,
            unchanged: false,
            observation: None,
            bytes: None,
            kept: None,
        }
    }
}

/// The answer of a token call as JSON, and what the rules say of it, where one holds. Text that is not of the
/// format is handed on as text: some logins answer with the bare token.
pub(super) fn read_token_answer(
    format: Format,
    rules: &[OutcomeRule],
    response: &RawAnswer,
) -> (Value, Option<(PollOutcome, Option<String>)>) {
    let text = text_of(&response.body, response.header("content-type"));
    let body = body::read(&AnswerSpec { format, ..AnswerSpec::default() }, &text);
    let root = match &body {
        Body::Read(value) => value.clone(),
        _ => Value::from(text.trim()),
    };
    let http = outcome::http_value(response, true);
    let scope = Scope::new().with("root", &root).with("http", &http).focus(&root);
    let all = || Cow::Borrowed(&*text);
    let seen = Seen { status: response.status, body: &body, text: &all, scope: &scope };
    let verdict = by_rules(rules, &seen).map(|verdict| (verdict.outcome, verdict.message));
    (root, verdict)
}

/// The half of a carrier that reads answers.
#[derive(Clone, Copy)]
pub struct AnswerReader<'a> {
    /// The carrier's definition.
    pub definition: &'a Definition,
    /// Hash of the definition: another one reads the same bytes anew.
    pub version: u64,
    /// The definition looks at headers, or only at the status and the body.
    pub reads_headers: bool,
    /// The variables of the account's environment.
    pub env: &'a Value,
    /// The carrier's form of a number; nothing when it is none of its numbers.
    pub normalise: &'a dyn Fn(&str) -> Option<String>,
    /// The carrier's page for the public, for answers that name none.
    pub public_url: &'a dyn Fn(&CallItem) -> Option<String>,
}

/// What `wismo normalize` prints is made of this.
#[derive(Debug, Clone)]
pub struct Normalized {
    /// The answer as the daemon would read it.
    pub answer: Answer,
    /// Why the call is not `ok`: which rule says so, and where the body could not be read.
    pub reason: Option<String>,
    /// Why; empty unless asked for.
    pub explain: Vec<TraceLine>,
}

impl AnswerReader<'_> {
    /// Reads an answer to a call that asked for these numbers.
    pub fn read(&self, items: &[CallItem], response: &RawAnswer) -> Answer {
        if let [item] = items
            && let Some(again) = self.repeated(item, response)
        {
            return again;
        }
        let text = text_of(&response.body, response.header("content-type"));
        let body = body::read(&self.definition.answer, &text);
        let mut answer = self.judge(items, response, &body, &text, &mut Trace::off());
        self.remember(items, response, &mut answer);
        answer
    }

    /// Reads an answer for people: without numbers, every number that the answer names is taken as asked.
    pub fn normalize(&self, numbers: &[String], response: &RawAnswer, explain: bool) -> Normalized {
        let text = text_of(&response.body, response.header("content-type"));
        let body = body::read(&self.definition.answer, &text);
        let numbers = if numbers.is_empty() { self.named_numbers(response, &body) } else { numbers.to_vec() };
        let items: Vec<CallItem> =
            numbers.into_iter().map(|number| CallItem { number, ..CallItem::default() }).collect();
        let mut trace = Trace::on();
        let answer = self.judge(&items, response, &body, &text, &mut trace);
        let lines = trace.into_lines();
        let reason = reason(&answer, response, &body, &lines);
        Normalized { answer, reason, explain: if explain { lines } else { Vec::new() } }
    }

    /// The numbers that an answer names, each once; the empty number where it holds one parcel and names none.
    fn named_numbers(&self, response: &RawAnswer, body: &Body) -> Vec<String> {
        let spec = &self.definition.answer;
        if !spec.echo {
            return vec![String::new()];
        }
        let (http, none) = (outcome::http_value(response, true), Value::from(""));
        let scope = Scope::new().with("env", self.env).with("root", body.value()).with("http", &http);
        let scope = scope.with("number", &none);
        let nodes = self.parcel_nodes(&scope, body.value());
        let mut seen = HashSet::new();
        let lone = nodes.len() == 1;
        let named = nodes.iter().take(MAX_NODES).filter_map(|node| match self.echo(&scope, node, &[]) {
            Some(echo) => Some(echo),
            None => (lone && spec.single).then(String::new),
        });
        named.filter(|number| seen.insert(number.clone())).collect()
    }

    fn judge(&self, items: &[CallItem], response: &RawAnswer, body: &Body, text: &str, trace: &mut Trace) -> Answer {
        let drops = self.definition.drops.paths.iter();
        let dropped = without(body.value(), drops.filter_map(|path| path.strip_prefix("root.")));
        let root = dropped.as_ref().unwrap_or_else(|| body.value());
        let http = outcome::http_value(response, self.reads_headers);
        let number = Value::from(items.first().map_or("", |item| item.number.as_str()));
        let numbers: Value = items.iter().map(|item| item.number.as_str()).collect();
        let scope = Scope::new()
            .with("env", self.env)
            .with("root", root)
            .with("http", &http)
            .with("number", &number)
            .with("numbers", &numbers)
            .focus(root);
        let all = || Cow::Borrowed(text);
        let seen = Seen { status: response.status, body, text: &all, scope: &scope };
        let verdict =
            by_rules(&self.definition.outcome, &seen).unwrap_or_else(|| by_http(response.status, body, items.len()));
        trace.line("outcome", Some(&rule_name("outcome", &verdict)), || Value::from(verdict.outcome.name()));
        let parcels = if verdict.outcome == PollOutcome::Ok {
            let call = Call { response, body, scope: &scope, root };
            self.parcels(items, &call, trace)
        } else {
            return self.failed(items, response, verdict);
        };
        let mut answer = Answer::of(parcels, verdict.message);
        Self::lift(&mut answer, response);
        answer
    }

    /// A call that failed as a whole.
    fn failed(&self, items: &[CallItem], response: &RawAnswer, verdict: Verdict) -> Answer {
        let several = items.len() > 1;
        let about_numbers = matches!(verdict.outcome, PollOutcome::InvalidNumber | PollOutcome::NotFound);
        // Whom a refusal of several numbers means is not known: nobody is accused for another.
        let split = several
            && (verdict.split
                || verdict.outcome == PollOutcome::InvalidNumber
                || (self.definition.batch.split && about_numbers));
        let each = if split && about_numbers { PollOutcome::CarrierFault } else { verdict.outcome };
        Answer {
            call: verdict.outcome,
            retry_after: retry_after(&response.headers),
            split,
            token_refused: verdict.outcome == PollOutcome::AuthFailed && verdict.refresh,
            parcels: items
                .iter()
                .map(|item| ParcelAnswer::without(&item.number, each, verdict.message.clone()))
                .collect(),
            message: verdict.message,
        }
    }

    /// What all parcels of an answer tell alike is about the call: trouble of the account, or an answer of which
    /// nothing could be read.
    fn lift(answer: &mut Answer, response: &RawAnswer) {
        let Some(first) = answer.parcels.first() else { return };
        let outcome = first.outcome;
        let about_call = matches!(outcome, PollOutcome::AuthFailed | PollOutcome::Throttled | PollOutcome::Drifted);
        if about_call && answer.parcels.iter().all(|parcel| parcel.outcome == outcome) {
            answer.message = answer.message.take().or_else(|| first.message.clone());
            answer.call = outcome;
            answer.retry_after = retry_after(&response.headers);
        }
    }

    fn parcel_nodes<'s>(&'s self, scope: &'s Scope<'_>, root: &'s Value) -> Vec<Cow<'s, Value>> {
        match &self.definition.answer.parcels {
            Some(source) => source.objects(scope).unwrap_or_default(),
            None => objects_of(root).into_iter().map(Cow::Borrowed).collect(),
        }
    }

    /// The number that a parcel names, in the carrier's form.
    fn echo(&self, scope: &Scope<'_>, node: &Value, asked: &[CallItem]) -> Option<String> {
        let inner = scope.inside().with("p", node).focus(node);
        let raw = self.definition.answer.number.as_ref()?.text(&inner)?;
        let raw = raw.trim();
        if asked.iter().any(|item| item.number == raw) {
            return Some(raw.to_owned());
        }
        (!raw.is_empty() && raw.len() <= 100).then(|| (self.normalise)(raw).unwrap_or_else(|| raw.to_ascii_uppercase()))
    }

    fn parcels(&self, items: &[CallItem], call: &Call<'_>, trace: &mut Trace) -> Vec<ParcelAnswer> {
        let spec = &self.definition.answer;
        if !spec.echo && items.len() > 1 {
            let message = Some("the answer names no number, so one call can ask for one only".to_owned());
            let drifted = |item: &CallItem| ParcelAnswer::without(&item.number, PollOutcome::Drifted, message.clone());
            return items.iter().map(drifted).collect();
        }
        let mut nodes = self.parcel_nodes(call.scope, call.root);
        nodes.truncate(MAX_NODES);
        let echoes: Vec<Option<String>> =
            nodes.iter().map(|node| if spec.echo { self.echo(call.scope, node, items) } else { None }).collect();
        let lone = items.len() == 1 && (!spec.echo || (spec.single && nodes.len() == 1 && echoes[0].is_none()));
        let mut parcels = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let asked = std::cell::OnceCell::new();
            let same = |echo: &str| {
                let asked = || asked.get_or_init(|| (self.normalise)(&item.number)).as_deref();
                echo == item.number || asked() == Some(echo)
            };
            let own: Vec<&Value> = nodes
                .iter()
                .zip(&echoes)
                .filter(|(_, echo)| lone || echo.as_deref().is_some_and(same))
                .map(|(node, _)| node.as_ref())
                .collect();
            let outer = trace.nested(|| format!("parcels[{at}]."));
            let joined = (spec.rows && !own.is_empty()).then(|| serde_json::json!({ "rows": own }));
            let found = joined.as_ref().map_or_else(|| own.clone(), |parcel| vec![parcel]);
            let number = Value::from(item.number.as_str());
            let seen = if spec.pick.is_some() { scopes(&found, &number, call) } else { Vec::new() };
            let picked = spec.pick.as_ref().map(|pick| picked(pick, &found, &seen));
            let chosen = picked.as_ref().map_or_else(|| found.clone(), |all| all.iter().map(Cow::as_ref).collect());
            let mut parcel = self.best(item, &chosen, call, trace);
            if let Some(seen) = parcel.observation.as_ref().filter(|_| item.keep) {
                parcel.kept = self.keep(seen.digest, &own, &nodes, call).map(Box::new);
            }
            parcels.push(parcel);
            trace.restore(outer);
        }
        parcels
    }

    /// Of several nodes with one number (numbers are used again), the one that is read and has the newest event.
    fn best(&self, item: &CallItem, nodes: &[&Value], call: &Call<'_>, trace: &mut Trace) -> ParcelAnswer {
        let Some((first, more)) = nodes.split_first() else {
            let outcome = match self.definition.answer.missing {
                Missing::NotFound => PollOutcome::NotFound,
                Missing::Drifted => PollOutcome::Drifted,
            };
            trace.line("outcome", Some(&"answer.missing"), || Value::from(outcome.name()));
            let message = (outcome == PollOutcome::Drifted).then(|| "the answer does not hold this number".to_owned());
            return ParcelAnswer::without(&item.number, outcome, message);
        };
        if more.is_empty() {
            return self.parcel(item, first, item.known_digest, call, trace);
        }
        // Which one is newest shows only when all are mapped.
        let mut best: Option<ParcelAnswer> = None;
        for node in nodes.iter().take(MAX_SAME_NUMBER) {
            let next = self.parcel(item, node, None, call, trace);
            if best.as_ref().is_none_or(|best| is_better(&next, best)) {
                best = Some(next);
            }
        }
        let mut best = best.unwrap_or_else(|| ParcelAnswer::without(&item.number, PollOutcome::Drifted, None));
        if let Some(observation) = &best.observation
            && item.known_digest == Some(observation.digest)
        {
            best.unchanged = true;
            best.observation = None;
        }
        best
    }

    fn parcel(
        &self,
        item: &CallItem,
        node: &Value,
        known: Option<u64>,
        call: &Call<'_>,
        trace: &mut Trace,
    ) -> ParcelAnswer {
        let drops = self.definition.drops.paths.iter();
        let kept = without(node, drops.map(|path| path.strip_prefix("p.").unwrap_or(path)));
        let node = kept.as_ref().unwrap_or(node);
        let number = Value::from(item.number.as_str());
        let scope = call.scope.inside().with("number", &number).with("p", node).focus(node);
        let text = || Cow::Owned(node.to_string());
        let seen = Seen { status: call.response.status, body: call.body, text: &text, scope: &scope };
        if let Some(verdict) = by_rules(&self.definition.item_outcome, &seen) {
            trace.line("outcome", Some(&rule_name("item_outcome", &verdict)), || Value::from(verdict.outcome.name()));
            if verdict.outcome != PollOutcome::Ok {
                let drifted = verdict.outcome == PollOutcome::Drifted;
                let rule = || format!("the definition's rule {} says so", rule_name("item_outcome", &verdict));
                let message = verdict.message.clone().or_else(|| drifted.then(rule));
                return ParcelAnswer::without(&item.number, verdict.outcome, message);
            }
        } else {
            trace.line("outcome", None, || Value::from("ok"));
        }
        let digest = self.digest(node, call);
        if known == Some(digest) {
            let unchanged = ParcelAnswer::without(&item.number, PollOutcome::Ok, None);
            return ParcelAnswer { unchanged: true, ..unchanged };
        }
        let zone = self.definition.zone.as_ref().map(|zone| &zone.zone);
        let mapper = Mapper { map: &self.definition.map, codes: &self.definition.codes, zone };
        match mapper.observe(&scope, call.response.observed_at, digest, trace) {
            Ok(mut observation) => {
                let page = &mut observation.facts.public_url;
                if page.is_none() && !item.number.is_empty() {
                    *page = (self.public_url)(item).and_then(|url| text::web_url(&url));
                }
                let told = ParcelAnswer::without(&item.number, PollOutcome::Ok, None);
                ParcelAnswer { observation: Some(observation), ..told }
            }
            Err(problem) => ParcelAnswer::without(&item.number, PollOutcome::Drifted, Some(problem)),
        }
    }

    fn digest(&self, node: &Value, call: &Call<'_>) -> u64 {
        let outside =
            self.definition.map.reads_outside || self.definition.codes.iter().any(|lookup| lookup.reads_outside);
        let parts = [node, self.env, call.root];
        digest::of(self.version, if outside { &parts } else { &parts[..2] })
    }
}
