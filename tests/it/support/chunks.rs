//! What the chunk files of a store hold, by their bytes alone.

use std::path::Path;

use super::store::chunk_files;

/// A chunk's file.
pub(crate) struct ChunkBytes {
    pub(crate) first: u64,
    /// The position after its last event.
    pub(crate) end: u64,
    pub(crate) generation: u32,
    /// All its rows.
    pub(crate) rows: Vec<u8>,
}

/// Every chunk file, read and decompressed.
pub(crate) fn read_all(data: &Path) -> Vec<ChunkBytes> {
    chunk_files(data).iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> ChunkBytes {
    const HEADER_BYTES: usize = 64;
    const BLOCK_HEADER_BYTES: usize = 24;
    let bytes = std::fs::read(path).expect("it is read");
    let u32_at = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let u64_at = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let mut rows = Vec::new();
    let mut at = HEADER_BYTES;
    // Blocks follow each other up to the index.
    while bytes[at..].starts_with(b"EVFB") {
        let (length, raw) = (u32_at(at + 4) as usize, u32_at(at + 8) as usize);
        let payload = &bytes[at + BLOCK_HEADER_BYTES..at + BLOCK_HEADER_BYTES + length];
        rows.extend(zstd::bulk::decompress(payload, raw).expect("zstd"));
        at += BLOCK_HEADER_BYTES + length;
    }
    ChunkBytes { first: u64_at(36), end: u64_at(44), generation: u32_at(12), rows }
}

impl ChunkBytes {
    pub(crate) fn holds(&self, text: &[u8]) -> bool {
        memchr::memmem::find(&self.rows, text).is_some()
    }
}
