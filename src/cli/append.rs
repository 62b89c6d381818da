//! `everfeed append`: a file, or each of its lines, becomes an event.
//!
//! The ids are made here, before anything is sent, so that sending again after a broken connection appends
//! nothing twice.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;
use http::Method;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::event::ExpectedVersion;

use super::at::At;
use super::client::{Answer, Client, block_on, stream_url};
use super::{Exit, Failure};

/// The most events, and about the most bytes, that are sent in one request.
const BATCH_EVENTS_MAX: usize = 1000;
const BATCH_BYTES_MAX: usize = 4 << 20;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The stream: its name, or its whole URL
    stream: String,
    /// What to append; standard input without it, or for -
    file: Option<PathBuf>,
    #[command(flatten)]
    at: At,
    /// The type of the event [default: its media type; with --lines: event]
    #[arg(long, value_name = "TYPE")]
    r#type: Option<String>,
    /// The id of the event; with --lines, what the ids are derived from, so that the same command may be repeated
    #[arg(long, value_name = "UUID")]
    id: Option<Uuid>,
    /// Append only to a stream as expected: the number of its newest event, any, no-stream or exists
    #[arg(long, value_name = "N", value_parser = expectation)]
    expect: Option<i64>,
    /// The media type of the event
    #[arg(long, value_name = "TYPE", default_value = "application/json", conflicts_with = "lines")]
    content_type: String,
    /// Every line is an event: JSON, appended in batches
    #[arg(long)]
    lines: bool,
}

/// What the server said of an append, as it is printed.
#[derive(Serialize)]
struct Receipt<'a> {
    location: &'a str,
    last: u64,
    position: u64,
    repeat: bool,
}

/// An event of a batch.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    event_id: String,
    event_type: &'a str,
    data: Box<RawValue>,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let server = options.at.server()?;
    let url = stream_url(&options.stream, &server.url)?;
    let mut input = open(options.file.as_deref())?;
    let mut to = To { client: server.who.client(&url)?, url, expected: options.expect };
    block_on(async {
        if options.lines {
            return lines(options, input, &mut to).await;
        }
        let mut data = Vec::new();
        input.read_to_end(&mut data)?;
        let mut headers = vec![("ES-EventId", options.id.unwrap_or_else(new_id).to_string())];
        headers.extend(options.r#type.clone().map(|name| ("ES-EventType", name)));
        to.post(&options.content_type, headers, data.into()).await
    })
}

async fn lines(options: &Options, input: impl BufRead, to: &mut To) -> Result<(), Failure> {
    let event_type = options.r#type.as_deref().unwrap_or("event");
    let run = options.id.unwrap_or_else(new_id);
    let mut batch = Vec::new();
    let mut bytes = 0;
    for (line, number) in input.lines().zip(1_u64..) {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        bytes += line.len();
        let data = RawValue::from_string(line).map_err(|error| {
            let kept = "the lines of earlier receipts are appended, this one and those after them are not";
            Failure::failed(format_args!("line {number} is not JSON ({error}); {kept}"))
        })?;
        let event_id = Uuid::new_v5(&run, number.to_string().as_bytes()).to_string();
        batch.push(Event { event_id, event_type, data });
        if BATCH_EVENTS_MAX <= batch.len() || BATCH_BYTES_MAX <= bytes {
            to.post_batch(&batch).await?;
            batch.clear();
            bytes = 0;
        }
    }
    if batch.is_empty() { Ok(()) } else { to.post_batch(&batch).await }
}

/// Where the events go.
struct To {
    client: Client,
    url: String,
    /// What the next append expects, as the header says it.
    expected: Option<i64>,
}

impl To {
    async fn post_batch(&mut self, batch: &[Event<'_>]) -> Result<(), Failure> {
        let body = serde_json::to_vec(batch).map_err(Failure::failed)?;
        self.post("application/vnd.eventstore.events+json", Vec::new(), body.into()).await
    }

    /// Sends it and prints the receipt.
    async fn post(
        &mut self,
        content_type: &str,
        mut headers: Vec<(&'static str, String)>,
        body: Bytes,
    ) -> Result<(), Failure> {
        headers.push(("Content-Type", content_type.to_string()));
        headers.extend(self.expected.map(|expected| ("ES-ExpectedVersion", expected.to_string())));
        let answer = self.client.send(Method::POST, &self.url, &headers, body).await?;
        if let Some(problem) = answer.refused() {
            return Err(Failure::failed(problem));
        }
        let receipt = receipt(&answer).ok_or_else(|| Failure::failed("the answer holds no receipt"))?;
        if self.expected.is_some() {
            // Whoever expects something of the first batch expects nobody to come between it and the next.
            self.expected = i64::try_from(receipt.last).ok();
        }
        let line = serde_json::to_string(&receipt).map_err(Failure::failed)?;
        Ok(writeln!(std::io::stdout(), "{line}")?)
    }
}

fn receipt(answer: &Answer) -> Option<Receipt<'_>> {
    Some(Receipt {
        location: answer.header("location")?,
        last: answer.header("es-currentversion")?.parse().ok()?,
        position: answer.header("es-position")?.parse().ok()?,
        repeat: answer.header("everfeed-repeat") == Some("true"),
    })
}

fn open(file: Option<&Path>) -> Result<Box<dyn BufRead>, Failure> {
    match file {
        None => Ok(Box::new(std::io::stdin().lock())),
        Some(path) if path == "-" => Ok(Box::new(std::io::stdin().lock())),
        Some(path) => match File::open(path) {
            Ok(file) => Ok(Box::new(BufReader::new(file))),
            Err(error) => Err(Failure::new(Exit::Usage, format_args!("{}: {error}", path.display()))),
        },
    }
}

/// The integer of the `ES-ExpectedVersion` header.
fn expectation(text: &str) -> Result<i64, String> {
    match text {
        "any" => Ok(-2),
        "no-stream" => Ok(-1),
        "exists" => Ok(-4),
        number => match number.parse().map(ExpectedVersion::from_integer) {
            Ok(Ok(ExpectedVersion::Exactly(number))) => i64::try_from(number.get()).map_err(|error| error.to_string()),
            _ => Err("the number of an event, any, no-stream or exists is expected".into()),
        },
    }
}

#[expect(clippy::disallowed_methods, reason = "a producer makes the ids of what it sends; this is the producer")]
fn new_id() -> Uuid {
    Uuid::now_v7()
}
