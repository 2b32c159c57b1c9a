//! A carrier reads what came back: the answer side, with this carrier's definition and numbers.

use super::answer::{Answer, AnswerReader, Normalized};
use super::call::{CallItem, RawAnswer};
use super::numbers::Hints;
use super::registry::Carrier;

impl Carrier {
    /// What an answer says of each number that was asked. Never fails, whatever the bytes are.
    pub fn read_answer(&self, items: &[CallItem], response: &RawAnswer) -> Answer {
        self.with_reader(|reader| reader.read(items, response))
    }

    /// The same for people: without numbers, all that the answer names; with `explain`, why.
    pub fn normalize_answer(&self, numbers: &[String], response: &RawAnswer, explain: bool) -> Normalized {
        self.with_reader(|reader| reader.normalize(numbers, response, explain))
    }

    fn with_reader<T>(&self, read: impl FnOnce(&AnswerReader<'_>) -> T) -> T {
        let normalise = |raw: &str| self.normalise(raw).ok();
        let public_url = |item: &CallItem| {
            let hints = Hints { inputs: item.inputs.clone(), ..Hints::default() };
            self.public_url(&item.number, &hints)
        };
        read(&AnswerReader {
            definition: self.definition(),
            version: self.version(),
            normalise: &normalise,
            public_url: &public_url,
        })
    }
}
