//! `everfeed repair`: whatever of a damaged store can be read, in a new one.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::store;

use super::progress::Progress;
use super::{Exit, Failure};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The damaged store; nothing in it is changed
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where to build the new one: a directory that is empty or not there yet
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    if !options.data.is_dir() {
        return Err(Failure::new(Exit::Usage, format_args!("{} is not a directory", options.data.display())));
    }
    if std::fs::read_dir(&options.into).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::new(Exit::Usage, format_args!("{} is not empty", options.into.display())));
    }
    let mut progress = Progress::new("rebuilding");
    let report = store::repair(&options.data, &options.into, &mut |done, total| progress.show(done, total))?;
    progress.end();
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}
