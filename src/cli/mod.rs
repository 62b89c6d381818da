//! The command line: one file per command. Data goes to standard output, everything else to standard error.
//!
//! Every command ends with one of the codes of [`Exit`], which `everfeed --help` lists too. Nothing here ends the
//! process: `main.rs` does, with what [`run`] returns.

mod failure;
mod settings;
mod client;
mod who;
mod profiles;
mod at;
mod progress;
mod list;
mod password;
mod users_file;

mod serve;
mod mirror;
mod promote;
mod append;
mod read;
mod tail;
mod streams;
mod info;
mod stats;
mod doctor;
mod profile;
mod completion;
mod man;
mod follow;
mod verify;
mod repair;
mod scavenge;
mod backup;
mod restore;
mod erase;
mod compact;
mod export;
mod import;
mod bench;
mod config;
mod user;
mod token;
mod healthcheck;
mod top;

use std::ffi::OsString;

use clap::{CommandFactory, Parser, Subcommand};

pub use failure::{Exit, Failure};

/// The environment, passed in.
pub(crate) type Environment = Vec<(OsString, OsString)>;

/// Keeps events for ever, in order, and publishes every stream as paged Atom feeds.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = Exit::HELP, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: settings::Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (what happens without a command)
    Serve(settings::Options),
    /// Run a server that mirrors another one: it takes in its events as they are, and serves reads
    Mirror(mirror::Options),
    /// Let a replica take appends, in a new epoch
    Promote(promote::Options),
    /// Append an event, or one event a line
    Append(append::Options),
    /// Print the events of a stream, one a line
    Read(read::Options),
    /// Print the newest events of a stream, and on request what comes
    Tail(tail::Options),
    /// List streams: those that got an event last, by name, or by what is in their names
    Streams(streams::Options),
    /// Tell what a server is and how it is, or where a stream stands
    Info(info::Options),
    /// Print every number that a server has about itself
    Stats(stats::Options),
    /// Find out whether caching, compression, long polls and event streams work at a public URL
    Doctor(doctor::Options),
    /// Hand on every event of a feed, in order, until stopped: to standard output, a file, SQLite, a command, a URL
    Follow(follow::Options),
    /// Check every checksum, gap and index entry of a store that no server has open, or every file of a backup
    Verify(verify::Options),
    /// Rebuild a damaged store in a new directory, from whatever of it can be read
    Repair(repair::Options),
    /// Have a running server give back the space of events that are truncated or deleted
    Scavenge(scavenge::Options),
    /// Copy the log of a running server into a directory; the next time only what is new
    Backup(backup::Options),
    /// Make a store of a backup
    Restore(restore::Options),
    /// Take one event's content away for good, and tell what caches have to forget
    Erase(erase::Options),
    /// Have a running server give back the space of all that was removed, so that nothing of it is left in its files
    Compact(compact::Options),
    /// Write the log of a server, or of a store, into a file
    Export(export::Options),
    /// Rebuild a log from what was exported, or append its events to a server
    Import(import::Options),
    /// Show or check the settings
    Config(config::Options),
    /// Who may log in: add, list, disable and remove users, and give them passwords
    User(user::Options),
    /// Tokens, by which programs log in: create, list and revoke them
    Token(token::Options),
    /// Save servers under names, each with who to be there
    Profile(profile::Options),
    /// Watch a running server at work: its numbers, its disk, and who reads how far
    Top(top::Options),
    /// Measure how fast it is, here
    Bench(bench::Options),
    /// Ask a running server whether it takes appends
    Healthcheck(healthcheck::Options),
    /// Print what a shell needs to complete commands and flags
    Completion(completion::Options),
    /// Print the manual page, or write one for each command into a directory
    Man(man::Options),
}

/// Does what the arguments ask for, and says how it ended. The first argument is the program's name.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Exit {
    let environment: Environment = environment.into_iter().collect();
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // What cannot be printed has nobody to read it.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    let done = match arguments.command.unwrap_or(Command::Serve(arguments.serve)) {
        Command::Serve(options) => serve::run(&options, environment),
        Command::Mirror(options) => mirror::run(&options, environment),
        Command::Promote(options) => promote::run(&options),
        Command::Append(options) => append::run(&options),
        Command::Read(options) => read::run(&options),
        Command::Tail(options) => tail::run(&options),
        Command::Streams(options) => streams::run(&options),
        Command::Info(options) => info::run(&options),
        Command::Stats(options) => stats::run(&options),
        Command::Doctor(options) => doctor::run(&options),
        Command::Follow(options) => follow::run(&options),
        Command::Verify(options) => verify::run(&options, environment),
        Command::Repair(options) => repair::run(&options),
        Command::Scavenge(options) => scavenge::run(&options),
        Command::Backup(options) => backup::run(&options),
        Command::Restore(options) => restore::run(&options),
        Command::Erase(options) => erase::run(&options),
        Command::Compact(options) => compact::run(&options),
        Command::Export(options) => export::run(&options),
        Command::Import(options) => import::run(&options),
        Command::Config(options) => config::run(&options, environment),
        Command::User(options) => user::run(&options, environment),
        Command::Token(options) => token::run(&options, environment),
        Command::Profile(options) => profile::run(&options),
        Command::Top(options) => top::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Healthcheck(options) => healthcheck::run(&options, environment),
        Command::Completion(options) => completion::run(&options, Arguments::command()),
        Command::Man(options) => man::run(&options, Arguments::command()),
    };
    match done {
        Ok(()) => Exit::Done,
        Err(failure) => failure.report(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_and_their_flags_fit_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_names_every_exit_code() {
        let help = Arguments::command().render_help().to_string();
        for exit in
            [Exit::Done, Exit::Failed, Exit::Usage, Exit::Damaged, Exit::InUse, Exit::StorageFailed, Exit::NewerFormat]
        {
            assert!(help.contains(&format!("\n{:>4}  ", exit as u8)), "{exit:?}");
        }
    }
}
