//! The other half: following a feed for ever, in order, through caches, crashes and redeployments, and keeping what
//! its events come to.
//!
//! Nothing here knows the addresses of a server. It is given the URL of a feed and follows links, so it reads whatever
//! speaks Atom with RFC 5005, EventStore's JSON feed, or our lines of JSON. It needs nothing of the server either: the
//! Cargo feature `client` builds `event`, `address`, `feed` and this alone.
//!
//! # Following
//!
//! ```no_run
//! use everfeed::client::{FollowError, Follower, Start};
//!
//! # async fn run(kept: Option<everfeed::client::Checkpoint>) -> Result<(), FollowError> {
//! let start = kept.map_or(Start::Beginning, Start::After);
//! let mut orders = Follower::of("http://localhost:2113/streams/orders").from(start).start()?;
//! while let Some(event) = orders.next().await {
//!     let event = event?;
//!     println!("{} {}: {} bytes", event.time, event.event_type, event.data().map_or(0, |data| data.len()));
//!     // Kept together with what was made of the event, this is where the next start goes on.
//!     let checkpoint = event.checkpoint();
//! #   drop(checkpoint);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A [`Follower`] hands over each event once and in order: first those that are there, page by page and some pages ahead,
//! then those that happen, by long polls or as an event stream. What may pass by itself, such as a server that restarts,
//! a connection that breaks or a page that arrives in part, it waits out and says so in the log, once. What would make a
//! wrong history of it ends it, as a [`FollowError`]: another log at the same URL, a restored one that lacks what was
//! read, events that were truncated before they were read.
//!
//! How it works, in reading order: `transport` makes one request, `cache` keeps pages on disk, `fetch` asks until a page
//! is there in whole (`retry`), `walk` finds which page comes next, `order` looks whether it may, and `follower` hands
//! over.
//!
//! # Aggregating
//!
//! An [`Aggregator`] keeps what events come to: an [`Aggregate`] says what that is, a [`StateStore`] where it is kept
//! ([`Memory`], [`Sled`], [`Sqlite`], or a database of one's own).
//!
//! # One transaction
//!
//! Each feed is read ahead by a task of its own; their events are merged into one row ([`Order`]). Whatever has arrived
//! since the last transaction is the next one: thousands of events while catching up, each as it comes afterwards. The
//! aggregate applies them to the state, and in the same transaction the store notes how far each feed has come. So
//! whatever dies, and whenever: when the aggregator starts again, the state says which event is the next, and each has
//! been counted once. If an event cannot be applied, nothing is left of the transaction; the events before it are applied
//! anew and committed, and it is tried alone, some times more. Then it is up to [`Poison`].
//!
//! A state belongs to one version of its aggregate. Another version is built beside it from the first event on, and
//! takes its place once it has caught up: [`Views`] for states in files, [`Reader::switch_to`] for those in memory.

mod options;
mod event;
mod checkpoint;
mod document;
mod error;
mod lag;

mod transport;
mod cache;
mod retry;
mod fetch;
mod walk;
mod order;
mod pages;
mod task;
mod follower;

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
pub use options::{Credentials, Following, Live, Prefer, Start, Tls};
pub use pages::Pages;
pub use parked::Parked;
#[cfg(feature = "sqlite")]
pub use rusqlite;
#[cfg(feature = "sqlite")]
pub use state::Sqlite;
pub use state::{Aborted, Memory, Reader, Records, Sled, SledReader, SledState, StateError, StateStore, TooLarge};
#[cfg(feature = "server")]
pub(crate) use transport::connection;
pub use views::Views;

/// The message of a panic, if it has one.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_string()
}
