//! From another server, by its AtomPub API, into a new log.

use std::path::Path;

use uuid::Uuid;

use crate::address::BaseUrl;
use crate::cli::export::{now, say};
use crate::cli::progress::Progress;
use crate::cli::who::Who;
use crate::cli::{Exit, Failure};
use crate::event::StreamName;
use crate::replica::eventstore::{Origin, TakeOverError, open, take_over};

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
pub(super) fn origin(url: &str, streams: &[StreamName], who: &Who) -> Result<Origin, Failure> {
    let url = BaseUrl::parse(url)
        .map_err(|error| Failure::new(Exit::Usage, format_args!("--from-eventstore {url}: {error}")))?;
    Ok(Origin { url, streams: streams.to_vec(), credentials: who.credentials()?, tls: who.tls()? })
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
