//! `everfeed config`: which settings are in force, and where each comes from.

use std::io::Write;

use clap::{Args, Subcommand};

use crate::access::Rules;

use super::{Environment, Exit, Failure, settings};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print every setting, its value and where that came from, as a file that could be used
    Show(settings::Options),
    /// Say what is wrong with the settings, and with the rules that they name, if anything is
    Check(settings::Options),
}

pub(super) fn run(options: &Options, environment: Environment) -> Result<(), Failure> {
    match &options.command {
        Command::Show(settings) => {
            let values = settings.load(environment)?.values;
            let mut out = std::io::stdout().lock();
            let mut in_table = "";
            for value in values {
                let (table, key) = value.setting.name.split_once('.').unwrap_or(("", value.setting.name));
                if table != in_table {
                    writeln!(out, "\n[{table}]")?;
                    in_table = table;
                }
                let line = format!("{key} = {}", value.setting.in_toml(&value.text));
                writeln!(out, "{line:40} # {}", value.source)?;
            }
            Ok(())
        }
        Command::Check(settings) => {
            let config = settings.load(environment)?.config;
            if let Some(rules) = &config.access.rules {
                Rules::read(rules).map_err(|mistakes| Failure::new(Exit::Usage, mistakes))?;
            }
            writeln!(std::io::stdout(), "the settings are sound")?;
            Ok(())
        }
    }
}
