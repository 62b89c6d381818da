//! What others may ask of an aggregator, and do with what it has parked, while it runs.

use std::sync::{Arc, Mutex, PoisonError};

use super::worker::Worker;
use super::{Shared, Status};
use crate::client::{Aborted, Aggregate, Parked, StateError, StateStore};

/// A way to an aggregator that runs, or will, or did. It keeps the store open. What it does comes between two
/// transactions of the aggregator.
pub struct Handle<S, A> {
    pub(super) worker: Shared<S, A>,
    pub(super) status: Status,
}

impl<S: StateStore, A: Aggregate<S>> Handle<S, A> {
    /// How it is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// The events that are parked, oldest first.
    ///
    /// # Errors
    ///
    /// The state store failed.
    pub async fn parked(&self) -> Result<Vec<Parked>, StateError> {
        with(&self.worker, |worker| worker.parked()).await?
    }

    /// Applies a parked event after all; it is parked no more then. It comes after all that were applied since. False
    /// if no event is parked under this number.
    ///
    /// # Errors
    ///
    /// It still cannot be applied, and stays parked; or the state store failed.
    pub async fn replay(&self, number: u64) -> Result<bool, Aborted> {
        let is_replayed = with(&self.worker, move |worker| worker.replay(number)).await??;
        self.status.change_parked(|parked| parked.saturating_sub(u64::from(is_replayed)));
        Ok(is_replayed)
    }

    /// Forgets a parked event: it will never be applied. False if no event is parked under this number.
    ///
    /// # Errors
    ///
    /// The state store failed.
    pub async fn discard(&self, number: u64) -> Result<bool, StateError> {
        let is_discarded = with(&self.worker, move |worker| worker.discard(number)).await??;
        self.status.change_parked(|parked| parked.saturating_sub(u64::from(is_discarded)));
        Ok(is_discarded)
    }
}

impl<S, A> Clone for Handle<S, A> {
    fn clone(&self) -> Self {
        Self { worker: self.worker.clone(), status: self.status.clone() }
    }
}

impl<S, A> std::fmt::Debug for Handle<S, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Works with the store where that may take its time. It is done to its end also when nobody waits for it any more.
pub(super) async fn with<S, A, T>(
    worker: &Arc<Mutex<Worker<S, A>>>,
    work: impl FnOnce(&mut Worker<S, A>) -> T + Send + 'static,
) -> Result<T, StateError>
where
    S: StateStore,
    A: Aggregate<S>,
    T: Send + 'static,
{
    let worker = worker.clone();
    let done = tokio::task::spawn_blocking(move || {
        // A store that panicked has its transaction rolled back, or says itself that it cannot go on.
        work(&mut worker.lock().unwrap_or_else(PoisonError::into_inner))
    });
    done.await.map_err(|error| StateError::new(format!("it panicked, or the runtime ends: {error}")))
}
