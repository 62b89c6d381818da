//! What the commands for users and for tokens share: the file that the settings name, and how lists are printed.

use std::io::Write;

use clap::Args;
use serde::Serialize;

use crate::access::users::{Users, UsersFile};

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

/// Prints rows below a heading, each column as wide as it has to be.
fn print_table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> Result<(), Failure> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([heading[column].len()]).max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut out = std::io::stdout().lock();
    for row in std::iter::once(heading).chain(rows.iter().map(|row| row.each_ref().map(String::as_str))) {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// Prints one object a line.
fn print_lines<T: Serialize>(rows: impl IntoIterator<Item = T>) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    for row in rows {
        serde_json::to_writer(&mut out, &row).map_err(std::io::Error::from)?;
        writeln!(out)?;
    }
    Ok(())
}
