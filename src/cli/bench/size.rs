//! Size: what a sealed store takes on the disk, everything counted, over the bytes of the JSON in it.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::event::{Event, EventId, ExpectedVersion, NewEvent, Number, Order, Source};
use crate::store::{Append, Store};

use super::fill::{self, History};
use super::machine;
use super::orders::Random;
use super::report::Report;
use super::server::Scratch;

/// Events read from a store at once.
const SLICE_EVENTS: u64 = 1_000;
const SLICE_BYTES: usize = 8 << 20;

/// A new store is filled with made-up orders, or with the events of another one; what is complete is sealed.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    #[command(flatten)]
    #[serde(flatten)]
    history: History,
    /// Take the events of this store instead
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// As many times, each time with new ids. (Blocks are compressed one by one, so this gains nothing; but a
    /// chunk is only sealed once it is full)
    #[arg(long, value_name = "NUMBER", default_value_t = 1, requires = "from")]
    repeat: u64,
    /// Where the new store is made
    #[arg(long, value_name = "DIR", default_value = ".")]
    scratch: PathBuf,
}

pub(crate) async fn run(options: &Options) -> io::Result<Report> {
    let mut report = Report::new("size", options);
    let scratch = Scratch::new(&options.scratch)?;
    let data = scratch.path().join("data");
    match &options.from {
        Some(from) => copy(from, &data, options.repeat).await?,
        None => {
            fill::fill(&data, &options.history).await?;
        }
    }
    let (events, raw_bytes) = measure(&data)?;
    let disk_bytes = machine::disk_bytes(&data)?;
    report.count("events", events);
    report.figure("raw_json_mb", raw_bytes as f64 / 1e6);
    report.figure("raw_json_bytes_per_event", raw_bytes as f64 / events as f64);
    report.figure("disk_mb", disk_bytes as f64 / 1e6);
    for part in ["chunks", "sled"] {
        report.figure(format!("disk_{part}_mb"), machine::disk_bytes(&data.join(part))? as f64 / 1e6);
    }
    report.figure("disk_ballast_mb", machine::file_bytes(&data.join("ballast"))? as f64 / 1e6);
    report.figure("disk_bytes_per_event", disk_bytes as f64 / events as f64);
    report.figure("ratio_disk_to_raw_json", disk_bytes as f64 / raw_bytes as f64);
    Ok(report)
}

/// Appends the events of one store to another, again and again; waits until all that is complete is sealed.
async fn copy(from: &Path, to: &Path, repeat: u64) -> io::Result<()> {
    let (source, store) = (fill::open(from)?, fill::open(to)?);
    let mut random = Random::seeded();
    for _ in 0..repeat {
        let mut slices = Slices::new(&source);
        while let Some(slice) = slices.next()? {
            for run in slice.chunk_by(|one, next| one.stream == next.stream) {
                append(&store, run, &mut random).await?;
            }
        }
    }
    while store.view().chunks_due() > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    store.close();
    source.close();
    Ok(())
}

async fn append(store: &Store, run: &[Event], random: &mut Random) -> io::Result<()> {
    let new = |event: &Event| {
        let id = EventId::new(random.uuid()).expect("a version 4 UUID is never nil");
        let (event_type, content) = (event.event_type.clone(), event.content.clone()?);
        Some(NewEvent { id, id_is_fresh: false, event_type, content })
    };
    let events: Vec<NewEvent> = run.iter().filter_map(new).collect();
    if !events.is_empty() {
        let (stream, now) = (run[0].stream.clone(), run[0].time);
        store
            .append(Append { stream, events, expected: ExpectedVersion::Any, ids_alone: false, now })
            .await
            .map_err(io::Error::other)?;
    }
    Ok(())
}

/// All events of the store in `data`, and the bytes of their data and metadata.
fn measure(data: &Path) -> io::Result<(u64, u64)> {
    let store = fill::open(data)?;
    let mut slices = Slices::new(&store);
    let (mut events, mut bytes) = (0, 0);
    while let Some(slice) = slices.next()? {
        events += slice.len() as u64;
        bytes +=
            slice.iter().filter_map(|event| event.content.as_ref()).map(|content| content.len() as u64).sum::<u64>();
    }
    store.close();
    Ok((events, bytes))
}

/// The whole log, a slice at a time.
struct Slices<'a> {
    store: &'a Store,
    next: Number,
}

impl<'a> Slices<'a> {
    fn new(store: &'a Store) -> Self {
        Self { store, next: Number::ZERO }
    }

    fn next(&mut self) -> io::Result<Option<Vec<Event>>> {
        let last = self.next.plus(SLICE_EVENTS - 1);
        let slice = self.store.view().read_blocking(&Source::All, self.next, last, Order::OldestFirst, SLICE_BYTES);
        let slice = slice.map_err(io::Error::other)?;
        self.next = self.next.plus(slice.len() as u64);
        Ok(Some(slice).filter(|slice| !slice.is_empty()))
    }
}
