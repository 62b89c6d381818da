//! Mirroring: how fast a second server takes in the whole log of a first one, on the same machine.

use std::io;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::connection::Connection;
use super::fill::{self, History};
use super::load;
use super::report::Report;
use super::server::{self, Scratch, Server, Target};

/// How often the mirror is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A store is filled and served; then a mirror of it is started over an empty directory.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    #[command(flatten)]
    #[serde(flatten)]
    history: History,
    #[command(flatten)]
    #[serde(flatten)]
    server: server::Options,
}

/// What a server says of itself, as far as it is asked here.
#[derive(Deserialize)]
struct Info {
    events: u64,
}

pub(crate) async fn run(options: &Options) -> io::Result<Report> {
    let mut report = Report::new("mirror", options);
    let scratch = Scratch::new(&options.server.scratch)?;
    let server = fill::served(&options.server, &options.history, &scratch).await?;
    let source = Target::new(&server, &[])?;
    let all = events(&source).await?;
    let before = source.usage()?;
    let begin = Instant::now();
    let mirror = Target::of(Server::mirror(&format!("http://{}", source.host), &scratch.path().join("mirror"))?);
    let bar = load::progress();
    loop {
        let here = events(&mirror).await?;
        if all <= here {
            break;
        }
        bar.set_message(format!("{here} of {all} events"));
        tokio::time::sleep(LOOK_EVERY).await;
    }
    bar.finish_and_clear();
    let seconds = begin.elapsed().as_secs_f64();
    report.count("events", all);
    report.figure("events_per_second", all as f64 / seconds);
    report.figure("seconds", seconds);
    if let (Some(now), Some(before)) = (source.usage()?, before) {
        report.figure("source_cores_used", (now.cpu - before.cpu).as_secs_f64() / seconds);
    }
    if let Some(now) = mirror.usage()? {
        report.figure("mirror_cores_used", now.cpu.as_secs_f64() / seconds);
        report.figure("mirror_rss_peak_mb", now.rss_bytes_peak as f64 / 1e6);
    }
    Ok(report)
}

/// How many events a server has.
async fn events(target: &Target) -> io::Result<u64> {
    let mut connection = Connection::open(target.address, 16 << 10).await?;
    let mut body = Vec::new();
    let answer = connection.fetch(&target.get("/info", ""), &mut body).await?;
    if answer.status != 200 {
        return Err(load::unexpected(answer, 200));
    }
    let Info { events } = serde_json::from_slice(&body)?;
    Ok(events)
}
