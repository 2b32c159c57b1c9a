//! A carrier's definition at work.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::call::CallItem;
use super::definition::{Definition, InputFrom, Limits};
use super::detect::Hints;
use super::document::{Problem, Shared};
use super::expr::Scope;
use super::load;
use super::numbers::{Checked, NumberProblem};
use super::outline::Outline;
use crate::model::{CarrierCode, Registration};

/// A definition at work.
#[derive(Debug, Clone)]
pub struct Carrier {
    definition: Definition,
    outline: Arc<Outline>,
    version: u64,
    reads_headers: bool,
    /// What expressions on answers see as `env`, by environment.
    envs: BTreeMap<String, serde_json::Value>,
}

impl Carrier {
    pub(super) fn new(definition: Definition, version: u64) -> Self {
        let reads_headers = definition.reads_headers();
        let outline = Arc::new(Outline::of_definition(&definition));
        let envs = definition.environments.iter();
        let envs = envs.map(|(name, one)| (name.clone(), serde_json::json!(one.vars))).collect();
        Self { definition, outline, version, reads_headers, envs }
    }

    /// Loads the definition of a folder, every problem told at once.
    pub fn load(folder: &str, file: &str, text: &str, shared: &Shared) -> Result<Self, Vec<Problem>> {
        let definition = load::definition(file, text, shared)?;
        if definition.code.as_str() != folder {
            let message =
                format!("the code is {:?}, its folder {folder:?}: they have to be the same", definition.code.as_str());
            return Err(vec![Problem { file: file.to_owned(), line: None, key: "code".to_owned(), message }]);
        }
        Ok(Self::new(definition, load::version(text, shared)))
    }

    /// The carrier of a document that was read already, for trials.
    pub fn of_document(document: &toml::Table, shared: &Shared) -> Result<Self, String> {
        let definition = load::of_document(document, shared)?;
        Ok(Self::new(definition, 0))
    }

    /// The same carrier with other values in one of its environments, for trials.
    #[must_use]
    pub fn with_vars(&self, environment: &str, vars: &BTreeMap<String, String>) -> Self {
        let mut changed = self.clone();
        if let Some(environment) = changed.definition.environments.get_mut(environment) {
            environment.vars.extend(vars.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        changed
    }

    /// Whether reading an answer looks at its headers.
    pub(super) fn reads_headers(&self) -> bool {
        self.reads_headers
    }

    /// What expressions on the answers of this environment see as `env`. Without one, `production` is meant, or the
    /// first of a carrier that has none of that name.
    pub(super) fn env(&self, environment: Option<&str>) -> &serde_json::Value {
        let named = self.envs.get(environment.unwrap_or("production"));
        let first = || self.definition.environments.keys().next().and_then(|name| self.envs.get(name));
        named.or_else(|| first().filter(|_| environment.is_none())).unwrap_or(&serde_json::Value::Null)
    }

    /// Names it.
    pub fn code(&self) -> &CarrierCode {
        &self.definition.code
    }

    /// Its names and numbers.
    pub(super) fn outline(&self) -> &Arc<Outline> {
        &self.outline
    }

    /// What its folder says.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Hash of the definition's text: what is read with another version is read anew.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether a scan of this code and text has a meaning whatever else it says.
    pub fn knows(&self, code: &str, text: &str) -> bool {
        super::answer::knows(&self.definition, code, text)
    }

    /// Zone of its local times, where it writes all of them in one.
    pub fn zone(&self) -> Option<&jiff::tz::TimeZone> {
        self.definition.zone.as_ref().map(|zone| &zone.zone)
    }

    /// The form of a number that is asked and kept: case, blanks, dashes and pasted addresses do not matter.
    pub fn normalise(&self, raw: &str) -> Result<String, NumberProblem> {
        self.check_number(raw).map(|checked| checked.number)
    }

    /// The same with what its check character says.
    pub fn check_number(&self, raw: &str) -> Result<Checked, NumberProblem> {
        self.outline.check_number(raw)
    }

    /// Its page for the public about this parcel.
    pub fn public_url(&self, number: &str, hints: &Hints) -> Option<String> {
        let template = self.definition.public_url.as_ref()?;
        let (number, inputs) = (serde_json::Value::from(number), serde_json::json!(hints.inputs));
        let (country, language) = (serde_json::json!(hints.country), serde_json::json!(hints.language));
        let scope = Scope::new()
            .with("number", &number)
            .with("inputs", &inputs)
            .with("country", &country)
            .with("language", &language);
        template.render(&scope).ok().filter(|url| url::Url::parse(url).is_ok())
    }

    /// What it allows in this environment. Loading refuses a definition without `[limits.default]`.
    pub fn limits(&self, environment: &str) -> &Limits {
        let limits = &self.definition.limits;
        limits.get(environment).unwrap_or_else(|| &limits["default"])
    }

    /// Only items with equal keys may share a call.
    pub fn group_key(&self, item: &CallItem) -> String {
        let group_by = &self.definition.batch.group_by;
        if group_by.is_empty() {
            return String::new();
        }
        let (number, inputs) = (serde_json::Value::from(item.number.as_str()), serde_json::json!(item.inputs));
        let scope = Scope::new().with("number", &number).with("inputs", &inputs);
        let values =
            group_by.iter().map(|source| source.text(&scope).map(std::borrow::Cow::into_owned).unwrap_or_default());
        values.collect::<Vec<_>>().join("\u{1f}")
    }

    /// What to ask with beside the number: as given, and as far as the definition says taken from the registration.
    pub fn inputs(&self, registration: &Registration, registered_at: jiff::Timestamp) -> BTreeMap<String, String> {
        let mut inputs = registration.inputs.clone();
        inputs.retain(|name, _| self.definition.inputs.contains_key(name));
        for (name, field) in &self.definition.inputs {
            let Some(from) = field.from.filter(|_| !inputs.contains_key(name)) else { continue };
            let destination = registration.destination.as_ref();
            let found = match from {
                InputFrom::DestinationPostcode => destination.and_then(|d| d.postcode.clone()),
                InputFrom::DestinationCountry => destination.and_then(|d| d.country.clone()),
                InputFrom::Locale => registration.locale.clone(),
                InputFrom::Order => registration.orders.first().map(|order| order.reference.clone()),
                InputFrom::RegisteredOn => Some(registered_at.strftime("%Y-%m-%d").to_string()),
            };
            if let Some(found) = found {
                inputs.insert(name.clone(), found);
            }
        }
        inputs
    }

    /// What is wrong with these inputs: one sentence each, for the one who registers a parcel.
    pub fn input_problems(&self, inputs: &BTreeMap<String, String>) -> Vec<String> {
        let known = &self.definition.inputs;
        let mut problems = Vec::new();
        for (name, value) in inputs {
            match known.get(name).map(|field| field.regex.as_ref()) {
                None => problems.push(format!("{} knows no input {name:?}", self.definition.code)),
                Some(Some(regex)) if !regex.is_match(value) => {
                    problems.push(format!("the input {name:?} does not have its form: {}", known[name].help));
                }
                Some(_) => {}
            }
        }
        for (name, field) in known {
            if field.required && inputs.get(name).is_none_or(|value| value.trim().is_empty()) {
                problems.push(format!("{} needs the input {name:?}: {}", self.definition.code, field.help));
            }
        }
        problems
    }
}
