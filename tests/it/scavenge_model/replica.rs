//! A replica beside the store: fed in batches of any size, by views of any age, restarted and scavenged in between.

use std::path::{Path, PathBuf};

use everfeed::event::{Event, Number, Order, Source, Timestamp};
use everfeed::store::{Left, NewStore, Row, Store, Thoroughness, View};
use uuid::Uuid;

use crate::workload::{self, Random};

pub(super) struct Replica {
    data: PathBuf,
    store: Store,
}

fn open(data: &Path) -> Store {
    let new = NewStore {
        log: Uuid::from_u128(42),
        epoch: 0,
        created: Timestamp::default(),
        replica_of: Some("the model".into()),
    };
    Store::open_or_make(&workload::options(data), &new).expect("it opens").0
}

/// What a feed tells of an event.
fn row(event: Event) -> Row {
    let Event { stream, number, position, time, id, event_type, digest, content, kept_correlation, .. } = event;
    let left = match content {
        Some(content) => Left::Content(content),
        None => Left::Removed { digest, correlation: kept_correlation },
    };
    Row { stream, number, position, time, id, event_type, left }
}

impl Replica {
    pub(super) fn new(data: PathBuf) -> Self {
        Self { store: open(&data), data }
    }

    pub(super) fn view(&self) -> View {
        self.store.view()
    }

    /// Takes in some of what a view of the source shows, and perhaps again some that is here.
    pub(super) async fn take(&self, source: &View, random: &mut Random) {
        let here = self.store.view().log().next.get();
        let from = Number::new(here.saturating_sub(random.below(20))).expect("in range");
        let last = Number::new(here + random.below(60)).expect("in range");
        let events = source.read_blocking(&Source::All, from, last, Order::OldestFirst, usize::MAX).expect("read");
        self.store.replicate(events.into_iter().map(row).collect()).await.expect("taken in");
    }

    /// Takes in all that is left.
    pub(super) async fn catch_up(&self, source: &View, random: &mut Random) {
        while self.store.view().log().next < source.log().next {
            self.take(source, random).await;
        }
    }

    pub(super) fn scavenge(&self, id: Uuid) {
        self.store.scavenge(id, Timestamp::default(), Thoroughness::Everything).expect("it is taken");
    }

    pub(super) fn restart(self) -> Self {
        let Self { data, store } = self;
        store.close();
        drop(store);
        Self::new(data)
    }
}
