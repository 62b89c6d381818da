//! A log as a file, or a part of one: what `everfeed export` writes and `everfeed import` reads.
//!
//! It is lines of JSON, each with a line break at its end. The first line says what follows:
//!
//! ```json
//! {"format":"everfeed-export","version":1,"log":"0190c6a4-7b1e-7f5e-9a52-1f6f2d3c4b5a","epoch":0,"from":0,"exported":"2026-11-24T16:04:20.193884Z"}
//! ```
//!
//! `log` and `epoch` tell whose history it is, and `from` the position of the first row. An export of one stream has
//! `"stream":"orders"` after them, and `from` is the first number then. Each event is a row, as our own pages of
//! `application/x-ndjson` show it, also when its content was removed:
//!
//! ```json
//! {"stream":"orders","number":7,"position":9,"id":"…","type":"OrderPlaced","mediaType":"application/json","time":"2026-11-23T09:30:00.250000Z","data":{"total":12.5}}
//! {"stream":"orders","number":8,"position":10,"id":"…","type":"OrderPlaced","time":"2026-11-23T09:30:00.260000Z","removed":true,"digest":"3bcc59406a2f3e7a66c2e345d6864c6d"}
//! ```
//!
//! After some thousand rows, or some megabytes, and after the last row stands a mark:
//!
//! ```json
//! {"mark":{"events":4096,"sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}}
//! {"end":{"events":5000,"sha256":"…"}}
//! ```
//!
//! `events` counts the rows since the first line, `sha256` is over all bytes before this line. Rows count once the mark
//! after them has been read and is right; a file without `end` was cut short. So nothing that was altered on its way
//! gets into a store, and it can be said between which lines that happened.
//!
//! A compressed file is the same in zstd, as one frame or many. We write a frame for each mark, so that an export that
//! was interrupted goes on after its last one.

mod check;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod reader;
#[cfg(test)]
mod tests;
mod unfinished;
mod writer;

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use reader::{Block, Reader, decompressed};
pub use unfinished::Unfinished;
pub use writer::Writer;

const FORMAT: &str = "everfeed-export";
const VERSION: u32 = 1;

/// The most rows before a mark that we write, and about the most bytes.
const BLOCK_EVENTS: u64 = 4096;
const BLOCK_BYTES: usize = 8 << 20;

/// The longest line: an event of the greatest size in base64, with the longest names, all of them escaped.
const LINE_BYTES_MAX: usize = 16 << 20;

/// The most bytes before a mark that are taken in.
const BLOCK_BYTES_MAX: usize = 64 << 20;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    format: String,
    version: u32,
    /// Which log it is.
    pub log: Uuid,
    /// Which unbroken history of it.
    pub epoch: u32,
    /// The one stream whose events these are; none if they are those of the whole log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// The position of the first row, or its number in the stream.
    pub from: u64,
    /// When it was begun, for people.
    pub exported: String,
}

impl Header {
    /// Of an export that begins now.
    #[must_use]
    pub fn new(log: Uuid, epoch: u32, stream: Option<String>, from: u64, exported: String) -> Self {
        Self { format: FORMAT.into(), version: VERSION, log, epoch, stream, from, exported }
    }

    /// Whether both are of the same events, so that one can go on where the other stopped.
    #[must_use]
    pub fn is_of_the_same(&self, other: &Self) -> bool {
        (self.log, self.epoch, &self.stream, self.from) == (other.log, other.epoch, &other.stream, other.from)
    }
}

/// A line that says what came before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mark {
    /// More rows follow.
    Mark(Sum),
    /// None do.
    End(Sum),
}

/// What a mark says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sum {
    events: u64,
    sha256: String,
}

/// A file that is no whole export as it was written, and where it goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong there.
    pub why: FaultKind,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// Its first line is another.
    #[error("this is no export of everfeed: {0}")]
    NotAnExport(String),
    /// It was written by a later release.
    #[error("the export has version {0}; this release reads version {VERSION}")]
    NewerVersion(u32),
    /// The last line is missing.
    #[error("the file ends here, before its last line: it was cut short, or its export is not finished")]
    CutShort,
    /// A checksum or a count is another.
    #[error("the file was altered somewhere from line {since} to here: {what}")]
    Altered {
        /// Up to the line before this one it is as it was written.
        since: u64,
        /// What is another.
        what: &'static str,
    },
    /// A row that is none.
    #[error("{0}")]
    Unreadable(String),
    /// Over a limit.
    #[error("{0}")]
    TooLong(&'static str),
    /// Another file was added to this one.
    #[error("there is more after the last line of the export")]
    AfterTheEnd,
    /// The operating system, or the compression.
    #[error("it cannot be read: {0}")]
    Io(String),
}

impl FaultKind {
    /// What an error of reading means. Compressed data that end in the middle are cut short.
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::CutShort,
            _ => Self::Io(error.to_string()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for Fault {}
