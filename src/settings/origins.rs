//! Where a key is given: a file and its line, or a variable of the environment.

use config::{FileFormat, Format, Map, Source, Value};
use toml::de::{DeTable, DeValue};

use super::reader::{ENVIRONMENT, Problem};

/// Start of the names of our variables.
pub(super) const VARIABLES: &str = "WISMO__";

/// A file of the configuration: its name as it was given, and its text.
#[derive(Debug, Clone)]
pub(super) struct NamedText {
    pub(super) name: String,
    pub(super) text: String,
}

impl Source for NamedText {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Format::parse(&FileFormat::Toml, Some(&self.name), &self.text).map_err(config::ConfigError::Foreign)
    }
}

/// All sources, in the order in which they override each other.
pub(super) struct Origins<'a> {
    pub(super) files: &'a [NamedText],
    /// Names of variables.
    pub(super) variables: Vec<&'a str>,
}

impl Origins<'_> {
    /// Completes where the problem is: its line, its variable, or all of it where only the key is known.
    pub(super) fn locate(&self, problem: &mut Problem) {
        if problem.line.is_some() || problem.key.is_empty() {
            return;
        }
        if let Some(file) = self.files.iter().find(|file| file.name == problem.origin) {
            problem.line = deepest(&file.text, &problem.key).map(|(_, line)| line);
            return;
        }
        let variable = self.variable(&problem.key);
        if problem.origin == ENVIRONMENT {
            problem.origin = variable.map_or_else(|| problem.origin.clone(), |(_, name)| shown(name));
        } else if problem.origin.is_empty() {
            let places = self.files.iter().filter_map(|file| {
                let (depth, line) = deepest(&file.text, &problem.key)?;
                Some((depth, file.name.clone(), Some(line)))
            });
            // Of several that are as near, the one that overrides the others.
            let found = places.chain(variable.map(|(depth, name)| (depth, shown(name), None))).max_by_key(|p| p.0);
            (problem.origin, problem.line) =
                found.map_or_else(|| ("the defaults".to_owned(), None), |(_, name, line)| (name, line));
        }
    }

    /// The variable whose key has most steps in common with this one, and how long that part is.
    fn variable(&self, key: &str) -> Option<(usize, &str)> {
        let common = |name: &str| {
            let given = name.get(VARIABLES.len()..).unwrap_or_default().to_ascii_lowercase().replace("__", ".");
            let steps = given.split('.').zip(key.split('.')).take_while(|(ours, asked)| ours == asked);
            steps.map(|(step, _)| step.len() + 1).sum::<usize>().saturating_sub(1)
        };
        let near = self.variables.iter().map(|name| (common(name), *name)).filter(|(depth, _)| *depth > 0);
        near.max_by_key(|(depth, _)| *depth)
    }
}

fn shown(variable: &str) -> String {
    format!("environment {variable}")
}

/// The line of a key such as `accounts.ups.limits.windows[1].per`, or of its nearest parent that the text has, and
/// how much of the key that is.
fn deepest(text: &str, key: &str) -> Option<(usize, usize)> {
    let document = DeTable::parse(text).ok()?;
    let mut best: Option<(usize, usize)> = None;
    walk(document.get_ref(), "", &mut |written, at| {
        let rest = key.strip_prefix(written);
        let fits = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        if fits && best.is_none_or(|(longest, _)| longest < written.len()) {
            best = Some((written.len(), text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1));
        }
    });
    best
}

fn walk(table: &DeTable<'_>, path: &str, visit: &mut dyn FnMut(&str, usize)) {
    for (name, value) in table {
        let path = if path.is_empty() { name.get_ref().to_string() } else { format!("{path}.{}", name.get_ref()) };
        visit(&path, name.span().start);
        match value.get_ref() {
            DeValue::Table(inner) => walk(inner, &path, visit),
            DeValue::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    let path = format!("{path}[{at}]");
                    visit(&path, item.span().start);
                    if let DeValue::Table(inner) = item.get_ref() {
                        walk(inner, &path, visit);
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(key: &str, origin: &str) -> (String, Option<usize>) {
        let file = |name: &str, text: &str| NamedText { name: name.to_owned(), text: text.to_owned() };
        let files = [
            file("a.toml", "[server]\nlisten = \"x\"\n[accounts.ups]\ncarrier = \"ups\""),
            file("b.toml", "[accounts.ups.limits]\nwindows = [\n  { calls = 1 },\n  { per = \"1d\" },\n]"),
        ];
        let origins =
            Origins { files: &files, variables: vec!["WISMO__SERVER__LISTEN", "WISMO__ACCOUNTS__UPS__SHOPS"] };
        let mut problem =
            Problem { origin: origin.to_owned(), line: None, key: key.to_owned(), message: String::new() };
        origins.locate(&mut problem);
        (problem.origin, problem.line)
    }

    #[test]
    fn a_key_is_found_where_it_is_given_or_its_nearest_parent() {
        assert_eq!(located("server.listen", "a.toml"), ("a.toml".to_owned(), Some(2)));
        assert_eq!(located("server.listen", ENVIRONMENT), ("environment WISMO__SERVER__LISTEN".to_owned(), None));
        assert_eq!(located("server.listen", "").0, "environment WISMO__SERVER__LISTEN", "it overrides the file");
        assert_eq!(located("accounts.ups.limits.windows[1].calls", ""), ("b.toml".to_owned(), Some(4)));
        assert_eq!(located("accounts.ups.carrier", ""), ("a.toml".to_owned(), Some(4)));
        assert_eq!(located("redis.url", ""), ("the defaults".to_owned(), None));
    }
}
