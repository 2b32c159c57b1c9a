//! Tries every alteration on every core.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use toml::{Table, Value};

use super::document::{Change, changed};
use super::{Mutant, What, of_carrier, of_shared};
use crate::carrier::Carrier;
use crate::carrier::document::{self, Shared};
use crate::proving::{CarrierFolder, House, Sample, Vector};

/// What became of the alterations of one file.
#[derive(Debug, Clone, Serialize)]
pub struct Hunted {
    /// The carrier, or `_shared/NAME`.
    pub carrier: String,
    /// How many there were.
    pub mutants: usize,
    /// Those that nothing noticed.
    pub survivors: Vec<Survivor>,
    /// Why nothing was tried: the carrier does not prove itself as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// An alteration that nothing noticed.
#[derive(Debug, Clone, Serialize)]
pub struct Survivor {
    /// What was altered.
    pub what: What,
    /// The line where it stands.
    pub line: Option<usize>,
    /// The key.
    pub key: String,
    /// What stood there instead.
    pub change: String,
}

/// A carrier with what proves it.
struct Prover<'h> {
    folder: &'h CarrierFolder,
    document: Table,
    samples: Vec<&'h Sample>,
    vectors: Vec<&'h Vector>,
}

/// A file that is altered, and whose samples are to notice.
struct Target<'h> {
    name: String,
    text: &'h str,
    document: Table,
    shared: Option<&'h str>,
    provers: Vec<usize>,
    mutants: Vec<Mutant>,
    refused: Option<String>,
}

/// Alters each thing of these carriers (of all, where none is named) in turn, and of the shared files that they
/// include: those have to be noticed by one of their users. `tell` is called with how many are done and how many
/// there are.
pub fn hunt(house: &House, only: &[String], tell: &(dyn Fn(usize, usize) + Sync)) -> Vec<Hunted> {
    let provers: Vec<Prover<'_>> = house.carriers.iter().map(Prover::of).collect();
    let targets = targets(house, &provers, only);
    let work: Vec<(usize, &Mutant)> = targets
        .iter()
        .enumerate()
        .flat_map(|(at, target)| target.mutants.iter().map(move |mutant| (at, mutant)))
        .collect();
    let survivors: Mutex<BTreeSet<usize>> = Mutex::default();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                // What noticed the last alteration often notices the next one.
                let mut guess = Guess::default();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some((target, mutant)) = work.get(at) else { break };
                    if !noticed(house, &provers, &targets[*target], mutant, &mut guess) {
                        survivors.lock().unwrap_or_else(PoisonError::into_inner).insert(at);
                    }
                    tell(done.fetch_add(1, Ordering::Relaxed) + 1, work.len());
                }
            });
        }
    });
    let survivors = survivors.into_inner().unwrap_or_else(PoisonError::into_inner);
    let of = |at: usize| survivors.iter().map(|work_at| work[*work_at]).filter(move |(target, _)| *target == at);
    let hunted = |(at, target): (usize, &Target<'_>)| Hunted {
        carrier: target.name.clone(),
        mutants: target.mutants.len(),
        survivors: of(at).map(|(_, mutant)| Survivor::of(mutant, &target.document, target.text)).collect(),
        refused: target.refused.clone(),
    };
    targets.iter().enumerate().map(hunted).collect()
}

impl Survivor {
    fn of(mutant: &Mutant, document: &Table, text: &str) -> Self {
        let key = mutant.place.to_string();
        let change = match (&mutant.change, mutant.place.text_in(document)) {
            (Change::Set(Value::String(new)), Some(old)) => window(old, new),
            (change, _) => change.to_string(),
        };
        Self { what: mutant.what, line: document::line_of(text, &key), key, change }
    }
}

/// What stands there instead of what, of long texts the part that differs.
fn window(old: &str, new: &str) -> String {
    const AROUND: usize = 24;
    let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let room = old.len().min(new.len()) - same;
    let tail = old.iter().rev().zip(new.iter().rev()).take(room).take_while(|(a, b)| a == b).count();
    let part = |text: &[char]| {
        let (from, to) = (same.saturating_sub(AROUND), (text.len() - tail + AROUND).min(text.len()));
        let shown: String = text[from..to].iter().collect();
        let dots = |cut: bool| if cut { "…" } else { "" };
        format!("`{}{}{}`", dots(from > 0), shown.replace('\n', " "), dots(to < text.len()))
    };
    format!("{} → {}", part(&old), part(&new))
}

impl<'h> Prover<'h> {
    fn of(folder: &'h CarrierFolder) -> Self {
        Self {
            folder,
            document: toml::from_str(&folder.text).unwrap_or_default(),
            samples: folder.samples.iter().flatten().collect(),
            vectors: folder.vectors.iter().flatten().collect(),
        }
    }

    /// The shared files that it includes.
    fn includes(&self) -> impl Iterator<Item = &str> {
        let codes = self.document.get("codes").and_then(Value::as_array);
        codes.into_iter().flatten().filter_map(|lookup| lookup.get("include")?.as_str())
    }
}

fn targets<'h>(house: &'h House, provers: &[Prover<'h>], only: &[String]) -> Vec<Target<'h>> {
    let mut targets = Vec::new();
    let mut shared = BTreeSet::new();
    for (at, prover) in provers.iter().enumerate() {
        let code = &prover.folder.code;
        if !only.is_empty() && !only.contains(code) {
            continue;
        }
        let report = super::super::prove(house, prover.folder);
        let wrong = report.problems().count();
        let refused =
            (wrong > 0).then(|| format!("it is not good as it is: see `wismo carriers test` (problems: {wrong})"));
        let mutants = if refused.is_some() { Vec::new() } else { of_carrier(&prover.document) };
        shared.extend(prover.includes().map(str::to_owned));
        targets.push(Target {
            name: code.clone(),
            text: &prover.folder.text,
            document: prover.document.clone(),
            shared: None,
            provers: vec![at],
            mutants,
            refused,
        });
    }
    for (name, text) in house.shared.iter().filter(|(name, _)| shared.contains(*name)) {
        let document: Table = toml::from_str(text).unwrap_or_default();
        let users = provers.iter().enumerate().filter(|(_, prover)| prover.includes().any(|included| included == name));
        targets.push(Target {
            name: format!("_shared/{name}"),
            text,
            mutants: of_shared(&document),
            document,
            shared: Some(name),
            provers: users.map(|(at, _)| at).collect(),
            refused: None,
        });
    }
    targets
}

/// Which sample noticed last, of which carrier.
#[derive(Debug, Default)]
struct Guess {
    prover: usize,
    sample: usize,
}

/// Whether anything notices. What cannot even be loaded is noticed by whoever loads it.
fn noticed(house: &House, provers: &[Prover<'_>], target: &Target<'_>, mutant: &Mutant, guess: &mut Guess) -> bool {
    let Some(document) = changed(&target.document, &mutant.place, &mutant.change) else { return true };
    let mut shared: Option<Shared> = None;
    if let Some(name) = target.shared {
        let Ok(text) = toml::to_string(&document) else { return true };
        shared.get_or_insert_with(|| house.shared.clone()).insert(name.to_owned(), text);
    }
    let shared = shared.as_ref().unwrap_or(&house.shared);
    target.provers.iter().any(|at| {
        let prover = &provers[*at];
        let document = if target.shared.is_some() { &prover.document } else { &document };
        match Carrier::of_document(document, shared) {
            Ok(carrier) => prover.notices(*at, &carrier, mutant.what, guess),
            Err(_) => true,
        }
    })
}

impl Prover<'_> {
    fn notices(&self, at: usize, carrier: &Carrier, what: What, guess: &mut Guess) -> bool {
        let of_calls = || {
            let notices = |vector: &&Vector| vector.differences(carrier).map_or(true, |found| !found.is_empty());
            self.vectors.iter().any(notices)
        };
        let about_calls = matches!(what, What::Request | What::Token);
        if about_calls && of_calls() {
            return true;
        }
        // What an environment declares is known in answers, too, so samples may notice.
        let first = if guess.prover == at { guess.sample.min(self.samples.len()) } else { 0 };
        let order = (first..self.samples.len()).chain(0..first);
        let found = order.into_iter().find(|sample| !self.samples[*sample].differences(carrier).is_empty());
        if let Some(sample) = found {
            *guess = Guess { prover: at, sample };
        }
        found.is_some() || (!about_calls && of_calls())
    }
}
