//! Appending to a long history: a server over an empty store and one over a full one, in turn.

use std::io;
use std::sync::Arc;

use serde::Serialize;

use super::append::{self, EventOptions};
use super::fill::{self, History};
use super::load;
use super::machine;
use super::orders::{Orders, Random};
use super::report::Report;
use super::server::{self, Scratch, Target};

/// Every id is looked up among those of the whole history. `--data` names a store that is full already.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    #[command(flatten)]
    #[serde(flatten)]
    history: History,
    /// Connections, each with one request under way
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// How long a round is, for each of both
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Rounds; each gives a ratio
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Events in one POST
    #[arg(long, default_value_t = 1)]
    batch: usize,
    #[command(flatten)]
    #[serde(flatten)]
    server: server::Options,
}

pub(crate) async fn run(options: &Options) -> io::Result<Report> {
    let mut report = Report::new("history", options);
    let scratch = Scratch::new(&options.server.scratch)?;
    let data = match &options.server.data {
        Some(data) => data.clone(),
        None => {
            let data = scratch.path().join("full");
            fill::fill(&data, &options.history).await?;
            data
        }
    };
    let over = |data| server::Options { url: None, data: Some(data), scratch: scratch.path().to_path_buf() };
    let full = Target::new(&over(data), &[])?;
    let empty = Target::new(&over(scratch.path().join("empty")), &[])?;
    let events = EventOptions {
        batch: options.batch,
        event_bytes: options.history.event_bytes,
        stream: options.history.stream_name(0),
        streams: 1,
        server_ids: false,
    };
    let orders = Arc::new(Orders::new(events.event_bytes, &mut Random::seeded()));
    let load = load::Options { connections: options.connections, seconds: options.seconds, warmup: 1.0, rate: None };
    let (mut into_empty, mut into_full, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let empty = append::load(&empty, &load, &events, &orders, || Ok(())).await?.things_per_second();
        let full = append::load(&full, &load, &events, &orders, || Ok(())).await?.things_per_second();
        into_empty.push(empty);
        into_full.push(full);
        ratios.push(full / empty);
    }
    report.spread("empty_events_per_second", &into_empty);
    report.spread("full_events_per_second", &into_full);
    report.spread("ratio_full_to_empty", &ratios);
    if let Some(server) = &full.server {
        report.figure("full_server_rss_mb", server.usage()?.rss_bytes as f64 / 1e6);
        report.figure("full_disk_mb", machine::disk_bytes(&server.data)? as f64 / 1e6);
    }
    Ok(report)
}
