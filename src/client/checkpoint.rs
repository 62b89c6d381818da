//! How far a consumer has come: small enough to be kept with what it has made of the events.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::{EventId, Position};
use crate::feed::read::page;

/// The place right after one event of a feed. It is JSON in every store.
///
/// It names the page and the event on it, not a number alone: whoever resumes reads that page again, finds the event,
/// and so knows that the feed is still the one that was followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The URL that following began with.
    pub feed: String,
    /// The page that holds the event.
    pub page: String,
    /// The event's id there.
    pub event: String,
    /// The event's place in the feed, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<u64>,
    /// When the event happened, in microseconds since 1970.
    pub time_micros: i64,
    /// Which log it is from, where the server says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Log>,
    /// The feed's own `id`, where its documents have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed_id: Option<String>,
}

/// Which log a server has, and which unbroken history of it: what the header `Everfeed-Log` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// The log; its backups and mirrors share it.
    pub id: Uuid,
    /// A restore that may lack something begins a new one.
    pub epoch: u32,
}

impl Checkpoint {
    /// Whether this is the event it names: by its id and, since ids are unique only within a stream, by its place.
    pub(super) fn is_of(&self, event: &page::Event) -> bool {
        self.place == event.place && (self.event == event.id.to_string() || self.is_of_hidden(event))
    }

    /// Whether this is the event, which was hidden from the reader then and is not now, or the other way round: its id is
    /// another one, and its place and time are the same.
    fn is_of_hidden(&self, event: &page::Event) -> bool {
        let was_hidden = || {
            let position = Position::new(event.position?).ok()?;
            Some(self.event == EventId::of_hidden(self.log?.id, position).to_string())
        };
        self.place.is_some()
            && self.time_micros == event.time.micros()
            && (event.is_hidden() || was_hidden().unwrap_or_default())
    }

    /// The same checkpoint of the same feed at another URL: of a server that moved, or of a mirror. Whether the feed is
    /// the same is seen when its page is read.
    ///
    /// None if its page's URL does not begin with that of the feed.
    pub(super) fn moved_to(self, feed: &str) -> Option<Self> {
        let page = if self.feed == feed { self.page } else { format!("{feed}{}", self.page.strip_prefix(&self.feed)?) };
        Some(Self { feed: feed.to_string(), page, ..self })
    }
}
