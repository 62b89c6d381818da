//! A backup of a long history while events are appended at a steady rate: how fast it is, what appends notice of it, and
//! what the next one costs; then a restore of it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::append::{self, EventOptions};
use super::fill::{self, History};
use super::load::{self, Tally};
use super::machine;
use super::orders::{Orders, Random};
use super::report::Report;
use super::server::{self, Scratch, Target};

/// Appends are measured in rounds of this length, so that none goes on for long after the backup has ended.
const ROUND_SECONDS: f64 = 1.0;

/// One backup after another, each of a server that has a little more.
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
    /// How long appends are measured before; while the backup is made, for as long as that takes
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Where new directories are made: on the disk to be measured
    #[arg(long, value_name = "DIR", default_value = ".")]
    scratch: PathBuf,
    /// Where the backup goes, if to another disk
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

pub(crate) async fn run(options: &Options) -> io::Result<Report> {
    let mut report = Report::new("backup", options);
    let scratch = Scratch::new(&options.scratch)?;
    let elsewhere = Scratch::new(options.into.as_ref().unwrap_or(&options.scratch))?;
    let data = scratch.path().join("data");
    let [copy, restored] = ["backup", "restored"].map(|name| elsewhere.path().join(name));
    fill::fill(&data, &options.history).await?;
    let over = server::Options { url: None, data: Some(data.clone()), scratch: scratch.path().to_path_buf() };
    let target = Target::new(&over, &[])?;
    let url = format!("http://{}", target.host);

    let mut before = Tally::new();
    for _ in 0..(options.seconds / ROUND_SECONDS).ceil() as u64 {
        before.add(&appends(&target, options).await?);
    }
    report.latencies("append_before", &before.latency_micros);
    let (mut during, backing_up) = (Tally::new(), start(&["backup", &url, &text(&copy)])?);
    while !backing_up.is_finished() {
        during.add(&appends(&target, options).await?);
    }
    let Done { said, elapsed } = ended(backing_up)?;
    report.latencies("append_meanwhile", &during.latency_micros);
    let bytes = copied(&said)?;
    report.figure("backup_mb", bytes as f64 / 1e6);
    report.figure("backup_seconds", elapsed.as_secs_f64());
    report.figure("backup_mb_per_second", bytes as f64 / 1e6 / elapsed.as_secs_f64());

    let Done { said, elapsed } = ended(start(&["backup", &url, &text(&copy)])?)?;
    report.figure("next_backup_mb", copied(&said)? as f64 / 1e6);
    report.figure("next_backup_seconds", elapsed.as_secs_f64());
    let Done { elapsed, .. } = ended(start(&["restore", &text(&copy), &text(&restored)])?)?;
    report.figure("restore_mb_per_second", machine::disk_bytes(&copy)? as f64 / 1e6 / elapsed.as_secs_f64());
    if let Some(server) = &target.server {
        report.figure("server_rss_peak_mb", server.usage()?.rss_bytes_peak as f64 / 1e6);
    }
    for (what, dir) in [("data", &data), ("backup", &copy)] {
        if machine::is_in_memory(dir) {
            report.note(format!("the {what} is in memory, where a sync costs nothing: what it costs was not measured"));
        }
    }
    Ok(report)
}

/// A command that has ended well.
struct Done {
    said: String,
    elapsed: Duration,
}

/// Runs a command of ours beside all else, as a process of its own.
fn start(arguments: &[&str]) -> io::Result<JoinHandle<io::Result<Done>>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = Instant::now();
    let child = command.spawn()?;
    Ok(std::thread::spawn(move || {
        let output = child.wait_with_output()?;
        let elapsed = started.elapsed();
        if output.status.success() {
            Ok(Done { said: String::from_utf8_lossy(&output.stdout).into_owned(), elapsed })
        } else {
            Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
        }
    }))
}

fn ended(command: JoinHandle<io::Result<Done>>) -> io::Result<Done> {
    command.join().map_err(|_| io::Error::other("the thread that waits for a command panicked"))?
}

/// How many bytes a backup says that it copied.
fn copied(said: &str) -> io::Result<u64> {
    let bytes = said.split(" bytes copied").next().and_then(|before| before.rsplit(' ').next()?.parse().ok());
    bytes.ok_or_else(|| io::Error::other(format!("it did not say how much it copied: {said}")))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Appends at the rate, for one round.
async fn appends(target: &Target, options: &Options) -> io::Result<Tally> {
    let event_bytes = options.history.event_bytes;
    let orders = Arc::new(Orders::new(event_bytes, &mut Random::seeded()));
    let events = EventOptions { batch: 1, event_bytes, stream: "meanwhile".into(), streams: 1, server_ids: false };
    let Options { connections, rate, .. } = *options;
    let load = load::Options { connections, seconds: ROUND_SECONDS, warmup: 0.0, rate: Some(rate) };
    append::load(target, &load, &events, &orders, || Ok(())).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_backup_says_of_its_size_is_understood() {
        let said = "5 events backed up; 0 of 0 chunk files and 412 bytes copied; log x, epoch 0\n";
        assert_eq!(copied(said).ok(), Some(412));
        assert!(copied("").is_err());
    }
}
