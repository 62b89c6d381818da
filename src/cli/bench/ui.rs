//! Pages for people and lists of streams over very many streams: how long the server takes for each, one request at a
//! time.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::event::{ExpectedVersion, StreamName, Timestamp};
use crate::store::{Append, Store};

use super::connection::Connection;
use super::fill::{self, BEGIN_MICROS};
use super::load;
use super::machine;
use super::orders::{Orders, Random};
use super::report::Report;
use super::server::{self, Scratch, Server, Target};

/// What the names of the many streams begin with; a UUID follows.
const CATEGORIES: [&str; 4] = ["order-", "customer-", "Shipment/eu-", "basket_"];

/// The stream that has all the other events.
const LONG: &str = "orders";

/// A stream of many events is appended to in batches of so many.
const BATCH: u64 = 500;

/// So many appends wait at the same time; the queue takes 1,000.
const PRODUCERS: usize = 800;

/// The store is filled with many streams of one event and one of many, closed, and served again.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Streams
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000)]
    streams: u64,
    /// Events in the long stream
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000)]
    events: u64,
    /// The length of an event's data
    #[arg(long, value_name = "BYTES", default_value_t = 256)]
    event_bytes: usize,
    /// How often each page is asked for
    #[arg(long, default_value_t = 200)]
    rounds: usize,
    #[command(flatten)]
    #[serde(flatten)]
    server: server::Options,
}

pub(crate) async fn run(options: &Options) -> io::Result<Report> {
    let mut report = Report::new("ui", options);
    let scratch = Scratch::new(&options.server.scratch)?;
    let mut some_streams = Vec::new();
    let data = match &options.server.data {
        Some(data) => data.clone(),
        None => {
            let data = scratch.path().join("data");
            fill(&data, options).await?;
            data
        }
    };
    let server = Server::start(&data, &[])?;
    report.figure("start_seconds", server.start_time.as_secs_f64());
    report.figure("rss_after_start_mb", server.usage()?.rss_bytes as f64 / 1e6);
    let target = Target::of(server);
    let mut connection = Connection::open(target.address, 64 << 10).await?;
    let mut body = Vec::new();
    // From all over the alphabet, so that what is asked for is not all in one place.
    for prefix in CATEGORIES {
        let list = target.get(&format!("/admin/streams?order=name&limit=1000&prefix={prefix}"), "");
        connection.fetch(&list, &mut body).await?;
        some_streams.extend(names(&body)?);
    }
    let mut random = Random::seeded();
    let mut some_stream = || some_streams[random.below(some_streams.len() as u64) as usize].clone();
    let mut measure = Measure { target: &target, connection, rounds: options.rounds, report: &mut report };
    measure.paths("page_overview", || "/ui/".into()).await?;
    measure.paths("page_overview_search", || format!("/ui/?search={}", &encoded(&some_stream())[..14])).await?;
    measure.paths("page_long_stream", || format!("/ui/streams/{LONG}")).await?;
    measure.paths("page_short_stream", || format!("/ui/streams/{}", encoded(&some_stream()))).await?;
    measure.paths("page_event", || format!("/ui/streams/{}/0", encoded(&some_stream()))).await?;
    measure.paths("list_recent", || "/admin/streams?limit=50".into()).await?;
    measure.paths("list_recent_far_down", || "/admin/streams?limit=50&before=1000".into()).await?;
    measure.paths("list_by_name", || format!("/admin/streams?limit=50&order=name&after={}", some_stream())).await?;
    measure.paths("search_letter", || "/admin/streams?limit=20&search=o".into()).await?;
    measure.paths("search_word", || "/admin/streams?limit=20&search=EU".into()).await?;
    // What somebody types of a name that they have before them, letter by letter.
    let typed: Vec<String> = (0..options.rounds).map(|_| some_stream()).collect();
    let mut at = 0;
    measure
        .paths("search_typing", || {
            at += 1;
            let name = &typed[at % typed.len()];
            let letters = 1 + at % name.len();
            format!("/admin/streams?limit=20&search={}", encoded(&name[..letters].to_lowercase()))
        })
        .await?;
    let mut at = 0;
    measure
        .paths("search_inside", || {
            at += 1;
            let name = &typed[at % typed.len()];
            format!("/admin/streams?limit=20&search={}", encoded(&name[name.len() - 12..]))
        })
        .await?;
    measure.paths("search_nothing", || "/admin/streams?limit=20&search=zzzzqqqq".into()).await?;
    report.figure("rss_mb", target.usage()?.map_or(0.0, |usage| usage.rss_bytes as f64 / 1e6));
    report.figure("disk_mb", machine::disk_bytes(&data)? as f64 / 1e6);
    report.note("each time is from sending a request to having all of its answer, over one connection that stays");
    Ok(report)
}

/// Asks, and takes the time.
struct Measure<'a> {
    target: &'a Target,
    connection: Connection,
    rounds: usize,
    report: &'a mut Report,
}

impl Measure<'_> {
    /// Different paths of one kind. The first answer comes with what it needs still on the disk, and is told apart.
    async fn paths(&mut self, name: &str, mut path: impl FnMut() -> String) -> io::Result<()> {
        let mut micros = Histogram::<u64>::new(3).expect("three digits");
        let mut first = None;
        for _ in 0..self.rounds {
            let path = path();
            let request = self.target.get(&path, "");
            let started = Instant::now();
            let answer = self.connection.exchange(&request).await?;
            let elapsed = started.elapsed().as_micros() as u64;
            if answer.status != 200 {
                return Err(io::Error::other(format!("{path} was answered with {}", answer.status)));
            }
            first.get_or_insert(elapsed);
            micros.record(elapsed.max(1)).expect("it resizes");
        }
        self.report.figure(format!("{name}_first_ms"), first.unwrap_or_default() as f64 / 1e3);
        self.report.figure(format!("{name}_p50_ms"), micros.value_at_quantile(0.5) as f64 / 1e3);
        self.report.figure(format!("{name}_p99_ms"), micros.value_at_quantile(0.99) as f64 / 1e3);
        Ok(())
    }
}

fn names(list: &[u8]) -> io::Result<Vec<String>> {
    let list: serde_json::Value = serde_json::from_slice(list)?;
    let streams = list["streams"].as_array().into_iter().flatten();
    Ok(streams.filter_map(|stream| stream["stream"].as_str().map(String::from)).collect())
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Every stream gets its event, and then the long one all of its own.
async fn fill(data: &std::path::Path, options: &Options) -> io::Result<()> {
    let store = fill::open(data)?;
    let orders = Arc::new(Orders::new(options.event_bytes, &mut Random::seeded()));
    let bar = load::progress();
    let begin = Instant::now();
    let mut random = Random::seeded();
    let mut running = JoinSet::new();
    for index in 0..options.streams {
        if running.len() == PRODUCERS {
            running.join_next().await.transpose().map_err(io::Error::other)?.transpose()?;
        }
        let name = format!("{}{}", CATEGORIES[(index % 4) as usize], random.uuid());
        running.spawn(append(store.clone(), name, 1, orders.clone(), begin));
        if index % 50_000 == 0 {
            bar.set_message(format!("{index} of {} streams", options.streams));
        }
    }
    while let Some(appended) = running.join_next().await {
        appended.map_err(io::Error::other)??;
    }
    for first in (0..options.events).step_by(BATCH as usize) {
        append(store.clone(), LONG.into(), BATCH.min(options.events - first), orders.clone(), begin).await?;
    }
    bar.finish_and_clear();
    while store.view().chunks_due() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    store.close();
    Ok(())
}

async fn append(store: Store, name: String, count: u64, orders: Arc<Orders>, begin: Instant) -> io::Result<()> {
    let mut random = Random::seeded();
    let append = Append {
        stream: StreamName::parse(&name).map_err(io::Error::other)?,
        events: (0..count).map(|_| fill::event(&orders, &mut random)).collect(),
        expected: ExpectedVersion::Any,
        ids_alone: false,
        now: Timestamp::from_micros(BEGIN_MICROS + begin.elapsed().as_micros() as i64),
    };
    store.append(append).await.map(drop).map_err(io::Error::other)
}
