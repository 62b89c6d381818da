//! `everfeed man`: the manual pages, one for each command.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_mangen::Man;

use super::Failure;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Write the pages of all commands into this directory, such as ~/.local/share/man/man1 [default: print the first]
    dir: Option<PathBuf>,
}

pub(super) fn run(options: &Options, command: Command) -> Result<(), Failure> {
    match &options.dir {
        Some(dir) => {
            std::fs::create_dir_all(dir)?;
            clap_mangen::generate_to(command, dir)?;
        }
        None => {
            let mut page = Vec::new();
            Man::new(command).render(&mut page)?;
            std::io::stdout().write_all(&page)?;
        }
    }
    Ok(())
}
