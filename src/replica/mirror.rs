//! Following another server's log into a store of its own, event for event, until the store takes appends itself.
//!
//! How far it has come is what the store holds; there is no other note of it. So whatever dies when, it goes on after its
//! own newest event, which the other log must have in the same place.

use std::time::Duration;

use tokio::sync::mpsc;

use super::rows::{NoRow, Rows};
use super::{Origin, Standing};
use crate::client::{Event, FollowError, Follower, Lag, Log};
use crate::event::{Event as Stored, Number, Order, Position, Source};
use crate::store::{Identity, ReplicateError, Role, Row, Store};

/// So many events go into one group: about 1 MB of usual ones.
const GROUP_EVENTS_MAX: usize = 1_000;

/// How many groups are read ahead of the one that is being made durable.
const GROUPS_AHEAD: usize = 2;

/// How long to wait when nothing can be written for now, and between looks at a log whose epoch is not yet what its
/// pages say.
const PAUSE: Duration = Duration::from_secs(5);

/// How far a mirror has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mirrored {
    /// As many events are here.
    pub events: u64,
    /// How far that is behind.
    pub lag: Lag,
    /// Whether all that there was is here.
    pub is_caught_up: bool,
}

/// Why mirroring ended. Going on would mix two histories, or could not succeed.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The other server cannot be followed.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// Something else answers there.
    #[error("{url} is not what an Everfeed server says of itself: {why}")]
    NoServer {
        /// What was asked for.
        url: String,
        /// What is wrong with the answer.
        why: String,
    },
    /// It has another log.
    #[error("{origin} has the log {found}, and this is a replica of the log {expected}")]
    AnotherLog {
        /// The other server.
        origin: String,
        /// The log here.
        expected: uuid::Uuid,
        /// The log there.
        found: uuid::Uuid,
    },
    /// It is in an older epoch.
    #[error(
        "{origin} is in epoch {there} and this replica in epoch {here}: either the replica was being promoted (then \
         `everfeed promote` completes that), or the other server has an older history"
    )]
    OlderEpoch {
        /// The other server.
        origin: String,
        /// The epoch here.
        here: u32,
        /// The epoch there.
        there: u32,
    },
    /// It has lost events.
    #[error("{origin} has {there} events, and this replica {here}: the other log lacks what was mirrored of it")]
    Lacks {
        /// The other server.
        origin: String,
        /// How many events are here.
        here: u64,
        /// How many are there.
        there: u64,
    },
    /// An event is not as a log has them.
    #[error("{origin}: {why}")]
    Unreadable {
        /// The other server.
        origin: String,
        /// What is wrong with it.
        why: NoRow,
    },
    /// The events do not continue what is here.
    #[error(transparent)]
    Replicate(#[from] ReplicateError),
}

/// Why a part of the way is over.
enum Ended {
    /// It is to be begun anew, after a pause.
    Again,
    Failed(MirrorError),
}

impl<E: Into<MirrorError>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// A group of rows on its way into the store.
struct Batch {
    rows: Vec<Row>,
    /// The position after them.
    end: Position,
    lag: Lag,
    is_caught_up: bool,
}

/// Mirrors the log until the store is no replica any more. `report` hears of every group.
///
/// # Errors
/// When it is another log or another history, or storage failed. What passes by itself is waited out.
pub async fn mirror(
    store: &Store,
    origin: &Origin,
    report: &mut (dyn FnMut(&Mirrored) + Send),
) -> Result<(), MirrorError> {
    loop {
        let ended = tokio::select! {
            biased;
            () = store.until_no_replica() => return Ok(()),
            ended = way(store, origin, report) => ended,
        };
        match ended {
            Err(Ended::Failed(_)) if store.replica_of().is_none() => return Ok(()),
            Err(Ended::Failed(error)) => return Err(error),
            Ok(()) | Err(Ended::Again) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Looks where both logs stand, and follows until that is not so any more.
async fn way(store: &Store, origin: &Origin, report: &mut (dyn FnMut(&Mirrored) + Send)) -> Result<(), Ended> {
    let there = origin.standing().await?;
    let here = Standing { identity: store.identity(), events: store.view().log().next.get() };
    check(origin, here, there)?;
    if store.replica_of().is_some_and(|of| *of != origin.to_string()) {
        // It has moved, and is the same log.
        adopt(store, origin, here.identity).await?;
    }
    let goes_on = here.identity == there.identity;
    let newest = newest(store).await?;
    if newest.is_none() && !goes_on {
        adopt(store, origin, there.identity).await?;
    }
    if !goes_on && newest.is_some() {
        tracing::info!(
            epoch = there.identity.epoch, %origin,
            "the other log has begun a new epoch; all of it is compared with what is here"
        );
    }
    let mut follower = origin.follow(newest.as_ref().filter(|_| goes_on), there.identity)?;
    let (batches, mut coming) = mpsc::channel::<Batch>(GROUPS_AHEAD);
    let reading = read(origin, &mut follower, there.identity, batches);
    let writing = async {
        while let Some(Batch { rows, end, lag, is_caught_up }) = coming.recv().await {
            let next = match store.replicate(rows).await {
                Ok(next) => next,
                Err(error) if error.passes() && !store.has_failed() => {
                    tracing::warn!(%error, "mirroring has to wait");
                    return Err(Ended::Again);
                }
                Err(error) => return Err(error.into()),
            };
            if store.identity().epoch < there.identity.epoch && here.events <= end.get() {
                adopt(store, origin, there.identity).await?;
            }
            report(&Mirrored { events: next.get(), lag, is_caught_up });
        }
        Ok(())
    };
    tokio::try_join!(reading, writing)?;
    Ok(())
}

/// Whether the other log can have what is here.
fn check(origin: &Origin, here: Standing, there: Standing) -> Result<(), MirrorError> {
    let origin = origin.to_string();
    if here.identity.log != there.identity.log {
        return Err(MirrorError::AnotherLog { origin, expected: here.identity.log, found: there.identity.log });
    }
    if there.identity.epoch < here.identity.epoch {
        let (here, there) = (here.identity.epoch, there.identity.epoch);
        return Err(MirrorError::OlderEpoch { origin, here, there });
    }
    if there.events < here.events {
        return Err(MirrorError::Lacks { origin, here: here.events, there: there.events });
    }
    Ok(())
}

/// The store becomes the replica of this server in this epoch; up to its own end it has the same history.
async fn adopt(store: &Store, origin: &Origin, identity: Identity) -> Result<(), MirrorError> {
    store.turn(Role::Replica { of: origin.to_string(), epoch: identity.epoch }).await?;
    tracing::info!(epoch = identity.epoch, %origin, "this is its replica, in the same epoch");
    Ok(())
}

/// The newest event that is here.
async fn newest(store: &Store) -> Result<Option<Stored>, MirrorError> {
    let view = store.view();
    let Some(last) = view.log().next.before().map(Number::from) else { return Ok(None) };
    let mut events =
        view.read(&Source::All, last, last, Order::OldestFirst, usize::MAX).await.map_err(ReplicateError::from)?;
    Ok(events.pop())
}

/// Reads groups of events, as long as they are of this history.
async fn read(
    origin: &Origin,
    follower: &mut Follower,
    identity: Identity,
    batches: mpsc::Sender<Batch>,
) -> Result<(), Ended> {
    let mut rows = Rows::default();
    while let Some(events) = follower.next_batch(GROUP_EVENTS_MAX).await {
        let events = events?;
        if events.iter().filter_map(Event::log).any(|log| is_later(log, identity)) {
            return Err(Ended::Again);
        }
        let rows: Result<Vec<Row>, NoRow> = events.into_iter().map(|event| rows.of(event.into_page_event())).collect();
        let rows = rows.map_err(|why| MirrorError::Unreadable { origin: origin.to_string(), why })?;
        let end = rows.last().map_or(Position::ZERO, |row| row.position.plus(1));
        let batch = Batch { rows, end, lag: follower.lag(), is_caught_up: follower.is_caught_up() };
        if batches.send(batch).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Pages of an older epoch, which caches may hold, are fine.
fn is_later(log: Log, identity: Identity) -> bool {
    log.id != identity.log || identity.epoch < log.epoch
}
