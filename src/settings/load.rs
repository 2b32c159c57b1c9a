//! Where configuration comes from, and in which order.

use std::path::{Path, PathBuf};

use config::{Config, Environment, File, FileFormat};

use super::origins::{NamedText, Origins, VARIABLES};
use super::reader::{Problem, Problems, Reader};
use super::sources::Sources;
use super::{DEFAULT, Settings, sections};

/// Reads everything, or says everything that is wrong with it.
pub fn load(sources: &Sources) -> Result<Settings, Vec<Problem>> {
    load_and_judge(sources, |_| Vec::new())
}

/// The same with a judge of what settings alone cannot know, such as carriers. Where settings are wrong, it is shown
/// what is right of them beside defaults: whoever mends a configuration is told everything in one go.
pub fn load_and_judge(sources: &Sources, judge: impl Fn(&Settings) -> Vec<Problem>) -> Result<Settings, Vec<Problem>> {
    let mut found = Vec::new();
    let texts = texts(sources.file.as_deref(), &mut found);
    let ours = |(name, _): &&(String, String)| name.starts_with(VARIABLES);
    let origins = Origins {
        files: &texts,
        variables: sources.environment.iter().filter(ours).map(|(name, _)| name.as_str()).collect(),
    };
    let result = match tree(&texts, sources.environment.iter().filter(ours).cloned().collect()) {
        Ok(tree) => read_and_judge(&tree, sources, judge, &mut found),
        Err(error) => {
            found.push(Problem::with_key("", error.to_string()));
            None
        }
    };
    for problem in &mut found {
        origins.locate(problem);
    }
    found.sort();
    found.dedup();
    result.filter(|_| found.is_empty()).ok_or(found)
}

/// All sources as one tree of values.
fn tree(texts: &[NamedText], environment: config::Map<String, String>) -> Result<config::Value, config::ConfigError> {
    let defaults = Config::builder().add_source(File::from_str(DEFAULT, FileFormat::Toml));
    let builder = texts.iter().fold(defaults, |builder, text| builder.add_source(text.clone()));
    let environment =
        Environment::with_prefix("WISMO").prefix_separator("__").separator("__").source(Some(environment));
    Ok(builder.add_source(environment).build()?.cache)
}

fn read_and_judge(
    tree: &config::Value,
    sources: &Sources,
    judge: impl Fn(&Settings) -> Vec<Problem>,
    found: &mut Vec<Problem>,
) -> Option<Settings> {
    let problems = Problems::default();
    let reader = Reader::new(tree, "", &problems);
    let settings = sections::settings(&reader, sources);
    reader.finish();
    let problems = problems.into_inner();
    let shown = settings.clone().or_else(|| mended(tree, &problems, sources));
    found.extend(problems);
    found.extend(shown.iter().flat_map(judge));
    settings
}

/// The settings with defaults in the place of each section that cannot be read. Accounts always can.
fn mended(tree: &config::Value, problems: &[Problem], sources: &Sources) -> Option<Settings> {
    let mut defaults = self::tree(&[], config::Map::new()).ok()?;
    let (config::ValueKind::Table(mended), config::ValueKind::Table(given)) = (&mut defaults.kind, &tree.kind) else {
        return None;
    };
    let is_good = |name: &str| problems.iter().all(|problem| problem.key.split('.').next() != Some(name));
    for (name, value) in given.iter().filter(|(name, _)| *name == "accounts" || is_good(name)) {
        mended.insert(name.clone(), value.clone());
    }
    let told_already = Problems::default();
    sections::settings(&Reader::new(&defaults, "", &told_already), sources)
}

/// The texts of all files that can be read and are TOML.
fn texts(main: Option<&Path>, problems: &mut Vec<Problem>) -> Vec<NamedText> {
    let mut texts = Vec::new();
    for path in files(main, problems) {
        match readable(&path) {
            Ok(text) => texts.push(NamedText { name: path.display().to_string(), text }),
            Err(problem) => problems.push(problem),
        }
    }
    texts
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

/// A file's text; says what is wrong with a file that cannot be read or is no TOML.
fn readable(path: &Path) -> Result<String, Problem> {
    let text = std::fs::read_to_string(path).map_err(|error| problem(path, format!("cannot be read: {error}")))?;
    match text.parse::<toml::Table>() {
        Ok(_) => Ok(text),
        Err(error) => {
            let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            Err(Problem { line, ..problem(path, error.message().to_owned()) })
        }
    }
}

fn problem(path: &Path, message: String) -> Problem {
    Problem { origin: path.display().to_string(), ..Problem::with_key("", message) }
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
            "wismo.toml:2: server.listen: \"here\" is no address with a port: write 127.0.0.1:8787 or [::1]:8787",
            "webhook.timout: unknown key; did you mean \"timeout\"?",
            "webhook.per_endpoint: 0 is no whole number from 1",
            "nonsense: unknown key",
            "a.toml:2: log.format: \"xml\"",
            "Bad Name",
            "environment WISMO__POLLING__LEASE: polling.lease: \"soon\" is no duration",
        ] {
            assert!(all.contains(part), "{part} is missing in\n{all}");
        }
    }

    #[test]
    fn a_syntax_error_names_file_and_line() {
        let problems = in_folder("[server]\nlisten = ", &[], &[]).unwrap_err();
        assert!(problems[0].contains("wismo.toml:2: "), "{problems:?}");
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
