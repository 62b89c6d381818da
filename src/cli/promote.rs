//! `everfeed promote`: a replica takes appends from now on, in a new epoch.

use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;
use http::Method;
use serde::Deserialize;
use uuid::Uuid;

use super::client::block_on;
use super::who::Who;
use super::{Exit, Failure};
use crate::address::{Address, BaseUrl};
use crate::event::Timestamp;
use crate::store::{self, Role, Store};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    who: Who,
}

/// What is to be promoted.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct What {
    /// The data directory of a replica that no server has open
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The replica, while it runs; it goes on running
    #[arg(long, value_name = "URL")]
    server: Option<String>,
}

/// What the replica is now.
#[derive(Deserialize)]
struct Promoted {
    log: Uuid,
    epoch: u32,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    block_on(async {
        let Promoted { log, epoch } = match (&options.what.server, &options.what.data) {
            (Some(server), _) => at_server(server, &options.who).await?,
            (None, Some(data)) => in_directory(data).await?,
            (None, None) => return Err(Failure::new(Exit::Usage, "--data or --server says what is to be promoted")),
        };
        writeln!(std::io::stdout(), "promoted: the log {log} takes appends here, in epoch {epoch}")?;
        Ok(())
    })
}

async fn at_server(server: &str, who: &Who) -> Result<Promoted, Failure> {
    let base = BaseUrl::parse(server)
        .map_err(|error| Failure::new(Exit::Usage, format_args!("--server {server}: {error}")))?;
    let url = base.url(&Address::Promote);
    let answer = who.client(&url)?.send(Method::POST, &url, &[], Bytes::new()).await?;
    match answer.refused() {
        Some(problem) => Err(Failure::failed(problem)),
        None => serde_json::from_slice(&answer.body).map_err(|error| Failure::failed(format_args!("{url}: {error}"))),
    }
}

async fn in_directory(data: &Path) -> Result<Promoted, Failure> {
    if !store::holds_store(data) {
        return Err(Failure::new(Exit::Usage, format_args!("{} holds no store", data.display())));
    }
    let (store, _) = Store::open(&store::Options::new(data), Uuid::nil(), Timestamp::default())?;
    let turned = store.turn(Role::Promoted).await;
    store.close();
    let identity = turned.map_err(Failure::failed)?;
    Ok(Promoted { log: identity.log, epoch: identity.epoch })
}
