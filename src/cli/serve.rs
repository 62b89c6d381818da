//! `everfeed serve`: the server, until it is told to stop.

use std::path::Path;

use crate::config::Config;
use crate::server::{self, Error, Start, Supervisor};
use crate::store::OpenError;
use crate::telemetry;

use super::settings::Options;
use super::{Environment, Failure};

pub(super) fn run(options: &Options, environment: Environment) -> Result<(), Failure> {
    let (config, start) = begin(options, environment)?;
    server::run(start).map_err(|error| tell(&config, error))
}

/// Reads the settings, and begins to log.
pub(super) fn begin(options: &Options, environment: Environment) -> Result<(Config, Start), Failure> {
    let loaded = options.load(environment.clone())?;
    let config = loaded.config.clone();
    let level = telemetry::start(&config.log);
    let supervisor = Supervisor::of(&environment, std::process::id());
    let options = options.clone();
    let load_again = Box::new(move || options.load(environment.clone()));
    Ok((config, Start { loaded, load_again, level, supervisor }))
}

/// Says in the log why a server ended, once.
pub(super) fn tell(config: &Config, error: Error) -> Failure {
    if matches!(error, Error::Store(OpenError::Damaged { .. })) {
        tracing::error!(%error, repair = %repair_command(&config.data), "cannot start; this rebuilds what can be read");
    } else {
        tracing::error!(%error, "the server ended");
    }
    // The log has told it.
    Failure::from(error).silent()
}

/// To be pasted into a shell.
fn repair_command(data: &Path) -> String {
    let data = data.display().to_string();
    let data = data.trim_end_matches('/');
    let quoted = |path: &str| format!("'{}'", path.replace('\'', r"'\''"));
    format!("everfeed repair --data {} --into {}", quoted(data), quoted(&format!("{data}.repaired")))
}
