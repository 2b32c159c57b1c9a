//! Whole-daemon tests against real Redis and the simulator: one binary, one link.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod accounts;
mod architecture;
mod carriers;
mod crash;
mod delivery;
mod private;
mod promises;
mod receivers;
mod store;
mod support;
