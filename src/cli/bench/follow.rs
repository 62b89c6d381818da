//! Following: the library's follower and an aggregate that counts by key, from the first event of a feed to its end.
//!
//! The aggregator has a process of its own, which is this command once more, with `--url`: so its memory and its time
//! can be told from those of whoever filled the store.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fill::{self, History};
use super::machine;
use super::nginx::{self, Nginx};
use super::report::Report;
use super::server::{self, Scratch, Server};
use crate::client::{Aggregator, Event, Failure, Follower, Following, Memory, Sled, SledState, StateStore};

/// The store is filled, the server started, and then one aggregator follows the feed, in a process of its own. With
/// `--url` it follows the feed there, in this process.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    #[command(flatten)]
    #[serde(flatten)]
    history: History,
    /// Follow `$all` instead of the stream
    #[arg(long)]
    all: bool,
    /// Where the aggregate keeps its counts
    #[arg(long, value_name = "STORE", value_enum, default_value_t = State::Memory)]
    state: State,
    /// Follow through nginx with the shipped configuration: once to fill its cache, and once more, which is measured
    #[arg(long, conflicts_with = "url")]
    nginx: bool,
    #[command(flatten)]
    #[serde(flatten)]
    server: server::Options,
}

/// Where the aggregate keeps its counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum State {
    /// Nowhere: events are taken and dropped
    None,
    Memory,
    Sled,
    #[cfg(feature = "sqlite")]
    Sqlite,
}

pub(crate) async fn run(options: &Options) -> io::Result<Report> {
    match &options.server.url {
        Some(url) => follow_here(options, url).await,
        None => follow_elsewhere(options).await,
    }
}

/// Fills, serves, and lets another process follow.
async fn follow_elsewhere(options: &Options) -> io::Result<Report> {
    let mut report = Report::new("follow", options);
    let scratch = Scratch::new(&options.server.scratch)?;
    let data = match &options.server.data {
        Some(data) => data.clone(),
        None => {
            let data = scratch.path().join("data");
            fill::fill(&data, &options.history).await?;
            data
        }
    };
    let proxy = nginx::free_address()?;
    let public_url = options.nginx.then(|| ("EVERFEED_PUBLIC_URL", format!("http://{proxy}")));
    let server = Server::start(&data, public_url.as_slice())?;
    let nginx = options.nginx.then(|| Nginx::before(scratch.path(), proxy, server.address)).transpose()?;
    let address = nginx.as_ref().map_or(server.address, |nginx| nginx.address);
    if let Some(nginx) = &nginx {
        let cold = follow_in_a_process(options, &format!("http://{address}")).await?;
        report.figure("first_time_events_per_second", cold["events_per_second"].as_f64().unwrap_or_default());
        nginx.forget_requests()?;
    }
    let (before, begin) = (server.usage()?, Instant::now());
    let figures = follow_in_a_process(options, &format!("http://{address}")).await?;
    let (now, elapsed) = (server.usage()?, begin.elapsed());
    report.take_over(&figures);
    let cpu = (now.cpu - before.cpu).as_secs_f64();
    report.figure("server_cores_used", cpu / elapsed.as_secs_f64());
    report.figure("server_cpu_micros_an_event", cpu * 1e6 / options.history.events as f64);
    report.figure("server_rss_peak_mb", now.rss_bytes_peak as f64 / 1e6);
    if let Some(nginx) = &nginx {
        let seen = nginx.requests_for_complete_pages(options.history.events)?;
        report.count("complete_pages_asked_for", seen.all);
        report.count("complete_pages_asked_of_the_server", seen.passed_on);
    }
    let expected = options.history.events;
    if options.server.data.is_none() && (options.all || options.history.streams == 1) && figures["events"] != expected {
        return Err(io::Error::other(format!("{} events were seen where {expected} are", figures["events"])));
    }
    Ok(report)
}

/// Runs this command again over a server, and gives back its figures.
async fn follow_in_a_process(options: &Options, url: &str) -> io::Result<Value> {
    let mut command = tokio::process::Command::new(std::env::current_exe()?);
    command.args(["bench", "follow", "--json", "--url", url, "--stream", &options.history.stream_name(0)]);
    let state = options.state.to_possible_value().expect("no value is skipped");
    command.args(["--state", state.get_name()]).arg("--scratch").arg(&options.server.scratch);
    if options.all {
        command.arg("--all");
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true).output().await?;
    if !output.status.success() {
        return Err(io::Error::other(format!("the process that follows ended with {}", output.status)));
    }
    let report: Value = serde_json::from_slice(&output.stdout)?;
    Ok(report["figures"].clone())
}

async fn follow_here(options: &Options, url: &str) -> io::Result<Report> {
    let mut report = Report::new("follow", options);
    let scratch = Scratch::new(&options.server.scratch)?;
    let source = if options.all { "%24all".to_string() } else { options.history.stream_name(0) };
    let feed = format!("{}/streams/{source}", url.trim_end_matches('/'));
    let (state, path) = (options.state, scratch.path().join("state"));
    let before = machine::usage(std::process::id())?;
    // As a program that is made for it would: with a runtime that has a thread for each core.
    let taken = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(follow(&feed, state, &path))
    });
    let seen = taken.await.map_err(io::Error::other)??;
    let now = machine::usage(std::process::id())?;
    let seconds = seen.elapsed.as_secs_f64();
    report.count("events", seen.events);
    report.figure("events_per_second", seen.events as f64 / seconds);
    report.figure("data_mb_per_second", seen.bytes as f64 / 1e6 / seconds);
    report.figure("seconds", seconds);
    let cpu = (now.cpu - before.cpu).as_secs_f64();
    report.figure("follower_cores_used", cpu / seconds);
    report.figure("follower_cpu_micros_an_event", cpu * 1e6 / seen.events.max(1) as f64);
    report.figure("follower_rss_peak_mb", now.rss_bytes_peak as f64 / 1e6);
    Ok(report)
}

/// What was followed.
struct Seen {
    events: u64,
    bytes: u64,
    elapsed: Duration,
}

async fn follow(feed: &str, state: State, path: &Path) -> io::Result<Seen> {
    let bytes = Arc::new(AtomicU64::new(0));
    let counted = bytes.clone();
    let following = Follower::of(feed).ends_at_the_end();
    let begin = Instant::now();
    let events = match state {
        State::None => take(following, &counted).await?,
        State::Memory => {
            let count = move |counts: &mut HashMap<String, u64>, event: &Event| {
                let country = country(event, &counted)?;
                match counts.get_mut(country) {
                    Some(count) => *count += 1,
                    None => drop(counts.insert(country.to_string(), 1)),
                }
                Ok(())
            };
            aggregate(Memory::new(HashMap::new()), following, count).await?
        }
        State::Sled => {
            let count = move |counts: &mut SledState<'_>, event: &Event| {
                let country = country(event, &counted)?.as_bytes();
                let count = counts.get(country)?.map_or(Ok(0), |count| count[..].try_into().map(u64::from_be_bytes))?;
                Ok(counts.put(country, (count + 1).to_be_bytes().to_vec())?)
            };
            aggregate(Sled::open(path).map_err(io::Error::other)?, following, count).await?
        }
        #[cfg(feature = "sqlite")]
        State::Sqlite => {
            use crate::client::{Sqlite, rusqlite};
            const ADD: &str = "INSERT INTO counts VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1";
            let connection = rusqlite::Connection::open(path).map_err(io::Error::other)?;
            connection
                .execute_batch(
                    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
                     CREATE TABLE counts (country TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;",
                )
                .map_err(io::Error::other)?;
            let count = move |tables: &mut rusqlite::Transaction<'_>, event: &Event| {
                tables.prepare_cached(ADD)?.execute([country(event, &counted)?])?;
                Ok(())
            };
            aggregate(Sqlite::with(connection).map_err(io::Error::other)?, following, count).await?
        }
    };
    Ok(Seen { events, bytes: bytes.load(Ordering::Relaxed), elapsed: begin.elapsed() })
}

async fn take(following: Following, bytes: &AtomicU64) -> io::Result<u64> {
    let mut follower = following.start().map_err(io::Error::other)?;
    let mut events = 0;
    while let Some(batch) = follower.next_batch(1_000).await {
        let batch = batch.map_err(io::Error::other)?;
        events += batch.len() as u64;
        let of_batch: usize = batch.iter().filter_map(|event| event.data()).map(bytes::Bytes::len).sum();
        bytes.fetch_add(of_batch as u64, Ordering::Relaxed);
    }
    Ok(events)
}

async fn aggregate<S: StateStore>(
    store: S,
    following: Following,
    count: impl Fn(&mut S::State<'_>, &Event) -> Result<(), Failure> + Send + Sync + 'static,
) -> io::Result<u64> {
    let aggregator = Aggregator::of(store, count).follow(following);
    let handle = aggregator.handle();
    aggregator.run().await.map_err(io::Error::other)?;
    Ok(handle.status().progress().events)
}

/// As much of an order as is counted.
#[derive(Deserialize)]
struct Order<'a> {
    #[serde(borrow)]
    customer: Customer<'a>,
}

#[derive(Deserialize)]
struct Customer<'a> {
    country: &'a str,
}

/// What is counted by.
fn country<'a>(event: &'a Event, bytes: &AtomicU64) -> Result<&'a str, Failure> {
    let data = event.data().ok_or("an order without data")?;
    bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
    let order: Order<'_> = serde_json::from_slice(data)?;
    Ok(order.customer.country)
}
