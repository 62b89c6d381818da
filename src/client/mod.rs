//! The other half: following a feed for ever, in order, through caches, crashes and redeployments, and keeping what
//! its events come to.
//!
//! Nothing here knows the addresses of a server. It is given the URL of a feed and follows links, so it reads whatever
//! speaks Atom with RFC 5005, EventStore's JSON feed, or our lines of JSON. It needs nothing of the server either: the
//! Cargo feature `client` builds `event`, `address`, `feed` and this alone.

mod cache;
mod checkpoint;
mod error;
mod event;
mod fetch;
mod follower;
mod lag;
mod options;
mod order;
mod retry;
mod task;
mod transport;
mod walk;

mod aggregate;
mod aggregator;
mod parked;
mod state;
mod views;

pub use aggregate::{Aggregate, Failure};
pub use aggregator::{
    AggregateError, Aggregator, Ended, FeedStatus, Handle, Order, Poison, PoisonEvent, Progress, Status,
};
pub use checkpoint::{Checkpoint, Log};
pub use error::FollowError;
pub use event::Event;
pub use follower::Follower;
pub use lag::Lag;
pub use options::{Credentials, Following, Live, Prefer, Start};
pub use parked::Parked;
#[cfg(feature = "sqlite")]
pub use rusqlite;
#[cfg(feature = "sqlite")]
pub use state::Sqlite;
pub use state::{Aborted, Memory, Reader, Records, Sled, SledReader, SledState, StateError, StateStore, TooLarge};
pub use views::Views;

/// The message of a panic, if it has one.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_string()
}
