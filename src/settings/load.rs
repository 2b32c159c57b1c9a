//! Where configuration comes from, and in which order.

use std::path::{Path, PathBuf};

use config::{Config, Environment, File, FileFormat};

use super::reader::{Problem, Problems, Reader};
use super::{DEFAULT, Settings, sections};

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
    fn as_installed(&mut self, root: &Path) {
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

/// Reads everything, or says everything that is wrong with it.
pub fn load(sources: &Sources) -> Result<Settings, Vec<Problem>> {
    load_and_judge(sources, |_| Vec::new())
}

/// The same with a judge of what settings alone cannot know, such as carriers. Where other settings are wrong, it is
/// shown the accounts beside the defaults: whoever mends a configuration is told everything in one go.
pub fn load_and_judge(sources: &Sources, judge: impl Fn(&Settings) -> Vec<Problem>) -> Result<Settings, Vec<Problem>> {
    let mut unread = Vec::new();
    let mut builder = Config::builder().add_source(File::from_str(DEFAULT, FileFormat::Toml));
    for path in files(sources.file.as_deref(), &mut unread) {
        match readable(&path) {
            Ok(()) => builder = builder.add_source(File::from(path.as_path()).format(FileFormat::Toml)),
            Err(problem) => unread.push(problem),
        }
    }
    let wanted = sources.environment.iter().filter(|(key, _)| key.starts_with("WISMO__")).cloned().collect();
    let environment = Environment::with_prefix("WISMO").prefix_separator("__").separator("__").source(Some(wanted));
    let tree = match builder.add_source(environment).build() {
        Ok(config) => config.cache,
        Err(error) => {
            unread.push(Problem { origin: "configuration".to_owned(), key: String::new(), message: error.to_string() });
            return Err(unread);
        }
    };
    let problems = Problems::new(unread);
    let reader = Reader::new(&tree, "", &problems);
    let settings = sections::settings(&reader, sources);
    reader.finish();
    let judged = match &settings {
        Some(settings) => judge(settings),
        None => accounts_alone(&tree, sources).map_or_else(Vec::new, |settings| judge(&settings)),
    };
    let mut found = problems.into_inner();
    found.extend(judged);
    found.sort();
    found.dedup();
    match settings {
        Some(settings) if found.is_empty() => Ok(settings),
        _ => Err(found),
    }
}

/// The default settings with the accounts, and the folder of carriers, that are configured.
fn accounts_alone(tree: &config::Value, sources: &Sources) -> Option<Settings> {
    let mut defaults = Config::builder().add_source(File::from_str(DEFAULT, FileFormat::Toml)).build().ok()?.cache;
    let (config::ValueKind::Table(defaults_table), config::ValueKind::Table(given)) = (&mut defaults.kind, &tree.kind)
    else {
        return None;
    };
    for section in ["accounts", "carriers"] {
        if let Some(value) = given.get(section) {
            defaults_table.insert(section.to_owned(), value.clone());
        }
    }
    let unused = Problems::default();
    sections::settings(&Reader::new(&defaults, "", &unused), sources)
}

/// The main file and what lies in `conf.d` beside it.
pub(super) fn files(main: Option<&Path>, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let Some(main) = main else { return Vec::new() };
    let folder = main.with_file_name("conf.d");
    let mut extra = Vec::new();
    match std::fs::read_dir(&folder) {
        Ok(entries) => extra.extend(
            entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "toml")),
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => problems.push(problem(&folder, format!("cannot be read: {error}"))),
    }
    extra.sort();
    std::iter::once(main.to_owned()).chain(extra).collect()
}

/// Whether a file can be read and is TOML; says where it is not.
fn readable(path: &Path) -> Result<(), Problem> {
    let text = std::fs::read_to_string(path).map_err(|error| problem(path, format!("cannot be read: {error}")))?;
    match text.parse::<toml::Table>() {
        Ok(_) => Ok(()),
        Err(error) => {
            let line = error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            Err(problem(path, format!("line {line}: {}", error.message())))
        }
    }
}

fn problem(path: &Path, message: String) -> Problem {
    Problem { origin: path.display().to_string(), key: String::new(), message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use std::fs;

    fn in_folder(main: &str, extra: &[(&str, &str)], environment: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wismo.toml");
        fs::write(&file, main).unwrap();
        fs::create_dir(folder.path().join("conf.d")).unwrap();
        for (name, text) in extra {
            fs::write(folder.path().join("conf.d").join(name), text).unwrap();
        }
        fs::write(folder.path().join("key"), "from a file\n").unwrap();
        let mut environment: Vec<_> = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        environment.push(("CREDENTIALS_DIRECTORY".to_owned(), folder.path().display().to_string()));
        load(&Sources { file: Some(file), environment })
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn commands_beside_an_installed_service_find_its_folders() {
        let root = tempfile::tempdir().unwrap();
        let folders = |given: &[(&str, &str)]| {
            let environment = given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let mut sources = Sources { file: None, environment };
            sources.as_installed(root.path());
            let settings = load(&sources).unwrap();
            (settings.state_dir, settings.runtime_dir)
        };
        let home = ("HOME", "/home/anna");
        assert_eq!(folders(&[home]).0, Path::new("/home/anna/.local/state/wismo"), "nothing is installed");
        fs::create_dir_all(root.path().join("var/lib/wismo")).unwrap();
        let installed = (root.path().join("var/lib/wismo"), root.path().join("run/wismo"));
        assert_eq!(folders(&[home]), installed);
        let own = folders(&[home, ("STATE_DIRECTORY", "/own")]);
        assert_eq!(own, ("/own".into(), "/own/run".into()), "what systemd says counts");
    }

    #[test]
    fn the_defaults_are_the_file_that_documents_them() {
        let settings = load(&Sources::default()).unwrap();
        assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8787");
        assert_eq!(settings.webhook.retry.len(), 12);
        assert!(settings.accounts.is_empty());
    }

    #[test]
    fn later_sources_override_earlier_ones() {
        let settings = in_folder(
            "[server]\nlisten = \"127.0.0.1:1\"\n[log]\nfilter = \"debug\"",
            &[
                ("20-b.toml", "[server]\nlisten = \"127.0.0.1:3\""),
                ("10-a.toml", "[server]\nlisten = \"127.0.0.1:2\""),
                ("ignored.txt", "x"),
            ],
            &[("WISMO__SANDBOX__ENABLED", "false"), ("WISMO__WEBHOOK__ALLOW_NETS", "127.0.0.1/32,10.0.0.0/8")],
        )
        .unwrap();
        assert_eq!(settings.server.listen.port(), 3);
        assert_eq!(settings.log.filter, "debug");
        assert!(!settings.sandbox.enabled);
        assert_eq!(settings.webhook.allow_nets.len(), 2);
    }

    #[test]
    fn every_problem_is_told_at_once_with_file_key_and_nearest_key() {
        let problems = in_folder(
            "[server]\nlisten = \"here\"\n[webhook]\ntimout = \"5s\"\nper_endpoint = 0\n[nonsense]\nx = 1",
            &[("a.toml", "[log]\nformat = \"xml\"\n[accounts.\"Bad Name\"]\ncarrier = \"ups\"\nshops = \"*\"")],
            &[("WISMO__POLLING__LEASE", "soon")],
        )
        .unwrap_err();
        let all = problems.join("\n");
        for part in [
            "wismo.toml: server.listen: \"here\"",
            "webhook.timout: unknown key; did you mean \"timeout\"?",
            "webhook.per_endpoint: 0 is no whole number from 1",
            "nonsense: unknown key",
            "a.toml: log.format: \"xml\"",
            "Bad Name",
            "polling.lease: \"soon\" is no duration",
        ] {
            assert!(all.contains(part), "{part} is missing in\n{all}");
        }
    }

    #[test]
    fn a_syntax_error_names_file_and_line() {
        let problems = in_folder("[server]\nlisten = ", &[], &[]).unwrap_err();
        assert!(problems[0].contains("wismo.toml: line 2"), "{problems:?}");
    }

    #[test]
    fn accounts_take_secrets_from_text_files_and_credentials() {
        let settings = in_folder(
            "[accounts.mr]\ncarrier = \"mondialrelay\"\nshops = [\"a\"]\n[accounts.mr.credentials]\nenseigne = \"BDTEST13\"\nprivate_key = { credential = \"key\" }\n[accounts.mr.limits]\nper_second = 2\nwindows = [{ calls = 10, per = \"1d\", reset = \"UTC\" }]",
            &[],
            &[],
        )
        .unwrap();
        let account = settings.accounts.values().next().unwrap();
        assert_eq!(account.credentials["private_key"].expose_secret(), "from a file");
        assert_eq!(account.limits.windows.as_ref().unwrap()[0].calls, 10);
        assert!(account.shops.admits(&"a".parse().unwrap()) && !account.shops.admits(&"b".parse().unwrap()));
        assert!(!format!("{settings:?}").contains("from a file"));
    }

    #[test]
    fn an_account_without_carrier_or_shops_and_a_short_log_are_refused() {
        let problems = in_folder("[accounts.x]\n[retention]\nchanges = \"8d\"", &[], &[]).unwrap_err().join("\n");
        for part in
            ["accounts.x.carrier: missing", "accounts.x.shops: missing", "retention.changes: 192 hours is too short"]
        {
            assert!(problems.contains(part), "{part} is missing in\n{problems}");
        }
    }
}
