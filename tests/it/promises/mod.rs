//! One test at least for each promise, driving the real program against real Redis and the stand-ins over sockets.

mod cli;
mod configuration;
mod delays;
mod deliveries;
mod demo;
mod edges;
mod guard;
mod honesty;
mod isolation;
mod memory;
mod operations;
mod races;
mod secrets;
mod tenants;
mod trial;
