//! What a server does by itself, now and then: it truncates streams by age, and gives space back.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use crate::config::Config;
use crate::store::{Aging, AppendError, Store, Thoroughness};

use super::{new_id, now, until};

/// Begins all of it; it ends when the server is told to stop.
pub(super) fn start(store: &Store, config: &Config, draining: &watch::Receiver<bool>) {
    if config.read_only {
        return;
    }
    if !config.max_age.interval.is_zero() {
        tokio::spawn(until(draining.clone(), age(store.clone(), config.max_age.interval)));
    }
    if !config.scavenge.interval.is_zero() {
        tokio::spawn(until(draining.clone(), scavenge(store.clone(), config.scavenge.interval)));
    }
}

async fn age(store: Store, interval: Duration) {
    let mut aging = Aging::default();
    let mut ticks = ticks(interval);
    loop {
        ticks.tick().await;
        // A replica is told by its source what is too old.
        if store.replica_of().is_some() {
            continue;
        }
        match aging.look(&store, now()).await {
            Ok(0) => {}
            Ok(streams) => tracing::info!(streams, "truncated by age"),
            Err(error) => tell("truncating by age", &error),
        }
    }
}

async fn scavenge(store: Store, interval: Duration) {
    let mut ticks = ticks(interval);
    loop {
        ticks.tick().await;
        if store.scavenging().running.is_none()
            && let Err(error) = store.scavenge(new_id().uuid(), now(), Thoroughness::Worthwhile)
        {
            tell("giving space back", &error);
        }
    }
}

/// The first after one interval. What was missed is not made up for.
fn ticks(interval: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval_at(Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn tell(what: &str, error: &AppendError) {
    // Whoever appends is told so as well, and the next time it may have passed.
    match error.is_for_everybody() {
        true => tracing::debug!(%error, "{what} has to wait"),
        false => tracing::warn!(%error, "{what} failed; it is tried again"),
    }
}
