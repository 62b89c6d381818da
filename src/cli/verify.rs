//! `everfeed verify`: is everything in a store as it was written?

use std::io::Write;

use clap::Args;

use crate::store;

use super::progress::Progress;
use super::{Environment, Exit, Failure, settings};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    settings: settings::Options,
}

pub(super) fn run(options: &Options, environment: Environment) -> Result<(), Failure> {
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
