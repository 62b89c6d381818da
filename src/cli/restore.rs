//! `everfeed restore`: a store made of a backup.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::export::now;
use super::progress::Progress;
use super::{Exit, Failure};
use crate::replica::backup::{Restored, restore};
use crate::replica::import::Epoch;
use crate::store::holds_store;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The directory of the backup; nothing in it is changed
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    /// Where to make the store: a directory that is empty or not there yet
    #[arg(value_name = "DATA-DIR")]
    data: PathBuf,
    /// The server that was backed up took no events since, and takes none any more, so the store goes on in its epoch
    /// instead of a new one
    #[arg(long)]
    same_epoch: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let Options { backup, data, same_epoch } = options;
    let is_begun = data.join("restoring").exists() && !holds_store(data);
    if !is_begun && std::fs::read_dir(data).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::new(Exit::Usage, format_args!("{} is not empty", data.display())));
    }
    let epoch = if *same_epoch { Epoch::Same } else { Epoch::New };
    let mut progress = Progress::counting("restoring", "bytes");
    let restored = restore(backup, data, epoch, now(), &mut |done, total| progress.show(done, total));
    progress.end();
    let Restored { events, identity, replica_of, has_users } = restored?;
    let role = replica_of.map(|of| format!("; a replica of {of}, as the store was")).unwrap_or_default();
    let users = if has_users { "; users.json with who may log in" } else { "" };
    writeln!(
        std::io::stdout(),
        "{events} events restored; log {}, epoch {}{role}{users}",
        identity.log,
        identity.epoch
    )?;
    Ok(())
}
