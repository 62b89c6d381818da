//! Waiting for newer events. A waiter costs a little memory; waking it never delays an append.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::event::{Derived, Event, Position, Source, StreamName};

use super::derived::Kinds;
use super::view::State;

/// Who waits for which source.
pub(crate) struct Waiters {
    bells: Mutex<HashMap<Source, watch::Sender<()>>>,
    waiting: AtomicUsize,
    ringer: Mutex<Sender<News>>,
}

/// What a group has brought.
pub(crate) enum News {
    /// Events of these streams, from position `first` on, in the tail of this state.
    Published { streams: Vec<StreamName>, state: Arc<State>, first: Position },
    /// The store is closing.
    Close,
}

/// Tells when a source has a newer event than when the watch was made.
pub struct Watch {
    source: Source,
    bell: Option<watch::Receiver<()>>,
    waiters: Arc<Waiters>,
}

impl Waiters {
    /// The other end is for [`Self::ring`], on a thread of its own.
    pub(crate) fn new() -> (Arc<Self>, Receiver<News>) {
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

    /// Called by the writer after a group was published; `news` is asked for only if anybody waits. Returns at once.
    pub(crate) fn published(&self, news: impl FnOnce() -> News) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.tell(news());
        }
    }

    fn tell(&self, news: News) {
        // Without a ringer (the store is closing) nobody needs to be woken.
        let _ = self.ringer.lock().unwrap_or_else(PoisonError::into_inner).send(news);
    }

    /// Wakes waiters until the store is closed.
    pub(crate) fn ring(self: &Arc<Self>, rung: &Receiver<News>) {
        while let Ok(News::Published { streams, state, first }) = rung.recv() {
            let derived = self.derived(&state, first);
            let bells = self.bells();
            let rung = streams.into_iter().map(Source::Stream).chain(derived).chain([Source::All]);
            for bell in rung.filter_map(|source| bells.get(&source)) {
                bell.send_replace(());
            }
        }
    }

    /// The derived streams, of the kinds that somebody waits for, that have got an event from `first` on.
    fn derived(&self, state: &State, first: Position) -> HashSet<Source> {
        let kind = |source: &Source| match source {
            Source::Derived(kind, _) => Some(*kind),
            Source::All | Source::Stream(_) => None,
        };
        let awaited: Kinds = self.bells().keys().filter_map(kind).collect();
        let Some(last) = state.log.next.before().filter(|_| awaited != Kinds::NONE) else { return HashSet::new() };
        let mut events = Vec::new();
        for segment in state.tail.iter() {
            segment.log_events(first.max(segment.first()), last, &mut events);
        }
        let streams_of = |event: &Event| {
            let stream = |kind: Derived, event| Some(Source::Derived(kind, kind.stream_of(event)?));
            awaited.iter().filter_map(|kind| stream(kind, event)).collect::<Vec<_>>()
        };
        events.iter().flat_map(streams_of).collect()
    }

    /// Ends [`Self::ring`].
    pub(crate) fn close(&self) {
        self.tell(News::Close);
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
