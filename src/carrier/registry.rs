//! All carriers that this daemon knows: those compiled in, and those of the operator's folder.
//!
//! Definitions that are compiled in are known to be good, since a test loads them all: such a one is compiled when its
//! carrier is first used, and only its [`Outline`] is read where all carriers are asked something. What comes from the
//! operator's folder is read and judged whole at once.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::at_work::Carrier;
use super::builtin;
use super::detect::{self, Candidate, Hints, Recognised, Wanted};
use super::document::{self, Problem, Shared};
use super::load;
use super::numbers::ChecksumState;
use super::outline::Outline;
use super::pasted::Pasted;
use crate::model::CarrierCode;
use crate::spelling::nearest;

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

impl Found {
    /// Puts the definitions of `old` in the place of those that are broken, and tells what is wrong with the folders of
    /// these; what is left are the problems that nothing stands in for.
    pub fn standing_in(&mut self, old: &Registry) -> BTreeMap<CarrierCode, Problem> {
        let mut kept = BTreeMap::new();
        let mut slots = Vec::new();
        for folder in &self.broken {
            let Ok(code) = folder.parse::<CarrierCode>() else { continue };
            let of_it = |problem: &Problem| folder_of(&problem.file) == Some(folder.as_str());
            let (Some(carrier), Some(first)) = (old.get(folder), self.problems.iter().find(|one| of_it(one))) else {
                continue;
            };
            if *carrier.code() == code {
                kept.insert(code.clone(), first.clone());
                slots.push((code, carrier));
            }
        }
        let mended = |problem: &Problem| {
            folder_of(&problem.file)
                .and_then(|folder| folder.parse().ok())
                .is_some_and(|code: CarrierCode| kept.contains_key(&code))
        };
        self.problems.retain(|problem| !mended(problem));
        self.broken.retain(|folder| !kept.keys().any(|code| code.as_str() == folder));
        self.registry = self.registry.with(slots);
        kept
    }
}

/// The folder that a definition's file lies in: `.../CODE/carrier.toml`.
fn folder_of(file: &str) -> Option<&str> {
    Path::new(file).parent()?.file_name()?.to_str()
}

/// All carriers.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    slots: Arc<BTreeMap<CarrierCode, Slot>>,
    /// Every code and alias, once one was asked for that is no code.
    names: Arc<OnceLock<HashMap<String, CarrierCode>>>,
}

/// One carrier, read as far as it was needed.
#[derive(Debug)]
struct Slot {
    file: String,
    text: Cow<'static, str>,
    shared: Arc<Shared>,
    outline: OnceLock<Option<Arc<Outline>>>,
    carrier: OnceLock<Option<Arc<Carrier>>>,
}

impl Slot {
    fn new(file: String, text: Cow<'static, str>, shared: &Arc<Shared>) -> Self {
        Self { file, text, shared: Arc::clone(shared), outline: OnceLock::new(), carrier: OnceLock::new() }
    }

    fn is_own(&self) -> bool {
        matches!(self.text, Cow::Owned(_))
    }

    /// Reads it whole.
    fn load(&self, folder: &str) -> Result<(), Vec<Problem>> {
        let carrier = Arc::new(Carrier::load(folder, &self.file, &self.text, &self.shared)?);
        self.carrier.get_or_init(|| Some(carrier));
        Ok(())
    }

    fn carrier(&self, code: &CarrierCode) -> Option<&Arc<Carrier>> {
        let read = || match Carrier::load(code.as_str(), &self.file, &self.text, &self.shared) {
            Ok(carrier) => Some(Arc::new(carrier)),
            Err(problems) => told(&problems),
        };
        self.carrier.get_or_init(read).as_ref()
    }

    fn outline(&self) -> Option<&Arc<Outline>> {
        if let Some(Some(carrier)) = self.carrier.get() {
            return Some(carrier.outline());
        }
        let read = || match Outline::of_text(&self.file, &self.text) {
            Ok(outline) => Some(Arc::new(outline)),
            Err(problems) => told(&problems),
        };
        self.outline.get_or_init(read).as_ref()
    }
}

/// Where a definition is written.
#[derive(Debug, Clone, Copy)]
pub struct Written<'r> {
    /// Its file.
    pub file: &'r str,
    /// Its text.
    pub text: &'r str,
    /// It is one of the operator's folder; else it is compiled in.
    pub own: bool,
}

/// What is read late was known to be good.
fn told<T>(problems: &[Problem]) -> Option<T> {
    debug_assert!(problems.is_empty(), "{}", problems[0]);
    None
}

impl Registry {
    /// Those compiled in. A test loads them all, so none is missing in a build that passed.
    pub fn builtin() -> Self {
        Self::find(None).registry
    }

    /// Those compiled in, replaced and joined by the folders of `extra` (`extra/CODE/carrier.toml`, and
    /// `extra/_shared/NAME.toml` for tables that several use).
    pub fn load(extra: Option<&Path>) -> Result<Self, Vec<Problem>> {
        Self::find(extra).good()
    }

    /// The same, and also those compiled in are read and judged whole at once.
    pub fn load_whole(extra: Option<&Path>) -> Result<Self, Vec<Problem>> {
        Self::gather(extra, true).good()
    }

    /// The same as [`Self::load`], with all that is right beside what is wrong.
    pub fn find(extra: Option<&Path>) -> Found {
        Self::gather(extra, false)
    }

    fn gather(extra: Option<&Path>, whole: bool) -> Found {
        let (mut broken, mut problems) = (BTreeSet::new(), Vec::new());
        let mut own: BTreeMap<String, (String, String)> = BTreeMap::new();
        let builtin_shared = builtin::shared();
        let mut shared = builtin_shared.clone();
        if let Some(folder) = extra {
            load::read_folder(folder, &mut own, &mut shared, &mut problems);
        }
        let other_tables = builtin_shared.iter().any(|(name, text)| shared.get(name) != Some(text));
        let shared = Arc::new(shared);
        let mut slots = BTreeMap::new();
        let mut place = |folder: String, slot: Slot, at_once: bool| {
            let code: Option<CarrierCode> = folder.parse().ok();
            let read = if at_once || code.is_none() { slot.load(&folder) } else { Ok(()) };
            match (read, code) {
                (Ok(()), Some(code)) => drop(slots.insert(code, slot)),
                (read, _) => {
                    problems.extend(read.err().unwrap_or_default());
                    broken.insert(folder);
                }
            }
        };
        let replaced: BTreeSet<String> = own.keys().cloned().collect();
        for (code, text) in builtin::CARRIERS.iter().filter(|(code, _)| !replaced.contains(*code)) {
            let slot = Slot::new(format!("carriers/{code}/carrier.toml"), Cow::Borrowed(text), &shared);
            // A table of the operator's may be what this one includes.
            place((*code).to_owned(), slot, whole || (other_tables && text.contains("include")));
        }
        for (folder, (file, text)) in own {
            place(folder, Slot::new(file, Cow::Owned(text), &shared), true);
        }
        let registry = Self { slots: Arc::new(slots), names: Arc::default() };
        if whole || !replaced.is_empty() {
            registry.names_that_meet(&mut problems);
        }
        Found { registry, broken, problems }
    }

    /// The same with these beside, or in the place of those of their codes.
    fn with(&self, carriers: Vec<(CarrierCode, Arc<Carrier>)>) -> Self {
        let again = |slot: &Slot| Slot {
            file: slot.file.clone(),
            text: slot.text.clone(),
            shared: Arc::clone(&slot.shared),
            outline: slot.outline.clone(),
            carrier: slot.carrier.clone(),
        };
        let mut slots: BTreeMap<CarrierCode, Slot> =
            self.slots.iter().map(|(code, slot)| (code.clone(), again(slot))).collect();
        for (code, carrier) in carriers {
            let slot = Slot::new(format!("{code}/carrier.toml"), Cow::Borrowed(""), &Arc::default());
            slot.carrier.get_or_init(|| Some(carrier));
            slots.insert(code, slot);
        }
        Self { slots: Arc::new(slots), names: Arc::default() }
    }

    /// Tells names that mean two carriers.
    fn names_that_meet(&self, problems: &mut Vec<Problem>) {
        let mut names: HashMap<String, &CarrierCode> = HashMap::new();
        for (code, slot) in self.slots.iter() {
            for name in slot.outline().map(|outline| names_of(outline)).unwrap_or_default() {
                let Some(other) = names.insert(name.clone(), code).filter(|other| *other != code) else { continue };
                // Nobody can mend what is compiled in.
                let theirs = self.slots.get(other).filter(|theirs| theirs.is_own() && !slot.is_own());
                let (blamed, taken_by) = theirs.map_or((slot, other), |theirs| (theirs, code));
                let message = format!("{name:?} means {taken_by} already: a name belongs to one carrier");
                let as_code = blamed.outline().is_some_and(|outline| outline.code.as_str() == name);
                let key = if as_code { "code" } else { "aliases" }.to_owned();
                let line = document::line_of(&blamed.text, &key);
                problems.push(Problem { file: blamed.file.clone(), line, key, message });
            }
        }
    }

    /// The carrier of this code, alias or name: case, blanks and dashes do not matter.
    pub fn get(&self, code: &str) -> Option<Arc<Carrier>> {
        let lower = code.trim().to_ascii_lowercase();
        let known: Option<CarrierCode> = lower.parse().ok().filter(|code| self.slots.contains_key(code));
        let code = match known.or_else(|| self.names().get(&lower).cloned()) {
            Some(code) => code,
            None => self.by_name(&lower)?,
        };
        self.slots.get(&code)?.carrier(&code).cloned()
    }

    /// The only carrier that people call so: "La Poste", "dhl-express".
    fn by_name(&self, name: &str) -> Option<CarrierCode> {
        let wanted = letters(name);
        let is_called = |outline: &&Arc<Outline>| {
            let names = names_of(outline).into_iter().chain([outline.name.clone()]);
            !wanted.is_empty() && names.into_iter().any(|name| letters(&name) == wanted)
        };
        let mut called = self.outlines().filter(is_called);
        called.next().filter(|_| called.next().is_none()).map(|outline| outline.code.clone())
    }

    /// What to tell whoever named a carrier that there is not.
    pub fn unknown(&self, name: &str) -> String {
        let near = nearest(&name.trim().to_ascii_lowercase(), self.codes().map(CarrierCode::as_str));
        let meant = near.map_or_else(String::new, |near| format!("did you mean {near:?}? "));
        format!("{name:?} is no carrier that wismo knows; {meant}`wismo carriers list` shows them")
    }

    /// Where the definition of this code or alias is written.
    pub fn written(&self, code: &str) -> Option<Written<'_>> {
        let carrier = self.get(code)?;
        let slot = self.slots.get(carrier.code())?;
        Some(Written { file: &slot.file, text: &slot.text, own: slot.is_own() })
    }

    fn names(&self) -> &HashMap<String, CarrierCode> {
        self.names.get_or_init(|| {
            let outlines = self.outlines();
            let names =
                outlines.flat_map(|outline| names_of(outline).into_iter().map(|name| (name, outline.code.clone())));
            names.collect()
        })
    }

    /// All, by code, each read whole.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Carrier>> {
        self.slots.iter().filter_map(|(code, slot)| slot.carrier(code))
    }

    /// Names and numbers of all, by code.
    pub fn outlines(&self) -> impl Iterator<Item = &Arc<Outline>> {
        self.slots.values().filter_map(Slot::outline)
    }

    /// The codes of all, in order.
    pub fn codes(&self) -> impl Iterator<Item = &CarrierCode> {
        self.slots.keys()
    }

    /// Every form in which any of them may keep what this text names: to find a parcel by whatever was pasted.
    pub fn spellings(&self, raw: &str) -> Vec<String> {
        let Ok(pasted) = Pasted::read(raw) else { return Vec::new() };
        let forms: BTreeSet<String> = self.outlines().flat_map(|outline| outline.spellings(&pasted)).collect();
        forms.into_iter().collect()
    }

    /// Whose number this could be, the likeliest first: a right check character goes before a shape alone, then what
    /// the shop has accounts for. A carrier that is off unless asked for is named only where an account uses it.
    pub fn detect(&self, raw: &str, hints: &Hints) -> Vec<Candidate> {
        self.candidates(raw, hints, Wanted::Right)
    }

    /// The same, and where there is no candidate, what else the text looks like.
    pub fn recognise(&self, raw: &str, hints: &Hints) -> Recognised {
        let candidates = self.detect(raw, hints);
        if candidates.iter().any(|candidate| candidate.checksum == ChecksumState::Verified) {
            return Recognised { candidates, ..Recognised::default() };
        }
        if !candidates.is_empty() {
            // A shape alone must not hide that a carrier in use would know the number, but for a slip of the pen.
            let mut mistyped = self.candidates(raw, hints, Wanted::Mistyped);
            mistyped.retain(|candidate| hints.carriers.contains(&candidate.carrier));
            return Recognised { candidates, mistyped, ..Recognised::default() };
        }
        let (mistyped, common) =
            (self.candidates(raw, hints, Wanted::Mistyped), self.candidates(raw, hints, Wanted::Common));
        Recognised { candidates, mistyped, common }
    }

    fn candidates(&self, raw: &str, hints: &Hints, wanted: Wanted) -> Vec<Candidate> {
        let Ok(pasted) = Pasted::read(raw) else { return Vec::new() };
        let offered = self.outlines().filter(|outline| outline.enabled || hints.carriers.contains(&outline.code));
        let mut found: Vec<Candidate> =
            offered.flat_map(|outline| detect::candidates(outline, &pasted, hints, wanted)).collect();
        found.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.carrier.cmp(&b.carrier)));
        found
    }
}

impl Found {
    fn good(self) -> Result<Registry, Vec<Problem>> {
        if self.problems.is_empty() { Ok(self.registry) } else { Err(self.problems) }
    }
}

/// Letters and digits of a name, in lower case.
fn letters(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn names_of(outline: &Outline) -> Vec<String> {
    let aliases = outline.aliases.iter().map(|alias| alias.to_ascii_lowercase());
    aliases.chain([outline.code.to_string()]).collect()
}
