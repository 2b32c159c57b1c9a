//! A carrier definition at work: it builds requests and reads answers, and does no I/O at all.
//!
//! | file | purpose |
//! |---|---|
//! | [`expr`] | the one expression language: sources and templates |
//! | `country` | countries as carriers write them |

mod country;
pub mod definition;
pub mod expr;
