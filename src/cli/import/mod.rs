//! `everfeed import`: exports into a new store, which becomes the log that was exported, or into a running server, which
//! appends their events; and another server's events into a new log.

mod append;
mod rebuild;
mod take_over;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::{ArgGroup, Args};

use super::client::{block_on, stream_name};
use super::progress::Progress;
use super::who::Who;
use super::{Exit, Failure};
use crate::event::StreamName;
use crate::replica::interchange::{Fault, FaultKind, Reader, decompressed};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("from").required(true).args(["file", "from_eventstore"]))]
#[command(group = ArgGroup::new("into").required(true).args(["data", "server"]))]
pub(super) struct Options {
    /// What was exported, compressed or not; - is standard input. Of several each goes on where the one before it ends
    file: Vec<PathBuf>,
    /// Read another server instead, by its AtomPub API, into a new log: EventStoreDB, KurrentDB or Everfeed
    #[arg(long, value_name = "URL", conflicts_with_all = ["server", "same_epoch"])]
    from_eventstore: Option<String>,
    #[command(flatten)]
    who: Who,
    /// Rebuild the log in this directory, which is new, or holds the beginning of the same log
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The exported server takes no more appends, so the copy goes on in its epoch instead of a new one
    #[arg(long, conflicts_with = "server")]
    same_epoch: bool,
    /// Append the events to this server, under their ids; places and times are given anew
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// With --server, append all of them to this stream; with --from-eventstore, read only this one, and perhaps others
    #[arg(long, value_name = "NAME", value_parser = stream_name)]
    stream: Vec<StreamName>,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let Options { file, from_eventstore, who, data, same_epoch, server, stream } = options;
    let usage = |why: &str| Err(Failure::new(Exit::Usage, why));
    match (from_eventstore, data, server) {
        (Some(url), Some(data), _) => {
            let origin = take_over::origin(url, stream, who)?;
            block_on(take_over::run(data, &origin))
        }
        (None, Some(_), _) if !stream.is_empty() => usage("a log is rebuilt from all of its streams, not by --stream"),
        (None, Some(data), _) => block_on(rebuild::run(data, file, *same_epoch)),
        (None, None, Some(_)) if 1 < stream.len() => usage("with --server there is one --stream"),
        (None, None, Some(server)) => block_on(append::run(server, who, file, stream.first())),
        (None, None, None) | (Some(_), None, _) => usage("--data DIR or --server URL says where to"),
    }
}

/// A file that is read, and how much of it has been.
struct Input {
    reader: Reader,
    read: Arc<AtomicU64>,
    bytes: Option<u64>,
}

impl Input {
    fn open(path: &Path) -> Result<Self, Failure> {
        let usage = |error| Failure::new(Exit::Usage, format_args!("{}: {error}", path.display()));
        let read = Arc::new(AtomicU64::new(0));
        let count = |input| Counted { input, read: read.clone() };
        let (input, bytes) = if path == Path::new("-") {
            (decompressed(count(Box::new(std::io::stdin()) as Box<dyn Read + Send>)), None)
        } else {
            let file = File::open(path).map_err(usage)?;
            let bytes = file.metadata().map_err(usage)?.len();
            (decompressed(count(Box::new(file) as Box<dyn Read + Send>)), Some(bytes))
        };
        let reader = Reader::begin(input.map_err(usage)?).map_err(|fault| unreadable(path, &fault))?;
        Ok(Self { reader, read, bytes })
    }
}

/// Tells how far a file has been read.
struct Far {
    progress: Progress,
    read: Arc<AtomicU64>,
    bytes: Option<u64>,
}

impl Far {
    fn of(input: &Input) -> Self {
        Self { progress: Progress::counting("importing", "bytes"), read: input.read.clone(), bytes: input.bytes }
    }

    fn show(&mut self) {
        let read = self.read.load(Ordering::Relaxed);
        self.progress.show(read, self.bytes.unwrap_or(read));
    }
}

struct Counted {
    input: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.input.read(buffer)?;
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

/// A file that is no whole export is as bad as a store that is damaged.
fn unreadable(path: &Path, fault: &Fault) -> Failure {
    let exit = match fault.why {
        FaultKind::NotAnExport(_) => Exit::Usage,
        FaultKind::NewerVersion(_) => Exit::NewerFormat,
        FaultKind::Io(_) => Exit::Failed,
        FaultKind::CutShort
        | FaultKind::Altered { .. }
        | FaultKind::Unreadable(_)
        | FaultKind::TooLong(_)
        | FaultKind::AfterTheEnd => Exit::Damaged,
    };
    Failure::new(exit, format_args!("{}: {fault}", path.display()))
}
