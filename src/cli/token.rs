//! `everfeed token`: what programs log in by. It changes the file that a server reads, also of one that runs.

use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::access::users::{self, NewToken, Token, TokenSecret};
use crate::access::{Action, Pattern, Scope};
use crate::event::Timestamp;

use super::export::{now, say};
use super::user::minute;
use super::users_file::{self, List};
use super::{Environment, Failure, settings};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a token and print its secret, which is told this once
    Create(Create),
    /// Print all tokens, without their secrets
    List(List),
    /// End a token
    Revoke(Revoke),
}

#[derive(Debug, Args)]
struct Create {
    /// What people call the token
    name: String,
    /// Whose rights it lends
    #[arg(long, value_name = "NAME")]
    user: String,
    /// Lend the right to read events
    #[arg(long)]
    read: bool,
    /// Lend the right to append
    #[arg(long)]
    write: bool,
    /// Lend the right to delete streams
    #[arg(long)]
    delete: bool,
    /// Lend the right to read settings of streams
    #[arg(long)]
    read_settings: bool,
    /// Lend the right to write settings of streams
    #[arg(long)]
    write_settings: bool,
    /// Let it operate the server and manage users, as far as its user may
    #[arg(long)]
    operate: bool,
    /// Only with streams whose names fit, such as "orders-*" [default: any]
    #[arg(long, value_name = "PATTERN", value_parser = pattern)]
    streams: Vec<Pattern>,
    /// How long it lasts, such as 90d, 12h or 52w [default: until it is revoked]
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    expires: Option<Duration>,
    #[command(flatten)]
    settings: settings::Options,
}

#[derive(Debug, Args)]
struct Revoke {
    /// Which token
    name: String,
    #[command(flatten)]
    settings: settings::Options,
}

/// A token, as it is printed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    name: &'a str,
    id: String,
    user: &'a str,
    actions: Vec<&'static str>,
    streams: Vec<&'a str>,
    operates: bool,
    created: String,
    expires: Option<String>,
    last_used: Option<String>,
}

pub(super) fn run(options: &Options, environment: Environment) -> Result<(), Failure> {
    match &options.command {
        Command::Create(create) => create.run(environment),
        Command::List(options) => list(options, environment),
        Command::Revoke(revoke) => revoke.run(environment),
    }
}

impl Create {
    fn run(&self, environment: Environment) -> Result<(), Failure> {
        let file = users_file::open(&self.settings, environment)?;
        let (secret, now) = (TokenSecret::generate(), now());
        let expires = self.expires.map(|lifetime| {
            let micros = i64::try_from(lifetime.as_micros()).expect("the longest lifetime is a century");
            Timestamp::from_micros(now.micros().saturating_add(micros))
        });
        let new = NewToken {
            name: self.name.as_str().into(),
            user: self.user.as_str().into(),
            scope: Scope { actions: self.actions(), streams: self.streams.clone(), operates: self.operate },
            expires,
        };
        let token = new.with_secret(&secret, now);
        file.change(|users| users.add_token(token).map_err(users::Error::from))?;
        let end = expires.map_or_else(|| "until it is revoked".into(), |expires| format!("until {}", minute(expires)));
        say(&format!("the token {} lends rights of {} {end}; its secret is told this once", self.name, self.user));
        writeln!(std::io::stdout(), "{}", secret.reveal())?;
        Ok(())
    }

    fn actions(&self) -> Vec<Action> {
        let is_lent = |action: &Action| match action {
            Action::Read => self.read,
            Action::Write => self.write,
            Action::Delete => self.delete,
            Action::ReadSettings => self.read_settings,
            Action::WriteSettings => self.write_settings,
        };
        Action::ALL.into_iter().filter(is_lent).collect()
    }
}

fn list(list: &List, environment: Environment) -> Result<(), Failure> {
    let users = list.users(environment)?;
    let now = now();
    let cells = |token: &Token| {
        let Row { name, user, actions, streams, operates, .. } = Row::of(token);
        let rights: Vec<&str> = actions.into_iter().chain(operates.then_some("operate")).collect();
        let expires = match token.expires {
            None => String::new(),
            Some(_) if token.has_expired(now) => "expired".into(),
            Some(expires) => minute(expires),
        };
        let used = token.last_used.map_or_else(|| "never".into(), minute);
        [name.into(), user.into(), rights.join(" "), streams.join(" "), expires, used]
    };
    list.print(users.tokens(), Row::of, ["NAME", "USER", "RIGHTS", "STREAMS", "EXPIRES", "LAST USED"], cells)
}

impl Revoke {
    fn run(&self, environment: Environment) -> Result<(), Failure> {
        let file = users_file::open(&self.settings, environment)?;
        file.change(|users| users.revoke(&self.name).map_err(users::Error::from))?;
        say(&format!("the token {} was revoked", self.name));
        Ok(())
    }
}

impl<'a> Row<'a> {
    fn of(token: &'a Token) -> Self {
        Self {
            name: &token.name,
            id: token.id().to_string(),
            user: &token.user,
            actions: token.scope.actions.iter().map(|action| action.name()).collect(),
            streams: token.scope.streams.iter().map(Pattern::as_str).collect(),
            operates: token.scope.operates,
            created: token.created.to_string(),
            expires: token.expires.map(|expires| expires.to_string()),
            last_used: token.last_used.map(|used| used.to_string()),
        }
    }
}

fn pattern(text: &str) -> Result<Pattern, String> {
    Pattern::parse(text).map_err(|error| error.to_string())
}

/// A number and a unit; at most a century.
fn lifetime(text: &str) -> Result<Duration, String> {
    let refused = || format!("{text:?} is no time such as 90d, 12h or 52w, of up to a century");
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(refused)?);
    let unit_seconds = match unit {
        "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return Err(refused()),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_seconds));
    let is_sensible = |seconds: &u64| (1..=100 * 366 * 86_400).contains(seconds);
    seconds.filter(is_sensible).map(Duration::from_secs).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_lifetime_has_a_unit() {
        for (text, seconds) in [("5min", 300), ("12h", 43_200), ("90d", 7_776_000), ("2w", 1_209_600)] {
            assert_eq!(lifetime(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "d", "90", "0d", "-1d", "1.5h", "1y", "90 d", "36601d", "18446744073709551615w", "9ä"] {
            assert!(lifetime(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_reading_a_lifetime_panic(text in "[0-9]{0,25}.{0,4}") {
            if let Ok(lifetime) = lifetime(&text) {
                prop_assert!(!lifetime.is_zero());
            }
        }
    }
}
