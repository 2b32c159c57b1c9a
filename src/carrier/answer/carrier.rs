//! What a [`Carrier`] does with answers.

use jiff::Timestamp;

use super::{Answer, AnswerReader, KeptAnswer, Normalized, ParcelAnswer};
use crate::carrier::at_work::Carrier;
use crate::carrier::call::{CallItem, RawAnswer};
use crate::carrier::detect::Hints;

impl Carrier {
    /// Reads an answer to a call that asked for these items: each exactly once, in their order. It never fails and
    /// never panics; what cannot be read is `drifted`.
    pub fn read_answer(&self, items: &[CallItem], response: &RawAnswer) -> Answer {
        self.with_reader(None, |reader| reader.read(items, response))
    }

    /// The same for an account of this environment.
    pub fn read_answer_in(&self, environment: &str, items: &[CallItem], response: &RawAnswer) -> Answer {
        self.with_reader(Some(environment), |reader| reader.read(items, response))
    }

    /// Reads an answer for people. Without numbers, every number that the answer names is taken as asked.
    pub fn normalize(&self, numbers: &[String], response: &RawAnswer, explain: bool) -> Normalized {
        self.normalize_in(None, numbers, response, explain)
    }

    /// The same for an answer to an account of this environment.
    pub fn normalize_in(
        &self,
        environment: Option<&str>,
        numbers: &[String],
        response: &RawAnswer,
        explain: bool,
    ) -> Normalized {
        let asked: Vec<String> =
            numbers.iter().map(|raw| self.normalise(raw).unwrap_or_else(|_| raw.trim().to_owned())).collect();
        self.with_reader(environment, |reader| reader.normalize(&asked, response, explain))
    }

    /// Reads a kept answer to an account of this environment as this definition reads it now.
    pub fn reread(&self, environment: Option<&str>, item: &CallItem, kept: &KeptAnswer) -> ParcelAnswer {
        self.with_reader(environment, |reader| reader.reread(item, kept))
    }

    fn with_reader<T>(&self, environment: Option<&str>, run: impl FnOnce(AnswerReader<'_>) -> T) -> T {
        let normalise = |raw: &str| self.normalise(raw).ok();
        let page = |item: &CallItem| {
            let hints = Hints { inputs: item.inputs.clone(), ..Hints::default() };
            self.public_url(&item.number, &hints)
        };
        let reader = AnswerReader {
            definition: self.definition(),
            version: self.version(),
            reads_headers: self.reads_headers(),
            env: self.env(environment),
            normalise: &normalise,
            public_url: &page,
        };
        run(reader)
    }
}

/// What `wismo normalize` makes of a raw answer.
pub fn normalize(
    carrier: &Carrier,
    numbers: &[String],
    status: u16,
    body: Vec<u8>,
    observed_at: Timestamp,
    explain: bool,
) -> Normalized {
    carrier.normalize(numbers, &RawAnswer { status, headers: Vec::new(), body, observed_at }, explain)
}
