//! wismo ("Where Is My Order?"): a self-hosted carrier-tracking aggregation daemon.
//!
//! The map of the house, from the ground up. A room uses only rooms below it; `tests/it/architecture.rs` holds that.
//!
//! | room | purpose |
//! |---|---|
//! | [`model`] | the words: tracker, event, status, honest time, change (pure) |
//! | [`carrier`] | a carrier definition at work: request, outcome, mapping, codes |
//! | [`tracking`] | merge, diff, delay rules (pure) |
//! | [`proving`] | a folder of carriers held against its samples and call vectors |
//! | [`store`] | the only room that speaks Redis |
//! | [`polling`] | quota budget, schedule, fetch, the poll loop |
//! | [`webhook`] | signing, address guard, attempts, the delivery loop |
//! | [`simulator`] | stand-in carriers and receivers with ledgers |
//! | [`api`] | HTTP for shops |
//! | [`daemon`] | starts and stops the tasks |
//! | [`cli`] | one file a subcommand |
//!
//! Beside the stairs: [`settings`] (typed configuration), [`telemetry`] (logs), [`clock`] (the only wall clock),
//! [`tls`] (the provider of cryptography), [`spelling`] (what a misspelt word meant).
#![forbid(unsafe_code)]

pub mod api;
pub mod carrier;
pub mod cli;
pub mod clock;
pub mod daemon;
pub mod model;
pub mod polling;
pub mod proving;
pub mod settings;
pub mod simulator;
pub mod spelling;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod tracking;
pub mod webhook;
