//! Listening: thousands of event streams, some of whose readers are slow or dead, and what appends notice of them.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::append::{self, EventOptions};
use super::connection::{Answer, Connection};
use super::load::{self, Tally};
use super::orders::{Orders, Random};
use super::report::Report;
use super::server::Target;
use super::wait::{self, News, Told, Wakings, open, too_early};

/// The history that slow and dead readers are sent: more than a socket holds.
const HISTORY_APPENDS: usize = 80;
const HISTORY_BATCH: usize = 100;

/// What a slow reader takes every second.
const SLOW_BYTES: usize = 4 << 10;

/// Readers as they should not be, and appends beside them. All of it is for --sse.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Of the waiters, those that ask for all events and read nothing
    #[arg(long, value_name = "NUMBER", default_value_t = 0, requires = "sse")]
    dead: usize,
    /// Of the waiters, those that ask for all events and read 4 KiB a second
    #[arg(long, value_name = "NUMBER", default_value_t = 0, requires = "sse")]
    slow: usize,
    /// How long appends to another stream are measured: alone, beside all waiters, and while these are woken
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, requires = "sse")]
    append_seconds: f64,
    /// Appends a second, one event each
    #[arg(long, value_name = "PER_SECOND", default_value_t = 1_000.0, requires = "sse")]
    append_rate: f64,
}

pub(super) async fn run(options: &wait::Options, target: &Target, report: &mut Report) -> io::Result<()> {
    let Options { dead, slow, append_seconds, .. } = options.trouble;
    let healthy = options.waiters.checked_sub(dead + slow).filter(|healthy| *healthy > 0);
    let healthy = healthy.ok_or_else(|| io::Error::other("some of the waiters must be neither slow nor dead"))?;
    let mut news = News::new(target, &options.stream).await?;
    news.post().await?;
    if dead + slow > 0 {
        fill(target, &options.stream).await?;
    }
    if append_seconds > 0.0 {
        report.latencies("append_alone", &appends(target, options).await?.latency_micros);
    }

    let before = target.usage()?;
    let path = format!("/streams/{}", options.stream);
    let request = |query: &str| Arc::new(target.get(&format!("{path}{query}"), "Accept: text/event-stream\r\n"));
    let (from_now_on, everything) = (request(""), request("?last-event-id=-1"));
    let (tell, mut told) = unbounded_channel();
    let mut running = JoinSet::new();
    for index in 0..options.waiters {
        let waiter = open(target, index).await?;
        if index < healthy {
            running.spawn(listen(waiter, from_now_on.clone(), tell.clone()));
        } else {
            let bytes_per_second = if index < healthy + slow { SLOW_BYTES } else { 0 };
            running.spawn(lag(waiter, everything.clone(), tell.clone(), bytes_per_second));
        }
    }
    for _ in 0..options.waiters {
        match next(&mut told, &mut running).await? {
            Told::Asked => {}
            Told::Woken(_) => return Err(too_early()),
        }
    }
    tokio::time::sleep(Duration::from_secs_f64(options.settle)).await;
    let waiting = target.usage()?;

    let mut wakings = Wakings::default();
    for _ in 0..options.rounds {
        let appended = news.post().await?;
        wakings.add(&appended, woken(&mut told, &mut running, healthy).await?);
        tokio::time::sleep(Duration::from_secs_f64(options.settle)).await;
    }
    wakings.report(report);
    if let (Some(before), Some(waiting)) = (before, waiting) {
        wait::report_memory(report, before.rss_bytes, waiting.rss_bytes, options.waiters);
    }
    if append_seconds > 0.0 {
        report.latencies("append_beside_waiters", &appends(target, options).await?.latency_micros);
        let mut measured = std::pin::pin!(appends(target, options));
        let mut every_second = tokio::time::interval(Duration::from_secs(1));
        let tally = loop {
            tokio::select! {
                tally = &mut measured => break tally?,
                _ = every_second.tick() => {
                    news.post().await?;
                    woken(&mut told, &mut running, healthy).await?;
                }
            }
        };
        report.latencies("append_while_waking", &tally.latency_micros);
    }
    Ok(())
}

/// A history of some megabytes.
async fn fill(target: &Target, stream: &str) -> io::Result<()> {
    let what =
        EventOptions { batch: HISTORY_BATCH, event_bytes: 1_024, stream: stream.into(), streams: 1, server_ids: true };
    let orders = Arc::new(Orders::new(what.event_bytes, &mut Random::seeded()));
    let mut producer = append::Producer::new(0, target, &what, &orders);
    let mut connection = Connection::open(target.address, 4 << 10).await?;
    let mut request = Vec::new();
    for _ in 0..HISTORY_APPENDS {
        request.clear();
        load::Work::prepare(&mut producer, &mut request);
        let answer = connection.exchange(&request).await?;
        load::Work::check(&mut producer, answer, &connection)?;
    }
    Ok(())
}

/// Appends to another stream, at the rate.
async fn appends(target: &Target, options: &wait::Options) -> io::Result<Tally> {
    let Options { append_seconds: seconds, append_rate, .. } = options.trouble;
    let events =
        EventOptions { batch: 1, event_bytes: 1_024, stream: "meanwhile".into(), streams: 1, server_ids: false };
    let orders = Arc::new(Orders::new(events.event_bytes, &mut Random::seeded()));
    let load = load::Options { connections: 16, seconds, warmup: 0.5, rate: Some(append_rate) };
    append::load(target, &load, &events, &orders, || Ok(())).await
}

/// Asks, and tells of every event.
async fn listen(mut waiter: Connection, request: Arc<Vec<u8>>, tell: UnboundedSender<Told>) -> io::Result<()> {
    begin(&mut waiter, &request, &tell).await?;
    loop {
        let mut is_event = false;
        waiter.receive_chunk(|piece| is_event |= piece.starts_with(b"event: ")).await?;
        if is_event {
            // Nobody takes it only when the run is over.
            let _ = tell.send(Told::Woken(Instant::now()));
        }
    }
}

/// Asks, and takes little of what it is sent, or nothing.
async fn lag(
    mut waiter: Connection,
    request: Arc<Vec<u8>>,
    tell: UnboundedSender<Told>,
    bytes_per_second: usize,
) -> io::Result<()> {
    begin(&mut waiter, &request, &tell).await?;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if bytes_per_second > 0 {
            waiter.take(bytes_per_second).await?;
        }
    }
}

async fn begin(waiter: &mut Connection, request: &[u8], tell: &UnboundedSender<Told>) -> io::Result<()> {
    waiter.send(request).await?;
    let status = waiter.receive_head().await?;
    if status != 200 {
        return Err(load::unexpected(Answer { status, body_bytes: 0 }, 200));
    }
    // The words that come first.
    waiter.receive_chunk(|_| {}).await?;
    let _ = tell.send(Told::Asked);
    Ok(())
}

/// When each of the healthy had the event.
async fn woken(
    told: &mut UnboundedReceiver<Told>,
    running: &mut JoinSet<io::Result<()>>,
    healthy: usize,
) -> io::Result<Vec<Instant>> {
    let mut woken = Vec::with_capacity(healthy);
    while woken.len() < healthy {
        if let Told::Woken(at) = next(told, running).await? {
            woken.push(at);
        }
    }
    Ok(woken)
}

/// What somebody tells next. None of them may end before the run does.
async fn next(told: &mut UnboundedReceiver<Told>, running: &mut JoinSet<io::Result<()>>) -> io::Result<Told> {
    tokio::select! {
        told = told.recv() => told.ok_or_else(|| io::Error::other("nobody listens any more")),
        Some(ended) = running.join_next() => {
            ended.map_err(io::Error::other)??;
            Err(io::Error::other("an event stream ended"))
        }
    }
}
