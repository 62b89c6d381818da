//! Events at the end of a file, a line of JSON each, and each exactly once: the checkpoint names the file's length, and
//! whatever was written after it is cut off before following goes on.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::super::{Exit, Failure};
use super::checkpoint::{Kept, sync_directory_of};
use super::output::lines;
use crate::client::Event;

/// The file, as long as its checkpoint says, and locked.
pub(super) struct Appended {
    file: File,
    path: PathBuf,
    bytes: u64,
    lines: Vec<u8>,
}

impl Appended {
    pub(super) fn open(path: &Path, kept: Option<&Kept>) -> Result<Self, Failure> {
        let usage = |why: &dyn std::fmt::Display| Failure::new(Exit::Usage, format_args!("{}: {why}", path.display()));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|error| usage(&error))?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => return Err(usage(&"another process writes to it")),
            Err(TryLockError::Error(error)) => return Err(usage(&error)),
        }
        let length = file.metadata()?.len();
        let bytes = match kept.map(|kept| kept.file_bytes) {
            None if length == 0 => 0,
            None => return Err(usage(&"there is something in it, and no checkpoint says how much of that is ours")),
            Some(None) => return Err(usage(&"the checkpoint was not written for a file")),
            Some(Some(bytes)) if length < bytes => {
                let why =
                    format_args!("it has {length} bytes where its checkpoint says {bytes}: somebody else changed it");
                return Err(usage(&why));
            }
            Some(Some(bytes)) => bytes,
        };
        file.set_len(bytes)?;
        file.seek(SeekFrom::Start(bytes))?;
        sync_directory_of(path)?;
        Ok(Self { file, path: path.to_path_buf(), bytes, lines: Vec::new() })
    }

    /// Appends the lines, makes them durable, and says how long the file is now.
    pub(super) fn write(&mut self, events: &[Event]) -> Result<u64, Failure> {
        if !events.is_empty() {
            lines(events, &mut self.lines);
            self.append().map_err(|error| Failure::failed(format_args!("{}: {error}", self.path.display())))?;
        }
        Ok(self.bytes)
    }

    fn append(&mut self) -> io::Result<()> {
        self.file.write_all(&self.lines)?;
        self.file.sync_data()?;
        self.bytes += self.lines.len() as u64;
        Ok(())
    }
}
