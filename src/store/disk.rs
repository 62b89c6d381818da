//! Free space: stop accepting long before the disk is full, since sled cannot even be opened on a full one.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How old an answer about free space may be.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// This part of the floor (one in so many) stays free of what gives space back.
const RESERVE_OF_FLOOR: u64 = 4;

/// In which files are measured (POSIX, `st_blocks`).
const BLOCK_BYTES: u64 = 512;

/// Space that is given up when sled cannot be opened for want of it.
const BALLAST_BYTES: u64 = 16 << 20;

/// What a store takes on its disk, and what is left there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What its files take, in bytes.
    pub used_bytes: u64,
    /// What is free, in bytes.
    pub free_bytes: u64,
    /// Appends are refused while less than this is free, in bytes.
    pub floor_bytes: u64,
}

/// What is free on the disk, beside what is kept in reserve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserve {
    /// What is free now, in bytes.
    pub free_bytes: u64,
    /// Appends are refused while less than this is free, in bytes.
    pub reserve_bytes: u64,
}

/// Knows whether there is room for appends.
pub(crate) struct DiskGuard {
    dir: PathBuf,
    floor_bytes: u64,
    looked: Mutex<Option<(Instant, bool)>>,
}

impl DiskGuard {
    pub(crate) fn new(dir: &Path, floor_bytes: u64) -> Self {
        Self { dir: dir.to_path_buf(), floor_bytes, looked: Mutex::default() }
    }

    /// Whether less than the floor is free. Logs when that changes.
    pub(crate) fn is_low(&self) -> bool {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, low)) = *looked
            && at.elapsed() < LOOK_EVERY
        {
            return low;
        }
        let was_low = looked.is_some_and(|(_, low)| low);
        let free_bytes = free_bytes(&self.dir).unwrap_or(u64::MAX);
        let low = free_bytes < self.floor_bytes;
        if low != was_low {
            let reserve_bytes = self.floor_bytes;
            if low {
                tracing::warn!(
                    free_bytes,
                    reserve_bytes,
                    "the disk is nearly full: appends are refused until more than the reserve (disk.floor) is free; \
                     `everfeed scavenge` may give space back"
                );
            } else {
                tracing::info!(free_bytes, reserve_bytes, "there is space on the disk again: appends are taken");
            }
        }
        *looked = Some((Instant::now(), low));
        low
    }

    pub(crate) fn space(&self) -> io::Result<Space> {
        let (used_bytes, free_bytes) = (used_bytes(&self.dir)?, free_bytes(&self.dir)?);
        Ok(Space { used_bytes, free_bytes, floor_bytes: self.floor_bytes })
    }

    /// What is free now beside the reserve; none if the system does not say.
    pub(crate) fn reserve(&self) -> Option<Reserve> {
        Some(Reserve { free_bytes: free_bytes(&self.dir).ok()?, reserve_bytes: self.floor_bytes })
    }

    /// Whether this much may be written to give space back. That goes on below the floor for appends, which it may
    /// be the only way out of, as long as a part of the floor stays free.
    pub(crate) fn has_room_to_scavenge(&self, bytes: u64) -> bool {
        let free_bytes = free_bytes(&self.dir).unwrap_or(u64::MAX);
        free_bytes.saturating_sub(bytes) >= self.floor_bytes / RESERVE_OF_FLOOR
    }
}

fn free_bytes(dir: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(dir)?;
    Ok(stat.f_bavail * stat.f_frsize)
}

/// What the files below a directory take. What goes meanwhile takes nothing any more.
fn used_bytes(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let taken = entry.metadata().and_then(|metadata| match metadata.is_dir() {
            true => used_bytes(&entry.path()),
            // Where a file has holes, they take nothing.
            false => Ok(metadata.blocks() * BLOCK_BYTES),
        });
        match taken {
            Ok(taken) => bytes += taken,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

/// Sets the ballast aside, if there is room for it beside the floor.
pub(crate) fn set_ballast(path: &Path, floor_bytes: u64) -> io::Result<()> {
    if path.metadata().is_ok_and(|ballast| ballast.len() == BALLAST_BYTES) {
        return Ok(());
    }
    let dir = path.parent().unwrap_or(path);
    if free_bytes(dir)? < floor_bytes + 2 * BALLAST_BYTES {
        return Ok(());
    }
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, BALLAST_BYTES) {
        Ok(()) => Ok(()),
        // Where space cannot be set aside, there is no ballast; the floor still holds.
        Err(_) => std::fs::remove_file(path),
    }
}

/// Gives the ballast up. Whether there was any.
pub(crate) fn drop_ballast(path: &Path) -> bool {
    std::fs::remove_file(path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_files_take_counts_wherever_they_lie() {
        let dir = tempfile::tempdir().expect("a directory");
        let guard = DiskGuard::new(dir.path(), 7);
        let before = guard.space().expect("it can be looked at");
        std::fs::create_dir(dir.path().join("below")).expect("made");
        std::fs::write(dir.path().join("below/file"), vec![1; 100_000]).expect("written");
        std::fs::File::open(dir.path().join("below/file")).expect("it is there").sync_all().expect("synced");
        let after = guard.space().expect("it can be looked at");
        assert!(after.used_bytes >= before.used_bytes + 100_000, "{before:?} {after:?}");
        assert!(after.free_bytes > 0 && after.floor_bytes == 7);
    }
}
