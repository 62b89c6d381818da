//! Consuming: one aggregator that follows a feed from its first event, page by page, from a cold disk.

use std::io;
use std::time::{Duration, Instant};

use memchr::memmem;
use serde::Serialize;

use super::connection::Connection;
use super::fill::{self, History};
use super::load;
use super::machine;
use super::report::Report;
use super::server::{self, Scratch, Target};

/// The store is filled, the page cache dropped, the server started, and then the links are followed.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    #[command(flatten)]
    #[serde(flatten)]
    history: History,
    /// Follow `$all` instead of streams
    #[arg(long)]
    all: bool,
    /// Follow `$ce-{stream}` instead of streams: all of them, by reference
    #[arg(long, conflicts_with = "all")]
    category: bool,
    /// As many of the streams, one after the other
    #[arg(long, value_name = "NUMBER", default_value_t = 1, conflicts_with_all = ["all", "category"])]
    follow: u64,
    /// Events on a page
    #[arg(long, default_value_t = 100)]
    count: u64,
    #[command(flatten)]
    #[serde(flatten)]
    server: server::Options,
}

impl Options {
    /// The names of what is followed, as they stand in a path.
    fn sources(&self) -> Vec<String> {
        if self.all {
            return vec!["%24all".into()];
        }
        if self.category {
            return vec![format!("%24ce-{}", self.history.stream)];
        }
        (0..self.follow).map(|index| self.history.stream_name(index * self.history.streams / self.follow)).collect()
    }

    /// How many events that makes in a store that was filled for it.
    fn expected(&self) -> u64 {
        let History { events, streams, .. } = self.history;
        if self.all || self.category {
            return events;
        }
        let of_stream = |index| events / streams + u64::from(index < events % streams);
        (0..self.follow).map(|index| of_stream(index * streams / self.follow)).sum()
    }
}

/// What a consumer has seen.
#[derive(Debug, Default)]
struct Seen {
    events: u64,
    pages: u64,
    bytes: u64,
}

pub(crate) async fn run(options: &Options) -> io::Result<Report> {
    let mut report = Report::new("consume", options);
    let scratch = Scratch::new(&options.server.scratch)?;
    let server = fill::served(&options.server, &options.history, &scratch).await?;
    if !machine::drop_page_cache() {
        report.note("the page cache could not be dropped (that takes root): files may have been read from memory");
    }
    let target = Target::new(&server, &[])?;
    let before = target.server.as_ref().map(server::Server::usage).transpose()?;
    let mut seen = Seen::default();
    let begin = Instant::now();
    for source in options.sources() {
        let first = format!("/streams/{source}/0/forward/{}.atom", options.count);
        follow(&target, first, &mut seen).await?;
    }
    let elapsed = begin.elapsed();
    let expected = options.expected();
    if options.server.url.is_none() && options.server.data.is_none() && seen.events != expected {
        return Err(io::Error::other(format!("{} events were seen where {expected} are", seen.events)));
    }
    report.count("events", seen.events);
    report.figure("events_per_second", seen.events as f64 / elapsed.as_secs_f64());
    report.figure("pages_per_second", seen.pages as f64 / elapsed.as_secs_f64());
    report.figure("mb_per_second", seen.bytes as f64 / 1e6 / elapsed.as_secs_f64());
    report.figure("seconds", elapsed.as_secs_f64());
    if let (Some(server), Some(before)) = (&target.server, before) {
        let now = server.usage()?;
        report.figure("server_rss_peak_mb", now.rss_bytes_peak as f64 / 1e6);
        report.figure("server_cores_used", (now.cpu - before.cpu).as_secs_f64() / elapsed.as_secs_f64());
    }
    Ok(report)
}

/// Follows `previous` from page to page until there is nothing newer.
async fn follow(target: &Target, first: String, seen: &mut Seen) -> io::Result<()> {
    let entry = memmem::Finder::new("<entry");
    let mut connection = Connection::open(target.address, 256 << 10).await?;
    let mut body = Vec::new();
    let mut path = first;
    let bar = load::progress();
    let mut shown = Instant::now();
    loop {
        let answer = connection.fetch(&target.get(&path, ""), &mut body).await?;
        if answer.status != 200 {
            return Err(load::unexpected(answer, 200));
        }
        let events = entry.find_iter(&body).count() as u64;
        seen.events += events;
        seen.pages += 1;
        seen.bytes += answer.body_bytes;
        match connection.link("previous") {
            Some(link) if events > 0 => path = path_of(link).to_string(),
            _ => break,
        }
        if shown.elapsed() > Duration::from_millis(200) {
            bar.set_message(format!("{} events", seen.events));
            shown = Instant::now();
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// A link without scheme and host: the connection is to the server that gave it.
fn path_of(link: &str) -> &str {
    let rest = link.split_once("://").map_or(link, |(_, rest)| rest);
    rest.find('/').map_or("/", |at| &rest[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_on_the_same_connection() {
        assert_eq!(path_of("http://127.0.0.1:2113/streams/a/0/forward/100.atom"), "/streams/a/0/forward/100.atom");
        assert_eq!(path_of("/streams/a"), "/streams/a");
    }
}
