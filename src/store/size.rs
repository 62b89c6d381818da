//! About how many bytes a stream takes: measured on its newest events, and taken to be the same of all.

use crate::event::{Source, StreamName};

use super::runs::SealedRun;
use super::{ReadError, View};

/// In so many chunks the stream's events are measured.
const CHUNKS_MAX: usize = 2;

/// And so many of its events in each segment of the tail.
const EVENTS_MAX: usize = 64;

impl View {
    /// About how many bytes the events of a stream take that there are to be seen: in chunks as they lie on the disk, in
    /// the tail as they were sent. Measured on the newest of them, and taken to be the same of all. None for `$all` and
    /// derived streams: their events are those of others.
    ///
    /// # Errors
    /// When the store's index cannot be read.
    pub async fn bytes_about(&self, source: &Source) -> Result<Option<u64>, ReadError> {
        let Source::Stream(stream) = source else { return Ok(None) };
        let (view, stream) = (self.clone(), stream.clone());
        let measure = move || view.bytes_about_blocking(&stream);
        let measured = tokio::task::spawn_blocking(measure).await.map_err(|error| ReadError::Io(error.to_string()))?;
        measured.map(Some)
    }

    pub(super) fn bytes_about_blocking(&self, stream: &StreamName) -> Result<u64, ReadError> {
        let source = Source::Stream(stream.clone());
        let visible = self.head(&source)?.visible();
        let runs = self.newest_runs(&source, CHUNKS_MAX)?;
        let sealed_next = runs.last().map_or(0, SealedRun::next);
        let sealed = each(self.measured(&runs)?) * sealed_next.saturating_sub(visible.from.get()) as f64;
        let (mut bytes, mut events) = (0, 0);
        for segment in self.state.tail.iter() {
            let here = segment.weights(stream, self.state.log, EVENTS_MAX);
            (bytes, events) = (bytes + here.0, events + here.1);
        }
        let in_tail = visible.next.get().saturating_sub(sealed_next.max(visible.from.get()));
        Ok((sealed + each((bytes, events)) * in_tail as f64) as u64)
    }

    /// What the events of these runs take in their chunks, and how many they are.
    fn measured(&self, runs: &[SealedRun]) -> Result<(u64, u64), ReadError> {
        let (mut bytes, mut events) = (0, 0);
        for run in runs {
            let Some(ordinal) = run.ordinal else { continue };
            let record = &self.state.sealed.chunks[run.chunk];
            bytes += self.shared.chunks.bytes_about(record, ordinal..ordinal + run.events as u32)?;
            events += run.events;
        }
        Ok((bytes, events))
    }
}

/// What each of so many events takes.
fn each((bytes, events): (u64, u64)) -> f64 {
    if events == 0 { 0.0 } else { bytes as f64 / events as f64 }
}
