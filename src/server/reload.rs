//! SIGHUP: the settings are read again, and what can change while the server runs does.

use std::sync::Arc;

use tokio::signal::unix::Signal;

use crate::access::{Access, Identities};
use crate::config::{self, Config, Loaded};
use crate::http::Tls;
use crate::telemetry::Level;

use super::{Error, Supervisor, rules, tls};

/// The settings that a server was started with, and how to read them again.
pub struct Start {
    /// As they were at the start.
    pub loaded: Loaded,
    /// Reads them again, from where they came from.
    pub load_again: Box<dyn Fn() -> Result<Loaded, config::Error> + Send + Sync>,
    /// Which lines the log shows.
    pub level: Level,
    /// Who watches over the server.
    pub supervisor: Supervisor,
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
    let mut config = start.loaded.config.clone();
    while hangup.recv().await.is_some() {
        reload(&start, &reloaded, &mut config);
    }
}

/// What cannot be read leaves things as they are, and keeps nothing else from being read: whoever takes away a right, or
/// replaces a key that was stolen, must not have to find a mistake elsewhere first.
fn reload(start: &Start, reloaded: &Reloaded, config: &mut Config) {
    let mut done = Vec::new();
    match (start.load_again)() {
        Ok(loaded) => {
            for name in changed(&start.loaded, &loaded).filter(|name| !reloaded.takes(name, &loaded.config)) {
                tracing::warn!(setting = name, "this setting has changed, and takes effect at the next start");
            }
            *config = loaded.config;
            start.level.set(&config.log);
            done.push("log level");
        }
        Err(error) => tracing::error!(
            %error,
            "the settings could not be read again, and stay as they were; the files that they name are read again"
        ),
    }
    let mut tell = |what, result: Result<bool, Error>| match result {
        Ok(true) => done.push(what),
        Ok(false) => {}
        Err(error) => tracing::error!(what, %error, "could not be read again; what was read before goes on"),
    };
    tell("rules", reloaded.rules(config));
    tell("users", reloaded.users());
    #[cfg(feature = "jwt")]
    tell("keys of tokens", reloaded.issuer());
    tell("certificates", reloaded.tls.as_ref().map_or(Ok(false), |tls| tls::reload(config, tls)));
    let what = if done.is_empty() { "nothing".to_string() } else { done.join(", ") };
    tracing::info!(what, "reloaded");
}

impl Reloaded {
    /// Whether what this setting says now takes effect without a new start. A server that began without TLS, or without
    /// access, goes on without.
    fn takes(&self, name: &str, now: &Config) -> bool {
        match name {
            "log.access" | "log.level" => true,
            "access.rules" => !self.access.is_open(),
            "tls.certificate" | "tls.client_ca" | "tls.client_required" | "tls.key" => {
                self.tls.is_some() && now.tls.certificate.is_some()
            }
            _ => false,
        }
    }

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
    fn issuer(&self) -> Result<bool, Error> {
        let Some(identities) = &self.identities else { return Ok(false) };
        identities.reload_issuer().map_err(|error| Error::Issuer(error.to_string()))
    }

    /// Whether there are any.
    fn users(&self) -> Result<bool, Error> {
        let Some(identities) = &self.identities else { return Ok(false) };
        identities.reload()?;
        Ok(true)
    }
}

/// The settings that differ from those at the start.
fn changed(before: &Loaded, now: &Loaded) -> impl Iterator<Item = &'static str> {
    let pairs = before.values.iter().zip(&now.values);
    pairs.filter(|(before, now)| before.text != now.text).map(|(before, _)| before.setting.name)
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
    fn what_has_changed_is_named() {
        let now = loaded(&[("log.level", "debug"), ("page_size", "20"), ("limits.body", "1 MiB")]);
        assert_eq!(changed(&loaded(&[]), &now).collect::<Vec<_>>(), ["page_size", "limits.body", "log.level"]);
        assert_eq!(changed(&now, &now).count(), 0);
    }

    /// Certificates that were set while a server without TLS ran were taken for reloaded, and nobody was told that events
    /// still went over the network as they are.
    #[test]
    fn what_a_server_began_without_it_does_not_take_up_while_it_runs() {
        let open = Reloaded { access: Access::open(), identities: None, tls: None };
        let files = [("tls.certificate", "a.pem"), ("tls.key", "a.key"), ("access.rules", "rules.toml")];
        let now = loaded(&files).config;
        for (name, _) in files {
            assert!(!open.takes(name, &now), "{name}");
        }
        assert!(open.takes("log.level", &now));
    }
}
