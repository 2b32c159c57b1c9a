//! What the templates of one call can see: numbers, inputs, credentials, the clock, addresses, language.

use std::collections::BTreeMap;

use minijinja::Value as Engine;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::carrier::call::{AccountContext, CallContext, CallItem, CallProblem};
use crate::carrier::definition::{Definition, RequestSpec};
use crate::carrier::expr::{Scope, Template};

/// Everything that templates can see, owned for the time of one call.
pub(super) struct Bag {
    values: Vec<(&'static str, Value)>,
    credentials: Engine,
}

impl Bag {
    pub(super) fn new(
        definition: &Definition,
        account: &AccountContext<'_>,
        items: &[CallItem],
        call: &CallContext,
    ) -> Result<Self, CallProblem> {
        let environment =
            definition.environments.get(&account.environment).ok_or_else(|| CallProblem::Environment {
                carrier: definition.code.to_string(),
                given: account.environment.clone(),
                known: definition.environments.keys().cloned().collect::<Vec<_>>().join(", "),
            })?;
        let credentials = credentials(definition, account.credentials)?;
        let language = language(&definition.request, account.language.as_deref());
        let now = call.now;
        let mut bag = Self {
            values: vec![
                ("environment", json!(account.environment)),
                ("env", json!(environment.vars)),
                ("language", json!(language)),
                ("now_s", json!(now.as_second())),
                ("now_ms", json!(now.as_millisecond())),
                ("now_iso", json!(now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())),
                ("request_id", json!(call.request_id)),
                ("items", items.iter().map(|item| json!({"number": item.number, "inputs": item.inputs})).collect()),
                ("numbers", items.iter().map(|item| json!(item.number)).collect()),
            ],
            credentials,
        };
        if let Some(first) = items.first() {
            bag.values.push(("number", json!(first.number)));
            bag.values.push(("inputs", json!(first.inputs)));
        }
        let (base, auth_base) = if let Some(own) = &account.base_url {
            (own.clone(), own.clone())
        } else {
            let scope = bag.scope();
            let of = |template: &Template| {
                template.render(&scope).map_err(|problem| super::template_problem(definition, "environments", &problem))
            };
            let base = of(&environment.base_url)?;
            let auth = environment.auth_base_url.as_ref().map(of).transpose()?;
            (base.clone(), auth.unwrap_or(base))
        };
        bag.values.push(("base_url", json!(base.trim_end_matches('/'))));
        bag.values.push(("auth_base_url", json!(auth_base.trim_end_matches('/'))));
        Ok(bag)
    }

    pub(super) fn scope(&self) -> Scope<'_> {
        let mut scope = Scope::new();
        for (name, value) in &self.values {
            scope = scope.with(name, value);
        }
        scope.set("credentials", self.credentials.clone());
        scope
    }
}

fn credentials(definition: &Definition, given: &BTreeMap<String, SecretString>) -> Result<Engine, CallProblem> {
    let mut known = Vec::new();
    for (name, spec) in &definition.credentials {
        let value = given.get(name).map(ExposeSecret::expose_secret).or(spec.default.as_deref());
        match value.filter(|value| !value.is_empty()) {
            Some(value) => known.push((name.as_str(), Engine::from(value))),
            None if spec.required => {
                let (carrier, name, help) = (definition.code.to_string(), name.clone(), spec.help.clone());
                return Err(CallProblem::Credential { carrier, name, help });
            }
            None => {}
        }
    }
    Ok(Engine::from_pairs(known))
}

/// The account's language in the carrier's words: as written, else without its region, else the default.
fn language(request: &RequestSpec, wanted: Option<&str>) -> String {
    let lower = wanted.unwrap_or_default().to_ascii_lowercase().replace('_', "-");
    let short = lower.split('-').next().unwrap_or_default();
    let listed = |tag: &str| {
        let same = |known: &str| known.to_ascii_lowercase().replace('_', "-") == tag;
        request.languages.iter().find(|(known, _)| same(known)).map(|(_, theirs)| theirs.clone())
    };
    let found = listed(&lower).or_else(|| listed(short)).or_else(|| listed("default"));
    found.unwrap_or_else(|| if short.is_empty() { "en".to_owned() } else { short.to_owned() })
}
