//! The stored format, whole. It cannot be changed once there are stores, only added to, so it stands alone:
//! no I/O, no policy, nothing but layouts, each with its encoder, its decoder and a round-trip test.
//!
//! # A data directory
//!
//! ```text
//! everfeed              three lines: the format's number, the log's identity, a checksum; in a replica, before the
//!                       last one, a line that says of what. Written last when a store is made, and anew, under another
//!                       name first, when a replica becomes a store that takes appends
//! lock                  held while a process has the store open
//! closed                the log's head, and a checksum of what sled holds beside events; written when the store was
//!                       closed in order, under another name first; gone while it is open
//! restoring             says that a restore has not come to its end; while it is there without `everfeed`, nothing else counts
//! ballast               space that is given up when the disk is full, so that sled can still be opened
//! sled/                 the tail, and the registry of chunks and streams
//! chunks/{first position}.{generation}
//!                       a generation counts how often the chunk was written anew, each time with less content
//! chunks/{first position}.{kind}
//!                       where the derived streams of that kind have their events in the chunk; see [`derived`]
//! ```
//!
//! # sled: one tree
//!
//! | key                                     | value                    | life |
//! |-----------------------------------------|--------------------------|------|
//! | `m`                                     | [`Meta`]                 | for ever |
//! | `g` position (u64) part (u16)           | one part of a [`group`]  | until its events are sealed |
//! | `c` first position (u64)                | [`ChunkRecord`]          | for ever |
//! | `s` stream name, 0x00, number (u64)     | [`RunRecord`]            | for ever |
//! | `t` stream name                         | [`retention`]            | for ever, written anew when it changes |
//! | `l`                                     | nothing                  | for ever, once a link event is sealed |
//! | `d` derived stream, 0x00, number (u64)  | [`DerivedRecord`]        | for ever |
//! | `i` kind                                | [`IndexRecord`]          | for ever |
//! | `e` stream name, 0x00, number (u64)     | nothing: it was erased   | for ever, once the event that says so is sealed; since format 2 |
//! | `z`                                     | says nothing             | written again and again: sled tidies its file with every such change |
//!
//! Integers in keys are big-endian, so that keys sort by them; names hold no control character, so 0x00
//! ends one. Values are at most [`VALUE_BYTES_MAX`] bytes, since sled moves what is larger into files that it
//! never syncs. A reader that meets a key of another kind, or a record of a later version, stops: the store
//! is of a newer format.
//!
//! # What is assumed of the disk
//!
//! After `fdatasync` returns, what was written before it stays. A write that was not synced may be there
//! whole, in part, or not at all. Bits may rot: every group part, block and section carries CRC-32C
//! (Castagnoli), and nothing is shown that fails it.

pub(crate) mod block;
pub(crate) mod chunk;
mod codec;
pub(crate) mod derived;
pub(crate) mod group;
mod keys;
mod records;
pub(crate) mod retention;
pub(crate) mod row;

pub(crate) use codec::{Malformed, Reader, decompress};
pub(crate) use keys::{
    Key, all_derived_prefix, all_runs_prefix, chunk_prefix, derived_prefix, erased_prefix, group_prefix,
    registry_prefixes, retention_prefix, run_of_key, run_prefix,
};
pub(crate) use records::{ChunkRecord, Closed, DerivedRecord, IndexRecord, Meta, RunRecord};

/// The number of this format. A directory with a higher one is refused; one with a lower one is brought to this one.
pub const FORMAT: u32 = 2;

/// The largest value that sled is given, headers included.
pub(crate) const VALUE_BYTES_MAX: usize = 64 << 10;

/// The most events in one chunk.
pub(crate) const CHUNK_EVENTS_MAX: u32 = 65_536;

/// The most raw bytes ([`row::weight`]) in one chunk, unless a single event has more.
pub(crate) const CHUNK_BYTES_MAX: u64 = 64 << 20;

/// What a group, a block or a section may say that it holds before it is compressed. Ours are far below: a body has at
/// most 64 MiB. But a repair looks for groups and blocks wherever bytes lie, also among those that producers sent, and
/// what it finds there must not take all memory.
pub(crate) const RAW_BYTES_MAX: usize = 256 << 20;

/// What a block of a chunk holds before it is compressed, unless a single event has more.
pub(crate) const BLOCK_BYTES: usize = 64 << 10;
