//! Whole-daemon tests against real Redis and the simulator: one binary, one link.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    clippy::format_push_string,
    clippy::format_collect,
    clippy::assigning_clones,
    reason = "tests read small answers of their own servers and are not in a hurry"
)]

mod accounts;
mod api;
mod architecture;
mod carriers;
mod crash;
mod delivery;
mod desk;
mod faces;
mod lives;
mod private;
mod promises;
mod proving;
mod receivers;
mod renormalize;
mod standins;
mod store;
mod support;
mod systemd;
