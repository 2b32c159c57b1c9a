//! One test at least for each promise, driving the real program against real Redis and the stand-ins over sockets.

mod cli;
mod deliveries;
mod demo;
mod honesty;
mod house;
mod isolation;
