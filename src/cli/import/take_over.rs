//! From another server, by its AtomPub API, into a new log.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::address::BaseUrl;
use crate::cli::export::{now, say};
use crate::cli::progress::Progress;
use crate::cli::{Environment, Exit, Failure};
use crate::client::Credentials;
use crate::event::StreamName;
use crate::replica::eventstore::{Origin, TakeOverError, open, take_over};

/// The variable that holds the password, so that it stands neither in a file nor on the command line.
pub(super) const PASSWORD: &str = "EVERFEED_IMPORT_PASSWORD";

pub(super) async fn run(data: &Path, origin: &Origin) -> Result<(), Failure> {
    let store = open(data, origin, new_id(), now())?;
    let mut progress = Progress::new("importing");
    // How many there are the source does not say.
    let done = take_over(&store, data, origin, |next| progress.show(next.get(), next.get())).await;
    progress.end();
    let (log, has_failed) = (store.identity().log, store.has_failed());
    // A thread that panicked in closing has said so.
    let _ = tokio::task::spawn_blocking(move || store.close()).await;
    let report = match done {
        Err(error) if has_failed => return Err(Failure::new(Exit::StorageFailed, error)),
        done => done?,
    };
    for (what, events) in &report.remarks {
        say(&format!("{events} {what}"));
    }
    say(&format!("{} events imported; log {log}, epoch 0", report.rows));
    Ok(())
}

/// What to read, and as whom.
pub(super) fn origin(
    url: &str,
    streams: &[StreamName],
    user: Option<&str>,
    password_file: Option<&PathBuf>,
    environment: &Environment,
) -> Result<Origin, Failure> {
    let usage = |why: String| Failure::new(Exit::Usage, why);
    let url = BaseUrl::parse(url).map_err(|error| usage(format!("--from-eventstore {url}: {error}")))?;
    let credentials = match user {
        None => Credentials::None,
        Some(user) => Credentials::Basic { user: user.into(), password: password(password_file, environment)? },
    };
    Ok(Origin { url, streams: streams.to_vec(), credentials })
}

fn password(file: Option<&PathBuf>, environment: &Environment) -> Result<String, Failure> {
    let usage = |why: String| Failure::new(Exit::Usage, why);
    if let Some(file) = file {
        let text = std::fs::read_to_string(file).map_err(|error| usage(format!("{}: {error}", file.display())))?;
        return Ok(text.trim_end_matches(['\r', '\n']).to_string());
    }
    let value = environment.iter().find(|(name, _)| name == PASSWORD).map(|(_, value)| value);
    let value =
        value.ok_or_else(|| usage(format!("a user needs --password-file, or {PASSWORD} in the environment")))?;
    value.clone().into_string().map_err(|_| usage(format!("{PASSWORD} is not UTF-8")))
}

impl From<TakeOverError> for Failure {
    fn from(error: TakeOverError) -> Self {
        match error {
            TakeOverError::Import(error) => error.into(),
            TakeOverError::AnotherStore(_) => Self::new(Exit::Usage, error),
            TakeOverError::Follow(_) | TakeOverError::Event { .. } | TakeOverError::Replicate(_) => Self::failed(error),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a new log gets its identity here")]
fn new_id() -> Uuid {
    Uuid::now_v7()
}
