//! `everfeed follow`: hands every event of a feed on, in order, until it is stopped, and goes on from where it was when
//! it is started again.
//!
//! A place that can take events and the checkpoint in one step (a file that is cut back to its checkpoint, SQLite) has
//! each event exactly once, whatever dies when. Any other may get some twice after a crash, and is said to.
//!
//! Reading order: `begin` says where, `to` and `select` what was asked for, `delivery` is what happens to a batch, and
//! then comes one file for each place that events go to.

mod begin;
mod checkpoint;
mod command;
mod delivery;
mod file;
mod lag;
mod offer;
mod output;
mod park;
mod post;
mod select;
#[cfg(feature = "sqlite")]
mod sqlite;
mod stop;
mod to;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use self::begin::{Begin, seconds};
use self::delivery::Delivery;
use self::lag::Shown;
use self::select::Selection;
use self::stop::Stop;
use self::to::To;
use super::at::{At, Server};
use super::client::stream_url;
use super::{Exit, Failure};
use crate::client::{Checkpoint, Event, FollowError, Follower, Following, Live, Start};
use crate::config::{Filter, Log, LogFormat};
use crate::telemetry;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The feed: the name of a stream, or a whole URL; $all is every stream
    feed: String,
    #[command(flatten)]
    at: At,
    /// Where events go: stdout, file:PATH, sqlite:FILE, exec:COMMAND, or a URL to POST them to
    #[arg(long, value_name = "PLACE", default_value = "stdout", value_parser = To::parse)]
    to: To,
    /// What it calls itself: whoever looks after the server sees under this name how far it is
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Hand on these alone: type=NAME or stream=NAME, and * at its end is whatever follows. Of several for the same
    /// key one has to fit
    #[arg(long, value_name = "KEY=VALUE", value_parser = Selection::parse)]
    select: Vec<Selection>,
    /// Where to begin while no checkpoint says so: beginning, new, a time (2026-11-24T09:00:00Z), or how long ago (90s,
    /// 15m, 2h, 7d)
    #[arg(long, value_name = "WHERE", default_value = "beginning", value_parser = Begin::parse)]
    from: Begin,
    /// Keep in this file how far it has come, and go on from there [default: for file:PATH, PATH.checkpoint; SQLite
    /// keeps its own; else none]
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// End when all events there are have been handed on
    #[arg(long)]
    until_end: bool,
    /// The most events that are handed on at once
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
    /// With exec: run the command for each event, with its data on standard input and EVERFEED_TYPE, EVERFEED_ID, … in
    /// its environment
    #[arg(long)]
    exec_each: bool,
    /// With exec: how often the command is run for an event before it is given up
    #[arg(long, value_name = "N", default_value = "5")]
    attempts: NonZeroU32,
    /// With exec and POST: put events that are refused aside in this file, a line each with the reason, and go on
    #[arg(long, value_name = "FILE")]
    park: Option<PathBuf>,
    /// How to hear of new events
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Hear::LongPoll)]
    live: Hear,
    /// With --live poll: how often to ask
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = seconds)]
    every: Duration,
    /// Go on where events were truncated or deleted before they were read, instead of ending
    #[arg(long)]
    skip_truncated: bool,
    /// End when the server cannot be reached for so long [default: an outage is waited out]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    give_up_after: Option<Duration>,
    /// Keep pages in this directory, as their headers allow, for the next replay
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

/// How to hear of new events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Hear {
    /// The server holds each request until something happens
    LongPoll,
    /// The server sends events as they happen
    Sse,
    /// The server is asked every so often
    Poll,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let server = options.at.server()?;
    let url = stream_url(&options.feed, &server.url)?;
    if !options.quiet {
        telemetry::start(&Log { level: Filter("warn".to_string()), format: LogFormat::Text, access: false });
    }
    // What blocks, as writing to a pipe that nobody reads does, must not keep anything else from going on.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let ended = runtime.block_on(async {
        let stop = Stop::on_signals()?;
        let following = following(options, &server, &url)?;
        let delivery = Delivery::open(options, stop.clone())?;
        let work =
            tokio::spawn(follow(following, delivery, options.batch as usize, Shown::new(options.quiet), stop.clone()));
        stop.end_of(work).await
    });
    // Nobody waits for a write that is stuck.
    runtime.shutdown_background();
    ended
}

fn following(options: &Options, server: &Server, url: &str) -> Result<Following, Failure> {
    let live = match options.live {
        Hear::LongPoll => Live::LongPoll,
        Hear::Sse => Live::Sse,
        Hear::Poll => Live::Poll(options.every),
    };
    let mut following = server.who.follows(Follower::of(url).from(options.from.start()).live(live))?;
    if let Some(name) = &options.name {
        following = following.named(name);
    }
    if let Some(directory) = &options.cache {
        following = following.cache(directory);
    }
    if options.until_end {
        following = following.ends_at_the_end();
    }
    if options.skip_truncated {
        following = following.skips_truncated();
    }
    if let Some(time) = options.give_up_after {
        following = following.gives_up_after(time);
    }
    Ok(following)
}

/// How long events wait for others while there are more to come: a place takes many nearly as fast as a few.
const GATHER_TIME_MAX: Duration = Duration::from_millis(20);

/// Nor are more gathered when so many bytes are.
const GATHER_BYTES_MAX: usize = 8 << 20;

/// From the feed to the place, batch by batch.
async fn follow(
    following: Following,
    mut delivery: Delivery,
    events_max: usize,
    mut shown: Shown,
    stop: Stop,
) -> Result<(), Failure> {
    let following = match delivery.checkpoint() {
        Some(checkpoint) => {
            check_feed(checkpoint, following.url())?;
            following.from(Start::After(checkpoint.clone()))
        }
        None => following,
    };
    let mut follower = following.start()?;
    let (mut gathered, mut bytes) = (Vec::new(), 0);
    let mut ended = None;
    while ended.is_none() {
        let patience = if gathered.is_empty() { lag::LOOK_EVERY } else { GATHER_TIME_MAX };
        tokio::select! {
            biased;
            // What was only gathered comes again when it is started again.
            () = stop.asked() => break,
            batch = follower.next_batch(events_max - gathered.len()) => match batch {
                Some(Ok(events)) => {
                    bytes += events.iter().map(bytes_of).sum::<usize>();
                    gathered.extend(events);
                    if gathered.len() < events_max && bytes < GATHER_BYTES_MAX && !follower.is_caught_up() {
                        continue;
                    }
                }
                Some(Err(error)) => ended = Some(Err(error.into())),
                None => ended = Some(Ok(())),
            },
            () = tokio::time::sleep(patience) => {}
        }
        let events = std::mem::take(&mut gathered);
        bytes = 0;
        shown.took(&events);
        if let Err(failure) = delivery.take(events).await {
            ended = Some(Err(failure));
        }
        shown.look(follower.lag(), follower.is_caught_up());
    }
    shown.end();
    ended.unwrap_or(Ok(()))
}

/// What it carries.
fn bytes_of(event: &Event) -> usize {
    event.data().map_or(0, bytes::Bytes::len) + event.metadata().map_or(0, bytes::Bytes::len)
}

/// A server may have moved, and a mirror may take its place; but a feed keeps its name.
fn check_feed(checkpoint: &Checkpoint, url: &str) -> Result<(), Failure> {
    let name = |url: &str| url.trim_end_matches('/').rsplit('/').next().map(str::to_string);
    if name(&checkpoint.feed) == name(url) {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, format_args!("the checkpoint is one of {}, not of {url}", checkpoint.feed)))
}

impl From<FollowError> for Failure {
    fn from(error: FollowError) -> Self {
        let exit = if matches!(error, FollowError::Usage(_)) { Exit::Usage } else { Exit::Failed };
        Self::new(exit, error)
    }
}
