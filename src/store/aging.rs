//! Truncation by age: now and then the log says which events are too old by now. Only that makes them go, never a
//! reader's clock, so that a restart, a mirror and every reader see the same.

use std::collections::HashMap;

use tokio::task::JoinSet;

use crate::event::{Number, Source, Status, StreamName, Timestamp};

use super::{AppendError, ReadError, Store, View};

/// So many streams are truncated in one go: about one group, and no more of the queue than that.
const STREAMS_AT_ONCE: usize = 64;

/// Truncates streams by age, and remembers from look to look what cannot have changed.
#[derive(Debug, Default)]
pub struct Aging {
    /// The first number that each stream still shows, and its time.
    oldest: HashMap<StreamName, (Number, Timestamp)>,
}

impl Aging {
    /// Looks at every stream with `$maxAge`, and appends an event for each that has events which are too old. Returns
    /// how many there were.
    ///
    /// # Errors
    /// When nothing can be appended; those before it are truncated.
    pub async fn look(&mut self, store: &Store, now: Timestamp) -> Result<usize, AppendError> {
        let view = store.view();
        let mut aging = std::mem::take(self);
        // What is in chunks is read from files.
        let look = move || {
            let found = aging.too_old(&view, now);
            (aging, found)
        };
        let looked = tokio::task::spawn_blocking(look).await;
        let (aging, found) = looked.map_err(|error| ReadError::Io(error.to_string()))?;
        *self = aging;
        let count = found.len();
        let mut found = found.into_iter().peekable();
        while found.peek().is_some() {
            let mut truncations = JoinSet::new();
            for (stream, before) in found.by_ref().take(STREAMS_AT_ONCE) {
                let store = store.clone();
                truncations.spawn(async move { store.truncate(stream, before, now).await });
            }
            while let Some(truncated) = truncations.join_next().await {
                truncated.map_err(|error| ReadError::Io(error.to_string()))??;
            }
        }
        Ok(count)
    }

    /// The streams with events that are too old, and the first number of each that is not.
    fn too_old(&mut self, view: &View, now: Timestamp) -> Vec<(StreamName, Number)> {
        let mut found = Vec::new();
        let mut oldest = HashMap::new();
        for (stream, retention) in view.retentions() {
            let Some(max_age) = retention.settings.max_age.filter(|_| retention.status == Status::Live) else {
                continue;
            };
            let max_age = i64::try_from(max_age.as_micros()).unwrap_or(i64::MAX);
            let Some(limit) = now.micros().checked_sub(max_age).map(Timestamp::from_micros) else { continue };
            match self.first_left(view, stream, limit, &mut oldest) {
                Ok(first_left) => found.extend(first_left.map(|first_left| (stream.clone(), first_left))),
                // What cannot be read of one stream is no reason to keep what is too old of all others.
                Err(error) => tracing::warn!(%error, %stream, "it cannot be told which events are too old"),
            }
        }
        self.oldest = oldest;
        found
    }

    /// The first number of a stream whose event is not older than `limit`, if any is older.
    fn first_left(
        &self,
        view: &View,
        stream: &StreamName,
        limit: Timestamp,
        oldest: &mut HashMap<StreamName, (Number, Timestamp)>,
    ) -> Result<Option<Number>, ReadError> {
        let source = Source::Stream(stream.clone());
        let head = view.head(&source)?;
        if head.next <= head.first_visible {
            return Ok(None);
        }
        let known = self.oldest.get(stream).filter(|(number, _)| *number == head.first_visible);
        let first = match known {
            Some((_, time)) => *time,
            None => view.time_of(&source, head.first_visible)?,
        };
        oldest.insert(stream.clone(), (head.first_visible, first));
        if first < limit {
            return view.first_since(&source, head.first_visible, head.next, limit).map(Some);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ExpectedVersion, MediaType, NewEvent};
    use crate::store::tests_support::{new_event, open, read, stream};
    use crate::store::{Append, tests_support};

    const SECOND: i64 = 1_000_000;

    async fn append(store: &Store, name: &str, event: NewEvent, seconds: i64) {
        let now = Timestamp::from_micros(seconds * SECOND);
        let append =
            Append { stream: stream(name), events: vec![event], expected: ExpectedVersion::Any, ids_alone: false, now };
        store.append(append).await.expect("appended");
    }

    async fn limit(store: &Store, name: &str, max_age: u64, seconds: i64) {
        let mut event =
            new_event(u128::from(max_age) << 64 | seconds.unsigned_abs() as u128, format!("{{\"$maxAge\":{max_age}}}"));
        event.event_type = crate::event::EventType::parse("$metadata").expect("a type");
        event.content.media_type = MediaType::json();
        append(store, &format!("$${name}"), event, seconds).await;
    }

    fn first_visible(store: &Store, name: &str) -> u64 {
        store.view().head(&Source::Stream(stream(name))).expect("a head").first_visible.get()
    }

    fn truncations(store: &Store) -> usize {
        read(store, &Source::Stream(stream(crate::event::TRUNCATIONS))).len()
    }

    async fn look(aging: &mut Aging, store: &Store, seconds: i64) -> usize {
        aging.look(store, Timestamp::from_micros(seconds * SECOND)).await.expect("it looks")
    }

    #[tokio::test]
    async fn what_is_too_old_goes_when_the_log_says_so_and_the_log_says_so_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        for number in 0..100_u32 {
            append(&store, "aged", new_event(u128::from(number) + 1, "{}"), i64::from(number)).await;
            append(&store, "other", new_event(u128::from(number) + 1, "{}"), i64::from(number)).await;
        }
        limit(&store, "aged", 30, 99).await;
        let mut aging = Aging::default();
        assert_eq!(first_visible(&store, "aged"), 0, "no clock alone makes anything go");
        assert_eq!(look(&mut aging, &store, 30).await, 0, "30 s old is not older than 30 s");
        assert_eq!((look(&mut aging, &store, 31).await, first_visible(&store, "aged")), (1, 1));
        assert_eq!(look(&mut aging, &store, 31).await, 0, "nothing is said twice");
        assert_eq!((look(&mut aging, &store, 100).await, first_visible(&store, "aged")), (1, 70));
        assert_eq!((look(&mut aging, &store, 100).await, truncations(&store)), (0, 2));
        assert_eq!(first_visible(&store, "other"), 0);
        assert_eq!(look(&mut aging, &store, 20).await, 0, "a clock that goes back brings nothing back");
        assert_eq!(first_visible(&store, "aged"), 70);

        store.close();
        drop(store);
        let store = open(dir.path());
        assert_eq!(first_visible(&store, "aged"), 70, "after a restart");
        assert_eq!((look(&mut Aging::default(), &store, 100).await, truncations(&store)), (0, 2));
        assert_eq!((look(&mut aging, &store, 1_000).await, first_visible(&store, "aged")), (1, 100), "all of it");
        assert_eq!(look(&mut aging, &store, 2_000).await, 0, "there is nothing left to go");
        append(&store, "aged", new_event(1_000, "{}"), 2_000).await;
        assert_eq!((look(&mut aging, &store, 2_030).await, first_visible(&store, "aged")), (0, 100));
        assert_eq!((look(&mut aging, &store, 2_031).await, first_visible(&store, "aged")), (1, 101));
    }

    #[tokio::test]
    async fn many_streams_are_truncated_each_by_one_event() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        for number in 0..150_u32 {
            let name = format!("s-{number}");
            append(&store, &name, new_event(1, "{}"), 10).await;
        }
        // Time never goes back in the log.
        for number in (0..150).step_by(2).chain((1..150).step_by(2)) {
            let name = format!("s-{number}");
            append(&store, &name, new_event(2, "{}"), 11 + i64::from(number % 2)).await;
        }
        for number in 0..150 {
            limit(&store, &format!("s-{number}"), 5, 12).await;
        }
        let mut aging = Aging::default();
        assert_eq!((look(&mut aging, &store, 17).await, truncations(&store)), (150, 150));
        for number in 0..150 {
            assert_eq!(first_visible(&store, &format!("s-{number}")), 2 - number % 2, "s-{number}");
        }
        let deleted = crate::store::Delete {
            stream: tests_support::stream("s-1"),
            deletion: crate::event::Deletion::Soft,
            expected: ExpectedVersion::Any,
            now: Timestamp::from_micros(18 * SECOND),
        };
        store.delete(deleted).await.expect("deleted");
        assert_eq!(look(&mut aging, &store, 18).await, 74, "what is deleted needs no truncation");
    }
}
