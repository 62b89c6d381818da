//! Load: many connections, each with one request under way at a time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tokio::task::JoinSet;

use super::connection::{Answer, Connection};
use super::pace::Pace;

/// What answers to appends and polls need.
const BUFFER_BYTES: usize = 16 << 10;
const LATENCY_MICROS_MAX: u64 = 120_000_000;

/// How much, and for how long.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Connections, each with one request under way
    #[arg(long, default_value_t = 64)]
    pub(crate) connections: usize,
    /// For how long it is measured
    #[arg(long, default_value_t = 30.0)]
    pub(crate) seconds: f64,
    /// Load before that, which does not count
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    pub(crate) warmup: f64,
    /// Requests a second, whatever the answers do; latencies count from the intended start [default: as many as
    /// are answered]
    #[arg(long, value_name = "PER_SECOND")]
    pub(crate) rate: Option<f64>,
}

/// What one connection asks, again and again.
pub(crate) trait Work: Send + 'static {
    /// Puts the next request into `request`, which is empty, and says how many things (events, pages) it is for.
    fn prepare(&mut self, request: &mut Vec<u8>) -> u64;

    /// Looks at the answer. An error ends the whole load: figures of a server that fails are none.
    fn check(&mut self, answer: Answer, connection: &Connection) -> io::Result<()>;
}

/// Asks for the same things in turn, and expects all of them.
pub(crate) struct Asking {
    requests: Arc<Vec<Vec<u8>>>,
    next: usize,
}

impl Asking {
    /// Connections begin at different ones.
    pub(crate) fn new(connection: usize, requests: &Arc<Vec<Vec<u8>>>) -> Self {
        Self { requests: requests.clone(), next: connection * 7 % requests.len() }
    }
}

impl Work for Asking {
    fn prepare(&mut self, request: &mut Vec<u8>) -> u64 {
        self.next = (self.next + 1) % self.requests.len();
        request.extend_from_slice(&self.requests[self.next]);
        1
    }

    fn check(&mut self, answer: Answer, _: &Connection) -> io::Result<()> {
        if answer.status == 200 { Ok(()) } else { Err(unexpected(answer, 200)) }
    }
}

/// What was counted while it was measured.
pub(crate) struct Tally {
    pub(crate) requests: u64,
    /// The things that the requests were for.
    pub(crate) things: u64,
    pub(crate) body_bytes: u64,
    pub(crate) elapsed: Duration,
    /// From the intended start to the end of the answer.
    pub(crate) latency_micros: Histogram<u64>,
    /// Things in the worst of the seconds.
    pub(crate) things_in_slowest_second: u64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        let latency_micros = Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, 3).expect("the bounds are in order");
        Self {
            requests: 0,
            things: 0,
            body_bytes: 0,
            elapsed: Duration::ZERO,
            latency_micros,
            things_in_slowest_second: 0,
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.things += other.things;
        self.body_bytes += other.body_bytes;
        self.elapsed = self.elapsed.max(other.elapsed);
        self.latency_micros.add(&other.latency_micros).expect("they have the same bounds");
    }

    pub(crate) fn things_per_second(&self) -> f64 {
        self.things as f64 / self.elapsed.as_secs_f64()
    }

    pub(crate) fn requests_per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    pub(crate) fn megabytes_per_second(&self) -> f64 {
        self.body_bytes as f64 / 1e6 / self.elapsed.as_secs_f64()
    }
}

/// Runs the load against `to`; `work` makes what each connection does. `measuring` is called when the warm-up
/// is over.
pub(crate) async fn run<W: Work>(
    to: SocketAddr,
    options: &Options,
    work: impl FnMut(usize) -> W,
    measuring: impl FnOnce() -> io::Result<()>,
) -> io::Result<Tally> {
    run_reading(to, options, BUFFER_BYTES, work, measuring).await
}

/// As [`run`], with a buffer of this size for what a connection receives at once.
pub(crate) async fn run_reading<W: Work>(
    to: SocketAddr,
    options: &Options,
    buffer_bytes: usize,
    mut work: impl FnMut(usize) -> W,
    measuring: impl FnOnce() -> io::Result<()>,
) -> io::Result<Tally> {
    let begin = Instant::now();
    let measured_from = begin + Duration::from_secs_f64(options.warmup);
    let end = measured_from + Duration::from_secs_f64(options.seconds);
    let mut connections = Vec::with_capacity(options.connections);
    for _ in 0..options.connections {
        connections.push(Connection::open(to, buffer_bytes).await?);
    }
    let pace = Pace::new(options.rate, begin, end);
    let done = Arc::new(AtomicU64::new(0));
    let mut running = JoinSet::new();
    for (index, connection) in connections.into_iter().enumerate() {
        running.spawn(drive(connection, work(index), pace.clone(), measured_from, done.clone()));
    }
    let watch = watch(&done, measured_from, end, measuring);
    let collect = async {
        let mut tally = Tally::new();
        while let Some(finished) = running.join_next().await {
            tally.add(&finished.map_err(io::Error::other)??);
        }
        Ok::<_, io::Error>(tally)
    };
    let (mut tally, slowest) = tokio::try_join!(collect, watch)?;
    // Without a rate nothing starts after the end, and what was under way then counts with the time it took.
    tally.elapsed = tally.elapsed.max(Duration::from_secs_f64(options.seconds));
    tally.things_in_slowest_second = slowest;
    Ok(tally)
}

async fn drive<W: Work>(
    mut connection: Connection,
    mut work: W,
    pace: Pace,
    measured_from: Instant,
    done: Arc<AtomicU64>,
) -> io::Result<Tally> {
    let mut tally = Tally::new();
    let mut request = Vec::new();
    while let Some(start) = pace.next().await {
        request.clear();
        let things = work.prepare(&mut request);
        let answer = connection.exchange(&request).await?;
        work.check(answer, &connection)?;
        done.fetch_add(things, Ordering::Relaxed);
        if measured_from <= start {
            let now = Instant::now();
            let micros = (now - start).as_micros() as u64;
            tally.latency_micros.saturating_record(micros.max(1));
            tally.requests += 1;
            tally.things += things;
            tally.body_bytes += answer.body_bytes;
            tally.elapsed = now - measured_from;
        }
    }
    Ok(tally)
}

/// Shows how it goes, and finds the slowest second.
async fn watch(
    done: &AtomicU64,
    measured_from: Instant,
    end: Instant,
    measuring: impl FnOnce() -> io::Result<()>,
) -> io::Result<u64> {
    let bar = progress();
    bar.set_message("warming up");
    tokio::time::sleep_until(measured_from.into()).await;
    measuring()?;
    let mut slowest = u64::MAX;
    let mut before = done.load(Ordering::Relaxed);
    let mut second = measured_from;
    while second + Duration::from_secs(1) <= end {
        second += Duration::from_secs(1);
        tokio::time::sleep_until(second.into()).await;
        let now = done.load(Ordering::Relaxed);
        slowest = slowest.min(now - before);
        bar.set_message(format!("{} a second, {} s to go", now - before, (end - second).as_secs()));
        before = now;
    }
    bar.finish_and_clear();
    Ok(if slowest == u64::MAX { 0 } else { slowest })
}

/// A line on a terminal; nothing elsewhere.
pub(crate) fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg}").expect("the template is right");
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// An answer that is not what it must be.
pub(crate) fn unexpected(answer: Answer, expected: u16) -> io::Error {
    io::Error::other(format!("the server answered {} where {expected} was due", answer.status))
}
