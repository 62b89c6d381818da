//! Everfeed: an event-feed server.
pub mod event;

pub mod access;
pub mod address;
pub mod cli;
pub mod config;
pub mod feed;
pub mod http;
pub mod server;
pub mod store;
pub mod telemetry;
