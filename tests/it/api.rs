//! The HTTP API, driven over sockets at the real program.

mod changing;
mod docs;
mod listing;
mod registration;
