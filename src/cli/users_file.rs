//! What the commands for users and for tokens share: the file that the settings name, and its lists.

use clap::Args;
use serde::Serialize;

use crate::access::users::{Users, UsersFile};

use super::list::{print_lines, print_table};
use super::{Environment, Failure, settings};

/// The file that a server with these settings reads; one that runs sees a change within a second.
pub(super) fn open(settings: &settings::Options, environment: Environment) -> Result<UsersFile, Failure> {
    Ok(UsersFile::new(settings.load(environment)?.config.users_file()))
}

/// `list`: all that the file has of one kind.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: settings::Options,
}

impl List {
    pub(super) fn users(&self, environment: Environment) -> Result<Users, Failure> {
        Ok(open(&self.settings, environment)?.read()?)
    }

    /// Prints them as objects, or as cells below a heading.
    pub(super) fn print<'a, T: 'a, R: Serialize, const N: usize>(
        &self,
        all: impl IntoIterator<Item = &'a T>,
        row: impl Fn(&'a T) -> R,
        heading: [&str; N],
        cells: impl Fn(&T) -> [String; N],
    ) -> Result<(), Failure> {
        let all = all.into_iter();
        if self.json { print_lines(all.map(row)) } else { print_table(heading, &all.map(cells).collect::<Vec<_>>()) }
    }
}
