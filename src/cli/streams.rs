//! `everfeed streams`: which streams a server has.

use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Failure;
use super::at::At;
use super::client::block_on;
use super::failure::printable;
use super::list::{print_lines, print_table};
use crate::address::{Address, StreamList, WhichStreams};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Only streams that have this in their names, the best first
    search: Option<String>,
    #[command(flatten)]
    at: At,
    /// In which order
    #[arg(long, value_enum, default_value_t = Order::Recent, conflicts_with = "search")]
    order: Order,
    /// Only streams whose names begin so, in the order of their names
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["search", "order"])]
    prefix: Option<String>,
    /// So many at most; 0 for all of them
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// In which order streams are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    /// Those that got an event last come first
    Recent,
    /// By their names
    Name,
}

/// A page of the list, as the server has it.
#[derive(Deserialize)]
struct Page {
    streams: Vec<Box<RawValue>>,
    next: Option<String>,
}

/// A stream, as far as it is shown in a table.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stream {
    stream: String,
    events: u64,
    bytes_about: Option<u64>,
    head: Option<Head>,
}

/// Its newest event.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    event_type: String,
    time: String,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let server = options.at.server()?;
    let limit = if options.limit == 0 { usize::MAX } else { options.limit };
    let which = match (&options.search, &options.prefix, options.order) {
        (Some(text), ..) if !text.is_empty() => WhichStreams::Fitting { text: text.clone() },
        (_, Some(prefix), _) => WhichStreams::Named { prefix: prefix.clone(), after: String::new() },
        (_, None, Order::Name) => WhichStreams::Named { prefix: String::new(), after: String::new() },
        (_, None, Order::Recent) => WhichStreams::Recent { before: None },
    };
    let at_once = u16::try_from(limit).map_or(StreamList::LIMIT_MAX, |limit| limit.min(StreamList::LIMIT_MAX));
    let first = server.base()?.url(&Address::Streams(StreamList { which, limit: at_once }));
    block_on(async {
        let client = server.who.client(&first)?;
        let (mut streams, mut next) = (Vec::new(), Some(first));
        while let Some(url) = next.take().filter(|_| streams.len() < limit) {
            let answer = client.get(&url, &[]).await?;
            if let Some(problem) = answer.refused() {
                return Err(Failure::failed(problem));
            }
            let page: Page = serde_json::from_slice(&answer.body)
                .map_err(|error| Failure::failed(format_args!("{url}: {error}")))?;
            streams.extend(page.streams);
            next = page.next;
        }
        streams.truncate(limit);
        if options.json {
            return print_lines(streams);
        }
        let rows = streams.iter().map(|stream| serde_json::from_str(stream.get()).map(|stream: Stream| stream.row()));
        let rows = rows.collect::<Result<Vec<_>, _>>().map_err(Failure::failed)?;
        print_table(["STREAM", "EVENTS", "SIZE", "NEWEST", "TYPE"], &rows)
    })
}

impl Stream {
    fn row(self) -> [String; 5] {
        let size = self.bytes_about.map(size).unwrap_or_default();
        let (time, event_type) = self.head.map(|head| (head.time, head.event_type)).unwrap_or_default();
        let second = time.split_once('.').map_or(time.as_str(), |(second, _)| second).replace('T', " ");
        [printable(&self.stream), self.events.to_string(), size, second, printable(&event_type)]
    }
}

/// As people read it.
pub(super) fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}
