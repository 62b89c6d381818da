//! Copies of a log, event for event: its identity, ids, numbers, positions, times and settings stay what they are.
//!
//! A copy is a store that takes its events from elsewhere alone ([`crate::store::Store::replicate`]) until that is ended
//! for good. What comes is checked event by event; nothing is decided anew, so both have the same pages.

mod rows;
mod origin;
mod mirror;

pub mod backup;
pub mod eventstore;
pub mod export;
pub mod import;
pub mod interchange;

pub use mirror::{MirrorError, Mirrored, mirror};
pub use origin::{Origin, Standing};
pub use rows::{NoRow, Rows};
