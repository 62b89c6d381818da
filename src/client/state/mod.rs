//! Where the state of an aggregate is kept, together with how far it has come: in memory, in sled, in SQLite, or in any
//! database that has transactions.

mod memory;
mod sled;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use self::memory::{Memory, Reader};
pub use self::sled::{Sled, SledReader, SledState, TooLarge};
#[cfg(feature = "sqlite")]
pub use self::sqlite::Sqlite;
use super::Failure;

/// A database that keeps a state, and beside it a few records of text that belong to it: how far each feed has been
/// followed, and which events were parked.
///
/// It has to promise one thing: that the state and the records change together or not at all, in the order of the
/// transactions. Then each event counts exactly once. That the last transactions are still there after a power cut it
/// need not promise: their events are read and applied again.
///
/// Any transactional database will do. What it needs is a table of names and values, and:
///
/// ```
/// use everfeed::client::{Aborted, Failure, Records, StateError, StateStore};
/// # use std::collections::BTreeMap;
///
/// /// A state of one number.
/// #[derive(Default)]
/// struct Number {
///     number: i64,
///     records: BTreeMap<String, String>,
/// }
///
/// impl StateStore for Number {
///     type State<'t> = i64;
///
///     fn records(&self, prefix: &str) -> Result<Vec<(String, String)>, StateError> {
///         let of_prefix = self.records.iter().filter(|(name, _)| name.starts_with(prefix));
///         Ok(of_prefix.map(|(name, value)| (name.clone(), value.clone())).collect())
///     }
///
///     fn transaction(&mut self, work: impl FnOnce(&mut i64) -> Result<Records, Failure>) -> Result<(), Aborted> {
///         let mut number = self.number;
///         let records = work(&mut number).map_err(Aborted::blaming)?;
///         records.apply_to(&mut self.records);
///         self.number = number;
///         Ok(())
///     }
/// }
///
/// let mut number = Number::default();
/// number.transaction(|number| { *number += 1; Ok(Records::default()) }).expect("it cannot fail");
/// number.transaction(|number| { *number += 1; Err("not today".into()) }).expect_err("it failed");
/// assert_eq!(number.number, 1);
/// ```
pub trait StateStore: Send + 'static {
    /// What an aggregate changes: the state itself, or a transaction on it.
    type State<'t>;

    /// The records whose names begin with `prefix`, in the order of their names.
    ///
    /// # Errors
    ///
    /// The database failed.
    fn records(&self, prefix: &str) -> Result<Vec<(String, String)>, StateError>;

    /// Lets `work` change the state and makes that, and the records it answers with, one change. When it fails nothing
    /// of it is left.
    ///
    /// # Errors
    ///
    /// `work` failed, or the database did.
    fn transaction(
        &mut self,
        work: impl FnOnce(&mut Self::State<'_>) -> Result<Records, Failure>,
    ) -> Result<(), Aborted>;

    /// Whether this transaction should be committed before another event is applied, since it holds as much as the
    /// database takes well at once.
    fn is_full(state: &Self::State<'_>) -> bool {
        let _ = state;
        false
    }
}

/// What changes of the records that are kept beside a state.
#[derive(Debug, Default)]
pub struct Records(BTreeMap<String, Option<String>>);

impl Records {
    /// Sets one.
    pub fn put(&mut self, name: String, value: String) {
        self.0.insert(name, Some(value));
    }

    /// Removes one; it need not be there.
    pub fn remove(&mut self, name: String) {
        self.0.insert(name, None);
    }

    /// Name by name: the new value, or none if it goes.
    pub fn changes(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (&**name, value.as_deref()))
    }

    /// Makes the changes in a map.
    pub fn apply_to(self, records: &mut BTreeMap<String, String>) {
        for (name, value) in self.0 {
            match value {
                Some(value) => records.insert(name, value),
                None => records.remove(&name),
            };
        }
    }
}

/// Why nothing is left of a transaction.
#[derive(Debug, thiserror::Error)]
pub enum Aborted {
    /// The event could not be applied. Another would be.
    #[error("{0}")]
    Apply(Failure),
    /// The database failed, and would with any event.
    #[error(transparent)]
    Store(#[from] StateError),
}

impl Aborted {
    /// What a state store says of `work` that failed: a failure of the database, which came to the aggregate while it
    /// read or wrote, is not the event's fault, and the event must not be parked for it.
    #[must_use]
    pub fn blaming(failure: Failure) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&*failure);
        while let Some(error) = cause {
            if error.is::<StateError>() {
                return Self::Store(StateError(failure));
            }
            cause = error.source();
        }
        Self::Apply(failure)
    }
}

/// A state store failed. What it was writing may or may not be there; its records say so when it is opened again.
#[derive(Debug, thiserror::Error)]
#[error("the state store failed: {0}")]
pub struct StateError(#[source] Failure);

impl StateError {
    /// With its cause.
    pub fn new(cause: impl Into<Failure>) -> Self {
        Self(cause.into())
    }
}
