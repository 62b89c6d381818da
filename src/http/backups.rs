//! Copies of the store that are being made: what each of them is copied from, kept for as long as its client asks for it.
//!
//! A client that goes away must not keep files and memory for ever: a copy of which nothing was asked for a while ends,
//! and so does one that takes longer than anybody's should.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::event::Timestamp;
use crate::store::Snapshot;

use super::problem::Problem;

/// However busy its client is. What was copied until then is good, and another one goes on with it.
const BACKUP_TIME_MAX: Duration = Duration::from_secs(24 * 3_600);

/// All of them.
pub(crate) struct Backups {
    held: Mutex<HashMap<Uuid, Held>>,
    held_max: usize,
    idle_time_max: Duration,
    time_max: Duration,
}

struct Held {
    snapshot: Arc<Snapshot>,
    begun: Timestamp,
    /// When it ends unless something is asked for.
    until: Instant,
    /// When it ends in any case.
    end: Instant,
}

/// What is told of one.
pub(crate) struct Underway {
    pub(crate) id: Uuid,
    pub(crate) begun: Timestamp,
    pub(crate) seconds_left: u64,
}

impl Backups {
    pub(crate) fn new(held_max: usize, idle_time_max: Duration) -> Arc<Self> {
        Self::kept_for(held_max, idle_time_max, BACKUP_TIME_MAX)
    }

    fn kept_for(held_max: usize, idle_time_max: Duration, time_max: Duration) -> Arc<Self> {
        Arc::new(Self { held: Mutex::default(), held_max, idle_time_max, time_max })
    }

    /// How long one is kept of which nothing is asked.
    pub(crate) fn idle_time_max(&self) -> Duration {
        self.idle_time_max
    }

    /// Keeps what `take` takes under this id.
    ///
    /// # Errors
    /// When there are as many as may be.
    pub(crate) fn begin(
        self: &Arc<Self>,
        id: Uuid,
        now: Timestamp,
        take: impl FnOnce() -> Snapshot,
    ) -> Result<Arc<Snapshot>, Problem> {
        let started = Instant::now();
        let mut held = self.held();
        if self.held_max <= held.len() {
            return Err(Problem::too_many_backups(self.held_max));
        }
        let snapshot = Arc::new(take());
        let end = started + self.time_max;
        let until = (started + self.idle_time_max).min(end);
        held.insert(id, Held { snapshot: snapshot.clone(), begun: now, until, end });
        drop(held);
        let backups = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut ends = until;
            loop {
                sleep_until(ends).await;
                let Some(backups) = backups.upgrade() else { return };
                match backups.end_if_due(id) {
                    Some(later) => ends = later,
                    None => return,
                }
            }
        });
        Ok(snapshot)
    }

    /// What a copy is made from; it is kept on.
    ///
    /// # Errors
    /// When there is no such copy any more.
    pub(crate) fn find(&self, id: Uuid) -> Result<Arc<Snapshot>, Problem> {
        let mut held = self.held();
        let known = held.get_mut(&id).ok_or_else(|| no_such_backup(id))?;
        known.until = (Instant::now() + self.idle_time_max).min(known.end);
        Ok(known.snapshot.clone())
    }

    /// The copy is made, or given up.
    ///
    /// # Errors
    /// When there is no such copy any more.
    pub(crate) fn end(&self, id: Uuid) -> Result<(), Problem> {
        self.held().remove(&id).map(drop).ok_or_else(|| no_such_backup(id))
    }

    /// All that are being made, oldest first.
    pub(crate) fn list(&self) -> Vec<Underway> {
        let now = Instant::now();
        let held = self.held();
        let told = |(id, Held { begun, until, .. }): (&Uuid, &Held)| {
            let seconds_left = until.saturating_duration_since(now).as_secs();
            Underway { id: *id, begun: *begun, seconds_left }
        };
        let mut list: Vec<Underway> = held.iter().map(told).collect();
        list.sort_by_key(|underway| (underway.begun, underway.id));
        list
    }

    /// Ends it if its time has come, or it is gone; else when that will be.
    fn end_if_due(&self, id: Uuid) -> Option<Instant> {
        let mut held = self.held();
        let until = held.get(&id)?.until;
        if Instant::now() < until {
            return Some(until);
        }
        held.remove(&id);
        tracing::warn!(%id, "a backup was given up, because its client asked for nothing any more or it took too long");
        None
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Uuid, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn no_such_backup(id: Uuid) -> Problem {
    Problem::backup_not_found(format!("no backup {id} is being made here (any more)"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use crate::store::tests_support::open;

    const LONG: Duration = Duration::from_secs(3_600);
    const SHORT: Duration = Duration::from_millis(20);

    fn begin(backups: &Arc<Backups>, store: &Store, id: u128) -> Result<(), Problem> {
        backups.begin(Uuid::from_u128(id), Timestamp::default(), || store.snapshot()).map(drop)
    }

    #[tokio::test]
    async fn there_are_as_many_as_may_be_and_one_that_ended_makes_room() {
        let dir = tempfile::tempdir().expect("a directory");
        let (store, backups) = (open(dir.path()), Backups::new(2, LONG));
        assert!(begin(&backups, &store, 1).is_ok() && begin(&backups, &store, 2).is_ok());
        assert!(begin(&backups, &store, 3).is_err());
        let [one, two] = [1, 2].map(Uuid::from_u128);
        assert!(backups.find(one).is_ok() && backups.end(one).is_ok());
        assert!(backups.find(one).is_err() && backups.end(one).is_err());
        assert!(begin(&backups, &store, 3).is_ok());
        assert_eq!(backups.list().iter().map(|told| told.id).collect::<Vec<_>>(), [two, Uuid::from_u128(3)]);
    }

    #[tokio::test]
    async fn one_of_which_nothing_is_asked_ends_by_itself() {
        let dir = tempfile::tempdir().expect("a directory");
        let (store, backups) = (open(dir.path()), Backups::new(1, SHORT));
        begin(&backups, &store, 1).expect("begun");
        while !backups.list().is_empty() {
            tokio::time::sleep(SHORT).await;
        }
        assert!(begin(&backups, &store, 2).is_ok(), "its place is free");
    }

    #[tokio::test]
    async fn however_much_is_asked_of_it_none_is_kept_for_longer_than_may_be() {
        let dir = tempfile::tempdir().expect("a directory");
        let (store, backups) = (open(dir.path()), Backups::kept_for(1, LONG, SHORT));
        begin(&backups, &store, 1).expect("begun");
        while backups.find(Uuid::from_u128(1)).is_ok() {
            tokio::time::sleep(SHORT / 4).await;
        }
    }
}
