//! Everfeed as its users meet it: the real binary, real sockets, real proxies. One subject a file.
#![allow(clippy::print_stdout, reason = "a test says what it did, and which seed brings it back")]

mod support;

mod append;
mod bad_input;
mod byte_stability;
mod cli;
mod config;
mod damaged;
mod dialect;
mod disk_full;
mod failed_sync;
mod full_disk_served;
mod fuzz;
mod kill;
mod layering;
mod loop_disk;
mod model;
mod power_cut;
mod repair;
mod seal_crash;
mod strace;
mod sync_audit;
mod workload;
