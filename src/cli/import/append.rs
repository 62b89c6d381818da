//! Into a running server: the events of a file are appended as any producer would, in the order that they have there.
//!
//! Each keeps its id, so whatever is here already is recognised, and the command can be run again. What belongs to the
//! server that was exported stays behind: settings, deletions, and whatever else is in streams of the system.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode};

use super::{Far, Input, unreadable};
use crate::address::{BaseUrl, Suffix};
use crate::cli::client::{Answer, Client};
use crate::cli::export::say;
use crate::cli::who::Who;
use crate::cli::{Exit, Failure};
use crate::event::{HARD_DELETION_TYPE, Source, StreamName};
use crate::feed::read::page::{Event, EventContent};
use crate::replica::import::read_ahead;

/// The most events, and about the most bytes, that are sent in one request.
const BATCH_EVENTS_MAX: usize = 1000;
const BATCH_BYTES_MAX: usize = 4 << 20;

pub(super) async fn run(server: &str, who: &Who, files: &[PathBuf], into: Option<&StreamName>) -> Result<(), Failure> {
    let base = BaseUrl::parse(server)
        .map_err(|error| Failure::new(Exit::Usage, format_args!("--server {server}: {error}")))?;
    let mut to = To { client: who.client(base.as_str())?, base, into: into.cloned(), counts: Counts::default() };
    for path in files {
        to.file(path).await?;
    }
    say(&to.counts.to_string());
    Ok(())
}

/// What became of the rows.
#[derive(Default)]
struct Counts {
    appended: u64,
    repeated: u64,
    left_out: BTreeMap<&'static str, u64>,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} events appended, {} were there already", self.appended, self.repeated)?;
        self.left_out.iter().try_for_each(|(why, events)| write!(f, "; left out: {events} {why}"))
    }
}

/// The server that appends.
struct To {
    client: Client,
    base: BaseUrl,
    into: Option<StreamName>,
    counts: Counts,
}

/// Lines for one stream that follow each other.
#[derive(Default)]
struct Batch {
    stream: Option<StreamName>,
    lines: Vec<Bytes>,
    bytes: usize,
}

impl To {
    async fn file(&mut self, path: &Path) -> Result<(), Failure> {
        let input = Input::open(path)?;
        let mut far = Far::of(&input);
        let mut blocks = read_ahead(input.reader);
        let mut batch = Batch::default();
        while let Some(block) = blocks.recv().await {
            let block = block.map_err(|fault| unreadable(path, &fault))?;
            let mut start = 0;
            for event in &block.events {
                let end = memchr::memchr(b'\n', &block.lines[start..]).map_or(block.lines.len(), |at| start + at + 1);
                let line = block.lines.slice(start..end);
                start = end;
                match left_out(event) {
                    Some(why) => *self.counts.left_out.entry(why).or_default() += 1,
                    None => self.add(&mut batch, event, line).await?,
                }
            }
            far.show();
        }
        self.send(&mut batch).await?;
        far.progress.end();
        Ok(())
    }

    async fn add(&mut self, batch: &mut Batch, event: &Event, line: Bytes) -> Result<(), Failure> {
        let is_next = |stream: &StreamName| self.into.is_some() || stream.as_str() == &*event.stream;
        let is_full = BATCH_EVENTS_MAX <= batch.lines.len() || BATCH_BYTES_MAX < batch.bytes + line.len();
        if is_full || !batch.stream.as_ref().is_some_and(is_next) {
            self.send(batch).await?;
            let name = |text: &str| {
                StreamName::parse(text).map_err(|error| Failure::failed(format_args!("{text:?}: {error}")))
            };
            batch.stream = Some(self.into.clone().map_or_else(|| name(&event.stream), Ok)?);
        }
        batch.bytes += line.len();
        batch.lines.push(line);
        Ok(())
    }

    async fn send(&mut self, batch: &mut Batch) -> Result<(), Failure> {
        let Batch { stream: Some(stream), lines, .. } = std::mem::take(batch) else { return Ok(()) };
        let url = self.base.stream(&Source::Stream(stream), Suffix::None, None);
        let answer = self.post(&url, &lines).await?;
        // Some of them may be there, by another batch; then each is asked for.
        if answer.status == StatusCode::CONFLICT && 1 < lines.len() {
            for line in lines.chunks(1) {
                let answer = self.post(&url, line).await?;
                self.count(&url, &answer, 1)?;
            }
            return Ok(());
        }
        self.count(&url, &answer, lines.len() as u64)
    }

    async fn post(&self, url: &str, lines: &[Bytes]) -> Result<Answer, Failure> {
        let mut body = BytesMut::with_capacity(lines.iter().map(Bytes::len).sum());
        lines.iter().for_each(|line| body.extend_from_slice(line));
        let headers = [("Content-Type", "application/x-ndjson".to_string())];
        self.client.send(Method::POST, url, &headers, body.freeze()).await
    }

    fn count(&mut self, url: &str, answer: &Answer, events: u64) -> Result<(), Failure> {
        if let Some(problem) = answer.refused() {
            return Err(Failure::failed(format_args!("{url}: {problem}")));
        }
        if answer.header("everfeed-repeat") == Some("true") {
            self.counts.repeated += events;
        } else {
            self.counts.appended += events;
        }
        Ok(())
    }
}

/// Why a row is not appended elsewhere.
fn left_out(event: &Event) -> Option<&'static str> {
    if event.stream.starts_with('$') {
        return Some("in streams of the system");
    }
    if &*event.event_type == HARD_DELETION_TYPE {
        return Some("that deleted their stream");
    }
    matches!(event.content, EventContent::Removed { .. }).then_some("without content")
}
