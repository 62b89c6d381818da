//! Into a directory: the log that was exported, with its identity, ids, places, times and settings.

use std::path::{Path, PathBuf};

use super::{Far, Input, unreadable};
use crate::cli::export::{now, say};
use crate::cli::{Exit, Failure};
use crate::event::Position;
use crate::replica::import::{Epoch, ImportError, finish, open, take_in};
use crate::store::Store;

pub(super) async fn run(data: &Path, files: &[PathBuf], same_epoch: bool) -> Result<(), Failure> {
    let mut store: Option<Store> = None;
    let done = into(&mut store, data, files, same_epoch).await;
    let Some(store) = store else { return done };
    let has_failed = store.has_failed();
    let closing = store.clone();
    // A thread that panicked in closing has said so.
    let _ = tokio::task::spawn_blocking(move || closing.close()).await;
    match done {
        Err(failure) if has_failed => Err(Failure::new(Exit::StorageFailed, failure)),
        done => done,
    }
}

async fn into(store: &mut Option<Store>, data: &Path, files: &[PathBuf], same_epoch: bool) -> Result<(), Failure> {
    let mut next = Position::ZERO;
    for path in files {
        let input = Input::open(path)?;
        let mut far = Far::of(&input);
        let opened = open(data, path, input.reader.header(), now(), store.as_ref())?;
        let store = store.insert(opened);
        next = take_in(store, path, input.reader, |_| far.show()).await?;
        far.progress.end();
    }
    let Some(store) = store else { return Ok(()) };
    let epoch = if same_epoch { Epoch::Same } else { Epoch::New };
    let identity = finish(store, epoch).await?;
    say(&format!("{next} events imported; log {}, epoch {}", identity.log, identity.epoch));
    Ok(())
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Unreadable { path, fault } => unreadable(&path, &fault),
            ImportError::Open(error) => error.into(),
            ImportError::NoRow(_) => Self::new(Exit::Damaged, error),
            ImportError::OneStream { .. }
            | ImportError::NotEmpty { .. }
            | ImportError::AnotherLog { .. }
            | ImportError::AnotherEpoch { .. }
            | ImportError::OtherReplica { .. }
            | ImportError::Gap { .. } => Self::new(Exit::Usage, error),
            ImportError::Replicate(_) => Self::failed(error),
        }
    }
}
