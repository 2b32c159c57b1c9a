//! All carriers that this daemon knows: those compiled in, and those of the operator's folder.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::builtin;
use super::call::CallItem;
use super::definition::{Definition, InputFrom, Limits};
use super::expr::Scope;
use super::load::{self, Problem, Shared};
use super::numbers::{self, Candidate, Checked, Hints, NumberProblem};
use crate::model::{CarrierCode, Registration};

/// A definition at work.
#[derive(Debug, Clone)]
pub struct Carrier {
    definition: Definition,
    version: u64,
    reads_headers: bool,
}

impl Carrier {
    pub(super) fn new(definition: Definition, version: u64) -> Self {
        let reads_headers = definition.reads_headers();
        Self { definition, version, reads_headers }
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

    /// Names it.
    pub fn code(&self) -> &CarrierCode {
        &self.definition.code
    }

    /// What its folder says.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Hash of the definition's text: what is read with another version is read anew.
    pub fn version(&self) -> u64 {
        self.version
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
        numbers::check(&self.definition, raw)
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
                Some(Some(regex)) if !regex.0.is_match(value) => {
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

/// What became of the definitions that were found.
#[derive(Debug)]
pub struct Found {
    /// The carriers whose definitions are good.
    pub registry: Registry,
    /// Folders of the others.
    pub broken: BTreeSet<String>,
    /// What is wrong with them.
    pub problems: Vec<Problem>,
}

/// All carriers.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    carriers: BTreeMap<CarrierCode, Arc<Carrier>>,
    names: HashMap<String, CarrierCode>,
}

impl Registry {
    /// Those compiled in. A test loads them all, so none is missing in a build that passed.
    pub fn builtin() -> Self {
        Self::load(None).unwrap_or_else(|problems| {
            debug_assert!(problems.is_empty(), "{}", problems[0]);
            Self::default()
        })
    }

    /// Those compiled in, replaced and joined by the folders of `extra` (`extra/CODE/carrier.toml`, and
    /// `extra/_shared/NAME.toml` for tables that several use).
    pub fn load(extra: Option<&Path>) -> Result<Self, Vec<Problem>> {
        let found = Self::find(extra);
        if found.problems.is_empty() { Ok(found.registry) } else { Err(found.problems) }
    }

    /// The same, with all that is right beside what is wrong.
    pub fn find(extra: Option<&Path>) -> Found {
        let mut broken = BTreeSet::new();
        let mut problems = Vec::new();
        let mut shared = builtin::shared();
        let mut texts: BTreeMap<String, (String, String)> = BTreeMap::new();
        for (code, text) in builtin::CARRIERS {
            texts.insert((*code).to_owned(), (format!("carriers/{code}/carrier.toml"), (*text).to_owned()));
        }
        if let Some(folder) = extra {
            load::read_folder(folder, &mut texts, &mut shared, &mut problems);
        }
        let mut registry = Self::default();
        for (folder, (file, text)) in texts {
            match Carrier::load(&folder, &file, &text, &shared) {
                Ok(carrier) => registry.add(carrier, &file, &mut problems),
                Err(more) => {
                    problems.extend(more);
                    broken.insert(folder);
                }
            }
        }
        Found { registry, broken, problems }
    }

    fn add(&mut self, carrier: Carrier, file: &str, problems: &mut Vec<Problem>) {
        let code = carrier.code().clone();
        let aliases = carrier.definition.aliases.iter().map(|alias| alias.to_ascii_lowercase());
        for name in aliases.chain([code.to_string()]) {
            if let Some(other) = self.names.insert(name.clone(), code.clone()).filter(|other| *other != code) {
                let said = format!("{name:?} means {other} already");
                problems.push(Problem { file: file.to_owned(), line: None, key: "aliases".to_owned(), message: said });
            }
        }
        self.carriers.insert(code, Arc::new(carrier));
    }

    /// The carrier of this code or alias.
    pub fn get(&self, code: &str) -> Option<Arc<Carrier>> {
        let code = self.names.get(code).or_else(|| self.names.get(&code.trim().to_ascii_lowercase()))?;
        self.carriers.get(code).cloned()
    }

    /// All, by code.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Carrier>> {
        self.carriers.values()
    }

    /// Every form in which any of them may keep what this text names: to find a parcel by whatever was pasted.
    pub fn spellings(&self, raw: &str) -> Vec<String> {
        let forms: BTreeSet<String> =
            self.all().flat_map(|carrier| numbers::spellings(&carrier.definition, raw)).collect();
        forms.into_iter().collect()
    }

    /// Whose number this could be, the likeliest first: a right check character goes before a shape alone.
    pub fn detect(&self, raw: &str, hints: &Hints) -> Vec<Candidate> {
        self.candidates(raw, hints, false)
    }

    /// Whose number this would be if its check character were right.
    pub fn detect_mistyped(&self, raw: &str, hints: &Hints) -> Vec<Candidate> {
        self.candidates(raw, hints, true)
    }

    fn candidates(&self, raw: &str, hints: &Hints, wrong: bool) -> Vec<Candidate> {
        let enabled = self.all().filter(|carrier| carrier.definition.enabled);
        let mut found: Vec<Candidate> =
            enabled.flat_map(|carrier| numbers::candidates(&carrier.definition, raw, hints, wrong)).collect();
        found.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.carrier.cmp(&b.carrier)));
        found
    }
}
