//! Filling a store with history, through the store itself: as fast as it takes events, without a server.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::event::{Content, EventId, EventType, ExpectedVersion, MediaType, NewEvent, StreamName, Timestamp};
use crate::store::{self, Append, Store};

use super::load;
use super::machine;
use super::orders::{Orders, Random};
use super::report::Report;
use super::server::{self, Scratch};

/// When the first event happened: 2025-01-01. The following ones follow at the pace at which they are written.
pub(crate) const BEGIN_MICROS: i64 = 1_735_689_600_000_000;

/// Makes a store for `consume`, `open`, `size` and `history` to be run over (with `--data`).
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Where the store is, or is to be
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    #[command(flatten)]
    #[serde(flatten)]
    history: History,
}

/// What a store is filled with.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct History {
    /// Events to append
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000)]
    pub(crate) events: u64,
    /// Streams, interleaved event by event
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) streams: u64,
    /// The stream, or the beginning of their names if there are several
    #[arg(long, value_name = "NAME", default_value = "orders")]
    pub(crate) stream: String,
    /// The length of an event's data
    #[arg(long, value_name = "BYTES", default_value_t = 1_024)]
    pub(crate) event_bytes: usize,
}

impl History {
    pub(crate) fn stream_name(&self, index: u64) -> String {
        if self.streams == 1 { self.stream.clone() } else { format!("{}-{index}", self.stream) }
    }
}

pub(crate) async fn run(options: &Options) -> io::Result<Report> {
    let mut report = Report::new("fill", options);
    let elapsed = fill(&options.data, &options.history).await?;
    report.count("events", options.history.events);
    report.figure("events_per_second", options.history.events as f64 / elapsed.as_secs_f64());
    report.figure("disk_mb", machine::disk_bytes(&options.data)? as f64 / 1e6);
    Ok(report)
}

/// Opens the store in `data`, or makes one.
pub(crate) fn open(data: &Path) -> io::Result<Store> {
    let options = store::Options::new(data);
    let (store, _) = Store::open(&options, Random::seeded().uuid(), Timestamp::from_micros(BEGIN_MICROS))
        .map_err(io::Error::other)?;
    Ok(store)
}

/// The server that is to be measured: unless the options name one, or a store for it, over a new store with the history.
pub(crate) async fn served(
    options: &server::Options,
    history: &History,
    scratch: &Scratch,
) -> io::Result<server::Options> {
    let mut options = options.clone();
    if options.url.is_none() && options.data.is_none() {
        let data = scratch.path().join("filled");
        fill(&data, history).await?;
        options.data = Some(data);
    }
    Ok(options)
}

/// Appends the history to the store in `data`, waits until all that is complete is sealed, and closes it. Says
/// how long the appending took.
pub(crate) async fn fill(data: &Path, history: &History) -> io::Result<Duration> {
    let orders = Arc::new(Orders::new(history.event_bytes, &mut Random::seeded()));
    let store = open(data)?;
    let elapsed = append_all(&store, history, &orders).await?;
    while store.view().chunks_due() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    store.close();
    Ok(elapsed)
}

async fn append_all(store: &Store, history: &History, orders: &Arc<Orders>) -> io::Result<Duration> {
    // Interleaved streams take one event an append, many at a time; the queue takes 1,000.
    let (batch, producers) = if history.streams == 1 { (500, 8) } else { (1, 800) };
    let begin = Instant::now();
    let taken = Arc::new(AtomicU64::new(0));
    let bar = load::progress();
    let mut running = JoinSet::new();
    for _ in 0..producers {
        let (store, history, orders, taken, bar) =
            (store.clone(), history.clone(), orders.clone(), taken.clone(), bar.clone());
        running.spawn(async move {
            let mut random = Random::seeded();
            loop {
                let first = taken.fetch_add(batch, Ordering::Relaxed);
                if first >= history.events {
                    return Ok::<_, io::Error>(());
                }
                let events = batch.min(history.events - first);
                let stream = history.stream_name(first % history.streams);
                let append = Append {
                    stream: StreamName::parse(&stream).map_err(io::Error::other)?,
                    events: (0..events).map(|_| event(&orders, &mut random)).collect(),
                    expected: ExpectedVersion::Any,
                    ids_alone: false,
                    now: Timestamp::from_micros(BEGIN_MICROS + begin.elapsed().as_micros() as i64),
                };
                store.append(append).await.map_err(io::Error::other)?;
                if first % 100_000 < batch {
                    bar.set_message(format!("{first} of {} events", history.events));
                }
            }
        });
    }
    while let Some(finished) = running.join_next().await {
        finished.map_err(io::Error::other)??;
    }
    bar.finish_and_clear();
    Ok(begin.elapsed())
}

/// An event of an order.
pub(crate) fn event(orders: &Orders, random: &mut Random) -> NewEvent {
    let (event_type, data) = orders.next();
    NewEvent {
        id: EventId::new(random.uuid()).expect("a version 4 UUID is never nil"),
        id_is_fresh: false,
        event_type: EventType::parse(event_type).expect("it is a plain word"),
        content: Content {
            media_type: MediaType::json(),
            data: Bytes::copy_from_slice(data),
            metadata: None,
            trace_parent: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Source;

    #[tokio::test]
    async fn a_store_is_filled_with_as_many_events_in_as_many_streams_as_asked() {
        for (events, streams) in [(1_234, 1), (1_000, 10)] {
            let directory = tempfile::tempdir().expect("a directory");
            let history = History { events, streams, stream: "orders".into(), event_bytes: 200 };
            fill(directory.path(), &history).await.expect("it is filled");
            let store = open(directory.path()).expect("it opens");
            let head = |source: &Source| store.view().head(source).expect("it reads").next.get();
            assert_eq!(head(&Source::All), events);
            let last = StreamName::parse(&history.stream_name(streams - 1)).expect("a name");
            assert_eq!(head(&Source::Stream(last)), events / streams);
            store.close();
        }
    }
}
