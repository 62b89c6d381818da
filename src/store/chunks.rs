//! Reading chunks: files are opened and blocks are decompressed as they are needed, and kept within bounds.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use crate::event::{Event, EventId, EventType, Known, Position, StreamName};

use super::ReadError;
use super::chunk_file::{self, ID_BYTES};
use super::format::block::{BLOCK_HEADER_BYTES, Block};
use super::format::chunk::{self, HEADER_BYTES, Header, Place, Run, Section, TRAILER_BYTES};
use super::format::{ChunkRecord, Malformed, decompress};
use super::ids::{FILTER_BYTES, Fingerprint};

/// As many chunk files are kept open, with their block tables (about 200 kB each).
const OPEN_FILES_MAX: usize = 128;

/// The share of the blocks' memory that is for those that were read before they were last let go.
const BLOCKS_HOT: f64 = 0.1;

/// All chunk files of a store.
pub(crate) struct Chunks {
    dir: PathBuf,
    open: Cache<(Position, u32), Arc<Chunk>>,
    blocks: Cache<BlockKey, Arc<Block>, BlockWeight>,
}

type BlockKey = (Position, u32, u32);

#[derive(Clone)]
struct BlockWeight;

impl Weighter<BlockKey, Arc<Block>> for BlockWeight {
    fn weight(&self, _: &BlockKey, block: &Arc<Block>) -> u64 {
        block.memory_bytes() as u64
    }
}

/// One open chunk.
pub(crate) struct Chunk {
    file: ChunkFile,
    pub(crate) header: Header,
    blocks: Vec<BlockPlace>,
    /// None when events lie in the order of positions.
    order: Option<Vec<u16>>,
}

/// A chunk's file and the directory of its sections.
pub(crate) struct ChunkFile {
    file: File,
    path: PathBuf,
    places: Vec<Place>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockPlace {
    pub(crate) offset: u64,
    /// Its header included.
    pub(crate) bytes: usize,
    pub(crate) ordinal: u32,
    pub(crate) events: u32,
}

impl Chunks {
    pub(crate) fn new(dir: PathBuf, cache_bytes: u64) -> Self {
        // What a block weighs on average only sizes the cache's own tables.
        let blocks_about = (cache_bytes / (64 << 10)).max(16) as usize;
        // Whoever replays `$all` comes back to every block of a chunk, again and again, until the chunk is done, and
        // then never again. So what is new must be let stay as long as there is room, and nothing is worth keeping
        // because it was popular once. In one shard, because a chunk takes nearly all of the room.
        let options = OptionsBuilder::new()
            .shards(1)
            .hot_allocation(BLOCKS_HOT)
            .estimated_items_capacity(blocks_about)
            .weight_capacity(cache_bytes)
            .build()
            .expect("both capacities are set");
        Self {
            dir,
            open: Cache::new(OPEN_FILES_MAX),
            blocks: Cache::with_options(
                options,
                BlockWeight,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Removes a chunk's file that nobody reads any more. Held open, it would keep its space.
    pub(crate) fn remove(&self, record: &ChunkRecord) -> io::Result<()> {
        let (first, generation) = (record.first, record.generation);
        if let Some((_, chunk)) = self.open.remove(&(first, generation)) {
            for index in 0..chunk.blocks.len() {
                self.blocks.remove(&(first, generation, index as u32));
            }
        }
        std::fs::remove_file(chunk_file::path(&self.dir, first, generation))
    }

    fn open(&self, record: &ChunkRecord) -> Result<Arc<Chunk>, ReadError> {
        self.open.get_or_insert_with(&(record.first, record.generation), || {
            let chunk = Chunk::open(&chunk_file::path(&self.dir, record.first, record.generation))?;
            Ok(Arc::new(chunk))
        })
    }

    fn block(&self, record: &ChunkRecord, chunk: &Chunk, index: usize) -> Result<Arc<Block>, ReadError> {
        let key = (record.first, record.generation, index as u32);
        self.blocks.get_or_insert_with(&key, || Ok(Arc::new(chunk.read_block(index)?)))
    }

    /// The events at these ordinals.
    pub(crate) fn events(
        &self,
        record: &ChunkRecord,
        ordinals: std::ops::Range<u32>,
        out: &mut Vec<Event>,
    ) -> Result<(), ReadError> {
        let chunk = self.open(record)?;
        let mut ordinal = ordinals.start;
        while ordinal < ordinals.end {
            let index = chunk.block_of(ordinal)?;
            let block = self.block(record, &chunk, index)?;
            let end = ordinals.end.min(block.header.ordinal + block.header.events);
            while ordinal < end {
                let event = block.event(ordinal, out.last()).map_err(|error| chunk.damaged(error))?;
                out.push(event);
                ordinal += 1;
            }
        }
        Ok(())
    }

    /// The events at these positions, all in the chunk.
    pub(crate) fn log_events(
        &self,
        record: &ChunkRecord,
        first: Position,
        last: Position,
        out: &mut Vec<Event>,
    ) -> Result<(), ReadError> {
        let offset = |position: Position| (position.get() - record.first.get()) as u32;
        self.events_at(record, offset(first)..offset(last) + 1, out)
    }

    /// The events so far behind the chunk's first position.
    pub(crate) fn events_at(
        &self,
        record: &ChunkRecord,
        offsets: impl Iterator<Item = u32>,
        out: &mut Vec<Event>,
    ) -> Result<(), ReadError> {
        let chunk = self.open(record)?;
        let mut block: Option<Arc<Block>> = None;
        for offset in offsets {
            let position = record.first.plus(u64::from(offset));
            if record.end <= position {
                return Err(chunk.damaged(Malformed("order: a position behind its end")));
            }
            let ordinal = chunk.ordinal(offset);
            let is_in = |block: &Block| ordinal.wrapping_sub(block.header.ordinal) < block.header.events;
            let current = match block.take().filter(|block| is_in(block)) {
                Some(block) => block,
                None => self.block(record, &chunk, chunk.block_of(ordinal)?)?,
            };
            let event = current.event(ordinal, out.last()).map_err(|error| chunk.damaged(error))?;
            if event.position != position {
                return Err(chunk.damaged(Malformed("order: another event lies there")));
            }
            out.push(event);
            block = Some(current);
        }
        Ok(())
    }

    /// The newest event in the chunk with this stream and id.
    pub(crate) fn known(
        &self,
        record: &ChunkRecord,
        fingerprint: Fingerprint,
        stream: &StreamName,
        id: EventId,
    ) -> Result<Option<Known>, ReadError> {
        let chunk = self.open(record)?;
        let mut found: Option<Known> = None;
        for ordinal in chunk.ordinals_with(fingerprint)? {
            let mut events = Vec::with_capacity(1);
            self.events(record, ordinal..ordinal + 1, &mut events)?;
            for event in events {
                let is_newer = found.is_none_or(|found| found.number < event.number);
                if event.stream == *stream && event.id == id && is_newer {
                    let Event { number, position, life, digest, .. } = event;
                    found = Some(Known { number, position, life, digest });
                }
            }
        }
        Ok(found)
    }

    /// About how many bytes the events at these ordinals take: of a block that they share, their share.
    pub(crate) fn bytes_about(&self, record: &ChunkRecord, ordinals: std::ops::Range<u32>) -> Result<u64, ReadError> {
        let chunk = self.open(record)?;
        let first = chunk.block_of(ordinals.start)?;
        let blocks = chunk.blocks[first..].iter().take_while(|block| block.ordinal < ordinals.end);
        let share = |block: &BlockPlace| {
            let end = ordinals.end.min(block.ordinal + block.events);
            let events = u64::from(end.saturating_sub(ordinals.start.max(block.ordinal)));
            block.bytes as u64 * events / u64::from(block.events.max(1))
        };
        Ok(blocks.map(share).sum())
    }

    /// How far behind the chunk's first position the event at each ordinal lies; none where both orders are the same.
    pub(crate) fn offsets(&self, record: &ChunkRecord) -> Result<Option<Vec<u16>>, ReadError> {
        Ok(self.open(record)?.offsets())
    }

    /// The types of the events of the run that begins at this ordinal.
    pub(crate) fn types(&self, record: &ChunkRecord, ordinal: u32) -> Result<Vec<EventType>, ReadError> {
        let chunk = self.open(record)?;
        let mut first = 0;
        let at = |run: &Run| {
            let is_it = first == ordinal;
            first += run.events;
            is_it
        };
        let run = chunk.runs()?.iter().position(at);
        let run = run.ok_or_else(|| chunk.damaged(Malformed("types: no run begins there")))?;
        chunk::decode_types(&chunk.section(Section::Types)?, run).map_err(|error| chunk.damaged(error))
    }

    /// The chunk's filter, decompressed.
    pub(crate) fn filter(&self, record: &ChunkRecord) -> Result<Bytes, ReadError> {
        let chunk = self.open(record)?;
        let filter = chunk.section(Section::Filter)?;
        if filter.len() == FILTER_BYTES { Ok(filter) } else { Err(chunk.damaged(Malformed("filter: length"))) }
    }
}

impl Chunk {
    /// Opens a chunk's file and checks what its index says of itself.
    pub(crate) fn open(path: &Path) -> Result<Self, ReadError> {
        let file = ChunkFile::open(path)?;
        let header = Header::decode(&file.read(0, HEADER_BYTES)?).map_err(|error| file.damaged(error))?;
        let sizes = chunk::decode_blocks(&file.section(Section::Blocks)?).map_err(|error| file.damaged(error))?;
        let mut blocks = Vec::with_capacity(sizes.len());
        let (mut offset, mut ordinal) = (HEADER_BYTES as u64, 0_u32);
        for size in sizes {
            let bytes = BLOCK_HEADER_BYTES + size.bytes as usize;
            blocks.push(BlockPlace { offset, bytes, ordinal, events: size.events });
            offset += bytes as u64;
            ordinal = ordinal.saturating_add(size.events);
        }
        let order = chunk::decode_order(&file.section(Section::Order)?).map_err(|error| file.damaged(error))?;
        let events = header.end.get() - header.first.get();
        let ordered = order.as_ref().is_none_or(|order| order.len() as u64 == events);
        if u64::from(ordinal) == events && ordered {
            Ok(Self { file, header, blocks, order })
        } else {
            Err(file.damaged(Malformed("chunk: its index does not fit its header")))
        }
    }

    fn damaged(&self, error: Malformed) -> ReadError {
        self.file.damaged(error)
    }

    /// A section, checked and decompressed.
    pub(crate) fn section(&self, section: Section) -> Result<Bytes, ReadError> {
        self.file.section(section)
    }

    /// The runs of all streams, in the order of ordinals.
    pub(crate) fn runs(&self) -> Result<Vec<Run>, ReadError> {
        self.file.runs()
    }

    pub(crate) fn blocks(&self) -> &[BlockPlace] {
        &self.blocks
    }

    fn block_of(&self, ordinal: u32) -> Result<usize, ReadError> {
        let index = self.blocks.partition_point(|block| block.ordinal <= ordinal);
        index.checked_sub(1).ok_or_else(|| self.damaged(Malformed("chunk: it has no blocks")))
    }

    /// The ordinal of the event this far after the first position.
    pub(crate) fn ordinal(&self, offset: u32) -> u32 {
        self.order.as_ref().map_or(offset, |order| u32::from(order[offset as usize]))
    }

    /// How far after the first position the event at each ordinal lies; none where both orders are the same.
    fn offsets(&self) -> Option<Vec<u16>> {
        let order = self.order.as_ref()?;
        let mut offsets = vec![0; order.len()];
        // A chunk has at most 65,536 events, so every offset fits.
        for (ordinal, offset) in order.iter().zip(0_u32..) {
            if let Some(place) = offsets.get_mut(usize::from(*ordinal)) {
                *place = offset as u16;
            }
        }
        Some(offsets)
    }

    /// A block, checked and decompressed.
    pub(crate) fn read_block(&self, index: usize) -> Result<Block, ReadError> {
        let place = self.blocks[index];
        let bytes = self.file.read(place.offset, place.bytes)?;
        let block = Block::decode(&bytes).map_err(|error| self.damaged(error))?;
        if (block.header.ordinal, block.header.events) == (place.ordinal, place.events) {
            Ok(block)
        } else {
            Err(self.damaged(Malformed("block: another one lies there")))
        }
    }

    /// That every byte of the file is as it was written. (The header and the directory were checked when it was opened.)
    pub(crate) fn check_bytes(&self) -> Result<(), ReadError> {
        for place in &self.blocks {
            let bytes = self.file.read(place.offset, place.bytes)?;
            let header = Block::check(&bytes).map_err(|error| self.damaged(error))?;
            if (header.ordinal, header.events) != (place.ordinal, place.events) {
                return Err(self.damaged(Malformed("block: another one lies there")));
            }
        }
        Section::ALL.into_iter().try_for_each(|section| self.section(section).map(drop))
    }

    /// The event at an ordinal that lies in this block.
    pub(crate) fn event(&self, block: &Block, ordinal: u32) -> Result<Event, ReadError> {
        block.event(ordinal, None).map_err(|error| self.damaged(error))
    }

    /// The ordinals of the events whose stored fingerprint is this one.
    fn ordinals_with(&self, fingerprint: Fingerprint) -> Result<Vec<u32>, ReadError> {
        let stored = fingerprint.stored();
        let buckets = self.section(Section::IdBuckets)?;
        let number = |at: usize| -> Result<u32, ReadError> {
            let bytes = buckets.get(at..at + 4).ok_or_else(|| self.damaged(Malformed("id buckets: length")))?;
            Ok(u32::from_be_bytes(bytes.try_into().expect("four bytes were taken")))
        };
        let bucket = (stored >> 56) as usize;
        let mut before = 0_u64;
        for earlier in 0..bucket {
            before += u64::from(number(earlier * 8)?);
        }
        let (count, crc) = (number(bucket * 8)? as usize, number(bucket * 8 + 4)?);
        let offset = self.file.place(Section::Ids)?.offset + before * ID_BYTES as u64;
        let ids = self.file.read(offset, count * ID_BYTES)?;
        if crc32c::crc32c(&ids) != crc {
            return Err(self.damaged(Malformed("ids: their checksum is wrong")));
        }
        let wanted = stored.to_be_bytes();
        let ids = ids.chunks_exact(ID_BYTES).filter(|id| id[..8] == wanted);
        Ok(ids.map(|id| u32::from(u16::from_be_bytes([id[8], id[9]]))).collect())
    }
}

impl ChunkFile {
    /// Opens the file and reads its directory, not its header.
    pub(crate) fn open(path: &Path) -> Result<Self, ReadError> {
        let file = File::open(path).map_err(|error| io_error(path, &error))?;
        let length = file.metadata().map_err(|error| io_error(path, &error))?.len();
        let mut chunk = Self { file, path: path.to_path_buf(), places: Vec::new() };
        let trailer_offset =
            length.checked_sub(TRAILER_BYTES as u64).ok_or_else(|| chunk.damaged(Malformed("chunk: it has no end")))?;
        let trailer = chunk.read(trailer_offset, TRAILER_BYTES)?;
        let (offset, bytes, crc) = chunk::decode_trailer(&trailer).map_err(|error| chunk.damaged(error))?;
        if offset.checked_add(u64::from(bytes)) != Some(trailer_offset) {
            return Err(chunk.damaged(Malformed("chunk trailer: its directory lies elsewhere")));
        }
        let directory = chunk.read(offset, bytes as usize)?;
        chunk.places = chunk::decode_directory(&directory, crc).map_err(|error| chunk.damaged(error))?;
        Ok(chunk)
    }

    fn read(&self, offset: u64, bytes: usize) -> Result<Bytes, ReadError> {
        // What a damaged length asks for is bounded by the file before memory is.
        let length = self.file.metadata().map_err(|error| io_error(&self.path, &error))?.len();
        if offset.checked_add(bytes as u64).is_none_or(|end| end > length) {
            return Err(self.damaged(Malformed("chunk: it is shorter than it says")));
        }
        let mut buffer = vec![0; bytes];
        self.file.read_exact_at(&mut buffer, offset).map_err(|error| io_error(&self.path, &error))?;
        Ok(buffer.into())
    }

    fn place(&self, section: Section) -> Result<Place, ReadError> {
        let place = self.places.iter().find(|place| place.kind == section as u32).copied();
        place.ok_or_else(|| self.damaged(Malformed("chunk directory: a section is missing")))
    }

    /// A section, checked and decompressed.
    pub(crate) fn section(&self, section: Section) -> Result<Bytes, ReadError> {
        let place = self.place(section)?;
        let stored = self.read(place.offset, place.bytes as usize)?;
        if crc32c::crc32c(&stored) != place.crc {
            return Err(self.damaged(Malformed("section: its checksum is wrong")));
        }
        match section {
            Section::IdBuckets | Section::Ids => Ok(stored),
            Section::Blocks | Section::Streams | Section::Order | Section::Filter | Section::Types => {
                let raw = decompress(&stored, place.raw_bytes, "section: not zstd, or too large");
                raw.map_err(|error| self.damaged(error))
            }
        }
    }

    /// The runs of all streams, in the order of ordinals.
    pub(crate) fn runs(&self) -> Result<Vec<Run>, ReadError> {
        chunk::decode_runs(&self.section(Section::Streams)?).map_err(|error| self.damaged(error))
    }

    fn damaged(&self, error: Malformed) -> ReadError {
        ReadError::Damaged(format!("{}: {error}", file_name(&self.path)))
    }
}

fn file_name(path: &Path) -> String {
    format!("chunks/{}", path.file_name().unwrap_or_default().to_string_lossy())
}

fn io_error(path: &Path, error: &io::Error) -> ReadError {
    ReadError::Io(format!("{}: {error}", file_name(path)))
}
