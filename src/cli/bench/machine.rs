//! The machine that a figure was measured on, and what a process on it uses, as Linux tells it.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

/// What a process uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) rss_bytes: u64,
    /// The most that `rss_bytes` has been.
    pub(crate) rss_bytes_peak: u64,
    /// Time on any core, in user code and in the kernel.
    pub(crate) cpu: Duration,
    /// Open files, sockets among them.
    pub(crate) files: u64,
}

/// Cores, memory, kernel, processor and load.
pub(crate) fn describe() -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_once(':').map(|(_, value)| value.trim().to_string())
    };
    let memory_kb = field(&read("/proc/meminfo"), "MemTotal").and_then(|text| leading_number(&text));
    json!({
        "cores": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        "memory_mb": memory_kb.unwrap_or_default() / 1024,
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "cpu": field(&read("/proc/cpuinfo"), "model name").unwrap_or_default(),
        "load_average": read("/proc/loadavg").split(' ').next().and_then(|load| load.parse::<f64>().ok()),
    })
}

/// The same in a line.
pub(crate) fn sentence(machine: &Value) -> String {
    format!(
        "{} cores ({}), {} MB, Linux {}, load {}{}",
        machine["cores"],
        machine["cpu"].as_str().unwrap_or_default(),
        machine["memory_mb"],
        machine["kernel"].as_str().unwrap_or_default(),
        machine["load_average"],
        if cfg!(debug_assertions) { "; a debug build: these figures mean nothing" } else { "" },
    )
}

/// What the process uses now.
pub(crate) fn usage(pid: u32) -> io::Result<Usage> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kilobytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| leading_number(value.trim())).unwrap_or_default()
    };
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the name in parentheses and may hold spaces; user and kernel time are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3).and_then(|ticks| ticks.parse::<u64>().ok()).unwrap_or_default();
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Usage {
        rss_bytes: kilobytes("VmRSS:") * 1024,
        rss_bytes_peak: kilobytes("VmHWM:") * 1024,
        cpu: Duration::from_secs_f64((ticks(14) + ticks(15)) as f64 / per_second as f64),
        files: fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64,
    })
}

/// What a directory takes on the disk, everything in it counted.
pub(crate) fn disk_bytes(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        bytes += if path.is_dir() { disk_bytes(&path)? } else { file_bytes(&path)? };
    }
    Ok(bytes)
}

/// The chunk files of a store; the indexes of derived streams beside them are not counted.
pub(crate) fn chunks(data: &Path) -> io::Result<u64> {
    let mut chunks = 0;
    for entry in fs::read_dir(data.join("chunks"))? {
        let path = entry?.path();
        let generation = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        chunks += u64::from(generation.parse::<u32>().is_ok());
    }
    Ok(chunks)
}

/// What a file takes on the disk, which may be less than its length.
pub(crate) fn file_bytes(path: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    Ok(fs::metadata(path)?.blocks() * 512)
}

/// Drops what the kernel keeps of files, so that the next reads come from the disk. Whether it could.
pub(crate) fn drop_page_cache() -> bool {
    rustix::fs::sync();
    fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}

/// Whether files there are in memory only, where a sync costs nothing and measures nothing.
pub(crate) fn is_in_memory(directory: &Path) -> bool {
    const TMPFS: u64 = 0x0102_1994;
    rustix::fs::statfs(directory).is_ok_and(|system| system.f_type as u64 == TMPFS)
}

/// Lets this process, and those it starts, have as many files and sockets open as it may.
pub(crate) fn raise_open_files() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // If it is refused the lower limit stays, and is what the caller is told.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

fn leading_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_time() {
        let usage = usage(std::process::id()).expect("it runs");
        assert!(usage.rss_bytes > 0 && usage.rss_bytes <= usage.rss_bytes_peak);
    }

    #[test]
    fn all_files_of_a_directory_count() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::create_dir(directory.path().join("inner")).expect("it is made");
        fs::write(directory.path().join("inner/file"), vec![7; 100_000]).expect("it is written");
        fs::write(directory.path().join("other"), vec![7; 100_000]).expect("it is written");
        rustix::fs::sync();
        assert!((200_000..300_000).contains(&disk_bytes(directory.path()).expect("it is read")));
    }
}
