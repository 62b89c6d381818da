//! `everfeed user`: who may log in. It changes the file that a server reads, also of one that runs.

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::access::PasswordHash;
use crate::access::users::{self, Refused, User, Users};
use crate::event::Timestamp;

use super::export::{now, say};
use super::users_file::{self, List};
use super::{Environment, Failure, password, settings};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a user; the password is asked for
    Add(Add),
    /// Give a user another password
    Passwd(Passwd),
    /// Keep a user out for now, and the user's tokens with it
    Disable(Named),
    /// Let a user in again
    Enable(Named),
    /// Remove a user, and the user's tokens
    Remove(Named),
    /// Print all users
    List(List),
}

#[derive(Debug, Args)]
struct Add {
    /// What the user logs in by
    name: String,
    /// A group that the user is in; $admins may do everything, $ops keep the server running
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
    /// What people call the user
    #[arg(long, value_name = "NAME", default_value = "")]
    full_name: String,
    #[command(flatten)]
    password: password::Options,
    #[command(flatten)]
    settings: settings::Options,
}

#[derive(Debug, Args)]
struct Passwd {
    /// Whose password
    name: String,
    #[command(flatten)]
    password: password::Options,
    #[command(flatten)]
    settings: settings::Options,
}

#[derive(Debug, Args)]
struct Named {
    /// Who
    name: String,
    #[command(flatten)]
    settings: settings::Options,
}

/// A user, as it is printed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    name: &'a str,
    full_name: &'a str,
    groups: &'a [Arc<str>],
    disabled: bool,
    updated: String,
}

pub(super) fn run(options: &Options, environment: Environment) -> Result<(), Failure> {
    match &options.command {
        Command::Add(add) => add.run(environment),
        Command::Passwd(passwd) => passwd.run(environment),
        Command::Disable(named) => {
            named.change(environment, "disabled", |users, name| users.set_disabled(name, true, now()))
        }
        Command::Enable(named) => {
            named.change(environment, "enabled", |users, name| users.set_disabled(name, false, now()))
        }
        Command::Remove(named) => named.change(environment, "removed", Users::remove),
        Command::List(options) => list(options, environment),
    }
}

impl Add {
    fn run(&self, environment: Environment) -> Result<(), Failure> {
        let file = users_file::open(&self.settings, environment)?;
        let groups = self.group.iter().map(|group| Arc::from(group.as_str())).collect();
        let user = |password| User {
            name: self.name.as_str().into(),
            full_name: self.full_name.clone(),
            groups,
            password,
            disabled: false,
            updated: now(),
        };
        if file.read()?.user(&self.name).is_some() {
            return Err(users::Error::from(Refused::UserExists(self.name.clone())).into());
        }
        let password = self.password.password()?;
        let user = user(hashed(&password)?);
        file.change(|users| users.add(user).map_err(users::Error::from))?;
        say(&format!("{} was added to {}", self.name, file.path().display()));
        self.password.tell(&password)
    }
}

impl Passwd {
    fn run(&self, environment: Environment) -> Result<(), Failure> {
        let file = users_file::open(&self.settings, environment)?;
        if file.read()?.user(&self.name).is_none() {
            return Err(users::Error::from(Refused::NoSuchUser(self.name.clone())).into());
        }
        let password = self.password.password()?;
        let hash = hashed(&password)?;
        file.change(|users| users.set_password(&self.name, hash, now()).map_err(users::Error::from))?;
        say(&format!("{} has another password", self.name));
        self.password.tell(&password)
    }
}

impl Named {
    fn change(
        &self,
        environment: Environment,
        done: &str,
        change: impl FnOnce(&mut Users, &str) -> Result<(), Refused>,
    ) -> Result<(), Failure> {
        let file = users_file::open(&self.settings, environment)?;
        file.change(|users| change(users, &self.name).map_err(users::Error::from))?;
        say(&format!("{} was {done}", self.name));
        Ok(())
    }
}

fn list(list: &List, environment: Environment) -> Result<(), Failure> {
    let users = list.users(environment)?;
    let cells = |user: &User| {
        let state = if user.disabled { "disabled" } else { "" };
        let updated = minute(user.updated);
        [user.name.to_string(), user.groups.join(" "), state.into(), updated, user.full_name.clone()]
    };
    list.print(users.iter(), Row::of, ["NAME", "GROUPS", "STATE", "UPDATED", "FULL NAME"], cells)
}

impl<'a> Row<'a> {
    fn of(user: &'a User) -> Self {
        Self {
            name: &user.name,
            full_name: &user.full_name,
            groups: &user.groups,
            disabled: user.disabled,
            updated: user.updated.to_string(),
        }
    }
}

fn hashed(password: &str) -> Result<PasswordHash, Failure> {
    PasswordHash::of(password).map_err(|error| users::Error::from(Refused::from(error)).into())
}

/// A time as people read it in a list.
pub(super) fn minute(time: Timestamp) -> String {
    time.to_utc().format("%Y-%m-%d %H:%MZ").to_string()
}
