//! `everfeed verify`: is everything in a store, or in a backup, as it was written?

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::replica::backup;
use crate::store;

use super::progress::Progress;
use super::{Environment, Exit, Failure, settings};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Check the backup in this directory instead of a store
    #[arg(long, value_name = "DIR", conflicts_with = "data")]
    backup: Option<PathBuf>,
    #[command(flatten)]
    settings: settings::Options,
}

pub(super) fn run(options: &Options, environment: Environment) -> Result<(), Failure> {
    if let Some(backup) = &options.backup {
        return of_backup(backup);
    }
    let config = options.settings.load(environment)?.config;
    if !config.data.is_dir() {
        return Err(Failure::new(Exit::Usage, format_args!("{} is not a directory", config.data.display())));
    }
    let mut progress = Progress::new("verifying");
    let report = store::verify(&config.data, &mut |done, total| progress.show(done, total))?;
    progress.end();
    writeln!(std::io::stdout(), "{report}")?;
    if report.is_sound() { Ok(()) } else { Err(Failure::new(Exit::Damaged, "")) }
}

fn of_backup(backup: &Path) -> Result<(), Failure> {
    let mut progress = Progress::counting("verifying", "bytes");
    let checked = backup::check(backup, &mut |done, total| progress.show(done, total));
    progress.end();
    let checked = checked?;
    writeln!(std::io::stdout(), "{checked}")?;
    if checked.problems.is_empty() { Ok(()) } else { Err(Failure::new(Exit::Damaged, "")) }
}
