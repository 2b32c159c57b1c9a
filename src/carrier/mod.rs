//! A carrier definition at work: it builds requests and reads answers, and does no I/O at all.
//!
//! | file | purpose |
//! |---|---|
//! | [`definition`] | `carrier.toml` as types |
//! | [`expr`] | the one expression language: sources and templates |
//! | [`call`] | what goes into a call and what comes back |
//! | `country` | countries as carriers write them |

pub mod call;
mod country;
pub mod definition;
pub mod expr;

pub use call::{AccountContext, CallContext, CallItem, CallProblem, CallRequest, RawAnswer};
