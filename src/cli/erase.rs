//! `everfeed erase`: takes one event's content away for good, and tells what caches in front have to forget.

use std::io::Write;

use bytes::Bytes;
use clap::Args;
use http::Method;
use serde::Deserialize;
use serde_json::Value;

use super::Failure;
use super::at::At;
use super::client::{block_on, stream_url};
use super::failure::printable;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The stream: its name, or its whole URL
    stream: String,
    /// The event's number in it
    number: u64,
    #[command(flatten)]
    at: At,
    /// Print what the server answers, as JSON
    #[arg(long)]
    json: bool,
}

/// What the server says that it did.
#[derive(Deserialize)]
struct Erased {
    stream: String,
    number: u64,
    already: bool,
    purge: Purge,
}

/// What caches may hold.
#[derive(Deserialize)]
struct Purge {
    keys: Vec<String>,
    urls: Vec<String>,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let server = options.at.server()?;
    let url = format!("{}/{}", stream_url(&options.stream, &server.url)?, options.number);
    block_on(async {
        let answer = server.who.client(&url)?.send(Method::DELETE, &url, &[], Bytes::new()).await?;
        if let Some(problem) = answer.refused() {
            return Err(Failure::failed(problem));
        }
        let unread = |error| Failure::failed(format_args!("{url}: {error}"));
        let mut out = std::io::stdout().lock();
        if options.json {
            let answer: Value = serde_json::from_slice(&answer.body).map_err(unread)?;
            writeln!(out, "{answer}")?;
            return Ok(());
        }
        let Erased { stream, number, already, purge } = serde_json::from_slice(&answer.body).map_err(unread)?;
        let stream = printable(&stream);
        match already {
            false => writeln!(out, "event {number} of {stream} is erased: nobody can read what it carried")?,
            true => writeln!(out, "what event {number} of {stream} carried had gone before")?,
        }
        writeln!(out, "its bytes go from the disk with `everfeed compact`\n")?;
        writeln!(out, "purge these keys (Surrogate-Key, xkey) in the caches in front:")?;
        for key in &purge.keys {
            writeln!(out, "  {}", printable(key))?;
        }
        writeln!(out, "or, in caches that know no keys, these addresses, and others that show the event:")?;
        for url in &purge.urls {
            writeln!(out, "  {}", printable(url))?;
        }
        Ok(())
    })
}
