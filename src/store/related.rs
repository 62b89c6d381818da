//! Events that belong together: those with the same `$correlationId` as one of them.

use crate::event::{Derived, Event, Number, Order, Position, Source, StreamName};

use super::{ReadError, View};

/// Where no index tells, so many events of the log are looked at on either side.
const REACH: u64 = 256;

/// And about so many bytes of what they carry.
const REACH_BYTES: usize = 2 << 20;

/// Events with the same correlation id as another, oldest first, without that one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// Those next to it.
    pub events: Vec<Event>,
    /// Where was looked for them.
    pub reach: Reach,
}

/// Where related events were looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// In this derived stream, which has all of them. There may be more on either side.
    Stream(StreamName),
    /// Between these positions alone, both included.
    Positions(Position, Position),
}

impl View {
    /// Events with the same correlation id as this one, at most `count_max` on either side; none for one that has no
    /// correlation id. Where the derived stream of such events is kept they are found wherever they are; else a few
    /// hundred neighbours in the log are looked at.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn related(&self, event: &Event, count_max: u64) -> Result<Option<Related>, ReadError> {
        let Some(id) = event.correlation().map(std::borrow::Cow::into_owned) else { return Ok(None) };
        let (view, position) = (self.clone(), event.position);
        let related = move || view.related_blocking(&id, position, count_max);
        let related = tokio::task::spawn_blocking(related).await.map_err(|error| ReadError::Io(error.to_string()))?;
        related.map(Some)
    }

    fn related_blocking(&self, id: &str, position: Position, count_max: u64) -> Result<Related, ReadError> {
        let kind = Derived::Correlation;
        let stream = StreamName::parse(&[kind.prefix(), id].concat()).ok();
        if let Some(stream) = stream.filter(|_| self.shared.kinds.contains(kind)) {
            match self.in_their_stream(stream, position, count_max) {
                // Until the index is built, the neighbours have to do.
                Err(ReadError::Indexing { .. }) => {}
                related => return related,
            }
        }
        self.among_neighbours(id, position, count_max)
    }

    fn in_their_stream(&self, stream: StreamName, position: Position, count_max: u64) -> Result<Related, ReadError> {
        let source = Source::Derived(Derived::Correlation, stream.clone());
        let (mut low, mut high) = (0, self.head(&source)?.next.get());
        while low < high {
            let middle = low + (high - low) / 2;
            let at_middle = self.read_blocking(&source, number(middle), number(middle), Order::OldestFirst, 1)?;
            if at_middle.first().is_some_and(|event| event.position < position) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let (first, last) = (number(low.saturating_sub(count_max)), number(low.saturating_add(count_max)));
        let mut events = self.read_blocking(&source, first, last, Order::OldestFirst, REACH_BYTES)?;
        events.retain(|event| event.position != position);
        Ok(Related { events, reach: Reach::Stream(stream) })
    }

    fn among_neighbours(&self, id: &str, position: Position, count_max: u64) -> Result<Related, ReadError> {
        let is_related = |event: &Event| event.correlation().is_some_and(|other| other == id);
        let (mut events, mut first) = (Vec::new(), position);
        if let Some(before) = position.before() {
            let from = Position::new(position.get().saturating_sub(REACH)).expect("below a position");
            let older =
                self.read_blocking(&Source::All, from.into(), before.into(), Order::NewestFirst, REACH_BYTES)?;
            first = older.last().map_or(first, |event| event.position);
            events.extend(older.into_iter().filter(is_related).take(count_max as usize));
            events.reverse();
        }
        let to = position.plus(REACH);
        let newer =
            self.read_blocking(&Source::All, position.plus(1).into(), to.into(), Order::OldestFirst, REACH_BYTES)?;
        let last = newer.last().map_or(position, |event| event.position);
        events.extend(newer.into_iter().filter(is_related).take(count_max as usize));
        Ok(Related { events, reach: Reach::Positions(first, last) })
    }
}

fn number(value: u64) -> Number {
    Number::new(value).unwrap_or(Number::MAX)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;
    use crate::event::Timestamp;
    use crate::store::tests_support::{append, new_event, open, options, read};
    use crate::store::{Options, Store};

    /// Every third event has the correlation id, in two streams.
    async fn fill(store: &Store, events: u32) {
        for number in 0..events {
            let mut event = new_event(u128::from(number) + 1, "{}");
            let id = if number % 3 == 0 { "flow 7" } else { "other" };
            event.content.metadata = Some(Bytes::from(format!("{{\"$correlationId\":\"{id}\"}}")));
            append(store, ["a", "b"][(number % 2) as usize], vec![event]).await.expect("appended");
        }
    }

    fn positions(related: &Related) -> Vec<u64> {
        related.events.iter().map(|event| event.position.get()).collect()
    }

    #[tokio::test]
    async fn events_of_the_same_flow_are_found_next_to_one_with_and_without_an_index() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        fill(&store, 900).await;
        let log = read(&store, &Source::All);
        let related = store.view().related(&log[300], 2).await.expect("it looks").expect("it has an id");
        assert_eq!(positions(&related), [294, 297, 303, 306]);
        let (first, last) = (Position::from(44), Position::from(556));
        assert_eq!(related.reach, Reach::Positions(first, last));
        let at_the_ends = store.view().related(&log[0], 2).await.expect("it looks").expect("it has an id");
        assert_eq!(positions(&at_the_ends), [3, 6]);
        let all = store.view().related(&log[897], 1_000).await.expect("it looks").expect("it has an id");
        assert_eq!(positions(&all), (642..895).step_by(3).collect::<Vec<_>>(), "as far as it reaches");
        store.close();
        drop(store);

        let kinds = [Derived::Correlation].into_iter().collect();
        let options = Options { derived: kinds, ..options(dir.path()) };
        let store = Store::open(&options, Uuid::from_u128(42), Timestamp::from_micros(1)).expect("it opens").0;
        let all = store.view().related(&log[897], 1_000).await.expect("it looks").expect("it has an id");
        assert_eq!(positions(&all), (0..895).step_by(3).collect::<Vec<_>>(), "wherever they are");
        let stream = StreamName::parse("$bc-flow 7").expect("a name");
        assert_eq!(all.reach, Reach::Stream(stream));
        let related = store.view().related(&log[300], 2).await.expect("it looks").expect("it has an id");
        assert_eq!(positions(&related), [294, 297, 303, 306]);
        append(&store, "a", vec![new_event(10_000, "{}")]).await.expect("appended");
        let without = read(&store, &Source::All).pop().expect("an event");
        assert_eq!(store.view().related(&without, 2).await, Ok(None));
    }
}
