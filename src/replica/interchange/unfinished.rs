//! An export that was interrupted: how far it has come, and where it goes on.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use bytes::Bytes;

use super::check::{Check, Line};
use super::reader::{next_line, read};
use super::{BLOCK_BYTES_MAX, Fault, FaultKind, Header, LINE_BYTES_MAX};
use crate::feed::read::page;

/// What of an unfinished export is right. All that comes after its last mark is done again.
#[derive(Debug, Clone)]
pub struct Unfinished {
    /// Its first line.
    pub header: Header,
    /// Where it goes on, in bytes of the file as it is.
    pub end: u64,
    /// Its last row, if there is one.
    pub last: Option<page::Event>,
    /// Nothing is missing but its name.
    pub is_whole: bool,
    pub(super) check: Check,
}

impl Unfinished {
    /// Reads a file up to its last mark. None if there is not even one.
    ///
    /// # Errors
    /// When it is no export, or cannot be read.
    pub fn find(file: &mut File, is_compressed: bool) -> Result<Option<Self>, Fault> {
        let io = |error: &io::Error| Fault { line: 1, why: FaultKind::of(error) };
        file.seek(SeekFrom::Start(0)).map_err(|error| io(&error))?;
        let mut input = BufReader::with_capacity(1 << 20, file);
        let mut found: Option<Self> = None;
        let mut check = Check::default();
        loop {
            let part = if is_compressed { frame(&mut input) } else { lines(&mut input) };
            let Some(part) = part.map_err(|error| io(&error))? else { break };
            match Part::read(&mut check, found.as_ref(), &part) {
                Ok(Some(Part { header, last, is_whole })) => {
                    let end = input.stream_position().map_err(|error| io(&error))?;
                    found = Some(Self { header, end, last, is_whole, check: check.clone() });
                    if is_whole {
                        break;
                    }
                }
                Err(fault @ Fault { why: FaultKind::NotAnExport(_) | FaultKind::NewerVersion(_), .. }) => {
                    return Err(fault);
                }
                // What is wrong after the last mark does not matter.
                Ok(None) | Err(_) => break,
            }
        }
        Ok(found)
    }
}

/// Everything up to the next mark.
struct Part {
    header: Header,
    last: Option<page::Event>,
    is_whole: bool,
}

impl Part {
    /// None if there is no mark at its end.
    fn read(check: &mut Check, before: Option<&Unfinished>, text: &[u8]) -> Result<Option<Self>, Fault> {
        let mut input = text;
        let mut line = Vec::new();
        let header = match before {
            Some(before) => before.header.clone(),
            None if next_line(&mut input, &mut line, check)? => check.header(&line)?,
            None => return Ok(None),
        };
        let mut row = Vec::new();
        loop {
            line.clear();
            if !next_line(&mut input, &mut line, check)? {
                return Ok(None);
            }
            match check.line(&line)? {
                Line::Row => std::mem::swap(&mut row, &mut line),
                mark if input.is_empty() => {
                    let last = read(&Bytes::from(row), 1)?.pop().or_else(|| before.and_then(|part| part.last.clone()));
                    return Ok(Some(Self { header, last, is_whole: mark == Line::End }));
                }
                _ => return Ok(None),
            }
        }
    }
}

/// The next lines, up to a mark or the end.
fn lines(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut text = Vec::new();
    while text.len() <= BLOCK_BYTES_MAX {
        let start = text.len();
        input.by_ref().take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut text)?;
        let line = &text[start..];
        if line.is_empty() || line.starts_with(b"{\"mark\"") || line.starts_with(b"{\"end\"") {
            break;
        }
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// What the next frame holds; none at the end, or if it was cut short.
fn frame(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    if input.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let mut text = Vec::new();
    let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?.single_frame().take(BLOCK_BYTES_MAX as u64);
    Ok(decoder.read_to_end(&mut text).is_ok().then_some(text))
}
