//! Replay: complete pages, fetched again and again, as many as can be; next to nginx if it is asked for.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use memchr::memmem;
use serde::Serialize;

use super::append::{EventOptions, Producer};
use super::connection::{Answer, Connection};
use super::load::{self, Tally, Work};
use super::nginx::{Nginx, Page};
use super::orders::{Orders, Random};
use super::report::Report;
use super::server::{self, Scratch, Target};

/// Events in one POST while the stream is filled.
const FILL_BATCH: usize = 100;

/// Pages are canonical Atom pages, all of them fetched before the first round, so that they are in the page cache.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Connections, each with one request under way
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// How long a round is, for each encoding and each server
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Rounds; each gives a figure, and with nginx a ratio
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Different pages
    #[arg(long, default_value_t = 100)]
    pages: usize,
    /// Events on a page
    #[arg(long, default_value_t = 100)]
    count: usize,
    /// The length of an event's data
    #[arg(long, value_name = "BYTES", default_value_t = 1_024)]
    event_bytes: usize,
    /// The stream; filled if it does not hold as many events
    #[arg(long, value_name = "NAME", default_value = "replay")]
    stream: String,
    /// In which encodings
    #[arg(long, value_enum, default_values_t = [Encoding::Identity, Encoding::Gzip])]
    encoding: Vec<Encoding>,
    /// What a client reads at once. wrk reads 8 KiB, and then is the slower end itself
    #[arg(long, value_name = "BYTES", default_value_t = 256 << 10)]
    read_bytes: usize,
    /// Let nginx serve the same bytes as static files, in turn with the server
    #[arg(long)]
    against_nginx: bool,
    /// Let nginx keep its files open, too
    #[arg(long, requires = "against_nginx")]
    open_file_cache: bool,
    #[command(flatten)]
    #[serde(flatten)]
    server: server::Options,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
        }
    }

    const fn header(self) -> &'static str {
        match self {
            Self::Identity => "",
            Self::Gzip => "Accept-Encoding: gzip\r\n",
        }
    }

    fn bytes(self, page: &Page) -> usize {
        match self {
            Self::Identity => page.plain.len(),
            Self::Gzip => page.gzip.len(),
        }
    }
}

/// Fetches page after page; every answer must have the length that the page has.
struct Reader {
    requests: Arc<Vec<(Vec<u8>, usize)>>,
    next: usize,
}

impl Work for Reader {
    fn prepare(&mut self, request: &mut Vec<u8>) -> u64 {
        self.next = (self.next + 1) % self.requests.len();
        request.extend_from_slice(&self.requests[self.next].0);
        1
    }

    fn check(&mut self, answer: Answer, _: &Connection) -> io::Result<()> {
        let expected = self.requests[self.next].1 as u64;
        if answer.status != 200 {
            return Err(load::unexpected(answer, 200));
        }
        if answer.body_bytes != expected {
            return Err(io::Error::other(format!("a page of {expected} bytes came with {}", answer.body_bytes)));
        }
        Ok(())
    }
}

pub(crate) async fn run(options: &Options) -> io::Result<Report> {
    let mut report = Report::new("replay", options);
    let target = Target::new(&options.server, &[])?;
    fill(&target, options).await?;
    let pages = fetch_all(&target, options).await?;
    let scratch = Scratch::new(&options.server.scratch)?;
    let nginx =
        if options.against_nginx { Some(Nginx::start(scratch.path(), &pages, options.open_file_cache)?) } else { None };
    for encoding in &options.encoding {
        let name = encoding.name();
        let sizes = pages.iter().map(|page| encoding.bytes(page)).sum::<usize>();
        report.count(format!("{name}_bytes_per_page"), (sizes / pages.len()) as u64);
        let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            ours.push(round(target.address, &target, &pages, *encoding, options).await?);
            if let Some(nginx) = &nginx {
                theirs.push(round(nginx.address, &target, &pages, *encoding, options).await?);
                ratios
                    .push(ours[ours.len() - 1].requests_per_second() / theirs[theirs.len() - 1].requests_per_second());
            }
        }
        let rates = |rounds: &[Tally]| rounds.iter().map(Tally::requests_per_second).collect::<Vec<_>>();
        report.spread(&format!("{name}_pages_per_second"), &rates(&ours));
        report.spread(&format!("{name}_nginx_pages_per_second"), &rates(&theirs));
        report.spread(&format!("{name}_ratio_to_nginx"), &ratios);
        let megabytes: Vec<f64> = ours.iter().map(Tally::megabytes_per_second).collect();
        report.spread(&format!("{name}_mb_per_second"), &megabytes);
        let median = median(&rates(&ours));
        report.figure(format!("{name}_events_per_second"), median * options.count as f64);
        report.latencies(&format!("{name}_latency"), &ours[ours.len() / 2].latency_micros);
    }
    if let Some(server) = &target.server {
        report.figure("server_rss_mb", server.usage()?.rss_bytes as f64 / 1e6);
    }
    Ok(report)
}

async fn round(
    to: SocketAddr,
    target: &Target,
    pages: &[Page],
    encoding: Encoding,
    options: &Options,
) -> io::Result<Tally> {
    // nginx gets the same requests to the byte, the Host header too.
    let requests = pages.iter().map(|page| (target.get(&page.path, encoding.header()), encoding.bytes(page)));
    let requests = Arc::new(requests.collect::<Vec<_>>());
    let load = load::Options { connections: options.connections, seconds: options.seconds, warmup: 0.5, rate: None };
    let reader = |index: usize| Reader { requests: requests.clone(), next: index * 7 % requests.len() };
    load::run_reading(to, &load, options.read_bytes, reader, || Ok(())).await
}

/// Appends what the stream lacks to hold all pages, and one event more, so that the last page is complete.
async fn fill(target: &Target, options: &Options) -> io::Result<()> {
    let events = options.pages * options.count;
    let mut connection = Connection::open(target.address, 64 << 10).await?;
    let last = target.get(&format!("/streams/{}/{events}.json", options.stream), "");
    if connection.exchange(&last).await?.status == 200 {
        return Ok(());
    }
    let what = EventOptions {
        batch: FILL_BATCH,
        event_bytes: options.event_bytes,
        stream: options.stream.clone(),
        streams: 1,
        server_ids: false,
    };
    let orders = Arc::new(Orders::new(options.event_bytes, &mut Random::seeded()));
    let mut producer = Producer::new(0, target, &what, &orders);
    let mut request = Vec::new();
    for _ in 0..=events / FILL_BATCH {
        request.clear();
        producer.prepare(&mut request);
        let answer = connection.exchange(&request).await?;
        producer.check(answer, &connection)?;
    }
    Ok(())
}

async fn fetch_all(target: &Target, options: &Options) -> io::Result<Vec<Page>> {
    let mut connection = Connection::open(target.address, 256 << 10).await?;
    let mut pages = Vec::with_capacity(options.pages);
    for page in 0..options.pages {
        let path = format!("/streams/{}/{}/forward/{}.atom", options.stream, page * options.count, options.count);
        let (mut plain, mut gzip) = (Vec::new(), Vec::new());
        for (encoding, body) in [(Encoding::Identity, &mut plain), (Encoding::Gzip, &mut gzip)] {
            let answer = connection.fetch(&target.get(&path, encoding.header()), body).await?;
            if answer.status != 200 {
                return Err(load::unexpected(answer, 200));
            }
            if !connection.header("cache-control").is_some_and(|value| value.contains("immutable")) {
                return Err(io::Error::other(format!("{path} is not a complete page")));
            }
            let encoded = connection.header("content-encoding").is_some_and(|value| value == "gzip");
            if encoded != (encoding == Encoding::Gzip) {
                return Err(io::Error::other(format!("{path} came in another encoding than {}", encoding.name())));
            }
        }
        let entries = memmem::find_iter(&plain, "<entry").count();
        if entries != options.count {
            return Err(io::Error::other(format!("{path} shows {entries} events")));
        }
        pages.push(Page { path, plain, gzip });
    }
    Ok(pages)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
