//! A disk that fails where a test says, and a clock that jumps, for a server that is none the wiser: a library that is
//! loaded before libc answers its system calls.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// No more space.
pub(crate) const ENOSPC: i32 = 28;
/// The disk cannot do it.
pub(crate) const EIO: i32 = 5;

/// What fails.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// `fsync`, `fdatasync`, `flush` (sled's own), `read` or `write`.
    pub(crate) call: &'static str,
    pub(crate) error: i32,
    /// A part of the file's path.
    pub(crate) path: String,
    /// Which call fails first, from 1 on.
    pub(crate) first: u32,
    /// How many fail; 0 for all from then on.
    pub(crate) count: u32,
    /// The part of the file that cannot be read; empty for all of it.
    pub(crate) bytes: std::ops::Range<u64>,
}

impl Fault {
    /// The first such call fails, and all that follow.
    pub(crate) fn always(call: &'static str, error: i32, path: impl Into<String>) -> Self {
        Self { call, error, path: path.into(), first: 1, count: 0, bytes: 0..0 }
    }
}

/// What a server that was started with it meets with.
pub(crate) struct FaultyDisk {
    dir: tempfile::TempDir,
}

impl FaultyDisk {
    /// One without any fault so far.
    pub(crate) fn new() -> Self {
        let disk = Self { dir: tempfile::tempdir().expect("a directory") };
        disk.write("");
        disk
    }

    /// The command meets with it.
    pub(crate) fn under(&self, command: &mut Command) {
        command.env("LD_PRELOAD", library()).env("FAULTY_DISK", self.faults());
    }

    fn faults(&self) -> PathBuf {
        self.dir.path().join("faults")
    }

    /// From now on this fails, and nothing else; calls are counted from now on.
    pub(crate) fn fail(&self, faults: &[Fault]) {
        let mut text = String::new();
        for Fault { call, error, path, first, count, bytes } in faults {
            writeln!(text, "{call} {error} {path} {first} {count} {} {}", bytes.start, bytes.end).expect("memory");
        }
        self.write(&text);
    }

    /// From now on nothing fails.
    pub(crate) fn mend(&self) {
        self.write("");
    }

    /// From now on the clock is so far ahead of what it would be.
    pub(crate) fn set_clock(&self, seconds_ahead: i64) {
        self.write(&format!("clock {seconds_ahead}\n"));
    }

    /// At once: half a text would be another one.
    fn write(&self, text: &str) {
        let new = self.dir.path().join("new");
        std::fs::write(&new, text).expect("written");
        std::fs::rename(new, self.faults()).expect("renamed");
    }
}

/// Compiled once a run.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/faulty_disk.c");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (library, made) =
            (target.join("faulty_disk.so"), target.join(format!("faulty_disk-{}", std::process::id())));
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&made).arg(source).arg("-lpthread");
        let compiled = compile.output().expect("this test needs a C compiler (apt-get install gcc libc6-dev)");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        // Another run may be loading it just now.
        std::fs::rename(made, &library).expect("renamed");
        library
    })
}
