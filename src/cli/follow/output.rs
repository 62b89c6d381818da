//! Events on standard output, a line of JSON each.

use std::io::{self, Write};

use super::super::Failure;
use crate::client::Event;
use crate::feed::write::{LineFor, followed_line};

/// What whoever keeps a checkpoint should know.
pub(super) const TWICE: &str = "the checkpoint says what was written to standard output, not what became of it there: \
                                after a crash the last events may come twice (file: and sqlite: have each once)";

/// Standard output.
pub(super) struct Output {
    lines: Vec<u8>,
}

impl Output {
    pub(super) fn new() -> Self {
        Self { lines: Vec::new() }
    }

    pub(super) fn write(&mut self, events: &[Event]) -> Result<(), Failure> {
        lines(events, &mut self.lines);
        let mut out = io::stdout().lock();
        out.write_all(&self.lines)?;
        Ok(out.flush()?)
    }
}

/// These events as lines for readers, in place of what is in `out`.
pub(super) fn lines(events: &[Event], out: &mut Vec<u8>) {
    out.clear();
    for event in events {
        followed_line(event, LineFor::Readers, out);
    }
}
