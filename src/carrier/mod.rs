//! A carrier definition at work: it builds requests and reads answers, and does no I/O at all.
//!
//! | file | purpose |
//! |---|---|
//! | [`definition`] | `carrier.toml` as types |
//! | [`expr`] | the one expression language: sources and templates |
//! | [`answer`] | reads what a carrier sends back |
//! | [`call`] | what goes into a call and what comes back |
//! | `country` | countries as carriers write them |

pub mod answer;
pub mod call;
mod country;
pub mod definition;
pub mod expr;

pub use answer::{Answer, Normalized, ParcelAnswer, RetryAfter};
pub use call::{AccountContext, CallContext, CallItem, CallProblem, CallRequest, RawAnswer};
