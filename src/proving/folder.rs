//! What stands in a folder of carriers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sample::Sample;
use super::vector::Vector;
use crate::carrier::document::Shared;
use crate::carrier::load;
use crate::carrier::{Carrier, Problem, Registry};

/// File and sentence, of what cannot be used.
pub type Unusable = (String, String);

/// A folder of carriers with the tables that they share.
#[derive(Debug)]
pub struct House {
    /// `_shared/NAME.toml` beside the folders, over those of the program.
    pub shared: Shared,
    /// The carriers, by code.
    pub carriers: Vec<CarrierFolder>,
    /// What cannot even be read.
    pub problems: Vec<Problem>,
    /// Codes and aliases of all folders, each with the carriers that claim it.
    names: BTreeMap<String, BTreeSet<String>>,
}

/// The folder of one carrier.
#[derive(Debug)]
pub struct CarrierFolder {
    /// Its name, which is the carrier's code.
    pub code: String,
    /// Where it is.
    pub path: PathBuf,
    /// `carrier.toml`, as problems name it.
    pub file: String,
    /// Its text.
    pub text: String,
    /// `samples/NAME.{json,xml,txt}` with their expectations.
    pub samples: Vec<Result<Sample, Unusable>>,
    /// `calls/NAME.json`.
    pub vectors: Vec<Result<Vector, Unusable>>,
}

impl House {
    /// Reads a folder of carriers. The folder of a single carrier is one, too: it stands for itself alone, with what
    /// is shared beside it.
    #[must_use]
    pub fn read(folder: &Path) -> Self {
        let alone = folder.join("carrier.toml").is_file();
        let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let house = if alone { absolute.parent().unwrap_or(folder) } else { folder };
        let mut texts: BTreeMap<String, (String, String)> = BTreeMap::new();
        let (mut shared, mut problems) = (load::builtin_shared(), Vec::new());
        load::read_folder(house, &mut texts, &mut shared, &mut problems);
        let mut names = names(&texts);
        // A folder of these codes stands in the place of what is compiled in.
        let builtin = Registry::builtin();
        for outline in builtin.outlines().filter(|outline| !texts.contains_key(outline.code.as_str())) {
            for name in outline.aliases.iter().map(String::as_str).chain([outline.code.as_str()]) {
                names.entry(name.to_ascii_lowercase()).or_default().insert(outline.code.to_string());
            }
        }
        if alone {
            let own = absolute.file_name().unwrap_or_default().to_string_lossy();
            texts.retain(|code, _| *code == own);
            problems.retain(|problem| problem.file.contains(&*own));
        }
        let carriers = texts
            .into_iter()
            .map(|(code, (file, text))| {
                let path = house.join(&code);
                let (samples, vectors) = (samples(&path), vectors(&path));
                CarrierFolder { code, path, file, text, samples, vectors }
            })
            .collect();
        Self { shared, carriers, problems, names }
    }

    /// Loads one of its carriers.
    ///
    /// # Errors
    /// Every problem of its definition.
    pub fn load(&self, folder: &CarrierFolder) -> Result<Arc<Carrier>, Vec<Problem>> {
        Carrier::load(&folder.code, &folder.file, &folder.text, &self.shared).map(Arc::new)
    }
}

/// Codes and aliases, each with the folders that claim it.
fn names(texts: &BTreeMap<String, (String, String)>) -> BTreeMap<String, BTreeSet<String>> {
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (code, (_, text)) in texts {
        let document: toml::Table = toml::from_str(text).unwrap_or_default();
        let aliases = document.get("aliases").and_then(toml::Value::as_array).into_iter().flatten();
        for name in aliases.filter_map(toml::Value::as_str).chain([code.as_str()]) {
            names.entry(name.to_ascii_lowercase()).or_default().insert(code.clone());
        }
    }
    names
}

impl House {
    /// Names of this carrier that another folder claims, too, each with the other.
    pub fn clashes(&self, folder: &CarrierFolder) -> impl Iterator<Item = (&str, &str)> {
        let claimed = self.names.iter().filter(|(_, carriers)| carriers.contains(&folder.code));
        claimed.flat_map(|(name, carriers)| {
            carriers.iter().filter(|other| **other != folder.code).map(|other| (name.as_str(), other.as_str()))
        })
    }

    /// Where each look-up of a carrier stands, those of shared files in the place of their includes.
    #[must_use]
    pub fn origins(&self, folder: &CarrierFolder) -> Vec<String> {
        let codes = |text: &str| match toml::from_str::<toml::Table>(text).ok().and_then(|mut all| all.remove("codes"))
        {
            Some(toml::Value::Array(codes)) => codes,
            _ => Vec::new(),
        };
        let mut origins = Vec::new();
        for (at, lookup) in codes(&folder.text).iter().enumerate() {
            match lookup.get("include").and_then(toml::Value::as_str) {
                None => origins.push(format!("codes[{at}]")),
                Some(name) => {
                    let shared = self.shared.get(name).map(|text| codes(text).len()).unwrap_or_default();
                    origins
                        .extend((0..shared).map(|inner| format!("codes[{at}] (_shared/{name}.toml codes[{inner}])")));
                }
            }
        }
        origins
    }
}

/// Files of a folder, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// The last folder and the name: what a person calls a file of a carrier.
fn short(path: &Path) -> String {
    let part = |path: Option<&std::ffi::OsStr>| path.unwrap_or_default().to_string_lossy().into_owned();
    format!("{}/{}", part(path.parent().and_then(Path::file_name)), part(path.file_name()))
}

fn samples(folder: &Path) -> Vec<Result<Sample, Unusable>> {
    let all = files(&folder.join("samples"));
    let is_expectation = |path: &Path| path.to_string_lossy().ends_with(".expect.json");
    let (expectations, answers): (Vec<PathBuf>, Vec<PathBuf>) = all.into_iter().partition(|path| is_expectation(path));
    let kinds = ["json", "xml", "txt"];
    let is_answer = |path: &&PathBuf| path.extension().is_some_and(|kind| kinds.iter().any(|known| kind == *known));
    let answers: Vec<&PathBuf> = answers.iter().filter(is_answer).collect();
    let mut samples: Vec<Result<Sample, Unusable>> =
        answers.iter().map(|path| Sample::read(path, &short(path)).map_err(|said| (short(path), said))).collect();
    let orphans = expectations.iter().filter(|path| answers.iter().all(|a| a.with_extension("expect.json") != **path));
    samples.extend(orphans.map(|path| Err((short(path), "an expectation without its answer beside it".to_owned()))));
    samples
}

fn vectors(folder: &Path) -> Vec<Result<Vector, Unusable>> {
    let all =
        files(&folder.join("calls")).into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "json"));
    all.map(|path| Vector::read(&path, &short(&path)).map_err(|said| (short(&path), said))).collect()
}
