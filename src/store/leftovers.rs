//! What a crash leaves behind: found when a store is opened, removed before it is written to.

use std::collections::HashSet;
use std::path::PathBuf;

use bytes::Bytes;

use crate::event::Position;

use super::OpenError;
use super::chunk_file;
use super::derived::files;
use super::directory::Directory;
use super::door::{self, Batch};
use super::recovery::{damaged, storage};
use super::view::Sealed;

/// It belongs to nothing, and the next start removes it.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    /// Groups that are sealed, and parts of groups that never became real: keys, and lengths of values.
    groups: Vec<(Vec<u8>, usize)>,
    /// Chunk files, and indexes of derived streams, that sled does not name.
    files: Vec<PathBuf>,
}

impl Leftovers {
    pub(crate) fn count(&self) -> usize {
        self.groups.len() + self.files.len()
    }

    pub(crate) fn add_parts(&mut self, parts: Vec<(Vec<u8>, Bytes)>) {
        self.groups.extend(parts.into_iter().map(|(key, value)| (key, value.len())));
    }

    /// Finds the files that sled does not name. The events of a chunk are in the tail still then, which ends at `next`,
    /// or in another generation: a file that holds more was named once, and sled has lost it.
    pub(crate) fn find_files(
        &mut self,
        directory: &Directory,
        sealed: &Sealed,
        next: Position,
    ) -> Result<(), OpenError> {
        let named: HashSet<_> = sealed.chunks.iter().map(|chunk| (chunk.first, chunk.generation)).collect();
        for entry in std::fs::read_dir(directory.chunks()).map_err(storage)? {
            let path = entry.map_err(storage)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if let Some((first, kind, state)) = files::parse_name(name) {
                if state == files::State::Unfinished || sealed.indexed.until(kind) <= first {
                    self.files.push(path);
                }
                continue;
            }
            let Some((first, generation)) = chunk_file::parse_name(name) else { continue };
            if named.contains(&(first, generation)) {
                continue;
            }
            // A crash may have left the file without its header.
            let end = chunk_file::read_header(&path).map_or(first.plus(1), |header| header.end);
            if next < end {
                return Err(damaged(&format!("chunks/{name} holds events that sled's part does not know")));
            }
            self.files.push(path);
        }
        Ok(())
    }

    /// Removes it all.
    pub(crate) fn remove(self, writer: &mut door::Writer) -> Result<(), OpenError> {
        for file in self.files {
            tracing::info!(file = %file.display(), "removed a file that nothing names");
            std::fs::remove_file(file).map_err(storage)?;
        }
        let mut batch = Batch::default();
        for (key, value_bytes) in self.groups {
            batch.remove(key, value_bytes);
            if batch.is_full() {
                writer.write(std::mem::take(&mut batch))?;
            }
        }
        if !batch.is_empty() {
            writer.write(batch)?;
        }
        Ok(writer.sync()?)
    }
}
