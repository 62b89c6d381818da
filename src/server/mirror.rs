//! A server whose store is a replica: while it serves, it takes in what another server publishes.

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::config::Config;
use crate::replica::{self, MirrorError, Mirrored, Origin};
use crate::store::{self, NewStore, Recovery, Store};

use super::{Error, new_id, now, open_or_make, until};

/// A replica that is to be made asks the other server who it is. Whoever has mistyped its address learns so.
const FIRST_ANSWER_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(60);

/// What to mirror, and who wants to know how far that is.
pub struct Mirroring {
    /// The other server.
    pub origin: Origin,
    /// Hears of every group that was taken in.
    pub report: Box<dyn FnMut(&Mirrored) + Send>,
}

/// Opens the replica, or makes it.
pub(super) async fn open(config: &Config, origin: &Origin) -> Result<(Store, Recovery), Error> {
    let (log, epoch, replica_of) = if store::holds_store(&config.data) {
        (new_id().uuid(), 0, None)
    } else {
        let standing = timeout(FIRST_ANSWER_TIME_MAX, origin.standing()).await;
        let identity = standing.map_err(|_| Error::NoAnswer { origin: origin.to_string() })??.identity;
        (identity.log, identity.epoch, Some(origin.to_string()))
    };
    let (store, recovery) = open_or_make(config, NewStore { log, epoch, created: now(), replica_of }).await?;
    match store.replica_of() {
        Some(_) => Ok((store, recovery)),
        None => Err(Error::NoReplica { data: config.data.clone() }),
    }
}

/// Mirrors until the server is told to stop, or the store takes appends. An error ends the server.
pub(super) fn start(
    mut mirroring: Mirroring,
    store: &Store,
    drain: watch::Sender<bool>,
) -> JoinHandle<Result<(), MirrorError>> {
    let store = store.clone();
    tokio::spawn(async move {
        let mirror = async {
            let ended = replica::mirror(&store, &mirroring.origin, &mut *mirroring.report).await;
            match &ended {
                Ok(()) => tracing::info!("this is no replica any more; it takes appends"),
                Err(error) => {
                    tracing::error!(%error, "mirroring ended, and the server with it");
                    drain.send_replace(true);
                }
            }
            ended
        };
        until(drain.subscribe(), mirror).await.unwrap_or(Ok(()))
    })
}
