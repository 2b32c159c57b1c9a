//! Where configuration is looked for.

use std::path::{Path, PathBuf};

/// The configuration of an installed service.
const INSTALLED: &str = "/etc/wismo/wismo.toml";

/// Its folders below the root, as the unit names them.
const SERVICE_FOLDERS: [(&str, &str); 3] = [
    ("STATE_DIRECTORY", "var/lib/wismo"),
    ("RUNTIME_DIRECTORY", "run/wismo"),
    ("CREDENTIALS_DIRECTORY", "run/credentials/wismo.service"),
];

/// Where to look. [`Sources::system`] is what the program uses; tests name their own.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The main file; none: defaults only.
    pub file: Option<PathBuf>,
    /// Environment: pairs of name and value.
    pub environment: Vec<(String, String)>,
}

impl Sources {
    /// The usual file when it exists, or the named one, and the process' environment.
    #[must_use]
    pub fn system(named: Option<PathBuf>) -> Self {
        let usual = PathBuf::from(INSTALLED);
        let installed = named.as_ref().is_none_or(|named| *named == usual);
        let file = named.or_else(|| usual.exists().then_some(usual));
        let environment =
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect();
        let mut sources = Self { file, environment };
        if installed && sources.file.is_some() {
            sources.as_installed(Path::new("/"));
        }
        sources
    }

    /// What systemd tells the service of its folders, for commands beside it. Without, `wismo shops add` of the
    /// service's own user would look for its data at home.
    pub(super) fn as_installed(&mut self, root: &Path) {
        if !root.join("var/lib/wismo").is_dir() || self.variable("STATE_DIRECTORY").is_some() {
            return;
        }
        for (name, folder) in SERVICE_FOLDERS {
            if self.variable(name).is_none() {
                self.environment.push((name.to_owned(), root.join(folder).display().to_string()));
            }
        }
    }

    /// A variable of the environment, where it is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.environment
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}
