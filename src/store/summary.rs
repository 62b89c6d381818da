//! Streams as lists show them: where they stand, and what they got last.

use crate::event::{Event, Order, Source, StreamHead, StreamName};

use super::{ReadError, View};

/// A stream, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Which one.
    pub stream: StreamName,
    /// Where it stands.
    pub head: StreamHead,
    /// Its newest event. It has no content if it is truncated.
    pub newest: Event,
    /// About how many bytes its events take; see [`View::bytes_about`].
    pub bytes_about: u64,
}

impl View {
    /// What lists show of these streams, in the same order; of those alone that are there.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn summaries(&self, streams: Vec<StreamName>) -> Result<Vec<Summary>, ReadError> {
        let view = self.clone();
        let summaries = move || {
            let mut summaries = Vec::with_capacity(streams.len());
            for stream in streams {
                let source = Source::Stream(stream.clone());
                let head = view.head(&source)?;
                let Some(last) = head.last().filter(|_| head.exists()) else { continue };
                let newest = view.read_blocking(&source, last, last, Order::OldestFirst, 1)?.pop();
                let missing = || ReadError::Damaged(format!("{stream}: event {last} is missing"));
                let newest = newest.ok_or_else(missing)?;
                summaries.push(Summary { newest, head, bytes_about: view.bytes_about_blocking(&stream)?, stream });
            }
            Ok(summaries)
        };
        tokio::task::spawn_blocking(summaries).await.map_err(|error| ReadError::Io(error.to_string()))?
    }
}
