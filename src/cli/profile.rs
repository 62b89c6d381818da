//! `everfeed profile`: servers under names, so that nobody has to type URLs and tokens.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::list::{print_lines, print_table};
use super::profiles::{Profile, Profiles, is_name};
use super::{Exit, Failure};
use crate::address::BaseUrl;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
    /// The file with profiles [default: ~/.config/everfeed/profiles.toml]
    #[arg(long, value_name = "FILE", env = "EVERFEED_PROFILES", global = true)]
    profiles: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Save a server under a name, in place of what was saved there: `--server NAME` means it from then on
    Add(Add),
    /// List what was saved, without secrets
    List(List),
    /// Forget a server
    Remove(Remove),
}

#[derive(Debug, Args)]
struct Add {
    /// Letters, digits, - and _
    name: String,
    /// The server's URL
    url: String,
    /// Sign in as this user; better @FILE with name and password than these themselves
    #[arg(long, value_name = "NAME:PASSWORD", conflicts_with = "token")]
    user: Option<String>,
    /// Sign in with this token; better @FILE than the token itself
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// A file with certificates of authorities to trust beside those of the system (PEM)
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct List {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Remove {
    /// The name
    name: String,
}

/// A profile, as it is printed.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    server: &'a str,
    /// The user's name, `token`, or nothing.
    who: &'a str,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let mut profiles = Profiles::read(options.profiles.as_deref())?;
    match &options.command {
        Command::Add(add) => {
            profiles.all.insert(add.name()?, add.profile()?);
            profiles.save()
        }
        Command::Remove(Remove { name }) => {
            profiles.find(name)?;
            profiles.all.remove(name);
            profiles.save()
        }
        Command::List(List { json }) => {
            let rows = profiles.all.iter().map(|(name, profile)| Row::of(name, profile));
            if *json {
                return print_lines(rows);
            }
            let rows: Vec<_> = rows.map(|row| [row.name, row.server, row.who].map(String::from)).collect();
            print_table(["NAME", "SERVER", "WHO"], &rows)
        }
    }
}

impl Add {
    fn name(&self) -> Result<String, Failure> {
        match is_name(&self.name) {
            true => Ok(self.name.clone()),
            false => Err(Failure::new(Exit::Usage, "a name has letters, digits, - and _ alone")),
        }
    }

    fn profile(&self) -> Result<Profile, Failure> {
        BaseUrl::parse(&self.url).map_err(|error| Failure::new(Exit::Usage, format_args!("{}: {error}", self.url)))?;
        // The command may be given from anywhere else later.
        let trust = self.trust.iter().map(std::path::absolute).collect::<Result<_, _>>()?;
        let given = |text: &Option<String>| text.as_deref().map(from_anywhere).transpose();
        Ok(Profile { server: self.url.clone(), user: given(&self.user)?, token: given(&self.token)?, trust })
    }
}

/// With a whole path, if it names a file.
fn from_anywhere(text: &str) -> Result<String, Failure> {
    match text.strip_prefix('@') {
        Some(path) => Ok(format!("@{}", std::path::absolute(path)?.display())),
        None => Ok(text.to_string()),
    }
}

impl<'a> Row<'a> {
    fn of(name: &'a str, profile: &'a Profile) -> Self {
        let who = match (&profile.user, &profile.token) {
            (_, Some(_)) => "token",
            (Some(user), None) if user.starts_with('@') => user,
            (Some(user), None) => user.split(':').next().unwrap_or_default(),
            (None, None) => "",
        };
        Self { name, server: &profile.server, who }
    }
}
