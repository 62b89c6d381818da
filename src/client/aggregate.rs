//! What the events of a feed come to: the one function that a user of this library writes.

use super::{Event, StateStore};

/// Why an event could not be applied: any error, or a text (`Err("no such order".into())`).
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What is made of events, one after the other, in a state that is kept in an `S`.
///
/// It sees each event exactly once, in order, whatever dies in between: the state and the place in the feed change in
/// one transaction. For this to be true it changes nothing but the state, and what it does follows from the state and
/// the event alone. That it is given `&self` helps: after a transaction that failed, events are applied again.
///
/// A closure is an aggregate too, of version 1:
///
/// ```
/// use everfeed::client::{Aggregator, Event, Memory};
///
/// let store = Memory::new(0_u64);
/// let reader = store.reader();
/// let aggregator = Aggregator::of(store, |orders: &mut u64, event: &Event| {
///     *orders += u64::from(&*event.event_type == "OrderPlaced");
///     Ok(())
/// });
/// # drop(aggregator);
/// assert_eq!(*reader.snapshot(), 0);
/// ```
///
/// With tables, a type of its own says how they begin:
///
/// ```
/// # #[cfg(feature = "sqlite")] {
/// use everfeed::client::{Aggregate, Event, Failure, Sqlite, rusqlite::Transaction};
///
/// struct Revenue;
///
/// impl Aggregate<Sqlite> for Revenue {
///     fn version(&self) -> u32 {
///         2
///     }
///
///     fn begin(&self, tables: &mut Transaction<'_>) -> Result<(), Failure> {
///         Ok(tables.execute_batch("CREATE TABLE revenue (country TEXT PRIMARY KEY, cents INTEGER NOT NULL)")?)
///     }
///
///     fn apply(&self, tables: &mut Transaction<'_>, event: &Event) -> Result<(), Failure> {
///         let order: serde_json::Value = event.json()?;
///         let cents = order["cents"].as_i64().ok_or("an order without a sum")?;
///         tables
///             .prepare_cached("INSERT INTO revenue VALUES (?, ?) ON CONFLICT DO UPDATE SET cents = cents + excluded.cents")?
///             .execute((order["country"].as_str(), cents))?;
///         Ok(())
///     }
/// }
/// # }
/// ```
pub trait Aggregate<S: StateStore>: Send + Sync + 'static {
    /// Which version of the view this makes. Raise it whenever the same events would come to something else: a state
    /// that another version made is never added to, but built anew beside it ([`Views`](super::Views)).
    fn version(&self) -> u32 {
        1
    }

    /// Makes a new state ready for its first event: tables, indexes. It is called once in the life of a state, in a
    /// transaction of its own.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being made; the aggregator then ends.
    fn begin(&self, state: &mut S::State<'_>) -> Result<(), Failure> {
        let _ = state;
        Ok(())
    }

    /// Applies one event. What it has changed before it fails, or panics, is taken back.
    ///
    /// Events whose content was truncated, deleted or erased come too ([`is_removed`](Event::is_removed)): without data,
    /// so that it is the aggregate that says what they mean. Events that the reader may not see
    /// ([`is_hidden`](crate::feed::read::page::Event::is_hidden)) do not come.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the event. It is tried again, and then it is what [`Poison`](super::Poison) says.
    fn apply(&self, state: &mut S::State<'_>, event: &Event) -> Result<(), Failure>;
}

impl<S, F> Aggregate<S> for F
where
    S: StateStore,
    F: Fn(&mut S::State<'_>, &Event) -> Result<(), Failure> + Send + Sync + 'static,
{
    fn apply(&self, state: &mut S::State<'_>, event: &Event) -> Result<(), Failure> {
        self(state, event)
    }
}
