//! The daemon as a service: what the manager hears, what the unit allows, what an installation holds. No systemd runs
//! here; a socket plays its part, and its own offline tools judge the unit.

mod group;
mod install;
mod life;
mod manager;
mod syscalls;
mod unit;
