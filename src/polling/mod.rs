//! Asking carriers: may I call (budget), whom next (schedule), the call itself (fetch), and the loop around them.

pub mod backoff;
pub mod schedule;
pub mod windows;
