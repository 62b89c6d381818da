//! The log that is mirrored, where another server publishes it.

use serde::Deserialize;
use uuid::Uuid;

use super::MirrorError;
use crate::address::{Address, BaseUrl, Direction, PageRequest, Place, Suffix};
use crate::client::{Checkpoint, Credentials, Follower, Following, Log, Prefer, Start, Tls};
use crate::event::{Count, Event, Number, Source};
use crate::store::Identity;

/// The events on a page as servers link them if nothing else is set, so that caches have it.
const PAGE_EVENTS: u64 = 100;

/// Another server, and who we are to it.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Where it is.
    pub base: BaseUrl,
    /// Who asks.
    pub credentials: Credentials,
    /// Whom to trust over TLS, and what to show.
    pub tls: Tls,
}

/// Where the other log stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Which log it is.
    pub identity: Identity,
    /// How many events it has.
    pub events: u64,
}

/// What a server says of itself, as far as it matters here.
#[derive(Deserialize)]
struct Info {
    log: Uuid,
    epoch: u32,
    events: u64,
}

impl Origin {
    /// Asks where the log stands. A server that does not answer is waited for.
    ///
    /// # Errors
    /// When the server refuses, or is no Everfeed server.
    pub async fn standing(&self) -> Result<Standing, MirrorError> {
        let url = self.base.url(&Address::Info);
        let document = self.following().document(&url).await?;
        match serde_json::from_slice(&document) {
            Ok(Info { log, epoch, events }) => Ok(Standing { identity: Identity { log, epoch }, events }),
            Err(error) => Err(MirrorError::NoServer { url, why: error.to_string() }),
        }
    }

    /// Follows the log, from its first event or after this one of it.
    pub(super) fn follow(&self, after: Option<&Event>, log: Identity) -> Result<Follower, MirrorError> {
        let start = match after {
            None => Start::Beginning,
            Some(event) => Start::After(self.checkpoint(event, log)),
        };
        Ok(self.following().from(start).start()?)
    }

    fn following(&self) -> Following {
        let following = Follower::of(&self.feed()).form(Prefer::Lines).credentials(self.credentials.clone());
        following.tls(self.tls.clone())
    }

    fn feed(&self) -> String {
        self.base.stream(&Source::All, Suffix::Ndjson, None)
    }

    /// The place right after an event of the log: on the page that others ask for too.
    fn checkpoint(&self, event: &Event, Identity { log: id, epoch }: Identity) -> Checkpoint {
        let count = Count::new(PAGE_EVENTS).expect("a count");
        let position = event.position.get();
        let first = Number::new(position - position % PAGE_EVENTS).expect("below a position");
        let request = PageRequest { from: Place::Number(first), direction: Direction::Forward, count };
        Checkpoint {
            feed: self.feed(),
            page: self.base.page(&Source::All, &request, Suffix::Ndjson, None),
            event: event.id.to_string(),
            place: Some(position),
            time_micros: event.time.micros(),
            log: Some(Log { id, epoch }),
            feed_id: None,
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.base.fmt(f)
    }
}
