//! What derived streams cost: appending to a server that keeps all of them and to one that keeps none, in turn.

use std::io;
use std::sync::Arc;
use std::time::Duration;

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
    let (mut with_them, mut without, mut ratios) = (Sums::default(), Sums::default(), Vec::new());
    for _ in 0..options.rounds {
        for (target, sums) in [(&on, &mut with_them), (&off, &mut without)] {
            sums.round(target, &load, &options.events, &orders).await?;
        }
        ratios.push(with_them.rates[ratios.len()] / without.rates[ratios.len()]);
    }
    report.spread("on_events_per_second", &with_them.rates);
    report.spread("off_events_per_second", &without.rates);
    report.spread("ratio_on_to_off", &ratios);
    // What other work on the machine does to the rates it does hardly to these.
    report.figure("on_server_cpu_micros_per_event", with_them.cpu_micros_per_event());
    report.figure("off_server_cpu_micros_per_event", without.cpu_micros_per_event());
    Ok(report)
}

/// What the rounds of one server add up to.
#[derive(Debug, Default)]
struct Sums {
    rates: Vec<f64>,
    events: f64,
    cpu: Duration,
}

impl Sums {
    async fn round(
        &mut self,
        target: &Target,
        load: &load::Options,
        events: &EventOptions,
        orders: &Arc<Orders>,
    ) -> io::Result<()> {
        let server = target.server.as_ref().expect("it was started here");
        let mut before = None;
        let measuring = || {
            before = Some(server.usage()?.cpu);
            Ok(())
        };
        let tally = append::load(target, load, events, orders, measuring).await?;
        self.rates.push(tally.things_per_second());
        self.events += tally.things_per_second() * tally.elapsed.as_secs_f64();
        self.cpu += server.usage()?.cpu.saturating_sub(before.unwrap_or_default());
        Ok(())
    }

    fn cpu_micros_per_event(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.events
    }
}
