//! Polling: many consumers that ask a head feed for news, most of the time in vain.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::append::{EventOptions, Producer};
use super::connection::{Answer, Connection};
use super::load::{self, Work};
use super::orders::{Orders, Random};
use super::report::Report;
use super::server::{self, Target};

/// Each connection is a poller that knows the tag of what it saw last.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    #[command(flatten)]
    #[serde(flatten)]
    load: load::Options,
    /// Events a second that are appended meanwhile, so that there is news now and then
    #[arg(long, value_name = "PER_SECOND", default_value_t = 1.0)]
    news: f64,
    /// The stream
    #[arg(long, value_name = "NAME", default_value = "polled")]
    stream: String,
    #[command(flatten)]
    #[serde(flatten)]
    server: server::Options,
}

struct Poller {
    head: String,
    tag: Option<String>,
    news: Arc<std::sync::atomic::AtomicU64>,
}

impl Work for Poller {
    fn prepare(&mut self, request: &mut Vec<u8>) -> u64 {
        request.extend_from_slice(self.head.as_bytes());
        if let Some(tag) = &self.tag {
            request.extend_from_slice(b"If-None-Match: ");
            request.extend_from_slice(tag.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        1
    }

    fn check(&mut self, answer: Answer, connection: &Connection) -> io::Result<()> {
        match answer.status {
            304 => Ok(()),
            200 => {
                let tag = connection.header("etag");
                self.tag = Some(tag.ok_or_else(|| io::Error::other("a feed without an ETag"))?.to_string());
                self.news.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Ok(())
            }
            _ => Err(load::unexpected(answer, 304)),
        }
    }
}

pub(crate) async fn run(options: &Options) -> io::Result<Report> {
    let mut report = Report::new("poll", options);
    let target = Target::new(&options.server, &[])?;
    let mut connection = Connection::open(target.address, 64 << 10).await?;
    let what =
        EventOptions { batch: 1, event_bytes: 1_024, stream: options.stream.clone(), streams: 1, server_ids: false };
    let orders = Arc::new(Orders::new(what.event_bytes, &mut Random::seeded()));
    let mut producer = Producer::new(0, &target, &what, &orders);
    // A few pages, so that the head feed is as long as it gets.
    for _ in 0..300 {
        append(&mut connection, &mut producer).await?;
    }

    let news = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let head = format!("GET /streams/{}?format=atom HTTP/1.1\r\nHost: {}\r\n", options.stream, target.host);
    let poller = |_| Poller { head: head.clone(), tag: None, news: news.clone() };
    let pollers = load::run(target.address, &options.load, poller, || Ok(()));
    let writing = async {
        let mut tick = tokio::time::interval(Duration::from_secs_f64(1.0 / options.news.max(1e-3)));
        loop {
            tick.tick().await;
            if options.news > 0.0 {
                append(&mut connection, &mut producer).await?;
            }
        }
        #[expect(unreachable_code, reason = "it tells the type of an endless block")]
        Ok::<(), io::Error>(())
    };
    let tally = tokio::select! {
        tally = pollers => tally?,
        failed = writing => return Err(failed.err().unwrap_or_else(|| io::Error::other("appending ended"))),
    };
    report.figure("polls_per_second", tally.requests_per_second());
    report.count("polls", tally.requests);
    report.count("polls_with_news_and_warmup", news.load(std::sync::atomic::Ordering::Relaxed));
    report.latencies("latency", &tally.latency_micros);
    if let Some(server) = &target.server {
        report.figure("server_rss_mb", server.usage()?.rss_bytes as f64 / 1e6);
    }
    Ok(report)
}

async fn append(connection: &mut Connection, producer: &mut Producer) -> io::Result<()> {
    let mut request = Vec::new();
    producer.prepare(&mut request);
    let answer = connection.exchange(&request).await?;
    producer.check(answer, connection)
}
