//! Stand-in carriers, receivers and faults, each with its own ledger; for the demo, the tests and shops' own tests.
//!
//! Everything here is written from the carriers' published protocols. It never reads a definition of ours, nor the
//! common model, nor anything else of the daemon: otherwise a run against it would prove nothing.
//!
//! | file | what it is |
//! |---|---|
//! | [`world`], [`lives`], [`words`], [`numbers`] | parcels, their scripted lives, how each carrier says it |
//! | [`carriers`] | the servers, one file a carrier |
//! | [`faults`], [`proxy`] | what may go wrong, switchable while it runs |
//! | [`ledger`], [`receiver`] | what each side saw, with the instant |
//! | [`quota`], [`audit`] | what the ledgers prove |
//! | [`demo`], [`sabotage`] | the script of the demonstration, and ways to spoil it |

pub mod audit;
pub mod carriers;
pub mod chance;
pub mod demo;
pub mod faults;
pub mod ledger;
pub mod lives;
pub mod net;
pub mod numbers;
pub mod proxy;
pub mod quota;
pub mod receiver;
pub mod sabotage;
mod steps;
pub mod time;
pub mod words;
pub mod world;

#[cfg(test)]
mod testing;
