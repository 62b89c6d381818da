//! `everfeed completion`: what a shell needs to complete commands and flags.

use std::io::Write;

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use super::Failure;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// For which shell
    shell: Shell,
}

pub(super) fn run(options: &Options, mut command: Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    let name = command.get_name().to_string();
    generate(options.shell, &mut command, name, &mut script);
    Ok(std::io::stdout().write_all(&script)?)
}
