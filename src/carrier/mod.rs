//! A carrier definition at work: it builds requests and reads answers, and does no I/O at all.
//!
//! | file | purpose |
//! |---|---|
//! | [`registry`] | all carriers: those compiled in (`builtin`), those of the operator's folder |
//! | [`at_work`] | one carrier at work |
//! | [`definition`] | `carrier.toml` as types |
//! | `describe` | a carrier in words that machines read |
//! | [`document`] | a text of the language as types, every problem told at once with its line |
//! | [`load`], `validate` | from text to a definition; whether it fits together |
//! | [`expr`] | the one expression language: sources and templates |
//! | [`outline`] | what is asked of all carriers at once: names and numbers |
//! | [`numbers`], `checksum`, `pasted`, [`detect`] | tracking numbers: normalising, checking, whose they could be |
//! | [`answer`] | reads what a carrier sends back |
//! | [`call`] | what goes into a call and what comes back |
//! | `shown`, `scrub` | a request without its secrets, an answer without its people |
//! | `request` | the call and the token call |
//! | [`auth`] | the token in an answer |
//! | `country`, `time_text` | countries and times as carriers write them |

pub mod answer;
pub mod at_work;
pub mod auth;
mod builtin;
pub mod call;
mod checksum;
mod country;
pub mod definition;
mod describe;
pub mod detect;
#[cfg(test)]
mod detect_tests;
pub mod document;
pub mod expr;
pub mod load;
pub mod numbers;
pub mod outline;
mod pasted;
pub mod registry;
mod request;
#[cfg(test)]
mod request_tests;
mod scrub;
mod shown;
#[cfg(test)]
mod tests;
mod time_text;
mod validate;

pub use answer::{Answer, KeptAnswer, Normalized, ParcelAnswer, RetryAfter, normalize};
pub use at_work::Carrier;
pub use auth::{Token, TokenProblem};
pub use call::{AccountContext, CallContext, CallItem, CallProblem, CallRequest, RawAnswer};
pub use definition::{Definition, Limits, Window};
pub use detect::{Candidate, Hints, Recognised};
pub use document::Problem;
pub use numbers::{Checked, ChecksumState, NumberProblem};
pub use outline::Outline;
pub use registry::{Found, Registry, Written};
pub use scrub::Scrubbed;
pub use shown::ShownRequest;
