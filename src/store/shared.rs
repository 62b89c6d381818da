//! What the threads of an open store share, and whether it takes appends.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::meter::StoreMeters;

use super::chunks::Chunks;
use super::derived::{Indexes, Kinds};
use super::disk::DiskGuard;
use super::door::Door;
use super::ids::Fingerprints;
use super::names::Names;
use super::queue::{Intent, Queue};
use super::scavenger::Scavenger;
use super::view::State;
use super::waiters::Waiters;
use super::{AppendError, Availability, Identity, Unwritable};

/// What all threads share.
pub(crate) struct Shared {
    pub(crate) log: Uuid,
    pub(crate) epoch: AtomicU32,
    /// What the store is a replica of; none if it takes appends.
    pub(crate) replica_of: ArcSwapOption<String>,
    /// Rung when that has changed.
    pub(crate) turned: Notify,
    pub(crate) state: ArcSwap<State>,
    pub(crate) door: Door,
    pub(crate) chunks: Arc<Chunks>,
    /// The derived streams that are kept.
    pub(crate) kinds: Kinds,
    pub(crate) indexes: Indexes,
    pub(crate) names: Names,
    pub(crate) queue: Queue,
    pub(crate) scavenger: Scavenger,
    pub(crate) waiters: Arc<Waiters>,
    pub(crate) meters: StoreMeters,
    pub(crate) fingerprints: Fingerprints,
    pub(crate) disk: DiskGuard,
    pub(crate) availability: Mutex<Availability>,
    /// The same as `availability`, for the quick look.
    pub(crate) writable: AtomicBool,
    /// A write or a sync failed: what the disk holds is known only after the next start.
    pub(crate) failed: AtomicBool,
    pub(crate) closing: AtomicBool,
}

impl Shared {
    pub(crate) fn identity(&self) -> Identity {
        Identity { log: self.log, epoch: self.epoch.load(Ordering::SeqCst) }
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.writable.load(Ordering::SeqCst)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    pub(crate) fn availability(&self) -> Availability {
        match self.refusal() {
            None => Availability::Writable,
            Some(AppendError::ReadOnly(reason)) => Availability::ReadOnly { reason },
            Some(other) => Availability::ReadOnly { reason: other.to_string() },
        }
    }

    /// What keeps appends off now.
    pub(crate) fn unwritable(&self) -> Option<Unwritable> {
        Some(match self.refusal()? {
            AppendError::DiskFull => Unwritable::DiskReserve,
            AppendError::Replica(_) => Unwritable::Replica,
            _ if self.failed.load(Ordering::SeqCst) => Unwritable::StorageFailed,
            _ => Unwritable::BySetting,
        })
    }

    /// Why any append is refused now.
    pub(crate) fn refusal(&self) -> Option<AppendError> {
        match &*self.replica_of.load() {
            Some(of) if self.is_writable() => Some(AppendError::Replica(of.to_string())),
            _ => self.refuses_everything(),
        }
    }

    /// Why nothing at all may be written now, not even what a replica takes in.
    pub(crate) fn refuses_everything(&self) -> Option<AppendError> {
        if self.is_writable() {
            return self.disk.is_low().then_some(AppendError::DiskFull);
        }
        match &*self.availability.lock().unwrap_or_else(PoisonError::into_inner) {
            Availability::Writable => None,
            Availability::ReadOnly { reason } => Some(AppendError::ReadOnly(reason.clone())),
        }
    }

    /// Why this is refused now. What lets space be given back goes on a little longer than appends, and so does what has
    /// to be recorded before that.
    pub(crate) fn refuses(&self, intent: Intent) -> Option<AppendError> {
        let gives_space_back = match intent {
            Intent::Append => false,
            Intent::Record | Intent::Delete(_) | Intent::Truncate(_) | Intent::Erase(_) => true,
        };
        match self.refusal() {
            Some(AppendError::DiskFull) if gives_space_back && self.disk.has_room_to_scavenge(0) => None,
            refusal => refusal,
        }
    }

    /// After a failed write or sync nothing more is acknowledged until the store is opened again.
    pub(crate) fn stop_writing(&self, failure: &str) {
        tracing::error!(failure, "storage failed; the store takes no more writes until it is opened again");
        self.failed.store(true, Ordering::SeqCst);
        let reason = format!("storage failed ({failure}); restart to recover");
        *self.availability.lock().unwrap_or_else(PoisonError::into_inner) = Availability::ReadOnly { reason };
        self.writable.store(false, Ordering::SeqCst);
    }
}
