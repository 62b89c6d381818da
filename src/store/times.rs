//! Moments, and the events that came at them. Times never fall from one position to the next, so in every source they
//! rise with the numbers, and a moment is found by halving.

use crate::event::{Number, Order, Position, Source, Timestamp};

use super::{ReadError, View};

impl View {
    /// The first number, of those that there are to be seen, whose event came at this time or after it; none if all are
    /// older.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn number_at(&self, source: &Source, time: Timestamp) -> Result<Option<Number>, ReadError> {
        let (view, source) = (self.clone(), source.clone());
        let find = move || {
            let visible = view.head(&source)?.visible();
            let first = view.first_since(&source, visible.from, visible.next, time)?;
            Ok((first < visible.next).then_some(first))
        };
        tokio::task::spawn_blocking(find).await.map_err(|error| ReadError::Io(error.to_string()))?
    }

    /// The first number from `from` on whose event is not older than `time`; `next` if there is none below it.
    pub(super) fn first_since(
        &self,
        source: &Source,
        from: Number,
        next: Number,
        time: Timestamp,
    ) -> Result<Number, ReadError> {
        let chunks = &self.state.sealed.chunks;
        // All events of the chunks before it are older, and none of those behind it.
        let chunk = chunks.partition_point(|chunk| chunk.time < time);
        let (mut low, mut high) = (from.get(), next.get());
        while low < high {
            let middle = low + (high - low) / 2;
            let number = Number::new(middle).expect("between two numbers");
            let is_older = match self.chunk_with(source, number)? {
                Some(with) if with != chunk => with < chunk,
                Some(_) | None => self.time_of(source, number)? < time,
            };
            if is_older {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(Number::new(low).expect("at most the next number"))
    }

    /// The time of an event that is there.
    pub(super) fn time_of(&self, source: &Source, number: Number) -> Result<Timestamp, ReadError> {
        let event = self.read_blocking(source, number, number, Order::OldestFirst, 1)?.pop();
        event.map(|event| event.time).ok_or_else(|| ReadError::Damaged(format!("{source}: event {number} is missing")))
    }

    /// Which chunk has an event, as far as that is told without reading it.
    fn chunk_with(&self, source: &Source, number: Number) -> Result<Option<usize>, ReadError> {
        let sealed = &self.state.sealed;
        match source {
            Source::All => Ok(sealed.chunk_index(Position::from(number))),
            Source::Stream(stream) => {
                let in_tail = self.state.tail.iter().find_map(|segment| segment.first_number(stream));
                if in_tail.is_some_and(|first| first <= number) {
                    return Ok(None);
                }
                let run = self.runs_down_from(stream, number)?;
                Ok(run.and_then(|(_, run)| sealed.chunk_index(run.chunk)))
            }
            Source::Derived(..) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::event::{Deletion, ExpectedVersion, Number, Source, Timestamp};
    use crate::store::tests_support::{new_event, open, read, sealed, stream};
    use crate::store::{Append, Delete, Store};

    async fn append(store: &Store, name: &str, ids: std::ops::Range<u32>, now: i64) {
        let events = ids.map(|id| new_event(u128::from(id) + 1, "{}")).collect();
        let (expected, now) = (ExpectedVersion::Any, Timestamp::from_micros(now));
        let append = Append { stream: stream(name), events, expected, ids_alone: false, now };
        store.append(append).await.expect("appended");
    }

    /// Every moment, asked of every source, against a look at all events.
    async fn check(store: &Store, until: i64) {
        let view = store.view();
        for source in ["often", "seldom", "$all", "$et-t", "nobody"].map(|name| Source::named(stream(name))) {
            let times: Vec<_> = read(store, &source).iter().map(|event| event.time).collect();
            let from = view.head(&source).expect("a head").visible().from;
            for moment in (0..until).map(Timestamp::from_micros) {
                let mut places = (0_u32..).map(Number::from).zip(&times);
                let expected = places.find(|(place, time)| from <= *place && moment <= **time);
                let found = view.number_at(&source, moment).await.expect("it looks");
                assert_eq!(found, expected.map(|(place, _)| place), "{source} at {moment:?}");
            }
        }
    }

    #[tokio::test]
    async fn the_number_at_a_time_is_the_first_that_is_not_older_in_chunks_and_in_the_tail() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        // Many events share a moment, every second moment has none, and chunks end in the midst of one.
        for batch in 0..70 {
            let (name, count) = if batch % 7 == 3 { ("seldom", 10) } else { ("often", 2_300) };
            append(&store, name, batch * 10_000..batch * 10_000 + count, 2 + i64::from(batch) * 2).await;
        }
        sealed(&store, 2).await;
        check(&store, 145).await;
        let (deletion, expected) = (Deletion::Soft, ExpectedVersion::Any);
        let now = Timestamp::from_micros(145);
        store.delete(Delete { stream: stream("seldom"), deletion, expected, now }).await.expect("deleted");
        check(&store, 150).await;
        append(&store, "seldom", 0..3, 152).await;
        check(&store, 155).await;
    }
}
