//! A command that may take so much memory and so much time, and no more: damaged files must not let it grow or hang.

use std::io::Read;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Address space, in KiB: several times what a small store takes, and far less than a length that was made up.
const MEMORY_KIBIBYTES_MAX: u64 = 6 << 20;
/// Far more than a small store takes, also on a machine that is busy.
const TIME_MAX: Duration = Duration::from_secs(60);

/// How a confined command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
    pub(crate) errors: String,
}

/// The same command with its memory bounded.
pub(crate) fn confined(command: &Command) -> Command {
    let mut confined = Command::new("sh");
    let limit = format!("ulimit -v {MEMORY_KIBIBYTES_MAX} && exec \"$0\" \"$@\"");
    confined.arg("-c").arg(limit).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => confined.env(name, value),
            None => confined.env_remove(name),
        };
    }
    confined
}

/// Runs it to its end, and within its time.
pub(crate) fn run_confined(command: &Command) -> Result<Ended, String> {
    let mut command = confined(command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a shell");
    let mut output = child.stdout.take().expect("it is piped");
    let mut errors = child.stderr.take().expect("it is piped");
    let output = thread::spawn(move || lossy(&mut output));
    let errors = thread::spawn(move || lossy(&mut errors));
    let started = Instant::now();
    let status = loop {
        match child.try_wait().expect("it is ours") {
            Some(status) => break Some(status),
            None if started.elapsed() > TIME_MAX => break None,
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    if status.is_none() {
        child.kill().expect("it is ours");
        child.wait().expect("it ends");
    }
    let (output, errors) = (output.join().expect("it only reads"), errors.join().expect("it only reads"));
    match status {
        Some(status) => Ok(Ended { status, output, errors }),
        None => Err(format!("it did not end within {TIME_MAX:?}: {errors}")),
    }
}

fn lossy(from: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    // What ends badly has still said what came before.
    let _ = from.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
