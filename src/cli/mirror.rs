//! `everfeed mirror`: a server that follows another one's log into a store of its own, and serves that.

use std::time::{Duration, Instant};

use clap::Args;

use super::progress::Progress;
use super::who::Who;
use super::{Environment, Exit, Failure, serve, settings};
use crate::address::BaseUrl;
use crate::replica::{Mirrored, Origin};
use crate::server::{self, Mirroring};

/// How often the log says how far it is.
const LINE_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The server to mirror
    #[arg(value_name = "URL")]
    url: String,
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    settings: settings::Options,
}

pub(super) fn run(options: &Options, environment: Environment) -> Result<(), Failure> {
    if options.settings.load(environment.clone())?.config.read_only {
        return Err(Failure::new(Exit::Usage, "a mirror writes what it takes in, so read_only cannot be on"));
    }
    let origin = options.origin()?;
    let (config, start) = serve::begin(&options.settings, environment)?;
    let mut shown = Shown::new();
    let report = Box::new(move |mirrored: &Mirrored| shown.show(mirrored));
    server::mirror(start, Mirroring { origin, report }).map_err(|error| serve::tell(&config, error))
}

impl Options {
    fn origin(&self) -> Result<Origin, Failure> {
        let usage = |what: &dyn std::fmt::Display| Failure::new(Exit::Usage, what);
        let base = BaseUrl::parse(&self.url).map_err(|error| usage(&format_args!("{}: {error}", self.url)))?;
        Ok(Origin { base, credentials: self.who.credentials()?, tls: self.who.tls()? })
    }
}

/// How far the mirror is: a bar on a terminal while it catches up, a line in the log now and then, and one when it has
/// caught up.
struct Shown {
    bar: Option<Progress>,
    line: Option<(Instant, u64)>,
    was_caught_up: bool,
}

impl Shown {
    fn new() -> Self {
        Self { bar: Progress::on_a_terminal("mirroring"), line: None, was_caught_up: false }
    }

    fn show(&mut self, Mirrored { events, lag, is_caught_up }: &Mirrored) {
        let (last, events_then) = *self.line.get_or_insert_with(|| (Instant::now(), *events));
        let left = lag.events;
        if let Some(bar) = &mut self.bar {
            bar.show(*events, *events + left.unwrap_or_default());
        }
        if *is_caught_up != self.was_caught_up {
            self.was_caught_up = *is_caught_up;
            if *is_caught_up {
                if let Some(bar) = self.bar.take() {
                    bar.end();
                }
                tracing::info!(events, "the mirror has caught up");
            }
        }
        let elapsed = last.elapsed();
        if LINE_EVERY <= elapsed && self.bar.is_none() {
            let per_second = (events - events_then) as f64 / elapsed.as_secs_f64();
            let seconds_left = left.map(|left| left as f64 / per_second.max(1.0));
            tracing::info!(
                events,
                per_second = per_second.round(),
                lag_events = left,
                lag_seconds = lag.seconds,
                seconds_left,
                "mirroring"
            );
            self.line = Some((Instant::now(), *events));
        }
    }
}
