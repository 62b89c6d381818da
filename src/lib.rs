//! Everfeed: an event-feed server.
pub mod config;
pub mod event;
pub mod store;
