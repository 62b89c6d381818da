//! `everfeed scavenge`: has a running server give space back.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::Method;
use serde::Deserialize;

use super::Failure;
use super::at::{At, Server};
use super::client::block_on;
use super::progress::Progress;
use crate::address::Address;

/// How often the server is asked how far it has come.
const LOOK_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    at: At,
    /// Wait until it is done, and say what it brought
    #[arg(long)]
    wait: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    scavenge_id: String,
}

/// What the server says of scavenging.
#[derive(Deserialize)]
struct Status {
    running: Option<Pass>,
    waiting: Option<Asked>,
    last: Option<Pass>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pass {
    scavenge_id: String,
    chunks: Option<u64>,
    chunks_done: u64,
    chunks_rewritten: u64,
    bytes_given_back: u64,
    sled_bytes: Option<SledBytes>,
    ended_early: Option<String>,
}

#[derive(Deserialize)]
struct SledBytes {
    before: u64,
    after: u64,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    ask(&options.at.server()?, &Address::Scavenge, options.wait)
}

/// Asks for a pass at this address; waits until it is done, or says which one it is.
pub(super) fn ask(server: &Server, address: &Address, waits: bool) -> Result<(), Failure> {
    let url = server.base()?.url(address);
    block_on(async {
        let client = server.who.client(&url)?;
        let answer = client.send(Method::POST, &url, &[], Bytes::new()).await?;
        let Asked { scavenge_id: id } = read(&url, answer.refused(), &answer.body)?;
        if !waits {
            writeln!(std::io::stdout(), "{id}")?;
            return Ok(());
        }
        let mut progress = Progress::counting("scavenging", "chunks");
        let last = loop {
            let answer = client.get(&url, &[]).await?;
            let status: Status = read(&url, answer.refused(), &answer.body)?;
            let runs = status.running.filter(|pass| pass.scavenge_id == id);
            if let Some(Pass { chunks: Some(chunks), chunks_done, .. }) = runs {
                progress.show(chunks_done, chunks);
            } else if runs.is_none() && status.waiting.is_none_or(|asked| asked.scavenge_id != id) {
                break status.last.filter(|pass| pass.scavenge_id == id);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        };
        progress.end();
        match last {
            Some(Pass { ended_early: Some(why), .. }) => Err(Failure::failed(format_args!("it ended early: {why}"))),
            Some(Pass { chunks: Some(chunks), chunks_rewritten, .. }) if chunks_rewritten < chunks => {
                let damaged = chunks - chunks_rewritten;
                Err(Failure::failed(format_args!(
                    "{damaged} chunks are damaged and stay as they are; see `everfeed verify`"
                )))
            }
            Some(Pass { chunks_rewritten, bytes_given_back, sled_bytes, .. }) => {
                let mut out = std::io::stdout();
                writeln!(out, "{chunks_rewritten} chunks written anew, {bytes_given_back} bytes given back")?;
                if let Some(SledBytes { before, after }) = sled_bytes {
                    writeln!(out, "sled's part written anew: {before} bytes before, {after} now")?;
                }
                Ok(())
            }
            // Another pass began and ended since, or the server was started anew.
            None => Err(Failure::failed("the server no longer knows how it ended")),
        }
    })
}

fn read<T: serde::de::DeserializeOwned>(url: &str, refused: Option<String>, body: &[u8]) -> Result<T, Failure> {
    if let Some(problem) = refused {
        return Err(Failure::failed(problem));
    }
    serde_json::from_slice(body).map_err(|error| Failure::failed(format_args!("{url}: {error}")))
}
