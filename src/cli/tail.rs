//! `everfeed tail`: the newest events of a stream, a line each, and on request what comes.

use clap::Args;
use serde::Deserialize;

use super::Failure;
use super::at::At;
use super::client::{block_on, stream_url};
use super::read::{Lines, read};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The stream: its name, or its whole URL; $all is every stream
    stream: String,
    #[command(flatten)]
    at: At,
    /// So many of the newest events
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    lines: u64,
    /// Do not end at the end: wait for what comes
    #[arg(long, short)]
    follow: bool,
    /// Print all that is known of an event, as one JSON object a line
    #[arg(long)]
    json: bool,
}

/// As much of an event as tells where the stream ends.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Newest {
    event_number: u64,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let server = options.at.server()?;
    let stream = stream_url(&options.stream, &server.url)?;
    let lines = if options.json { Lines::Json } else { Lines::Text };
    block_on(async {
        let url = format!("{stream}/head");
        let accept = ("accept", "application/vnd.eventstore.event+json".to_string());
        let answer = server.who.client(&url)?.get(&url, &[accept]).await?;
        let next = match answer.refused() {
            None => {
                let newest: Newest = serde_json::from_slice(&answer.body)
                    .map_err(|error| Failure::failed(format_args!("{url}: {error}")))?;
                newest.event_number + 1
            }
            // Nothing was ever appended there: whoever waits is told of the first.
            Some(_) if options.follow && answer.status == http::StatusCode::NOT_FOUND => 0,
            Some(problem) => return Err(Failure::failed(problem)),
        };
        read(&stream, &server.who, next.saturating_sub(options.lines), None, options.follow, lines).await
    })
}
