//! From `carrier.toml` to a definition: what is written in it, and whether it fits together.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::definition::Definition;
use super::document::{self, Problem, Shared};
use super::validate;

/// The largest `carrier.toml`.
const MAX_FILE: u64 = 1 << 20;
/// Reads a definition.
pub fn definition(file: &str, text: &str, shared: &Shared) -> Result<Definition, Vec<Problem>> {
    let mut definition: Definition = document::read(file, text)?;
    let mut problems = Vec::new();
    if let Err((key, message)) = validate::resolve(&mut definition, shared) {
        problems.push((key, message));
    }
    validate::check(&definition, &mut problems);
    if problems.is_empty() {
        return Ok(definition);
    }
    Err(document::located(file, text, problems))
}

/// The definition of a document that was read already; the first problem where there are some.
pub(super) fn of_document(document: &toml::Table, shared: &Shared) -> Result<Definition, String> {
    let mut definition = Definition::deserialize(document.clone()).map_err(|error| error.message().to_owned())?;
    validate::resolve(&mut definition, shared).map_err(|(key, message)| format!("{key}: {message}"))?;
    let mut problems = Vec::new();
    validate::check(&definition, &mut problems);
    match problems.first() {
        None => Ok(definition),
        Some((key, message)) => Err(format!("{key}: {message}")),
    }
}

/// Hash of what a definition was made from.
pub(super) fn version(text: &str, shared: &Shared) -> u64 {
    let mut hasher = Sha256::new();
    hasher.update(text.as_bytes());
    for (name, table) in shared.iter().filter(|(name, _)| text.contains(name.as_str())) {
        hasher.update([0]);
        hasher.update(name.as_bytes());
        hasher.update([0]);
        hasher.update(table.as_bytes());
    }
    let digest = hasher.finalize();
    digest.iter().take(8).fold(0, |hash, byte| (hash << 8) | u64::from(*byte))
}

/// The tables that several carriers use and that are compiled in.
#[must_use]
pub fn builtin_shared() -> Shared {
    super::builtin::shared()
}

/// A folder of carriers: `CODE/carrier.toml` (code to file and text) and `_shared/NAME.toml`.
pub fn read_folder(
    folder: &Path,
    carriers: &mut BTreeMap<String, (String, String)>,
    shared: &mut Shared,
    problems: &mut Vec<Problem>,
) {
    let mut tell = |path: &Path, error: &std::io::Error| {
        let file = path.display().to_string();
        problems.push(Problem { file, line: None, key: String::new(), message: error.to_string() });
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return tell(folder, &error),
    };
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if name != "_shared" {
            let file = path.join("carrier.toml");
            match read_file(&file) {
                Ok(text) => drop(carriers.insert(name, (file.display().to_string(), text))),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    tell(&path, &std::io::Error::other("has no carrier.toml"));
                }
                Err(error) => tell(&file, &error),
            }
            continue;
        }
        let tables = std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path());
        for file in tables.filter(|file| file.extension().is_some_and(|ext| ext == "toml")) {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            match read_file(&file) {
                Ok(text) => drop(shared.insert(name, text)),
                Err(error) => tell(&file, &error),
            }
        }
    }
}

fn read_file(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    let read = std::fs::File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > MAX_FILE {
        return Err(std::io::Error::other("longer than 1 MiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
