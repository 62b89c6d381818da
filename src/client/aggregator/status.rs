//! How an aggregator is doing: how far it is behind, how fast it goes, how long that will take. As values, as metrics,
//! and in the log.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::client::Lag;

/// How often the log is told while catching up, and afterwards.
const TELL_CATCHING_UP: Duration = Duration::from_secs(10);
const TELL_CAUGHT_UP: Duration = Duration::from_secs(60);

/// How an aggregator is doing, at any time and from any thread.
#[derive(Debug, Clone)]
pub struct Status {
    inner: Arc<Mutex<Inner>>,
}

/// How far one feed has come.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedStatus {
    /// As the aggregator names it.
    pub feed: String,
    /// Events of it that are in the state, or parked.
    pub events: u64,
    /// How far the state is behind it.
    pub lag: Lag,
    /// Whether it has been caught up with since the aggregator was started.
    pub is_caught_up: bool,
}

/// How far the whole has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Events that are in the state, or parked.
    pub events: u64,
    /// Events that are still to come, where the feeds say it.
    pub remaining: Option<u64>,
    /// Events a second since the aggregator was started.
    pub rate: f64,
    /// How long what remains takes at this rate.
    pub time_left: Option<Duration>,
    /// Whether all feeds have been caught up with since the aggregator was started.
    pub is_caught_up: bool,
}

#[derive(Debug)]
struct Inner {
    name: String,
    feeds: Vec<FeedStatus>,
    parked: u64,
    started: Option<Instant>,
    events_at_start: u64,
    told: Option<Instant>,
}

impl Status {
    pub(super) fn new() -> Self {
        let inner = Inner {
            name: "aggregator".to_string(),
            feeds: Vec::new(),
            parked: 0,
            started: None,
            events_at_start: 0,
            told: None,
        };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// Feed by feed, in the order in which they were named. Empty before the aggregator runs.
    #[must_use]
    pub fn feeds(&self) -> Vec<FeedStatus> {
        self.inner().feeds.clone()
    }

    /// Events that are parked.
    #[must_use]
    pub fn parked(&self) -> u64 {
        self.inner().parked
    }

    /// All feeds together.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.inner().progress()
    }

    /// All of it in OpenMetrics text (`application/openmetrics-text; version=1.0.0`), to be served to whoever watches.
    #[must_use]
    pub fn openmetrics(&self) -> String {
        self.inner().openmetrics()
    }

    pub(super) fn rename(&self, name: &str) {
        self.inner().name = name.to_string();
    }

    /// The feeds, and how many events of each are in the state.
    pub(super) fn start(&self, feeds: impl Iterator<Item = (String, u64)>, parked: u64) {
        let mut inner = self.inner();
        let lag = Lag::default();
        inner.feeds = feeds.map(|(feed, events)| FeedStatus { feed, events, lag, is_caught_up: false }).collect();
        inner.parked = parked;
        inner.events_at_start = inner.feeds.iter().map(|feed| feed.events).sum();
        inner.started = Some(Instant::now());
        // The first line comes when there is something to say.
        inner.told = inner.started;
    }

    pub(super) fn change(&self, feed: usize, change: impl FnOnce(&mut FeedStatus)) {
        change(&mut self.inner().feeds[feed]);
    }

    pub(super) fn change_parked(&self, change: impl FnOnce(u64) -> u64) {
        let mut inner = self.inner();
        inner.parked = change(inner.parked);
    }

    /// Tells the log, if it is time.
    pub(super) fn tell_when_due(&self) {
        let mut inner = self.inner();
        let progress = inner.progress();
        let pause = if progress.is_caught_up { TELL_CAUGHT_UP } else { TELL_CATCHING_UP };
        if inner.told.is_none_or(|told| pause <= told.elapsed()) {
            inner.told = Some(Instant::now());
            inner.tell(&progress);
        }
    }

    /// Tells the log.
    pub(super) fn tell(&self) {
        let inner = self.inner();
        inner.tell(&inner.progress());
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Every change is a few assignments, none of which panics.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn progress(&self) -> Progress {
        let events: u64 = self.feeds.iter().map(|feed| feed.events).sum();
        let remaining = self.feeds.iter().map(|feed| feed.lag.events).sum::<Option<u64>>();
        let seconds = self.started.map_or(0.0, |started| started.elapsed().as_secs_f64());
        let rate = if seconds > 0.0 { (events - self.events_at_start) as f64 / seconds } else { 0.0 };
        let time_left = remaining.and_then(|remaining| Duration::try_from_secs_f64(remaining as f64 / rate).ok());
        let is_caught_up = !self.feeds.is_empty() && self.feeds.iter().all(|feed| feed.is_caught_up);
        Progress { events, remaining, rate, time_left, is_caught_up }
    }

    fn tell(&self, progress: &Progress) {
        let seconds = self.feeds.iter().map(|feed| feed.lag.seconds).fold(0.0, f64::max);
        let (name, events, parked) = (&*self.name, progress.events, self.parked);
        let remaining = progress.remaining.map_or_else(|| "?".to_string(), |events| events.to_string());
        let lag_seconds = format!("{seconds:.1}");
        if progress.is_caught_up {
            tracing::info!(name, events, lag_events = remaining, lag_seconds, parked, "following");
            return;
        }
        let rate = progress.rate.round();
        let time_left = progress.time_left.map_or_else(|| "?".to_string(), |left| format!("{}s", left.as_secs()));
        tracing::info!(name, events, lag_events = remaining, lag_seconds, rate, time_left, parked, "catching up");
    }

    fn openmetrics(&self) -> String {
        let mut text = String::new();
        let lag_events = |feed: &FeedStatus| feed.lag.events.map(|events| events as f64);
        self.family(&mut text, "everfeed_aggregator_events", Kind::Counter, |feed| Some(feed.events as f64));
        self.family(&mut text, "everfeed_aggregator_lag_events", Kind::Gauge, lag_events);
        self.family(&mut text, "everfeed_aggregator_lag_seconds", Kind::Gauge, |feed| Some(feed.lag.seconds));
        let caught_up = |feed: &FeedStatus| Some(if feed.is_caught_up { 1.0 } else { 0.0 });
        self.family(&mut text, "everfeed_aggregator_caught_up", Kind::Gauge, caught_up);
        let (name, parked) = (escaped(&self.name), self.parked);
        let _ = writeln!(text, "# TYPE everfeed_aggregator_parked_events gauge");
        let _ = writeln!(text, "everfeed_aggregator_parked_events{{aggregator=\"{name}\"}} {parked}");
        text.push_str("# EOF\n");
        text
    }

    /// One value for each feed that has it.
    fn family(&self, text: &mut String, name: &str, kind: Kind, value: impl Fn(&FeedStatus) -> Option<f64>) {
        let (kind, suffix) = match kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
        };
        let _ = writeln!(text, "# TYPE {name} {kind}");
        for feed in &self.feeds {
            if let Some(value) = value(feed) {
                let (aggregator, feed) = (escaped(&self.name), escaped(&feed.feed));
                let _ = writeln!(text, "{name}{suffix}{{aggregator=\"{aggregator}\",feed=\"{feed}\"}} {value}");
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

/// As the text of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
