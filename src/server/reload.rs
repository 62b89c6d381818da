//! SIGHUP: the settings are read again, and what can change while the server runs does.

use std::sync::Arc;

use tokio::signal::unix::Signal;

use crate::access::{Access, Identities};
use crate::config::{self, Config, Loaded};
use crate::http::Tls;
use crate::telemetry::Level;

use super::{Error, rules, tls};

/// What takes effect without a new start.
const RELOADED: [&str; 5] = ["access.rules", "log.level", "tls.certificate", "tls.client_ca", "tls.key"];

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
    pub(super) access: Access,
    /// Those who are known; none on a server that is open.
    pub(super) identities: Option<Identities>,
    pub(super) tls: Option<Arc<Tls>>,
}

/// Reloads at each signal.
pub(super) async fn at_each(mut hangup: Signal, start: Start, reloaded: Reloaded) {
    while hangup.recv().await.is_some() {
        reload(&start, &reloaded);
    }
}

/// What cannot be read leaves things as they are.
fn reload(start: &Start, reloaded: &Reloaded) {
    let config = match (start.load_again)() {
        Ok(loaded) => {
            for name in changed(&start.loaded, &loaded) {
                tracing::warn!(setting = name, "this setting has changed, and takes effect at the next start");
            }
            loaded.config
        }
        Err(error) => return tracing::error!(%error, "the settings could not be read again; nothing has changed"),
    };
    start.level.set(&config.log.level);
    let mut done = vec!["log level"];
    let mut tell = |what, result: Result<bool, Error>| match result {
        Ok(true) => done.push(what),
        Ok(false) => {}
        Err(error) => tracing::error!(what, %error, "could not be read again; what was read before goes on"),
    };
    tell("rules", reloaded.rules(&config));
    tell("users", reloaded.users());
    #[cfg(feature = "jwt")]
    tell("keys of tokens", reloaded.issuer(&config));
    tell("certificates", reloaded.tls.as_ref().map_or(Ok(false), |tls| tls::reload(&config, tls)));
    tracing::info!(what = done.join(", "), "reloaded");
}

impl Reloaded {
    /// Whether there are any.
    fn rules(&self, config: &Config) -> Result<bool, Error> {
        if self.access.is_open() {
            return Ok(false);
        }
        self.access.reload_rules(rules(&config.access)?);
        Ok(true)
    }

    /// Whether anybody vouches for callers by tokens.
    #[cfg(feature = "jwt")]
    fn issuer(&self, config: &Config) -> Result<bool, Error> {
        let Some(identities) = self.identities.as_ref().filter(|_| config.jwt.keys.is_some()) else { return Ok(false) };
        identities.reload_issuer().map_err(|error| Error::Issuer(error.to_string()))?;
        Ok(true)
    }

    /// Whether there are any.
    fn users(&self) -> Result<bool, Error> {
        let Some(identities) = &self.identities else { return Ok(false) };
        identities.reload()?;
        Ok(true)
    }
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
