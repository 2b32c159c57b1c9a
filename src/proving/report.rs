//! What was found of one carrier.

use serde::Serialize;

use super::differ::Difference;
use crate::carrier::Problem;

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The definition does not load.
    Definition,
    /// An answer does not become what is expected.
    Sample,
    /// A request is not what another tool made of it.
    Call,
    /// A code that no table knows.
    Unmapped,
    /// A rule that no sample hits.
    Untouched,
    /// A field that gives nothing in any sample.
    Unread,
    /// A rule that everything would hit.
    CatchAll,
    /// A form of numbers without examples.
    Numbers,
    /// An expression that fails.
    Expression,
    /// A skeleton's example that is still there.
    Unfinished,
    /// A kind of sample that is missing.
    Kinds,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub kind: Kind,
    /// It does not fail the proof unless everything has to be clean.
    pub warning: bool,
    /// The file: `samples/moving.json`.
    pub file: String,
    /// Its line, where one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The key or place in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What is wrong, and what would be right.
    pub message: String,
    /// Of a sample or a call: each place that differs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
}

impl Finding {
    /// A problem of the definition.
    #[must_use]
    pub fn of_definition(problem: Problem) -> Self {
        let Problem { file, line, key, message } = problem;
        let key = Some(key).filter(|key| !key.is_empty());
        Self { kind: Kind::Definition, warning: false, file, line, key, message, differences: Vec::new() }
    }
}

/// What was found of one carrier.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The carrier, by its folder.
    pub carrier: String,
    /// Samples that were run.
    pub samples: usize,
    /// Call vectors that were run.
    pub calls: usize,
    /// Codes and texts that the definition knows.
    pub codes: usize,
    /// Everything that was found.
    pub findings: Vec<Finding>,
}

impl Report {
    /// An empty one.
    #[must_use]
    pub fn new(carrier: &str) -> Self {
        Self { carrier: carrier.to_owned(), samples: 0, calls: 0, codes: 0, findings: Vec::new() }
    }

    /// What fails the proof.
    pub fn problems(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| !finding.warning)
    }

    /// What does not.
    pub fn warnings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.warning)
    }

    /// Adds a problem of a file.
    pub(super) fn problem(&mut self, kind: Kind, file: &str, message: &str) {
        self.add(kind, None, file, message, Vec::new());
    }

    /// Adds a problem of a place in a file.
    pub(super) fn problem_at(&mut self, kind: Kind, file: &str, key: String, message: &str) {
        self.add(kind, Some(key), file, message, Vec::new());
    }

    /// Adds what does not fail the proof; the same of several samples once.
    pub(super) fn warning(&mut self, kind: Kind, file: &str, key: Option<String>, message: &str) {
        if self.findings.iter().any(|known| known.warning && known.key == key && known.message == message) {
            return;
        }
        self.add(kind, key, file, message, Vec::new());
        if let Some(added) = self.findings.last_mut() {
            added.warning = true;
        }
    }

    /// Adds a warning about a line.
    pub(super) fn at_line(&mut self, kind: Kind, file: &str, line: usize, message: String) {
        let (file, key, differences) = (file.to_owned(), None, Vec::new());
        self.findings.push(Finding { kind, warning: true, file, line: Some(line), key, message, differences });
    }

    /// Every warning fails the proof, too.
    pub fn be_strict(&mut self) {
        self.findings.iter_mut().for_each(|finding| finding.warning = false);
    }

    /// Adds what differs in a file, if anything does.
    pub(super) fn differences(&mut self, file: &str, found: Vec<Difference>) {
        if !found.is_empty() {
            let kind = if file.starts_with("calls/") { Kind::Call } else { Kind::Sample };
            let what = if kind == Kind::Call { "the request differs" } else { "does not become what is expected" };
            self.add(kind, None, file, what, found);
        }
    }

    fn add(&mut self, kind: Kind, key: Option<String>, file: &str, message: &str, differences: Vec<Difference>) {
        let (file, message) = (file.to_owned(), message.to_owned());
        self.findings.push(Finding { kind, warning: false, file, line: None, key, message, differences });
    }
}
