//! How a command ends: its exit code, and what it says when it did not do what was asked.

use std::fmt;
use std::process::{ExitCode, Termination};

use crate::access::users::{self, Refused};
use crate::config;
use crate::server;
use crate::store::OpenError;

/// The exit codes. Scripts and supervisors rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// What was asked for is done.
    Done = 0,
    /// It is not; the message says why.
    Failed = 1,
    /// The arguments or the settings are wrong. Nothing was begun.
    Usage = 2,
    /// The data are damaged; `everfeed repair` rebuilds them.
    Damaged = 10,
    /// Another process has the data directory, still after five seconds.
    InUse = 11,
    /// A write or a sync failed, or the disk could not be used. The next start recovers.
    StorageFailed = 12,
    /// The data were written by a later release.
    NewerFormat = 13,
}

impl Exit {
    /// For `--help`.
    pub(super) const HELP: &'static str = "\
Exit codes:
   0  done
   1  failure
   2  usage or configuration
  10  the data are damaged
  11  the data directory is in use
  12  the storage failed
  13  the data are of a newer format";
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}

/// Why a command did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    /// With a message for people.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string() }
    }

    /// A failure without a code of its own.
    pub fn failed(message: impl fmt::Display) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// With the same code and nothing left to say.
    pub(super) fn silent(self) -> Self {
        Self { message: String::new(), ..self }
    }

    /// Says it on standard error.
    #[expect(clippy::print_stderr, reason = "this is where a command says why it failed")]
    pub(super) fn report(self) -> Exit {
        for line in self.message.lines().filter(|line| !line.is_empty()) {
            eprintln!("everfeed: {}", printable(line));
        }
        self.exit
    }
}

/// Without the control characters that a message may have taken over from others, which a terminal would obey.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<std::io::Error> for Failure {
    /// Whoever stopped reading what we print has what they wanted.
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::new(Exit::Done, ""),
            _ => Self::failed(error),
        }
    }
}

impl From<config::Error> for Failure {
    fn from(error: config::Error) -> Self {
        Self::new(Exit::Usage, error)
    }
}

impl From<users::Error> for Failure {
    fn from(error: users::Error) -> Self {
        let exit = match &error {
            users::Error::Refused(Refused::InvalidName(_) | Refused::InvalidPassword(_) | Refused::EmptyToken) => {
                Exit::Usage
            }
            users::Error::Newer { .. } => Exit::NewerFormat,
            users::Error::Refused(
                Refused::UserExists(_)
                | Refused::NoSuchUser(_)
                | Refused::TokenExists(_)
                | Refused::NoSuchToken(_)
                | Refused::TooMany,
            )
            | users::Error::File { .. }
            | users::Error::Damaged { .. }
            | users::Error::Gone { .. }
            | users::Error::Locked { .. } => Exit::Failed,
        };
        Self::new(exit, error)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let exit = match &error {
            OpenError::InUse { .. } => Exit::InUse,
            OpenError::NewerFormat { .. } => Exit::NewerFormat,
            OpenError::Damaged { .. } => Exit::Damaged,
            OpenError::Storage(_) => Exit::StorageFailed,
        };
        Self::new(exit, error)
    }
}

impl From<server::Error> for Failure {
    fn from(error: server::Error) -> Self {
        match error {
            server::Error::Store(error) => error.into(),
            server::Error::StorageFailed => Self::new(Exit::StorageFailed, error),
            server::Error::NoReplica { .. }
            | server::Error::Rules(_)
            | server::Error::Issuer(_)
            | server::Error::Exposed { .. }
            | server::Error::Tls(_) => Self::new(Exit::Usage, error),
            server::Error::Users(_)
            | server::Error::Listen { .. }
            | server::Error::System(_)
            | server::Error::Mirror(_)
            | server::Error::NoAnswer { .. } => Self::failed(error),
        }
    }
}
