//! What the writer does for a replica: it takes in rows, and notes what becomes of the store.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::decide::Group;
use super::super::directory::{self, Marker};
use super::super::door::{Batch, Failure};
use super::super::format::{FORMAT, Key, Meta};
use super::super::view::View;
use super::super::writer::Writer;
use super::super::{AppendError, Identity, failpoint};
use super::{ReplicateError, Role, Rows};

impl Writer {
    /// Takes in events of another log, all of them or none.
    pub(crate) fn take_rows(&mut self, rows: Rows) {
        let refusal = match self.shared.replica_of.load().is_none() {
            true => Some(ReplicateError::NoReplica),
            false => self.shared.refuses_everything().map(ReplicateError::Store),
        };
        let bytes_about = rows.row_bytes_about();
        let Rows { events, fingerprints, answer } = rows;
        let taken = refusal.map_or(Ok(()), Err).and_then(|()| {
            let view = View { state: self.shared.state.load_full(), shared: self.shared.clone() };
            let mut group = Group::new(view.log(), bytes_about);
            for (event, fingerprint) in events.into_iter().zip(fingerprints) {
                group.take_in(&view, event, fingerprint)?;
            }
            let next = group.log.next;
            let unknown = |failure: Failure| AppendError::OutcomeUnknown(failure.to_string());
            self.commit(group).map_err(unknown)?;
            Ok(next)
        });
        // As with appends.
        let _ = answer.send(taken);
        self.tidy();
    }

    /// Changes what the store is. The epoch comes first: should it end half way, the store is still a replica, and says
    /// that its epoch is not the other log's.
    pub(crate) fn turn(&mut self, role: Role) -> Result<Identity, ReplicateError> {
        if self.shared.replica_of.load().is_none() {
            return Err(ReplicateError::NoReplica);
        }
        if !self.shared.is_writable() {
            return Err(self.shared.refuses_everything().map_or(ReplicateError::NoReplica, ReplicateError::Store));
        }
        let (epoch, of) = match role {
            Role::Replica { of, epoch } => (epoch, Some(of)),
            Role::Complete => (self.meta.epoch, None),
            Role::Promoted => (self.meta.epoch.saturating_add(1), None),
        };
        if epoch != self.meta.epoch {
            let meta = Meta { epoch, ..self.meta.clone() };
            let mut batch = Batch::default();
            batch.insert(Key::Meta.encode(), meta.encode());
            if let Err(failure) = self.door.write(batch).and_then(|()| self.door.sync()) {
                self.shared.stop_writing(&failure.to_string());
                return Err(AppendError::OutcomeUnknown(failure.to_string()).into());
            }
            self.meta = meta;
            self.shared.epoch.store(epoch, Ordering::SeqCst);
            failpoint::reached("turn.epoch_synced");
        }
        directory::mark(&self.mark, &Marker { format: FORMAT, log: self.meta.log, replica_of: of.clone() })
            .map_err(|error| AppendError::OutcomeUnknown(error.to_string()))?;
        failpoint::reached("turn.marked");
        self.shared.replica_of.store(of.map(Arc::new));
        self.shared.turned.notify_waiters();
        Ok(self.shared.identity())
    }
}
