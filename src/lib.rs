//! Everfeed: an event-feed server.
pub mod event;
pub mod store;
