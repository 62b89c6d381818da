//! Everfeed: an event-feed server.
pub mod config;
pub mod event;

pub mod address;
pub mod feed;
pub mod store;
