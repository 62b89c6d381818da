//! `everfeed backup`: the log of a server that runs, copied into a directory; the next time only what is new.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::client::block_on;
use super::export::now;
use super::progress::Progress;
use super::who::Who;
use super::{Exit, Failure};
use crate::address::BaseUrl;
use crate::replica::Origin;
use crate::replica::backup::{BackupError, Copied, Folder, copy};
use crate::store::OpenError;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The server to back up; it goes on as before
    #[arg(value_name = "URL")]
    url: String,
    /// Where to: a directory that is new, or holds an earlier backup of the same log, which becomes this one
    #[arg(value_name = "DIR")]
    into: PathBuf,
    /// Also copy who may log in, with passwords and tokens as the server keeps them: as hashes. It takes the right to manage
    /// users
    #[arg(long)]
    users: bool,
    #[command(flatten)]
    who: Who,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let base = BaseUrl::parse(&options.url)
        .map_err(|error| Failure::new(Exit::Usage, format_args!("{}: {error}", options.url)))?;
    let origin = Origin { base, credentials: options.who.credentials()?, tls: options.who.tls()? };
    let folder = Folder::to_write(&options.into)?;
    block_on(async {
        let mut progress = Progress::counting("backing up", "bytes");
        let copied = copy(&origin, folder, options.users, now(), |done, total| progress.show(done, total)).await;
        progress.end();
        let Copied { manifest, files, bytes } = copied?;
        let (head, chunks) = (&manifest.head, manifest.chunks.len());
        writeln!(
            std::io::stdout(),
            "{} events backed up; {files} of {chunks} chunk files and {bytes} bytes copied; log {}, epoch {}",
            head.events,
            head.log,
            head.epoch
        )?;
        Ok(())
    })
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        let exit = match &error {
            BackupError::InUse(_) => Exit::InUse,
            BackupError::NotOurs { .. }
            | BackupError::NoBackup(_)
            | BackupError::AnotherLog { .. }
            | BackupError::AnotherHistory { .. } => Exit::Usage,
            BackupError::Newer(_) => Exit::NewerFormat,
            BackupError::Damaged { .. } | BackupError::DamagedThere(_) => Exit::Damaged,
            BackupError::File { .. } => Exit::StorageFailed,
            BackupError::Ask(_) | BackupError::Refused { .. } | BackupError::Ended => Exit::Failed,
            BackupError::Store(OpenError::InUse { .. }) => Exit::InUse,
            BackupError::Store(OpenError::NewerFormat { .. }) => Exit::NewerFormat,
            BackupError::Store(OpenError::Damaged { .. }) => Exit::Damaged,
            BackupError::Store(OpenError::Storage(_)) => Exit::StorageFailed,
        };
        Self::new(exit, error)
    }
}
