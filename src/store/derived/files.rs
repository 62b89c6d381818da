//! Index files: written in one go and synced, read block by block as they are needed.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::event::{Derived, Number, Position, StreamName};

use super::super::ReadError;
use super::super::failpoint;
use super::super::format::derived::{self as format, BlockPlace, Entry, HEADER_BYTES, Header};
use super::super::format::{DerivedRecord, Malformed};

/// Memory for decompressed blocks: all that a hundred readers of large streams, or of many small ones, are at.
const CACHE_BYTES: u64 = 8 << 20;

/// An index whose file is complete and synced.
pub(crate) struct WrittenIndex {
    pub(crate) kind: Derived,
    /// The chunk's first position, and the one after its last event.
    pub(crate) first: Position,
    pub(crate) end: Position,
    /// Each stream's run.
    pub(crate) runs: Vec<(StreamName, Number, DerivedRecord)>,
}

/// `chunks/{first position}.{kind}`
pub(crate) fn path(dir: &Path, first: Position, kind: Derived) -> PathBuf {
    dir.join(format!("{first}.{}", format::code(kind)))
}

/// What a file's name says, if it is one of ours; also of one that was not finished.
pub(crate) fn parse_name(name: &str) -> Option<(Position, Derived, State)> {
    let (rest, state) = match name.strip_suffix(UNFINISHED) {
        Some(rest) => (rest, State::Unfinished),
        None => (name, State::Finished),
    };
    let (first, code) = rest.split_once('.')?;
    let first = Position::new(first.parse().ok()?).ok()?;
    let kind = format::kind(code)?;
    (format!("{first}.{code}") == rest).then_some((first, kind, state))
}

/// Whether a file got its own name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Finished,
    Unfinished,
}

/// What a file is called until it is synced.
const UNFINISHED: &str = ".new";

/// Writes the index of one kind for a chunk. Entries are in the order of their keys.
pub(crate) fn write(dir: &Path, header: Header, entries: &[Entry]) -> io::Result<WrittenIndex> {
    let (bytes, places) = format::encode(header, entries)?;
    let Header { kind, first, end, .. } = header;
    let path = path(dir, first, kind);
    let unfinished = dir.join(format!("{first}.{}{UNFINISHED}", format::code(kind)));
    let written = write_synced(&unfinished, &bytes);
    if let Err(error) = written {
        // What a full disk cut short must not take the space that sled needs.
        let _ = std::fs::remove_file(unfinished);
        return Err(error);
    }
    failpoint::reached("index.file_synced");
    // Should one be there already, whoever has it open goes on reading the same from it.
    std::fs::rename(unfinished, path)?;
    File::open(dir)?.sync_all()?;
    failpoint::reached("index.directory_synced");
    let runs = entries.iter().zip(places).map(|(entry, block)| {
        let name = [kind.prefix(), &entry.key].concat();
        let name = StreamName::parse(&name).expect("only keys that make a name are taken in");
        (name, entry.first, DerivedRecord { chunk: first, events: entry.offsets.len() as u32, block })
    });
    Ok(WrittenIndex { kind, first, end, runs: runs.collect() })
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    failpoint::reached("index.file_written");
    file.sync_all()
}

/// What an index file says of itself.
pub(crate) fn read_header(dir: &Path, first: Position, kind: Derived) -> Result<Header, ReadError> {
    let path = path(dir, first, kind);
    let mut bytes = vec![0; HEADER_BYTES];
    File::open(&path).and_then(|mut file| file.read_exact(&mut bytes)).map_err(|error| io_error(&path, &error))?;
    Header::decode(&bytes.into()).map_err(|error| damaged(&path, error))
}

/// A whole index file, checked.
pub(crate) fn read(dir: &Path, first: Position, kind: Derived) -> Result<(Header, Vec<Entry>), ReadError> {
    let path = path(dir, first, kind);
    let bytes = std::fs::read(&path).map_err(|error| io_error(&path, &error))?;
    format::decode(&bytes.into()).map_err(|error| damaged(&path, error))
}

/// The index files of a store, as readers use them.
pub(crate) struct Indexes {
    dir: PathBuf,
    blocks: Cache<BlockKey, Arc<Vec<Entry>>, BlockWeight>,
}

type BlockKey = (Position, Derived, BlockPlace);

#[derive(Clone)]
struct BlockWeight;

impl Weighter<BlockKey, Arc<Vec<Entry>>> for BlockWeight {
    fn weight(&self, _: &BlockKey, entries: &Arc<Vec<Entry>>) -> u64 {
        let entry_bytes = |entry: &Entry| (entry.key.len() + 2 * entry.offsets.len() + size_of::<Entry>()) as u64;
        entries.iter().map(entry_bytes).sum()
    }
}

impl Indexes {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, blocks: Cache::with_weighter(64, CACHE_BYTES, BlockWeight) }
    }

    /// Passes the offsets of a derived stream's events in a chunk to `take`.
    pub(crate) fn offsets<T>(
        &self,
        kind: Derived,
        key: &str,
        first: Number,
        record: &DerivedRecord,
        take: impl FnOnce(&[u16]) -> T,
    ) -> Result<T, ReadError> {
        let path = || path(&self.dir, record.chunk, kind);
        let read = || self.read_block(&path(), record.block).map(Arc::new);
        let block = self.blocks.get_or_insert_with(&(record.chunk, kind, record.block), read)?;
        let entry = block.binary_search_by(|entry| (*entry.key).cmp(key)).ok().map(|index| &block[index]);
        match entry {
            Some(entry) if (entry.first, entry.offsets.len()) == (first, record.events as usize) => {
                Ok(take(&entry.offsets))
            }
            _ => Err(damaged(&path(), Malformed("index: another block lies there"))),
        }
    }

    fn read_block(&self, path: &Path, place: BlockPlace) -> Result<Vec<Entry>, ReadError> {
        let file = File::open(path).map_err(|error| io_error(path, &error))?;
        let length = file.metadata().map_err(|error| io_error(path, &error))?.len();
        // What a damaged length asks for is bounded by the file before memory is.
        if u64::from(place.offset) + u64::from(place.bytes) > length {
            return Err(damaged(path, Malformed("index: it is shorter than it should be")));
        }
        let mut bytes = vec![0; place.bytes as usize];
        file.read_exact_at(&mut bytes, u64::from(place.offset)).map_err(|error| io_error(path, &error))?;
        let (entries, _) = format::decode_block(&Bytes::from(bytes)).map_err(|error| damaged(path, error))?;
        Ok(entries)
    }
}

fn file_name(path: &Path) -> String {
    format!("chunks/{}", path.file_name().unwrap_or_default().to_string_lossy())
}

fn io_error(path: &Path, error: &io::Error) -> ReadError {
    ReadError::Io(format!("{}: {error}", file_name(path)))
}

fn damaged(path: &Path, error: Malformed) -> ReadError {
    ReadError::Damaged(format!("{}: {error}", file_name(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_file_names_are_read() {
        assert_eq!(parse_name("65536.ce"), Some((Position::from(65_536), Derived::Category, State::Finished)));
        assert_eq!(parse_name("0.streams.new"), Some((Position::ZERO, Derived::Streams, State::Unfinished)));
        for name in ["", "1", "01.ce", "1.0", "1.xx", "1.ce.tmp", "a.ce", "1.CE", ".ce", "1.ce.new.new"] {
            assert_eq!(parse_name(name), None, "{name}");
        }
    }
}
