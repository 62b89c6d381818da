//! What ends an aggregator before it was told to stop.

use std::io;

use crate::client::{Failure, FollowError, StateError};

/// Why it ended. The state is what the events before made of it, and the next start goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum AggregateError {
    /// It was put together in a way that cannot be.
    #[error("{0}")]
    Usage(String),
    /// A feed cannot be followed.
    #[error("{feed}: {error}")]
    Follow {
        /// As the aggregator names it.
        feed: String,
        /// What is wrong with it.
        #[source]
        error: FollowError,
    },
    /// An event cannot be applied.
    #[error("{0}")]
    Poison(Box<PoisonEvent>),
    /// The state is of another version of the aggregate.
    #[error("the state was made by version {found} of the aggregate, and this is version {expected}: build it anew")]
    AnotherVersion {
        /// This aggregate's.
        expected: u32,
        /// The state's.
        found: String,
    },
    /// The state has events of a feed that is not followed now. If it is only called something else now, name it as
    /// before ([`follow_as`](super::Aggregator::follow_as)).
    #[error("the state has events of {feed}, which is not followed now")]
    NotFollowed {
        /// As the aggregator named it then.
        feed: String,
    },
    /// A new state cannot be made ready for its first event.
    #[error("the state cannot begin: {0}")]
    Begin(#[source] Failure),
    /// The state store failed.
    #[error(transparent)]
    Store(#[from] StateError),
    /// The state has caught up, and cannot take the place of the one before.
    #[error("the state cannot take its place: {0}")]
    Place(#[source] io::Error),
}

/// An event that could not be applied, as often as it was tried.
#[derive(Debug, thiserror::Error)]
#[error("event {id} ({event_type}, {}{feed}) could not be applied at {attempts} attempts: {reason}", where_in_feed(*place))]
pub struct PoisonEvent {
    /// The feed, as the aggregator names it.
    pub feed: String,
    /// Its place there.
    pub place: Option<u64>,
    /// The event's id.
    pub id: String,
    /// What happened.
    pub event_type: String,
    /// How often it was tried.
    pub attempts: u32,
    /// What the last attempt failed of.
    #[source]
    pub reason: Failure,
}

fn where_in_feed(place: Option<u64>) -> String {
    place.map_or_else(|| "of ".to_string(), |place| format!("at {place} of "))
}
