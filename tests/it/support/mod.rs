//! What the tests share.

pub mod daemon;
pub mod redis;
pub mod tap;
