//! The data directory: what lies where, who may use it, and what was noted when it was closed.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::OpenError;
use super::format::{Closed, FORMAT};

/// After a kill the old process may still hold the lock for a moment.
pub(crate) const LOCK_RETRY: Duration = Duration::from_secs(5);

/// The file that says what a directory is.
const MARKER: &str = "everfeed";

/// The file that says where the log ended when the store was closed in order.
const CLOSED: &str = "closed";

/// The file that says that the directory is being restored from a backup, and is not whole.
const RESTORING: &str = "restoring";

/// A data directory that this process holds.
pub(crate) struct Directory {
    root: PathBuf,
    /// Locked until it is dropped.
    _lock: File,
}

/// What the file `everfeed` says, a line each; the last one is the CRC-32C of those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) format: u32,
    pub(crate) log: Uuid,
    /// What the store is a replica of. It stands here and not in sled, so that a repair knows it too.
    pub(crate) replica_of: Option<String>,
}

impl Marker {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let format = lines.next()?.strip_prefix("everfeed format ")?.parse().ok()?;
        match lines.next().and_then(|line| line.strip_prefix("log ")?.parse().ok()) {
            Some(log) => {
                let replica_of = lines.next().and_then(|line| line.strip_prefix("replica of ")).map(str::to_string);
                Some(Self { format, log, replica_of }).filter(|marker| marker.to_string() == text)
            }
            // A later format may say something else from here on.
            None => (format > FORMAT).then_some(Self { format, log: Uuid::nil(), replica_of: None }),
        }
    }
}

impl std::fmt::Display for Marker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = format!("everfeed format {}\nlog {}\n", self.format, self.log);
        if let Some(of) = &self.replica_of {
            // A line is a line, whatever somebody calls his files.
            text.extend(["replica of ", &of.replace(char::is_control, " "), "\n"]);
        }
        writeln!(f, "{text}crc-32c {:08x}", crc32c::crc32c(text.as_bytes()))
    }
}

impl Directory {
    /// Makes the directory if need be, and takes its lock.
    pub(crate) fn take(root: &Path) -> Result<Self, OpenError> {
        let storage = |error: io::Error| OpenError::Storage(format!("{}: {error}", root.display()));
        // What is in there is nobody else's to read.
        DirBuilder::new().recursive(true).mode(0o700).create(root.join("chunks")).map_err(storage)?;
        let path = root.join("lock");
        let mut lock =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(storage)?;
        let started = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_RETRY => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    let _ = lock.read_to_string(&mut holder);
                    return Err(OpenError::InUse { path: root.to_path_buf(), process: holder.trim().to_string() });
                }
                Err(TryLockError::Error(error)) => return Err(storage(error)),
            }
        }
        // For people who wonder who holds it; nothing reads it but the error above, and a full disk may not take it.
        let _ = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(Self { root: root.to_path_buf(), _lock: lock })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where sled's part is: also when a compaction was cut short just before it had its name again.
    pub(crate) fn sled(&self) -> PathBuf {
        let sleds = Sleds::below(&self.root);
        if sleds.is_half_renamed() { sleds.next } else { sleds.named }
    }

    /// Ends what a compaction left half done, and removes what it left behind.
    pub(crate) fn end_compaction(&self) -> io::Result<()> {
        let sleds = Sleds::below(&self.root);
        if sleds.is_half_renamed() {
            fs::rename(&sleds.next, &sleds.named)?;
            sync_dir(&self.root)?;
        }
        for left in [sleds.next, sleds.old] {
            if left.exists() {
                tracing::info!(directory = %left.display(), "removed what a compaction left behind");
                fs::remove_dir_all(left)?;
                sync_dir(&self.root)?;
            }
        }
        Ok(())
    }

    pub(crate) fn chunks(&self) -> PathBuf {
        self.root.join("chunks")
    }

    pub(crate) fn ballast(&self) -> PathBuf {
        self.root.join("ballast")
    }

    fn marker_path(&self) -> PathBuf {
        self.root.join(MARKER)
    }

    fn closed(&self) -> PathBuf {
        self.root.join(CLOSED)
    }

    /// What the directory was made as; none if it never was made whole.
    pub(crate) fn marker(&self) -> Result<Option<Marker>, OpenError> {
        match fs::read_to_string(self.marker_path()) {
            Ok(text) => match Marker::parse(&text) {
                Some(marker) => Ok(Some(marker)),
                None => Err(OpenError::Damaged { what: "the file `everfeed` does not name a format and a log".into() }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(OpenError::Damaged { what: "the file `everfeed` is not text".into() })
            }
            Err(error) => Err(OpenError::Storage(format!("{}: {error}", self.marker_path().display()))),
        }
    }

    /// Makes the directory whole: all that was created in it is synced, then it gets its marker.
    pub(crate) fn finish(&self, marker: &Marker) -> io::Result<()> {
        sync_all(&self.sled())?;
        sync_dir(&self.chunks())?;
        mark(&self.root, marker)?;
        // Directories above may have been made with it. Those that we may not read were there before.
        for above in self.root.ancestors().skip(1) {
            let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
            match sync_dir(above) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
                synced => synced?,
            }
        }
        Ok(())
    }

    /// How the store was left.
    pub(crate) fn read_ending(&self) -> Result<Ending, OpenError> {
        let path = self.closed();
        match fs::read(&path) {
            Ok(bytes) => Ok(Closed::decode(&bytes).map_or(Ending::Unreadable, Ending::Closed)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Ending::Unclean),
            Err(error) => Err(OpenError::Storage(format!("{}: {error}", path.display()))),
        }
    }

    /// Before the first write: what was noted holds no longer.
    pub(crate) fn forget_closed(&self) -> io::Result<()> {
        match fs::remove_file(self.closed()) {
            Ok(()) => sync_dir(&self.root),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether a restore of it was cut short.
    pub(crate) fn is_half_restored(&self) -> bool {
        self.root.join(RESTORING).exists()
    }

    /// What a restore that was cut short had told sled goes. The chunk files stay.
    pub(crate) fn forget_registry(&self) -> io::Result<()> {
        self.forget_closed()?;
        match fs::remove_dir_all(self.sled()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => sync_dir(&self.root),
        }
    }

    /// It is whole. (Should this not come to be, its marker says the same.)
    pub(crate) fn end_restoring(&self) -> io::Result<()> {
        fs::remove_file(self.root.join(RESTORING))?;
        sync_dir(&self.root)
    }

    /// The store was closed in order.
    pub(crate) fn note_closed(&self, closed: &Closed) -> io::Result<()> {
        replace(&self.root, CLOSED, &closed.encode())
    }
}

/// Where sled's part is, and where it is while it is written anew: the copy is complete before the original steps aside.
pub(crate) struct Sleds {
    pub(crate) named: PathBuf,
    pub(crate) next: PathBuf,
    pub(crate) old: PathBuf,
}

impl Sleds {
    pub(crate) fn below(root: &Path) -> Self {
        Self { named: root.join("sled"), next: root.join("sled.next"), old: root.join("sled.old") }
    }

    /// The original has stepped aside, and the copy has not taken its place yet.
    fn is_half_renamed(&self) -> bool {
        !self.named.exists() && self.next.exists() && self.old.exists()
    }
}

/// How a store was left by whoever had it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// In order, and where the log ended.
    Closed(Closed),
    /// By a crash.
    Unclean,
    /// What was noted has changed since: it was written whole or not at all.
    Unreadable,
}

impl Ending {
    /// Where the log ended, if that is known.
    pub(crate) fn closed(self) -> Option<Closed> {
        match self {
            Self::Closed(closed) => Some(closed),
            Self::Unclean | Self::Unreadable => None,
        }
    }
}

/// Whether there is a store in this directory.
#[must_use]
pub fn holds_store(data: &Path) -> bool {
    data.join(MARKER).exists()
}

/// Makes the directory if need be, and says in it that it is being restored. False if something else is in it.
pub(crate) fn begin_restoring(root: &Path) -> io::Result<bool> {
    DirBuilder::new().recursive(true).mode(0o700).create(root)?;
    let is_ours = root.join(RESTORING).exists() && !holds_store(root);
    if !is_ours && fs::read_dir(root)?.next().is_some() {
        return Ok(false);
    }
    write_synced(
        &root.join(RESTORING),
        b"A restore has not come to its end here: `everfeed restore` goes on with it.\n",
    )?;
    sync_dir(root)?;
    Ok(true)
}

/// Says in the directory at `root` what the store is; whatever stood there before is replaced at once.
pub(crate) fn mark(root: &Path, marker: &Marker) -> io::Result<()> {
    replace(root, MARKER, marker.to_string().as_bytes())
}

/// Puts a file in the place of the one of that name, if there was one. Under another name first: a file that was cut
/// short would look like a damaged one.
fn replace(root: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = root.join(format!("{name}.new"));
    write_synced(&unfinished, bytes)?;
    fs::rename(unfinished, root.join(name))?;
    sync_dir(root)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Syncs a directory, and all that lies directly in it.
pub(crate) fn sync_all(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        File::open(entry?.path())?.sync_all()?;
    }
    sync_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_with_a_changed_bit_is_no_marker() {
        let plain = Marker { format: FORMAT, log: Uuid::from_u128(42), replica_of: None };
        let replica = Marker { replica_of: Some("http://a:1".into()), ..plain.clone() };
        let of = "everfeed format 2\nlog 00000000-0000-0000-0000-00000000002a\n";
        for (marker, text) in [
            (plain, format!("{of}crc-32c 5c6f99ad\n")),
            (replica, format!("{of}replica of http://a:1\ncrc-32c 791ca3fb\n")),
        ] {
            assert_eq!(marker.to_string(), text);
            assert_eq!(Marker::parse(&text), Some(marker));
            for bit in 0..text.len() * 8 {
                let mut bytes = text.clone().into_bytes();
                bytes[bit / 8] ^= 1 << (bit % 8);
                if let Ok(text) = String::from_utf8(bytes) {
                    let found = Marker::parse(&text);
                    assert!(found.is_none_or(|found| found.format > FORMAT && found.log.is_nil()), "{text}");
                }
            }
        }
        let later = Marker { format: 7, log: Uuid::nil(), replica_of: None };
        assert_eq!(Marker::parse("everfeed format 7\nother\n"), Some(later));
    }
}
