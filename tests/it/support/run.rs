//! A command of the binary, run to its end.

use std::io::Write;
use std::process::{Command, Stdio};

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) output: String,
    pub(crate) errors: String,
}

/// A command that has not been run yet.
pub(crate) struct Prepared {
    command: Command,
    input: String,
}

/// `everfeed` with these arguments, nothing on standard input, and none of the settings in this environment.
pub(crate) fn everfeed(arguments: &[&str]) -> Prepared {
    let mut command = Command::new(env!("CARGO_BIN_EXE_everfeed"));
    command.args(arguments);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("EVERFEED_") {
            command.env_remove(name);
        }
    }
    Prepared { command, input: String::new() }
}

impl Prepared {
    pub(crate) fn set(mut self, variable: &str, value: &str) -> Self {
        self.command.env(variable, value);
        self
    }

    pub(crate) fn input(mut self, input: &str) -> Self {
        self.input = input.to_string();
        self
    }

    pub(crate) fn run(mut self) -> Run {
        let pipes = self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().expect("the binary is there");
        let mut stdin = child.stdin.take().expect("it is piped");
        // What is larger than the pipe is written while the output is read.
        let input = std::mem::take(&mut self.input);
        let writer = std::thread::spawn(move || {
            // A command that fails early does not read to the end.
            let _ = stdin.write_all(input.as_bytes());
        });
        let output = child.wait_with_output().expect("it ends");
        writer.join().expect("it does not panic");
        let text = |bytes| String::from_utf8(bytes).expect("commands print UTF-8");
        let code = output.status.code().expect("it ends by itself");
        Run { code, output: text(output.stdout), errors: text(output.stderr) }
    }
}
