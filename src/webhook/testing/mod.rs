//! What the tests of this room share: receivers over real sockets, and a queue in memory.

pub mod memory;
pub mod receiver;

mod delivering;
mod probes;

use crate::webhook::guard::{Guard, Ports};

/// A guard that lets loopback through, and nothing else that is special.
pub fn loopback() -> Guard {
    Guard::new(vec!["127.0.0.1/32".parse().unwrap()], Ports::default())
}
