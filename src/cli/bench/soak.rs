//! Everything at once for a long time: what grows, and what becomes slower.
//!
//! Producers append, readers replay pages and poll the head feed, listeners are told of every event, all as fast as it
//! goes. After each window of time stands what the server holds; what it held after the first window, when caches are
//! warm, is what the last one is compared with.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::task::JoinSet;

use super::append::{EventOptions, Producer};
use super::connection::{Answer, Connection};
use super::load::{self, Asking, Tally, Work};
use super::machine::{self, Usage};
use super::orders::{Orders, Random};
use super::report::Report;
use super::server::{self, Target};
use super::wait;

/// Events in one POST while there is not yet anything to read.
const FILL_BATCH: usize = 100;

/// Of the pages that are read over and over.
pub(super) const PAGE_EVENTS: usize = 100;

/// What is offered to the server all the time.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// How long it goes on
    #[arg(long, default_value_t = 20.0)]
    minutes: f64,
    /// How often is looked at what it holds
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    window: f64,
    /// Connections that append, one event a POST
    #[arg(long, value_name = "CONNECTIONS", default_value_t = 32)]
    producers: usize,
    /// Connections that read complete pages
    #[arg(long, value_name = "CONNECTIONS", default_value_t = 8)]
    readers: usize,
    /// Connections that poll the head feed
    #[arg(long, value_name = "CONNECTIONS", default_value_t = 8)]
    pollers: usize,
    /// Connections that listen
    #[arg(long, value_name = "CONNECTIONS", default_value_t = 50)]
    listeners: usize,
    /// Different pages that are read
    #[arg(long, default_value_t = 500)]
    pages: usize,
    #[command(flatten)]
    #[serde(flatten)]
    server: server::Options,
}

/// What stood at the end of a window.
struct Window {
    appended: Tally,
    read: Tally,
    polled: Tally,
    usage: Usage,
}

pub(crate) async fn run(options: &Options) -> io::Result<Report> {
    let mut report = Report::new("soak", options);
    let target = Target::new(&options.server, &[])?;
    let stream =
        EventOptions { batch: FILL_BATCH, event_bytes: 1_024, stream: "soak".into(), streams: 1, server_ids: false };
    let orders = Arc::new(Orders::new(stream.event_bytes, &mut Random::seeded()));
    fill(&target, &stream, &orders, options.pages).await?;
    let mut listening = JoinSet::new();
    for index in 0..options.listeners {
        let request = target.get("/streams/soak", "Accept: text/event-stream\r\n");
        listening.spawn(listen(wait::open(&target, index).await?, request));
    }
    let pages =
        (0..options.pages).map(|page| format!("/streams/soak/{}/forward/{PAGE_EVENTS}.atom", page * PAGE_EVENTS));
    let pages = Arc::new(pages.map(|path| target.get(&path, "Accept-Encoding: gzip\r\n")).collect::<Vec<_>>());
    let head = Arc::new(vec![target.get("/streams/soak?format=atom", "Accept-Encoding: gzip\r\n")]);
    let one = EventOptions { batch: 1, ..stream };
    let windows = (options.minutes * 60.0 / options.window).round().max(2.0) as usize;
    let mut seen = Vec::with_capacity(windows);
    for window in 0..windows {
        let load = |connections| load::Options { connections, seconds: options.window, warmup: 0.0, rate: None };
        let producer = |index| Producer::new(index, &target, &one, &orders);
        let reader = |index| Asking::new(index, &pages);
        let poller = |index| Asking::new(index, &head);
        let (appending, reading, polling) = (load(options.producers), load(options.readers), load(options.pollers));
        let (appended, read, polled) = tokio::try_join!(
            load::run(target.address, &appending, producer, || Ok(())),
            load::run_reading(target.address, &reading, 256 << 10, reader, || Ok(())),
            load::run_reading(target.address, &polling, 256 << 10, poller, || Ok(())),
        )?;
        if let Some(ended) = listening.try_join_next() {
            ended.map_err(io::Error::other)??;
        }
        let usage = target.usage()?.ok_or_else(|| io::Error::other("only a server of its own can be looked into"))?;
        let done = Window { appended, read, polled, usage };
        tell(window, &done)?;
        seen.push(done);
    }
    compare(&mut report, &seen);
    if let Some(server) = &target.server {
        report.figure("disk_mb", machine::disk_bytes(&server.data)? as f64 / 1e6);
    }
    Ok(report)
}

/// Appends all that is read later, and one event more, so that the last page is complete.
pub(super) async fn fill(target: &Target, stream: &EventOptions, orders: &Arc<Orders>, pages: usize) -> io::Result<()> {
    let mut producer = Producer::new(0, target, stream, orders);
    let mut connection = Connection::open(target.address, 64 << 10).await?;
    let mut request = Vec::new();
    for _ in 0..=pages * PAGE_EVENTS / FILL_BATCH {
        request.clear();
        producer.prepare(&mut request);
        let answer = connection.exchange(&request).await?;
        producer.check(answer, &connection)?;
    }
    Ok(())
}

/// Takes all that comes.
async fn listen(mut connection: Connection, request: Vec<u8>) -> io::Result<()> {
    connection.send(&request).await?;
    let status = connection.receive_head().await?;
    if status != 200 {
        return Err(load::unexpected(Answer { status, body_bytes: 0 }, 200));
    }
    loop {
        if connection.receive_chunk(|_| {}).await? == 0 {
            return Err(io::Error::other("an event stream ended"));
        }
    }
}

/// A line for whoever watches.
fn tell(window: usize, Window { appended, read, polled, usage }: &Window) -> io::Result<()> {
    writeln!(
        io::stderr(),
        "window {window:3}: {:6.0} appends/s p99 {:6.2} ms, {:6.0} pages/s p99 {:6.2} ms, {:6.0} polls/s p99 {:6.2} ms, \
         {:4} MB, {} files",
        appended.things_per_second(),
        p99(appended),
        read.requests_per_second(),
        p99(read),
        polled.requests_per_second(),
        p99(polled),
        usage.rss_bytes / 1_000_000,
        usage.files,
    )
}

fn p99(tally: &Tally) -> f64 {
    Duration::from_micros(tally.latency_micros.value_at_quantile(0.99)).as_secs_f64() * 1e3
}

/// The last window over the second one: in the first, caches fill.
fn compare(report: &mut Report, windows: &[Window]) {
    let each = |figure: fn(&Window) -> f64| windows.iter().map(figure).collect::<Vec<_>>();
    let figures: [(&str, Vec<f64>); 8] = [
        ("appends_per_second", each(|window| window.appended.things_per_second())),
        ("append_p99_ms", each(|window| p99(&window.appended))),
        ("pages_per_second", each(|window| window.read.requests_per_second())),
        ("page_p99_ms", each(|window| p99(&window.read))),
        ("polls_per_second", each(|window| window.polled.requests_per_second())),
        ("poll_p99_ms", each(|window| p99(&window.polled))),
        ("server_rss_mb", each(|window| window.usage.rss_bytes as f64 / 1e6)),
        ("server_files", each(|window| window.usage.files as f64)),
    ];
    report.count("windows", windows.len() as u64);
    for (name, values) in figures {
        report.spread(name, &values);
        report.figure(format!("{name}_last_to_second"), values[values.len() - 1] / values[1]);
    }
}
