//! Reading an export, block by block; a block counts only once its mark is right.

use std::io::{BufRead, BufReader, Read};

use bytes::Bytes;

use super::check::{Check, Line};
use super::{BLOCK_BYTES_MAX, Fault, FaultKind, Header, LINE_BYTES_MAX};
use crate::event::limits::PAGE_EVENTS_MAX;
use crate::feed::read::page::{self, Form, Links};

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// Reads an export.
pub struct Reader {
    input: Box<dyn BufRead + Send>,
    check: Check,
    header: Header,
    is_at_the_end: bool,
}

/// Rows that stand between two marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// As they stand there, each with its line break.
    pub lines: Bytes,
    /// What they say.
    pub events: Vec<page::Event>,
}

/// What a file holds, decompressed if it is compressed. That is told by how it begins.
///
/// # Errors
/// When it cannot be read.
pub fn decompressed(file: impl Read + Send + 'static) -> std::io::Result<Box<dyn BufRead + Send>> {
    let mut file = BufReader::with_capacity(1 << 20, file);
    if file.fill_buf()?.starts_with(&ZSTD_MAGIC) {
        return Ok(Box::new(BufReader::with_capacity(1 << 20, zstd::stream::read::Decoder::with_buffer(file)?)));
    }
    Ok(Box::new(file))
}

impl Reader {
    /// Reads the first line.
    ///
    /// # Errors
    /// When that is not the first line of an export.
    pub fn begin(mut input: Box<dyn BufRead + Send>) -> Result<Self, Fault> {
        let mut check = Check::default();
        let mut line = Vec::new();
        if !next_line(&mut input, &mut line, &check)? {
            return Err(check.fault(FaultKind::CutShort));
        }
        let header = check.header(&line)?;
        Ok(Self { input, check, header, is_at_the_end: false })
    }

    /// The first line.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next rows; none after the last one.
    ///
    /// # Errors
    /// When the file is not, up to here, what was written.
    pub fn next_block(&mut self) -> Result<Option<Block>, Fault> {
        if self.is_at_the_end {
            return Ok(None);
        }
        let first_line = self.check.fault(FaultKind::CutShort).line;
        let mut lines = Vec::new();
        let mut events = 0;
        loop {
            let start = lines.len();
            if !next_line(&mut self.input, &mut lines, &self.check)? {
                return Err(self.check.fault(FaultKind::CutShort));
            }
            if BLOCK_BYTES_MAX < lines.len() || PAGE_EVENTS_MAX < events {
                return Err(self.check.fault(FaultKind::TooLong("there are too many rows here without a mark")));
            }
            match self.check.line(&lines[start..])? {
                Line::Row => events += 1,
                mark => {
                    self.is_at_the_end = mark == Line::End;
                    lines.truncate(start);
                    break;
                }
            }
        }
        if self.is_at_the_end {
            match self.input.fill_buf() {
                Ok([]) => (),
                Ok(_) => return Err(self.check.fault(FaultKind::AfterTheEnd)),
                Err(error) => return Err(self.check.fault(FaultKind::of(&error))),
            }
        }
        let lines = Bytes::from(lines);
        let events = read(&lines, first_line)?;
        if lines.is_empty() { self.next_block() } else { Ok(Some(Block { lines, events })) }
    }
}

/// What these lines say, of which the first is this one of its file.
pub(super) fn read(lines: &Bytes, first_line: u64) -> Result<Vec<page::Event>, Fault> {
    let page = page::read(Form::Ndjson, &Links::default(), lines);
    let page = page.map_err(|unreadable| {
        let before = memchr::memchr_iter(b'\n', &lines[..unreadable.at.min(lines.len())]).count();
        Fault { line: first_line + before as u64, why: FaultKind::Unreadable(unreadable.fault.to_string()) }
    })?;
    Ok(page.events)
}

/// Appends the next line; false at the end. What has no line break was cut short.
pub(super) fn next_line(input: &mut dyn BufRead, out: &mut Vec<u8>, check: &Check) -> Result<bool, Fault> {
    let start = out.len();
    let read = input.take(LINE_BYTES_MAX as u64).read_until(b'\n', out);
    read.map_err(|error| check.fault(FaultKind::of(&error)))?;
    match out.len() - start {
        0 => Ok(false),
        _ if out.ends_with(b"\n") => Ok(true),
        LINE_BYTES_MAX.. => Err(check.fault(FaultKind::TooLong("the line is longer than any row"))),
        _ => Err(check.fault(FaultKind::CutShort)),
    }
}
