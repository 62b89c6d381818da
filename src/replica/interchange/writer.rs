//! Writing an export: rows into blocks, each of which ends in a mark.

use std::io::{self, Write};

use super::check::Check;
use super::{BLOCK_BYTES, BLOCK_EVENTS, Header, Unfinished};
use crate::event::Event;
use crate::feed;

/// About as fast as a disk, and a quarter of the size.
const LEVEL: i32 = 3;

/// Writes an export. Whatever it has said of a block is there as a whole, or the next export does it again.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    is_compressed: bool,
    check: Check,
    block: Vec<u8>,
    block_events: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    #[must_use]
    pub fn begin(out: W, is_compressed: bool, header: &Header) -> Self {
        let mut line = serde_json::to_vec(header).expect("texts and numbers are always JSON");
        line.push(b'\n');
        let mut check = Check::default();
        check.add(&line);
        Self { out, is_compressed, check, block: line, block_events: 0 }
    }

    /// Goes on with one; `out` stands at its end.
    #[must_use]
    pub fn resume(out: W, is_compressed: bool, unfinished: Unfinished) -> Self {
        Self { out, is_compressed, check: unfinished.check, block: Vec::new(), block_events: 0 }
    }

    /// How many rows the file has.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.check.events()
    }

    /// Adds the next row.
    ///
    /// # Errors
    /// When a block cannot be written.
    pub fn push(&mut self, event: &Event) -> io::Result<()> {
        let start = self.block.len();
        feed::line(event, &mut self.block);
        self.check.add_row(&self.block[start..]);
        self.block_events += 1;
        if BLOCK_EVENTS <= self.block_events || BLOCK_BYTES <= self.block.len() { self.mark(false) } else { Ok(()) }
    }

    /// Writes the last line, and gives back where it all went.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn end(mut self) -> io::Result<W> {
        self.mark(true)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn mark(&mut self, is_end: bool) -> io::Result<()> {
        self.block.extend_from_slice(&self.check.mark(is_end));
        if self.is_compressed {
            self.out.write_all(&zstd::bulk::compress(&self.block, LEVEL)?)?;
        } else {
            self.out.write_all(&self.block)?;
        }
        self.block.clear();
        self.block_events = 0;
        Ok(())
    }
}
