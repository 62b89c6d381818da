//! What derived streams cost: appending to a server that keeps all of them and to one that keeps none, in turn.

use std::io;
use std::sync::Arc;

use serde::Serialize;

use super::append::{self, EventOptions};
use super::load;
use super::orders::{Orders, Random};
use super::report::Report;
use super::server::{self, Scratch, Target};

/// The settings that switch them on and off.
const SETTINGS: [&str; 4] = [
    "EVERFEED_DERIVED__CATEGORY",
    "EVERFEED_DERIVED__EVENT_TYPE",
    "EVERFEED_DERIVED__STREAMS",
    "EVERFEED_DERIVED__CORRELATION",
];

/// Both servers are over stores of their own, which grow from round to round.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Connections, each with one request under way
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// How long a round is, for each of both
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Rounds; each gives a ratio
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    #[command(flatten)]
    #[serde(flatten)]
    events: EventOptions,
    /// Where new directories are made: on the disk to be measured
    #[arg(long, value_name = "DIR", default_value = ".")]
    scratch: std::path::PathBuf,
}

pub(crate) async fn run(options: &Options) -> io::Result<Report> {
    let mut report = Report::new("derived", options);
    let scratch = Scratch::new(&options.scratch)?;
    let start = |name: &str, is_on: bool| {
        let settings = SETTINGS.map(|setting| (setting, is_on.to_string()));
        let data = Some(scratch.path().join(name));
        Target::new(&server::Options { url: None, data, scratch: scratch.path().to_path_buf() }, &settings)
    };
    let (on, off) = (start("on", true)?, start("off", false)?);
    let orders = Arc::new(Orders::new(options.events.event_bytes, &mut Random::seeded()));
    let load = load::Options { connections: options.connections, seconds: options.seconds, warmup: 1.0, rate: None };
    let (mut with_them, mut without, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let on = append::load(&on, &load, &options.events, &orders, || Ok(())).await?.things_per_second();
        let off = append::load(&off, &load, &options.events, &orders, || Ok(())).await?.things_per_second();
        with_them.push(on);
        without.push(off);
        ratios.push(on / off);
    }
    report.spread("on_events_per_second", &with_them);
    report.spread("off_events_per_second", &without);
    report.spread("ratio_on_to_off", &ratios);
    Ok(report)
}
