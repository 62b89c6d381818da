//! Waiting for newer events. A waiter costs a little memory; waking it never delays an append.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::event::{Source, StreamName};

/// Who waits for which source.
pub(crate) struct Waiters {
    bells: Mutex<HashMap<Source, watch::Sender<()>>>,
    waiting: AtomicUsize,
    ringer: Mutex<Sender<Vec<StreamName>>>,
}

/// Tells when a source has a newer event than when the watch was made.
pub struct Watch {
    source: Source,
    bell: Option<watch::Receiver<()>>,
    waiters: Arc<Waiters>,
}

impl Waiters {
    /// The other end is for [`Self::ring`], on a thread of its own.
    pub(crate) fn new() -> (Arc<Self>, Receiver<Vec<StreamName>>) {
        let (ringer, rung) = channel();
        let waiters = Self { bells: Mutex::default(), waiting: AtomicUsize::new(0), ringer: Mutex::new(ringer) };
        (Arc::new(waiters), rung)
    }

    fn bells(&self) -> MutexGuard<'_, HashMap<Source, watch::Sender<()>>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn watch(self: &Arc<Self>, source: &Source) -> Watch {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let bell = self.bells().entry(source.clone()).or_insert_with(|| watch::channel(()).0).subscribe();
        Watch { source: source.clone(), bell: Some(bell), waiters: self.clone() }
    }

    /// Called by the writer after these streams' events were published. Returns at once.
    pub(crate) fn published(&self, streams: impl Iterator<Item = StreamName>) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            // Without a ringer (the store is closing) nobody needs to be woken.
            let _ = self.ringer.lock().unwrap_or_else(PoisonError::into_inner).send(streams.collect());
        }
    }

    /// Wakes waiters until the store is closed.
    pub(crate) fn ring(self: &Arc<Self>, rung: &Receiver<Vec<StreamName>>) {
        while let Ok(streams) = rung.recv() {
            if streams.is_empty() {
                return;
            }
            let bells = self.bells();
            let rung = streams.into_iter().map(Source::Stream).chain([Source::All]);
            for bell in rung.filter_map(|source| bells.get(&source)) {
                bell.send_replace(());
            }
        }
    }

    /// Ends [`Self::ring`].
    pub(crate) fn close(&self) {
        let _ = self.ringer.lock().unwrap_or_else(PoisonError::into_inner).send(Vec::new());
    }
}

impl Watch {
    /// Returns once the source has an event that was published after the watch was made (or after the last
    /// return). It may return without one; look again.
    pub async fn changed(&mut self) {
        if let Some(bell) = &mut self.bell {
            // The bell stays as long as somebody listens to it, so it cannot be gone.
            let _ = bell.changed().await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut bells = self.waiters.bells();
        self.bell = None;
        if bells.get(&self.source).is_some_and(|bell| bell.receiver_count() == 0) {
            bells.remove(&self.source);
        }
        self.waiters.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
