//! `everfeed bench`: how fast it is, measured by whoever wants to know, on the machine that they care about.
//!
//! Without `--url` a server is started in a process of its own, over a new store that is removed at the end. The
//! load comes from one thread, so that two cores are enough for both.
//!
//! Reading order: `connection`, `pace` and `load` make requests, `orders` makes what is in them, `server` and
//! `machine` are what they meet, `report` is what comes out. Then one file a benchmark.

mod access;
mod append;
mod backup;
mod connection;
mod consume;
mod derived;
mod fill;
mod follow;
mod history;
mod hostile;
mod listen;
mod load;
mod machine;
mod mirror;
mod nginx;
mod open;
mod orders;
mod pace;
mod poll;
mod replay;
mod report;
mod scavenge;
mod server;
mod size;
mod soak;
mod ui;
mod wait;

use std::io::Write;

use clap::{Args, Subcommand};

use super::Failure;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    bench: Bench,
    /// Print one JSON object instead of a table
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Durable appends: events a second and latencies
    Append(append::Options),
    /// Complete pages from memory, alone or next to nginx with the same bytes
    Replay(replay::Options),
    /// One consumer that follows a feed from its first event, from disk
    Consume(consume::Options),
    /// The library's follower with an aggregate: from a server, or through nginx
    Follow(follow::Options),
    /// Appends and replays with users and rules, next to the same without
    Access(access::Options),
    /// Appends with all derived streams on, next to appends with all off
    Derived(derived::Options),
    /// A second server that takes in the log of a first one
    Mirror(mirror::Options),
    /// Polling a head feed with If-None-Match
    Poll(poll::Options),
    /// Long polls or event streams, all woken by one append
    Wait(wait::Options),
    /// Appends to a long history, next to appends to an empty store
    History(history::Options),
    /// Starting over a long history, after a stop and after a kill
    Open(open::Options),
    /// Giving space back while events are appended
    Scavenge(scavenge::Options),
    /// A backup while events are appended, the next one, and a restore
    Backup(backup::Options),
    /// Bytes on disk over bytes of JSON
    Size(size::Options),
    /// Pages for people, lists and searches over very many streams
    Ui(ui::Options),
    /// Everything at once for a long time: what grows, and what becomes slower
    Soak(soak::Options),
    /// Attacks, and what others notice of them
    Hostile(hostile::Options),
    /// Fill a store, for the others to be run over
    Fill(fill::Options),
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        let bench = async {
            match &options.bench {
                Bench::Append(options) => append::run(options).await,
                Bench::Replay(options) => replay::run(options).await,
                Bench::Consume(options) => consume::run(options).await,
                Bench::Follow(options) => follow::run(options).await,
                Bench::Access(options) => access::run(options).await,
                Bench::Derived(options) => derived::run(options).await,
                Bench::Mirror(options) => mirror::run(options).await,
                Bench::Poll(options) => poll::run(options).await,
                Bench::Wait(options) => wait::run(options).await,
                Bench::History(options) => history::run(options).await,
                Bench::Open(options) => open::run(options).await,
                Bench::Scavenge(options) => scavenge::run(options).await,
                Bench::Backup(options) => backup::run(options).await,
                Bench::Size(options) => size::run(options).await,
                Bench::Ui(options) => ui::run(options).await,
                Bench::Soak(options) => soak::run(options).await,
                Bench::Hostile(options) => hostile::run(options).await,
                Bench::Fill(options) => fill::run(options).await,
            }
        };
        // So that servers are ended and directories removed.
        tokio::select! {
            report = bench => report,
            _ = tokio::signal::ctrl_c() => Err(std::io::Error::other("interrupted")),
        }
    })?;
    let text = if options.json { format!("{:#}\n", report.json()) } else { report.table() };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
