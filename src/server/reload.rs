//! SIGHUP: the settings are read again, and what can change while the server runs does.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::config::{self, Loaded};
use crate::http::Tls;
use crate::telemetry::Level;

use super::{tls, until};

/// What takes effect without a new start.
const RELOADED: [&str; 4] = ["log.level", "tls.certificate", "tls.key", "tls.client_ca"];

/// The settings that a server was started with, and how to read them again.
pub struct Start {
    /// As they were at the start.
    pub loaded: Loaded,
    /// Reads them again, from where they came from.
    pub load_again: Box<dyn Fn() -> Result<Loaded, config::Error> + Send + Sync>,
    /// Which lines the log shows.
    pub level: Level,
}

/// What can change.
pub(super) struct Reloaded {
    pub(super) tls: Option<Arc<Tls>>,
}

/// From now on SIGHUP reloads, until the server is told to stop.
///
/// # Errors
/// When the signal cannot be listened for.
pub(super) fn on_hangup(start: Start, reloaded: Reloaded, draining: &watch::Receiver<bool>) -> std::io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let reloading = async move {
        while hangup.recv().await.is_some() {
            reload(&start, &reloaded);
        }
    };
    tokio::spawn(until(draining.clone(), reloading));
    Ok(())
}

/// Whatever cannot be read leaves all as it is.
fn reload(start: &Start, reloaded: &Reloaded) {
    let loaded = match (start.load_again)() {
        Ok(loaded) => loaded,
        Err(error) => return tracing::error!(%error, "the settings could not be read again; nothing has changed"),
    };
    let mut done = Vec::new();
    start.level.set(&loaded.config.log.level);
    done.push("log.level");
    if let Some(tls) = &reloaded.tls {
        match tls::reload(&loaded.config, tls) {
            Ok(true) => done.push("certificates"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the certificates could not be read again; the old ones go on"),
        }
    }
    for name in changed(&start.loaded, &loaded) {
        tracing::warn!(setting = name, "this setting has changed, and takes effect at the next start");
    }
    tracing::info!(what = done.join(", "), "reloaded");
}

/// The settings that differ from those at the start and are not read while it runs.
fn changed(before: &Loaded, now: &Loaded) -> Vec<&'static str> {
    let pairs = before.values.iter().zip(&now.values);
    let changed = pairs.filter(|(before, now)| before.text != now.text).map(|(before, _)| before.setting.name);
    changed.filter(|name| !RELOADED.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Flag, Flags};

    fn loaded(settings: &[(&str, &str)]) -> Loaded {
        let flag = |(setting, value): &(&str, &str)| Flag {
            flag: "--set".into(),
            setting: (*setting).into(),
            value: (*value).into(),
        };
        let flags = Flags { file: None, values: settings.iter().map(flag).collect() };
        Config::load(&flags, []).expect("they are sound")
    }

    #[test]
    fn what_has_changed_and_is_not_read_while_it_runs_is_named() {
        let now = loaded(&[("log.level", "debug"), ("page_size", "20"), ("limits.body", "1 MiB")]);
        assert_eq!(changed(&loaded(&[]), &now), ["page_size", "limits.body"]);
        assert!(changed(&now, &now).is_empty());
    }
}
