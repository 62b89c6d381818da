//! A small file system of its own, in a file: it can lose its power, and it can be full.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Those that a store is tried on. Each has its own way of writing later what it was asked to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileSystem {
    Ext4,
    Xfs,
}

impl FileSystem {
    fn make(self, image: &Path) -> Result<(), String> {
        match self {
            Self::Ext4 => run(Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(image)),
            Self::Xfs => run(Command::new("mkfs.xfs").arg("-q").arg(image)),
        }
    }
}

/// Mounted until it is dropped.
pub(crate) struct LoopDisk {
    dir: tempfile::TempDir,
    mounted: bool,
}

impl LoopDisk {
    /// Makes and mounts one of this size; tells why if that is not permitted here.
    fn make(system: FileSystem, megabytes: u32) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut disk = Self { dir, mounted: false };
        let image = std::fs::File::create(disk.image()).map_err(|error| error.to_string())?;
        image.set_len(u64::from(megabytes) << 20).map_err(|error| error.to_string())?;
        std::fs::create_dir(disk.path()).map_err(|error| error.to_string())?;
        system.make(&disk.image())?;
        disk.mount()?;
        Ok(disk)
    }

    /// Of ext4; where that is not permitted it says that the test was skipped, and why.
    pub(crate) fn make_or_skip(test: &str, megabytes: u32) -> Option<Self> {
        Self::of(FileSystem::Ext4, test, megabytes)
    }

    /// As [`Self::make_or_skip`], of another file system. XFS takes 300 MB at least.
    pub(crate) fn of(system: FileSystem, test: &str, megabytes: u32) -> Option<Self> {
        match Self::make(system, megabytes) {
            Ok(disk) => Some(disk),
            Err(why) => {
                println!("SKIPPED {test}: it needs a loop mount of {system:?}, and that failed: {why}");
                None
            }
        }
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("mount")
    }

    pub(crate) fn mount(&mut self) -> Result<(), String> {
        run(Command::new("mount").args(["-o", "loop"]).arg(self.image()).arg(self.path()))?;
        self.mounted = true;
        Ok(())
    }

    /// The power goes: nothing reaches the disk any more, not even the file system's own log.
    pub(crate) fn cut_power(&self) {
        // FS_IOC_SHUTDOWN (XFS_IOC_GOINGDOWN is the same) with FS_SHUTDOWN_FLAGS_NOLOGFLUSH; there is no safe call for it in Rust.
        const SHUT_DOWN: &str =
            r#"open my $f, "<", $ARGV[0] or die $!; my $v = pack("L", 2); ioctl($f, 0x8004587d, $v) or die $!"#;
        run(Command::new("perl").args(["-e", SHUT_DOWN]).arg(self.path())).expect("the file system is shut down");
    }

    /// What was not on the disk is forgotten.
    pub(crate) fn unmount(&mut self) -> Result<(), String> {
        run(Command::new("umount").arg(self.path()))?;
        self.mounted = false;
        Ok(())
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        // Somebody may still hold a file after a failure; then the mount goes as soon as they let go.
        if self.mounted && self.unmount().is_err() {
            let _ = run(Command::new("umount").arg("-l").arg(self.path()));
        }
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{:?}: {error}", command.get_program()))?;
    if output.status.success() {
        Ok(())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{:?}: {}", command.get_program(), said.trim()))
    }
}

/// The bytes that the file takes.
pub(crate) fn file_bytes(path: &Path) -> u64 {
    path.metadata().map_or(0, |file| file.len())
}
