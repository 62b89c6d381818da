//! A server under `strace`: what it asks of the operating system, in order, and what it gets when that fails.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::TestServer;

/// A trace of one server's system calls, going on until it is dropped or ended.
pub(crate) struct Strace {
    child: Child,
    output: tempfile::NamedTempFile,
}

/// One system call, from the moment it was made to the moment it returned.
#[derive(Debug)]
pub(crate) struct Call {
    /// `fdatasync(5</data/sled/db>) = 0`
    pub(crate) text: String,
    /// Places in the order of everything that was seen of all threads.
    pub(crate) began: usize,
    pub(crate) ended: usize,
}

impl Strace {
    /// Attaches to all threads of the server and returns once it sees them all.
    pub(crate) fn attach(server: &TestServer, arguments: &[&str]) -> Self {
        let output = tempfile::NamedTempFile::new().expect("a file");
        let mut command = Command::new("strace");
        command.args(["-f", "-yy", "-s", "1024"]).args(arguments).arg("-o").arg(output.path());
        command.args(["-p", &server.pid().to_string()]).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("this test needs strace (apt-get install strace)");
        let mut said = BufReader::new(child.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
        let first = said.next().unwrap_or_default();
        assert!(
            first.contains("attached"),
            "this test needs strace and the right to trace processes (in a container: --cap-add=SYS_PTRACE); \
             it said: {first}"
        );
        // Nobody reads on, and what little it says fits the pipe.
        Self { child, output }
    }

    /// Lets the server go, and returns what it did.
    pub(crate) fn end(mut self) -> Vec<Call> {
        self.detach();
        calls(&std::fs::read_to_string(self.output.path()).expect("it is text"))
    }

    fn detach(&mut self) {
        // Ending strace in order lets go of the threads that it holds.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        self.detach();
    }
}

/// A call during which other threads were seen takes two lines, `… <unfinished ...>` and `<... name resumed>…`.
fn calls(trace: &str) -> Vec<Call> {
    let mut begun: Vec<(&str, &str, usize)> = Vec::new();
    let mut calls = Vec::new();
    for (place, line) in trace.lines().enumerate() {
        let Some((thread, text)) = line.split_once(' ') else { continue };
        let text = text.trim_start();
        if let Some(start) = text.strip_suffix("<unfinished ...>") {
            begun.push((thread, start, place));
        } else if let Some((_, rest)) = text.strip_prefix("<... ").and_then(|text| text.split_once(" resumed>")) {
            let Some(index) = begun.iter().position(|(other, ..)| *other == thread) else { continue };
            let (_, start, began) = begun.swap_remove(index);
            calls.push(Call { text: format!("{start}{rest}"), began, ended: place });
        } else {
            calls.push(Call { text: text.to_string(), began: place, ended: place });
        }
    }
    calls.sort_by_key(|call| call.began);
    calls
}

impl Call {
    /// A completed sync of this file.
    pub(crate) fn is_sync_of(&self, file: &Path) -> bool {
        let on = format!("<{}>", file.display());
        self.text.starts_with("fdatasync(") && self.text.contains(&on) && self.text.ends_with("= 0")
    }
}
