//! Opening: how long a server takes from its start until it listens, over a long history.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::append::{self, EventOptions};
use super::fill::{self, History};
use super::load;
use super::machine;
use super::orders::{Orders, Random};
use super::report::Report;
use super::server::{self, Scratch, Server, Target};

/// How long events are appended before the server is killed.
const LOAD_BEFORE_KILL: Duration = Duration::from_secs(3);

/// The store is filled, then a server is started over it again and again: after it was stopped in order, and
/// after it was killed (−9) while events were appended.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    #[command(flatten)]
    #[serde(flatten)]
    history: History,
    /// Starts of either kind
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[command(flatten)]
    #[serde(flatten)]
    server: server::Options,
}

pub(crate) async fn run(options: &Options) -> io::Result<Report> {
    let mut report = Report::new("open", options);
    let scratch = Scratch::new(&options.server.scratch)?;
    let data = match &options.server.data {
        Some(data) => data.clone(),
        None => {
            let data = scratch.path().join("data");
            fill::fill(&data, &options.history).await?;
            data
        }
    };
    let (mut clean, mut killed, mut rss) = (Vec::new(), Vec::new(), Vec::new());
    let mut cold = true;
    for _ in 0..options.rounds {
        cold &= machine::drop_page_cache();
        start(&data, &mut clean, &mut rss)?.stop()?;
        load_until_killed(&data, &options.history).await?;
        cold &= machine::drop_page_cache();
        start(&data, &mut killed, &mut rss)?.stop()?;
    }
    if !cold {
        report.note("the page cache could not be dropped (that takes root): files may have been read from memory");
    }
    report.spread("clean_start_seconds", &clean);
    report.spread("start_after_kill_seconds", &killed);
    report.spread("server_rss_mb", &rss);
    report.figure("disk_mb", machine::disk_bytes(&data)? as f64 / 1e6);
    Ok(report)
}

fn start(data: &Path, seconds: &mut Vec<f64>, rss: &mut Vec<f64>) -> io::Result<Server> {
    let server = Server::start(data, &[])?;
    seconds.push(server.start_time.as_secs_f64());
    rss.push(server.usage()?.rss_bytes_peak as f64 / 1e6);
    Ok(server)
}

/// Starts a server, appends to it, and kills it while appends are under way.
async fn load_until_killed(data: &Path, history: &History) -> io::Result<()> {
    let options = server::Options { url: None, data: Some(data.to_path_buf()), scratch: data.to_path_buf() };
    let mut target = Target::new(&options, &[])?;
    let events = EventOptions {
        batch: 10,
        event_bytes: history.event_bytes,
        stream: history.stream_name(0),
        streams: 1,
        server_ids: false,
    };
    let orders = Arc::new(Orders::new(history.event_bytes, &mut Random::seeded()));
    // Longer than it is let run: the kill ends it.
    let load = load::Options { connections: 16, seconds: 60.0, warmup: 0.0, rate: None };
    let server = target.server.take().expect("it was started here");
    tokio::select! {
        ended = append::load(&target, &load, &events, &orders, || Ok(())) => {
            ended?;
        }
        () = tokio::time::sleep(LOAD_BEFORE_KILL) => {}
    }
    server.kill()
}
