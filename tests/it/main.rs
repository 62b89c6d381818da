//! Everfeed as its users meet it: the real binary, real sockets, real proxies. One subject a file.
#![allow(clippy::print_stdout, reason = "a test says what it did, and which seed brings it back")]

mod support;

mod cli;
mod config;
mod dialect;
#[cfg(feature = "failpoints")]
mod disk_full;
mod layering;
#[cfg(feature = "failpoints")]
mod loop_disk;
#[cfg(feature = "failpoints")]
mod model;
#[cfg(feature = "failpoints")]
mod power_cut;
#[cfg(feature = "failpoints")]
mod repair;
#[cfg(feature = "failpoints")]
mod seal_crash;
#[cfg(feature = "failpoints")]
mod workload;
