//! The whole `carrier.toml` as types.

pub mod answer;
