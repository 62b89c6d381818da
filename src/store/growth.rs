//! How sources grew, for plots: when they had how many events, and how many came in each span of time. Told from what
//! the index has in memory and in sled; of chunks only a few events are read.

use crate::event::{Number, Source, Timestamp};

use super::runs::SealedRun;
use super::{ReadError, View};

/// So many events are read from chunks for one source, at most.
const READ_MAX: u64 = 16;

/// Of a source's runs in chunks so many are looked at for what came lately; what lies before them came before that.
const RUNS_MAX: usize = 128;

/// A moment, and how many numbers a source had assigned by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Milestone {
    /// The moment.
    pub time: Timestamp,
    /// How many by then.
    pub events: u64,
}

/// Spans of time that follow each other, all of the same length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spans {
    /// Where the first begins.
    pub from: Timestamp,
    /// Where the last ends; what comes at that moment is not in it.
    pub until: Timestamp,
    /// How many there are; at least one.
    pub count: u16,
}

impl Spans {
    /// Where they begin and end.
    fn bounds(self) -> impl Iterator<Item = Timestamp> {
        let (from, length) = (i128::from(self.from.micros()), i128::from(self.until.micros() - self.from.micros()));
        let count = i128::from(self.count.max(1));
        (0..=count).map(move |bound| Timestamp::from_micros((from + length * bound / count) as i64))
    }
}

impl View {
    /// When a source had how many events: at most `points_max` moments, the first and the newest event that there are
    /// to be seen among them. Each of them is exact.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn growth(&self, source: &Source, points_max: usize) -> Result<Vec<Milestone>, ReadError> {
        let (view, source) = (self.clone(), source.clone());
        let growth = move || view.growth_blocking(&source, points_max);
        tokio::task::spawn_blocking(growth).await.map_err(|error| ReadError::Io(error.to_string()))?
    }

    fn growth_blocking(&self, source: &Source, points_max: usize) -> Result<Vec<Milestone>, ReadError> {
        let visible = self.head(source)?.visible();
        let (first, next) = (visible.from.get(), visible.next.get());
        let Some(last) = next.checked_sub(1).filter(|last| first <= *last) else { return Ok(Vec::new()) };
        let runs = self.newest_runs(source, usize::MAX)?;
        let at_end = |run: &SealedRun| Milestone { time: self.state.sealed.chunks[run.chunk].time, events: run.next() };
        let mut milestones: Vec<_> = runs.iter().map(at_end).filter(|milestone| first < milestone.events).collect();
        let sealed = milestones.last().map_or(first, |milestone| milestone.events);
        let mut numbers = vec![first, last];
        let between = |from: u64, until: u64, count: u64| {
            (1..count).map(move |step| from + (u128::from(until - from) * u128::from(step) / u128::from(count)) as u64)
        };
        if milestones.len() < points_max / 2 {
            numbers.extend(between(first, sealed, READ_MAX.min(sealed - first)));
        }
        // In the tail a look costs next to nothing.
        numbers.extend(between(sealed, next, (points_max as u64).min(next - sealed)));
        numbers.sort_unstable();
        numbers.dedup();
        for number in numbers {
            let time = self.time_of(source, Number::new(number).expect("below the next number"))?;
            milestones.push(Milestone { time, events: number + 1 });
        }
        // Of events that share a moment the last counts: by then all of them were there.
        milestones.sort_unstable();
        milestones.dedup_by(|later, kept| {
            let is_same = later.time == kept.time;
            if is_same {
                kept.events = kept.events.max(later.events);
            }
            is_same
        });
        Ok(thinned(milestones, points_max))
    }

    /// How many events came to each source in each span. Exact for what is in the tail; in chunks events are taken to
    /// have come evenly between the chunk before theirs and its end.
    ///
    /// # Errors
    /// When the store's index cannot be read.
    pub async fn activity(&self, sources: Vec<Source>, spans: Spans) -> Result<Vec<Vec<u64>>, ReadError> {
        let view = self.clone();
        let activity =
            move || sources.iter().map(|source| view.activity_blocking(source, spans)).collect::<Result<_, _>>();
        tokio::task::spawn_blocking(activity).await.map_err(|error| ReadError::Io(error.to_string()))?
    }

    fn activity_blocking(&self, source: &Source, spans: Spans) -> Result<Vec<u64>, ReadError> {
        let bounds: Vec<Timestamp> = spans.bounds().collect();
        let runs = self.newest_runs(source, RUNS_MAX)?;
        let mut older: Vec<u64> = bounds.iter().map(|bound| self.older_in_chunks(&runs, *bound)).collect();
        for segment in self.state.tail.iter() {
            let here = segment.older(source, self.state.log, &bounds);
            older.iter_mut().zip(here).for_each(|(older, here)| *older += here);
        }
        Ok(older.windows(2).map(|bounds| bounds[1].saturating_sub(bounds[0])).collect())
    }

    /// How many numbers of a source with these runs were assigned before a moment, about.
    fn older_in_chunks(&self, runs: &[SealedRun], moment: Timestamp) -> u64 {
        let chunks = &self.state.sealed.chunks;
        let run = runs.partition_point(|run| chunks[run.chunk].time < moment);
        let Some(run) = runs.get(run) else { return runs.last().map_or(0, SealedRun::next) };
        let begin = run.chunk.checked_sub(1).map_or(chunks[run.chunk].time, |before| chunks[before].time);
        let (length, passed) =
            (chunks[run.chunk].time.micros() - begin.micros(), (moment.micros() - begin.micros()).max(0));
        let share = if length > 0 { passed as f64 / length as f64 } else { 0.0 };
        run.first + (run.events as f64 * share.min(1.0)) as u64
    }
}

/// As many of them as are wanted, the first and the last among them.
fn thinned(milestones: Vec<Milestone>, points_max: usize) -> Vec<Milestone> {
    if milestones.len() <= points_max || points_max < 2 {
        return milestones;
    }
    let last = milestones.len() - 1;
    (0..points_max).map(|point| milestones[last * point / (points_max - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ExpectedVersion, StreamName};
    use crate::store::tests_support::{new_event, open, read, sealed, stream};
    use crate::store::{Append, Store};

    async fn append(store: &Store, name: &str, ids: std::ops::Range<u32>, now: i64) {
        let events = ids.map(|id| new_event(u128::from(id) + 1, "{}")).collect();
        let (expected, now) = (ExpectedVersion::Any, Timestamp::from_micros(now));
        let append = Append { stream: stream(name), events, expected, ids_alone: false, now };
        store.append(append).await.expect("appended");
    }

    /// Two chunks and a rest: batches that share a moment, every tenth microsecond.
    async fn filled(dir: &std::path::Path) -> Store {
        let store = open(dir);
        for batch in 0..70 {
            let (name, count) = if batch % 7 == 3 { ("seldom", 10) } else { ("often", 2_300) };
            append(&store, name, batch * 10_000..batch * 10_000 + count, 10 + i64::from(batch) * 10).await;
        }
        sealed(&store, 2).await;
        store
    }

    fn sources() -> [Source; 4] {
        ["often", "seldom", "$all", "$et-t"].map(|name| Source::named(stream(name)))
    }

    #[tokio::test]
    async fn a_source_grows_from_its_first_event_to_its_newest_and_every_moment_is_true() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = filled(dir.path()).await;
        for source in sources() {
            let times: Vec<_> = read(&store, &source).iter().map(|event| event.time).collect();
            for points_max in [2, 5, 60] {
                let growth = store.view().growth(&source, points_max).await.expect("it grew");
                assert!(growth.len() <= points_max && growth.len() > 1, "{source}: {growth:?}");
                assert!(
                    growth.is_sorted_by(|one, next| one.time < next.time && one.events < next.events),
                    "{growth:?}"
                );
                assert_eq!(growth[0].time, times[0], "{source}");
                let newest = growth[growth.len() - 1];
                assert_eq!((newest.time, newest.events as usize), (times[times.len() - 1], times.len()), "{source}");
                for Milestone { time, events } in growth {
                    let (older, by_then) =
                        (times.partition_point(|other| *other < time), times.partition_point(|other| *other <= time));
                    assert!((older..=by_then).contains(&(events as usize)), "{source}: {events} at {time:?}");
                }
            }
        }
        let nothing = Source::Stream(StreamName::nothing());
        assert_eq!(store.view().growth(&nothing, 60).await, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn what_came_in_a_span_is_exact_in_the_tail_and_complete_over_all() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = filled(dir.path()).await;
        let view = store.view();
        let sealed_time = view.state.sealed.chunks[1].time.micros();
        for source in sources() {
            let times: Vec<_> = read(&store, &source).iter().map(|event| event.time.micros()).collect();
            let check = async |from: i64, until: i64, count: u16| {
                let spans = Spans { from: Timestamp::from_micros(from), until: Timestamp::from_micros(until), count };
                view.activity(vec![source.clone()], spans).await.expect("it looks").pop().expect("one source")
            };
            let all = check(0, 1_000, 10).await;
            assert_eq!((all.len(), all.iter().sum::<u64>()), (10, times.len() as u64), "{source}");
            let lately = check(sealed_time + 1, sealed_time + 51, 5).await;
            let expected: Vec<u64> = (0..5)
                .map(|span| sealed_time + 1 + span * 10..sealed_time + 11 + span * 10)
                .map(|span| times.iter().filter(|time| span.contains(time)).count() as u64)
                .collect();
            assert_eq!(lately, expected, "{source}");
        }
    }

    #[tokio::test]
    async fn a_stream_takes_about_what_its_events_take() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = filled(dir.path()).await;
        let view = store.view();
        let bytes = async |name: &str| view.bytes_about(&Source::named(stream(name))).await.expect("it looks");
        let (often, seldom) = (bytes("often").await.expect("bytes"), bytes("seldom").await.expect("bytes"));
        let files = view.sizes().chunk_bytes;
        assert!(files / 4 < often && often < 4 * files, "{often} of {files}");
        assert!(seldom > 0 && seldom * 50 < often, "{seldom} of {often}");
        assert_eq!(bytes("$all").await, None);
        assert_eq!(bytes("nobody").await, Some(0));
    }
}
