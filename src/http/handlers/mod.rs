//! One file for each resource.

pub(crate) mod append;
pub(crate) mod backup;
pub(crate) mod data;
pub(crate) mod delete;
pub(crate) mod description;
pub(crate) mod erase;
pub(crate) mod event;
pub(crate) mod feed;
pub(crate) mod fixed;
pub(crate) mod health;
pub(crate) mod help;
pub(crate) mod listen;
pub(crate) mod metadata;
pub(crate) mod metrics;
pub(crate) mod openapi;
pub(crate) mod operations;
pub(crate) mod promote;
pub(crate) mod scavenge;
pub(crate) mod service;
pub(crate) mod stats;
pub(crate) mod streams;
pub(crate) mod strict;
pub(crate) mod ui;
pub(crate) mod users;
