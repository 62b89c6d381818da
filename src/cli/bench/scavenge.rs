//! Giving space back while events are appended at a steady rate: what appends notice of it, and what it brings.

use std::io;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::append::{self, EventOptions};
use super::connection::Connection;
use super::fill::{self, History};
use super::load::{self, Tally};
use super::machine;
use super::orders::{Orders, Random};
use super::report::Report;
use super::server::{self, Scratch, Target};

/// The most that the server says of itself.
const BUFFER_BYTES: usize = 64 << 10;

/// Half of the history is truncated: of one stream the older half, of several every second one.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    #[command(flatten)]
    #[serde(flatten)]
    history: History,
    /// Events appended a second, one a POST
    #[arg(long, value_name = "PER_SECOND", default_value_t = 2_000.0)]
    rate: f64,
    /// Connections, each with one request under way
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// How long appends are measured before; while space is given back, again and again for so long
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Where new directories are made: on the disk to be measured
    #[arg(long, value_name = "DIR", default_value = ".")]
    scratch: std::path::PathBuf,
}

pub(crate) async fn run(options: &Options) -> io::Result<Report> {
    let mut report = Report::new("scavenge", options);
    let scratch = Scratch::new(&options.scratch)?;
    let data = scratch.path().join("data");
    fill::fill(&data, &options.history).await?;
    let over = server::Options { url: None, data: Some(data.clone()), scratch: scratch.path().to_path_buf() };
    let target = Target::new(&over, &[("EVERFEED_SCAVENGE__INTERVAL", "0s".into())])?;
    truncate_half(&target, &options.history).await?;

    let before = appends(&target, options).await?;
    report.latencies("append_before", &before.latency_micros);
    report.figure("disk_before_mb", machine::disk_bytes(&data)? as f64 / 1e6);
    let asked = ask(&target, "POST", "/admin/scavenge", "").await?;
    let (mut during, mut status) = (Tally::new(), json!({}));
    while status["last"]["scavengeId"] != asked["scavengeId"] {
        during.add(&appends(&target, options).await?);
        status = ask(&target, "GET", "/admin/scavenge", "").await?;
    }
    report.latencies("append_meanwhile", &during.latency_micros);
    let last = &status["last"];
    report.figure("scavenge_seconds", last["seconds"].as_f64().unwrap_or_default());
    report.count("chunks_rewritten", last["chunksRewritten"].as_u64().unwrap_or_default());
    report.figure("given_back_mb", last["bytesGivenBack"].as_f64().unwrap_or_default() / 1e6);
    report.figure("disk_after_mb", machine::disk_bytes(&data)? as f64 / 1e6);
    if let Some(server) = &target.server {
        report.figure("server_rss_peak_mb", server.usage()?.rss_bytes_peak as f64 / 1e6);
    }
    if machine::is_in_memory(&data) {
        report.note("the data are in memory, where a sync costs nothing: what it costs was not measured");
    }
    Ok(report)
}

async fn truncate_half(target: &Target, history: &History) -> io::Result<()> {
    let of_each = history.events / history.streams;
    let (step, before) = if history.streams == 1 { (1, of_each / 2) } else { (2, of_each + 1) };
    for index in (0..history.streams).step_by(step) {
        let path = format!("/streams/{}/metadata", history.stream_name(index));
        ask(target, "POST", &path, &json!({ "$tb": before }).to_string()).await?;
    }
    Ok(())
}

/// Appends at the rate, to a stream that stays.
async fn appends(target: &Target, options: &Options) -> io::Result<Tally> {
    let event_bytes = options.history.event_bytes;
    let orders = Arc::new(Orders::new(event_bytes, &mut Random::seeded()));
    let events = EventOptions { batch: 1, event_bytes, stream: "meanwhile".into(), streams: 1, server_ids: false };
    let Options { connections, seconds, rate, .. } = *options;
    let load = load::Options { connections, seconds, warmup: 0.0, rate: Some(rate) };
    append::load(target, &load, &events, &orders, || Ok(())).await
}

/// One request, and what the server says in JSON, if it says anything.
async fn ask(target: &Target, method: &str, path: &str, body: &str) -> io::Result<Value> {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        target.host,
        body.len()
    );
    let mut connection = Connection::open(target.address, BUFFER_BYTES).await?;
    let mut said = Vec::new();
    let answer = connection.fetch(request.as_bytes(), &mut said).await?;
    match answer.status {
        200 | 201 => Ok(serde_json::from_slice(&said).unwrap_or_default()),
        _ => Err(load::unexpected(answer, 200)),
    }
}
