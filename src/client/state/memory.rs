//! A state in memory: any value that can be copied. It is gone with the process, and is built again from the first
//! event.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::{Aborted, Records, StateError, StateStore};
use crate::client::Failure;

/// A state in memory.
///
/// A transaction changes a copy, which takes the place of the state when it is committed: so readers have snapshots
/// that never change under them, and nothing is left of an event that failed half-way. While an aggregator catches up,
/// thousands of events share one copy. A state of more than some megabytes is best made of maps whose copies share
/// what they have in common (such as those of the crate `imbl`).
#[derive(Debug)]
pub struct Memory<T> {
    shown: Shown<T>,
    records: BTreeMap<String, String>,
}

/// What readers are shown, from one transaction to the next.
type Shown<T> = Arc<RwLock<Arc<T>>>;

impl<T: Clone + Send + Sync + 'static> Memory<T> {
    /// Begins with this, before the first event.
    pub fn new(state: T) -> Self {
        Self { shown: Arc::new(RwLock::new(Arc::new(state))), records: BTreeMap::new() }
    }

    /// Whoever wants to read it while events are applied.
    pub fn reader(&self) -> Reader<T> {
        Reader { source: Arc::new(RwLock::new(self.shown.clone())) }
    }
}

impl<T: Clone + Send + Sync + 'static> StateStore for Memory<T> {
    type State<'t> = T;

    fn records(&self, prefix: &str) -> Result<Vec<(String, String)>, StateError> {
        let of_prefix = self.records.range(prefix.to_string()..).take_while(|(name, _)| name.starts_with(prefix));
        Ok(of_prefix.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    fn transaction(&mut self, work: impl FnOnce(&mut T) -> Result<Records, Failure>) -> Result<(), Aborted> {
        let mut changed = T::clone(&read(&self.shown));
        let records = work(&mut changed).map_err(Aborted::blaming)?;
        records.apply_to(&mut self.records);
        let mut shown = self.shown.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *shown, Arc::new(changed));
        drop(shown);
        // It may be large, and nobody has to wait until it is gone.
        drop(before);
        Ok(())
    }
}

/// Reads a state in memory. Clones of a reader read the same, also after it was switched to another state.
#[derive(Debug)]
pub struct Reader<T> {
    source: Arc<RwLock<Shown<T>>>,
}

impl<T> Reader<T> {
    /// The state after the last transaction. It stays what it is.
    #[must_use]
    pub fn snapshot(&self) -> Arc<T> {
        read(&*self.source.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on this reader and all its clones read what `other` reads: a state that was built beside this one.
    pub fn switch_to(&self, other: &Self) {
        let source = other.source.read().unwrap_or_else(PoisonError::into_inner).clone();
        *self.source.write().unwrap_or_else(PoisonError::into_inner) = source;
    }
}

impl<T> Clone for Reader<T> {
    fn clone(&self) -> Self {
        Self { source: self.source.clone() }
    }
}

/// Nobody panics with the lock in hand: it is held for one assignment.
fn read<T>(shown: &RwLock<Arc<T>>) -> Arc<T> {
    shown.read().unwrap_or_else(PoisonError::into_inner).clone()
}
