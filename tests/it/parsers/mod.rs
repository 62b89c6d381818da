//! Every parser that bytes from outside reach, with bytes that nobody sends: the seeds that are kept, what becomes of
//! them when a few bytes change, and bytes at random. `fuzz/` runs the same functions guided by coverage.
//!
//! Each target runs in a process of its own, so that one that ends, waits for ever or takes all memory says which case
//! it was. `EVERFEED_FUZZ_CASES` is how many cases each target gets, `EVERFEED_SEED` brings a run back.

mod mutation;

use std::io::Write;
use std::panic::{catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use everfeed::fuzzing::{TARGETS, Target};
use rustix::process::{Resource, Rlimit, setrlimit};

use self::mutation::Cases;
use crate::support::process::most_memory_of;
use crate::workload::{Random, child, setting};

/// Which target a child runs.
const TARGET: &str = "EVERFEED_FUZZ_TARGET";
/// Where a child writes each case before it runs it.
const TRACE: &str = "EVERFEED_FUZZ_TRACE";

const CASES: u64 = 1_000;
/// What a child may map and what it may really use, in bytes. A case has some kilobytes.
const ADDRESSES_MAX: u64 = 2 << 30;
const MEMORY_MAX: u64 = 512 << 20;
/// A run that takes longer hangs, whatever else the machine does.
const TIME_MAX: Duration = Duration::from_secs(120);
const TIME_MAX_PER_CASE: Duration = Duration::from_millis(5);
/// What a child says that has found something.
const KEEP_IT: &str = "keep it: ";

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn seeds(target: &Target) -> Vec<Vec<u8>> {
    let dir = fuzz().join("seeds").join(target.name);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&dir)
        .unwrap_or_else(|error| panic!("{}: {error}", dir.display()))
        .map(|entry| entry.expect("it is read").path())
        .collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("it is read")).collect()
}

#[test]
fn whatever_bytes_come_every_parser_answers_and_its_laws_hold() {
    let cases = setting("EVERFEED_FUZZ_CASES").map_or(CASES, |cases| cases.parse().expect("a number of cases"));
    if let Some(name) = setting(TARGET) {
        let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
        return run(target, cases);
    }
    let seed = Random::seeded("parsers").next();
    let (next, findings) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(target) = TARGETS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match attempt(target, seed, cases) {
                        Ok(told) => print!("{told}"),
                        Err(finding) => findings.lock().expect("nobody panics here").push(finding),
                    }
                }
            });
        }
    });
    let findings = findings.into_inner().expect("nobody panicked");
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// Runs a target's cases in a process of its own; a finding is told as what it says of itself, or as the case at which
/// it ended.
fn attempt(target: &Target, seed: u64, cases: u64) -> Result<String, String> {
    let command = || {
        let test = "parsers::whatever_bytes_come_every_parser_answers_and_its_laws_hold";
        let mut command = child(test, TARGET, target.name);
        command.env("EVERFEED_SEED", seed.to_string()).env("EVERFEED_FUZZ_CASES", cases.to_string());
        command
    };
    let output = finished(command(), cases);
    if output.as_ref().is_some_and(|output| output.status.success()) {
        let told = String::from_utf8_lossy(&output.expect("it is there").stdout).into_owned();
        return Ok(told.lines().filter(|line| line.starts_with(target.name)).map(|line| format!("{line}\n")).collect());
    }
    let errors = output.as_ref().map_or("it hangs".into(), |output| String::from_utf8_lossy(&output.stderr));
    if errors.contains(KEEP_IT) {
        return Err(errors.into_owned());
    }
    // It told nothing of its last case; the same run again writes down every case before it begins.
    let trace = tempfile::NamedTempFile::new().expect("a file");
    let mut again = command();
    again.env(TRACE, trace.path());
    let _ = finished(again, cases);
    let case = std::fs::read(trace.path()).expect("it was written");
    Err(format!("{errors}\n{}", told(target, &case)))
}

/// How to keep a case.
fn told(target: &Target, case: &[u8]) -> String {
    let hex: String = case.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}: {:?}\n{KEEP_IT}echo {hex} | xxd -r -p > fuzz/seeds/{}/NAME",
        target.name,
        String::from_utf8_lossy(case),
        target.name
    )
}

/// The end of a process; none if it does not end by itself.
fn finished(mut command: Command, cases: u64) -> Option<Output> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("this binary runs");
    let pid = rustix::process::Pid::from_child(&child);
    let (sender, receiver) = std::sync::mpsc::channel();
    let waiter = std::thread::spawn(move || {
        let output = child.wait_with_output().expect("it is a child of ours");
        let _ = sender.send(());
        output
    });
    let time_max = TIME_MAX + TIME_MAX_PER_CASE * u32::try_from(cases).unwrap_or(u32::MAX);
    let ended = receiver.recv_timeout(time_max).is_ok();
    if !ended {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    let output = waiter.join().expect("it does not panic");
    ended.then_some(output)
}

/// The child.
fn run(target: &Target, cases: u64) {
    let limit = Rlimit { current: Some(ADDRESSES_MAX), maximum: Some(ADDRESSES_MAX) };
    setrlimit(Resource::As, limit).expect("less is always allowed");
    let trace = setting(TRACE);
    let (start, mut slowest) = (Instant::now(), Duration::ZERO);
    let seeds = seeds(target);
    let kept = seeds.clone();
    let made = Cases::new(&seeds, Random::seeded(target.name));
    for case in kept.into_iter().chain(made.take(usize::try_from(cases).expect("cases are counted"))) {
        if let Some(path) = &trace {
            std::fs::write(path, &case).expect("it is written");
        }
        let began = Instant::now();
        if let Err(panic) = catch_unwind(|| everfeed::fuzzing::run(target.name, &case)) {
            writeln!(std::io::stderr(), "{}", told(target, &case)).expect("somebody reads");
            resume_unwind(panic);
        }
        slowest = slowest.max(began.elapsed());
    }
    let memory = most_memory_of(std::process::id());
    let (took, mib) = (start.elapsed(), memory >> 20);
    println!("{}: {cases} cases in {took:.1?}, the slowest in {slowest:.1?}, at most {mib} MiB", target.name);
    assert!(memory <= MEMORY_MAX, "{}: {mib} MiB", target.name);
}

/// The programs of `fuzz/` and the list of functions say the same.
#[test]
fn every_parser_has_its_program_and_its_seeds() {
    let manifest = std::fs::read_to_string(fuzz().join("Cargo.toml")).expect("it is there");
    for target in TARGETS {
        let name = target.name;
        let program = std::fs::read_to_string(fuzz().join(format!("fuzz_targets/{name}.rs")));
        let expected = format!(
            "#![no_main]\n\nlibfuzzer_sys::fuzz_target!(|case: &[u8]| everfeed::fuzzing::run(\"{name}\", case));\n"
        );
        assert_eq!(program.unwrap_or_else(|error| panic!("{name}: {error}")), expected);
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n")), "{name}");
        assert!(!seeds(target).is_empty(), "{name}");
    }
    let programs = std::fs::read_dir(fuzz().join("fuzz_targets")).expect("it is there").count();
    assert_eq!(programs, TARGETS.len());
}
