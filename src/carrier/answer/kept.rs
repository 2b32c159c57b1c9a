//! What is kept of an answer, so that a mended definition can read it again: the answer about one parcel, without what
//! the definition drops and without a word of any other parcel that was asked in the same call.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::nodes::{Call, without};
use super::outcome;
use super::trace::Trace;
use super::{AnswerReader, ParcelAnswer};
use crate::carrier::call::{CallItem, RawAnswer};
use crate::carrier::expr::Scope;

/// The newest answer about a parcel, as it was read: JSON, also where the carrier sent XML. A definition's `format`,
/// `lists` and `embedded` have done their work on it, so what a change of these brings shows with the next answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// HTTP status.
    pub status: u16,
    /// Headers, where the definition looks at them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// When it arrived.
    pub observed_at: Timestamp,
    /// The digest that it had under the definition of that day.
    pub digest: u64,
    /// The whole answer, as far as it is about this parcel or about none.
    pub root: Value,
}

impl AnswerReader<'_> {
    /// What is to be kept of this answer for the parcel whose nodes these are.
    pub(super) fn keep(
        &self,
        digest: u64,
        own: &[&Value],
        nodes: &[Cow<'_, Value>],
        call: &Call<'_>,
    ) -> Option<KeptAnswer> {
        // Rows stand alone in the answer, and below `rows` in the parcel that is made of them.
        let start = if self.definition.answer.rows { "rows." } else { "" };
        let drops = || {
            let paths = self.definition.drops.paths.iter();
            paths.filter_map(move |path| path.strip_prefix("p.").unwrap_or(path).strip_prefix(start))
        };
        // A node that was computed from the answer is not a part of it, so nothing can be taken out there.
        let found = nodes.iter().all(|node| matches!(node, Cow::Borrowed(_)));
        if !found && (nodes.len() > own.len() || drops().next().is_some()) {
            return None;
        }
        let others: Vec<*const Value> = nodes
            .iter()
            .map(|node| std::ptr::from_ref(node.as_ref()))
            .filter(|node| !stands_among(*node, own))
            .collect();
        let response = call.response;
        Some(KeptAnswer {
            status: response.status,
            headers: if self.reads_headers { response.headers.clone() } else { Vec::new() },
            observed_at: response.observed_at,
            digest,
            root: copied(call.root, &others, &|node| stands_among(node, own).then(|| without(node, drops())).flatten()),
        })
    }

    /// Reads a kept answer with this definition: what the call's outcome rules said then stands.
    pub(super) fn reread(&self, item: &CallItem, kept: &KeptAnswer) -> ParcelAnswer {
        let number = item.number.as_str();
        let response = RawAnswer {
            status: kept.status,
            headers: kept.headers.clone(),
            body: Vec::new(),
            observed_at: kept.observed_at,
        };
        let body = super::body::Body::Read(kept.root.clone());
        let http = outcome::http_value(&response, true);
        let (asked, all) = (Value::from(number), Value::from(vec![number]));
        let scope = Scope::new()
            .with("env", self.env)
            .with("root", &kept.root)
            .with("http", &http)
            .with("number", &asked)
            .with("numbers", &all)
            .focus(&kept.root);
        let call = Call { response: &response, body: &body, scope: &scope, root: &kept.root };
        let parcel = self.parcels(std::slice::from_ref(item), &call, &mut Trace::off()).pop();
        parcel.unwrap_or_else(|| ParcelAnswer::without(number, crate::model::PollOutcome::Drifted, None))
    }
}

fn stands_among(node: *const Value, nodes: &[&Value]) -> bool {
    nodes.iter().any(|own| std::ptr::eq(*own, node))
}

/// A copy without the nodes of others, in whose place nothing stands; `changed` may give another value for a node.
fn copied(value: &Value, others: &[*const Value], changed: &dyn Fn(&Value) -> Option<Value>) -> Value {
    if others.iter().any(|other| std::ptr::eq(*other, value)) {
        return Value::Null;
    }
    if let Some(instead) = changed(value) {
        return instead;
    }
    match value {
        Value::Array(items) => items.iter().map(|item| copied(item, others, changed)).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(key, field)| (key.clone(), copied(field, others, changed))).collect())
        }
        plain => plain.clone(),
    }
}
