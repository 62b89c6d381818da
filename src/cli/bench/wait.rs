//! Waiting: thousands of readers of one stream, woken by one append.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::append::{EventOptions, Producer};
use super::connection::Connection;
use super::listen;
use super::load::{self, Work};
use super::machine;
use super::orders::{Orders, Random};
use super::report::Report;
use super::server::{self, Target};

/// As many waiters come from one loopback address: below the limit that a server has for each by default.
const WAITERS_PER_ADDRESS: usize = 900;
/// A moment passes between so many connections: more than a listener has not yet accepted are dropped, and tried
/// again a second later.
const CONNECTIONS_AT_ONCE: usize = 200;
/// What one answer needs.
const BUFFER_BYTES: usize = 4 << 10;
/// How long a waiter lets the server wait: the most that it grants.
const WAIT_SECONDS: u64 = 60;

/// All waiters ask for what comes after the last event; then one event is appended.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Connections that wait
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    pub(super) waiters: usize,
    /// They wait for events as they come (text/event-stream) instead of by long polls
    #[arg(long)]
    sse: bool,
    #[command(flatten)]
    #[serde(flatten)]
    pub(super) trouble: listen::Options,
    /// Appends, one after the other, each waking all of them
    #[arg(long, default_value_t = 5)]
    pub(super) rounds: usize,
    /// How long all of them have waited when the event is appended
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0)]
    pub(super) settle: f64,
    /// The stream
    #[arg(long, value_name = "NAME", default_value = "awaited")]
    pub(super) stream: String,
    #[command(flatten)]
    #[serde(flatten)]
    server: server::Options,
}

/// What a waiter tells.
pub(super) enum Told {
    Asked,
    Woken(Instant),
}

/// When each of the waiters had its answer, over all rounds, in milliseconds.
#[derive(Default)]
pub(super) struct Wakings {
    from_answer: Vec<f64>,
    from_sending: Vec<f64>,
    halves: Vec<f64>,
}

/// Appends what is waited for.
pub(super) struct News {
    producer: Producer,
    connection: Connection,
    request: Vec<u8>,
}

/// One append: when it was sent, when it was answered, and the number of its event.
pub(super) struct Appended {
    sent: Instant,
    answered: Instant,
    number: u64,
}

pub(crate) async fn run(options: &Options) -> io::Result<Report> {
    let mut report = Report::new("wait", options);
    let files = machine::raise_open_files();
    if files < options.waiters as u64 + 200 {
        return Err(io::Error::other(format!(
            "this process may open {files} files; {} waiters need more: raise the limit (ulimit -n)",
            options.waiters
        )));
    }
    let room = (options.waiters + 1_000).to_string();
    let mut settings = [
        "EVERFEED_LIMITS__WAITS",
        "EVERFEED_LIMITS__WAITS_PER_ADDRESS",
        "EVERFEED_LIMITS__CONNECTIONS",
        "EVERFEED_LIMITS__CONNECTIONS_PER_ADDRESS",
    ]
    .map(|name| (name, room.clone()))
    .to_vec();
    // Whoever reads nothing is there until the end.
    settings.push(("EVERFEED_TIMEOUTS__STALLED_READER", "3600s".into()));
    let target = Target::new(&options.server, &settings)?;
    if options.sse {
        listen::run(options, &target, &mut report).await?;
    } else {
        poll(options, &target, &mut report).await?;
    }
    Ok(report)
}

async fn poll(options: &Options, target: &Target, report: &mut Report) -> io::Result<()> {
    let mut news = News::new(target, &options.stream).await?;
    let mut newest = news.post().await?.number;
    let before = target.usage()?;
    let mut waiters: Vec<Connection> = Vec::with_capacity(options.waiters);
    let mut wakings = Wakings::default();
    let mut while_waiting = None;
    for _ in 0..options.rounds {
        let next = newest + 1;
        let path = format!("/streams/{}/{next}/forward/100.atom?wait={WAIT_SECONDS}", options.stream);
        let request = Arc::new(target.get(&path, ""));
        let (tell, mut told) = unbounded_channel();
        let mut running = JoinSet::new();
        for index in 0..options.waiters {
            let waiter = match waiters.pop() {
                Some(waiter) => waiter,
                None => open(target, index).await?,
            };
            running.spawn(wait(waiter, request.clone(), tell.clone()));
        }
        for _ in 0..options.waiters {
            if !matches!(told.recv().await, Some(Told::Asked)) {
                return Err(too_early());
            }
        }
        tokio::time::sleep(Duration::from_secs_f64(options.settle)).await;
        if !told.is_empty() {
            return Err(too_early());
        }
        while_waiting = target.usage()?;
        let appended = news.post().await?;
        newest = appended.number;
        let mut woken = Vec::with_capacity(options.waiters);
        while let Some(finished) = running.join_next().await {
            waiters.push(finished.map_err(io::Error::other)??);
        }
        while let Ok(Told::Woken(at)) = told.try_recv() {
            woken.push(at);
        }
        wakings.add(&appended, woken);
    }
    wakings.report(report);
    if let (Some(before), Some(waiting)) = (before, while_waiting) {
        report_memory(report, before.rss_bytes, waiting.rss_bytes, options.waiters);
    }
    Ok(())
}

impl News {
    pub(super) async fn new(target: &Target, stream: &str) -> io::Result<Self> {
        let what = EventOptions { batch: 1, event_bytes: 1_024, stream: stream.into(), streams: 1, server_ids: false };
        let orders = Arc::new(Orders::new(what.event_bytes, &mut Random::seeded()));
        let producer = Producer::new(0, target, &what, &orders);
        Ok(Self { producer, connection: Connection::open(target.address, BUFFER_BYTES).await?, request: Vec::new() })
    }

    pub(super) async fn post(&mut self) -> io::Result<Appended> {
        self.request.clear();
        self.producer.prepare(&mut self.request);
        let sent = Instant::now();
        let answer = self.connection.exchange(&self.request).await?;
        let answered = Instant::now();
        self.producer.check(answer, &self.connection)?;
        let location = self.connection.header("location");
        let number = location.and_then(|location| location.rsplit('/').next()?.parse().ok());
        let number = number.ok_or_else(|| io::Error::other("a receipt without its Location"))?;
        Ok(Appended { sent, answered, number })
    }
}

impl Wakings {
    pub(super) fn add(&mut self, appended: &Appended, mut woken: Vec<Instant>) {
        woken.sort_unstable();
        let (half, last) = (woken[woken.len() / 2], woken[woken.len() - 1]);
        let ms = |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs_f64() * 1e3;
        self.from_answer.push(ms(appended.answered, last));
        self.from_sending.push(ms(appended.sent, last));
        self.halves.push(ms(appended.sent, half));
    }

    pub(super) fn report(&self, report: &mut Report) {
        report.spread("last_woken_after_answer_ms", &self.from_answer);
        report.spread("last_woken_after_sending_ms", &self.from_sending);
        report.spread("half_woken_after_sending_ms", &self.halves);
    }
}

pub(super) fn report_memory(report: &mut Report, before_bytes: u64, waiting_bytes: u64, waiters: usize) {
    let bytes = waiting_bytes.saturating_sub(before_bytes) as f64;
    report.figure("server_kb_per_waiter", bytes / 1e3 / waiters as f64);
    report.figure("server_rss_mb", waiting_bytes as f64 / 1e6);
}

pub(super) fn too_early() -> io::Error {
    io::Error::other("a waiter was answered before there was anything new")
}

/// Opens the connection of a waiter.
pub(super) async fn open(target: &Target, index: usize) -> io::Result<Connection> {
    if index.is_multiple_of(CONNECTIONS_AT_ONCE) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    if target.address.ip().is_loopback() && target.address.is_ipv4() {
        let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2 + (index / WAITERS_PER_ADDRESS) as u8));
        Connection::open_from(from, target.address, BUFFER_BYTES).await
    } else {
        Connection::open(target.address, BUFFER_BYTES).await
    }
}

/// Asks once, waits for the answer, and tells both.
async fn wait(mut waiter: Connection, request: Arc<Vec<u8>>, tell: UnboundedSender<Told>) -> io::Result<Connection> {
    // Whoever listens goes away only when the run has failed already.
    waiter.send(&request).await?;
    let _ = tell.send(Told::Asked);
    let answer = waiter.receive(|_| {}).await?;
    let _ = tell.send(Told::Woken(Instant::now()));
    if answer.status == 200 { Ok(waiter) } else { Err(load::unexpected(answer, 200)) }
}
