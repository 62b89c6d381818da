//! Everfeed as its users meet it: the real binary, real sockets, real proxies. One subject a file.
#![allow(clippy::print_stdout, reason = "a test says what it did, and which seed brings it back")]

mod support;

mod append;
mod bad_input;
mod bench;
mod byte_stability;
mod caching;
mod cli;
mod clients;
mod cloudevents;
mod conditional;
mod config;
mod damaged;
mod derived;
mod dialect;
mod disk_full;
mod entries;
mod failed_sync;
mod full_disk_served;
mod fuzz;
mod hostile;
mod http2;
mod kill;
mod large_pages;
mod layering;
mod limits;
mod links;
mod live;
mod loop_disk;
mod model;
mod ndjson;
mod negotiation;
mod paging;
mod power_cut;
mod problems;
mod proxies;
mod removal;
mod repair;
mod retail;
mod seal_crash;
mod service;
mod shutdown;
mod strace;
mod sync_audit;
mod workload;
