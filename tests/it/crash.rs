//! What a killed process may not cost: no scan, no order, no quota, and nothing may be told that no carrier told.

mod basics;
mod daemon_killed;
mod load;
mod redis_killed;
mod takeover;
mod two_daemons;
