//! The log of another server, read by its AtomPub API, as a new log: EventStoreDB's, KurrentDB's, or ours.
//!
//! The new log has an identity of its own. Its positions are those of the order in which the source shows its events;
//! ids, numbers, types, times, data and metadata are the source's. A number that the source has no event for any more
//! (truncated, deleted, scavenged) becomes a row without content, as one that was lost in a repair: so all others keep
//! theirs. Settings and deletions are kept, with the streams that they are about.
//!
//! Whatever is here already is told by its stream and number. So an import that was killed begins again anywhere before
//! that, and where it begins is only a matter of time: the checkpoints stand in a small file beside the store.
//!
//! What the source has for itself is left out: statistics, projections and what they wrote (`$ce-…`, `$et-…`, …, which
//! are kept here without being told), users, and all other streams whose name begins with `$`.

mod feeds;
mod left_out;
mod translation;

use std::collections::BTreeMap;
use std::path::Path;

use uuid::Uuid;

use super::import::{ImportError, check_empty};
use crate::address::BaseUrl;
use crate::client::{Credentials, FollowError, Tls};
use crate::event::{Position, StreamName, Timestamp};
use crate::store::{NewStore, Options, ReplicateError, Role, Store};
use feeds::Feeds;
use translation::Translation;

/// About how many rows are taken in together.
const ROWS_AT_ONCE: usize = 1024;

/// What to read, and as whom.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The server.
    pub url: BaseUrl,
    /// Only these streams; without any, all that there are (`$all`, which takes rights there).
    pub streams: Vec<StreamName>,
    /// Whoever may read them.
    pub credentials: Credentials,
    /// Whom to trust over TLS, and what to show.
    pub tls: Tls,
}

/// What was taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// All rows of the log.
    pub rows: u64,
    /// What the source told of and the log does not have, or not as it was, by reason.
    pub remarks: BTreeMap<&'static str, u64>,
}

/// Why it was not, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum TakeOverError {
    /// There is something else in the directory, or it cannot be opened.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The directory holds another store.
    #[error("the store there is no unfinished import from {0}")]
    AnotherStore(String),
    /// The source cannot be read.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The source says too little, or something that cannot be.
    #[error("{event}: {why}")]
    Event {
        /// Which event of it.
        event: String,
        /// What is wrong.
        why: String,
    },
    /// The store does not take the rows.
    #[error(transparent)]
    Replicate(#[from] ReplicateError),
}

/// Opens the store in this directory that is being made from this source, or makes it, as this log.
///
/// # Errors
/// When something else is there.
pub fn open(data: &Path, origin: &Origin, new_log: Uuid, now: Timestamp) -> Result<Store, TakeOverError> {
    check_empty(data)?;
    let of = origin.to_string();
    let new = NewStore { log: new_log, epoch: 0, created: now, replica_of: Some(of.clone()) };
    let (store, _) = Store::open_or_make(&Options::new(data), &new).map_err(ImportError::from)?;
    match store.replica_of() {
        Some(known) if *known == of => Ok(store),
        _ => Err(TakeOverError::AnotherStore(of)),
    }
}

/// Takes over everything up to the end of the source; then the store takes appends. `progress` hears how many rows there
/// are.
///
/// # Errors
/// When the source cannot be read or the store cannot be written. It goes on there the next time.
pub async fn take_over(
    store: &Store,
    data: &Path,
    origin: &Origin,
    mut progress: impl FnMut(Position),
) -> Result<Report, TakeOverError> {
    let mut feeds = Feeds::open(origin, data).await?;
    let mut translation = Translation::into(store);
    while let Some((feed, event)) = feeds.next().await? {
        let target = if translation::is_link(&event) { feeds.target_of(&event).await? } else { None };
        translation.take(store, feed.as_ref(), (*event).clone(), target)?;
        if ROWS_AT_ONCE <= translation.rows.len() {
            progress(store.replicate(std::mem::take(&mut translation.rows)).await?);
            // What is held back has to be read again.
            if translation.holds_nothing() {
                feeds.save(data);
            }
        }
    }
    translation.end(store)?;
    let next = store.replicate(std::mem::take(&mut translation.rows)).await?;
    store.turn(Role::Complete).await?;
    feeds::forget(data);
    let mut remarks = translation.remarks;
    remarks.extend(feeds.remarks);
    Ok(Report { rows: next.get(), remarks })
}

impl std::fmt::Display for Origin {
    /// As it is noted in the store that is made from it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.url.fmt(f)?;
        self.streams.iter().try_for_each(|stream| write!(f, " {stream}"))
    }
}
