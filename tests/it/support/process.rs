//! What the system says of a process, and what it lets this one have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most memory that a process has had, in bytes.
pub(crate) fn most_memory_of(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

/// How many files and sockets this process may have: as many as the system allows, which is more than a shell gives it.
pub(crate) fn most_descriptors() -> usize {
    let limit = getrlimit(Resource::Nofile);
    // If that is refused, what there is stays.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    usize::try_from(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)).unwrap_or(usize::MAX)
}
