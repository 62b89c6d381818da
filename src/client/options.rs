//! How to follow: where to begin, what to do at the end, and what to put up with.

use std::path::PathBuf;
use std::time::Duration;

use super::follower::Follower;
use super::pages::Pages;
use super::{Checkpoint, FollowError};
use crate::event::Timestamp;

/// Where to begin.
#[derive(Debug, Clone, Default)]
pub enum Start {
    /// With the first event there is.
    #[default]
    Beginning,
    /// Right after the event of this checkpoint.
    After(Checkpoint),
    /// With the first event that is not older.
    Since(Timestamp),
    /// With the events of this page, whose URL is known to whoever follows, and those that come after it.
    Page(String),
    /// With what happens from now on.
    New,
}

/// How to hear of new events once all there are have been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Live {
    /// The server holds each request until something happens. A server that cannot is asked every second, or as seldom
    /// as its answers say how long they are good for.
    #[default]
    LongPoll,
    /// The server sends events as they happen (`text/event-stream`). One that cannot is asked as by `LongPoll`.
    Sse,
    /// Asking every so often.
    Poll(Duration),
}

/// Who follows. Sent to the server of the feed's own URL alone, wherever links may lead.
#[derive(Clone, Default)]
pub enum Credentials {
    /// Anybody.
    #[default]
    None,
    /// RFC 7617.
    Basic {
        /// Without a colon.
        user: String,
        /// Any text.
        password: String,
    },
    /// RFC 6750.
    Bearer(String),
}

/// What TLS takes on this side. The default trusts whom the system trusts, and shows nothing.
#[derive(Clone, Default)]
pub struct Tls {
    /// Certificates of authorities, as PEM, that are trusted beside those of the system.
    pub roots: Vec<Vec<u8>>,
    /// A certificate of one's own for servers that ask for one, its chain and its key, as PEM.
    pub own: Option<Vec<u8>>,
}

/// What form to ask a server for. By default it is the first of these that the server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefer {
    /// Our lines of JSON: the fastest to read.
    Lines,
    /// EventStore's JSON feed, with the events in it.
    EventStore,
    /// Atom.
    Atom,
}

/// A follower that has not started yet: [`Follower::of`].
#[derive(Debug, Clone)]
#[must_use = "it follows nothing until it is started"]
pub struct Following {
    pub(super) url: String,
    pub(super) start: Start,
    pub(super) live: Live,
    pub(super) credentials: Credentials,
    pub(super) name: Option<String>,
    pub(super) cache: Option<PathBuf>,
    pub(super) prefetch_pages: usize,
    pub(super) ends_at_the_end: bool,
    pub(super) skips_truncated: bool,
    pub(super) gives_up_after: Option<Duration>,
    pub(super) tls: Tls,
    pub(super) prefer: Option<Prefer>,
    pub(super) shows_links: bool,
}

/// More pages on the way at once than this no link needs.
const PREFETCH_PAGES_MAX: usize = 64;

impl Following {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.to_string(),
            start: Start::default(),
            live: Live::default(),
            credentials: Credentials::default(),
            name: None,
            cache: None,
            prefetch_pages: 8,
            ends_at_the_end: false,
            skips_truncated: false,
            gives_up_after: None,
            tls: Tls::default(),
            prefer: None,
            shows_links: false,
        }
    }

    /// What will be followed.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where to begin. Default: the beginning.
    pub fn from(self, start: Start) -> Self {
        Self { start, ..self }
    }

    /// Who follows. Default: anybody.
    pub fn credentials(self, credentials: Credentials) -> Self {
        Self { credentials, ..self }
    }

    /// What it calls itself to the server of the feed, in ASCII: whoever looks after that server sees under this name how
    /// far it is. Default: it is told from others by its program and its address.
    pub fn named(self, name: &str) -> Self {
        Self { name: Some(name.to_string()), ..self }
    }

    /// Keeps pages in this directory as far as their headers allow it, so that the next replay finds them there. It is
    /// made if it is not there, and may be shared and deleted at will.
    pub fn cache(self, directory: impl Into<PathBuf>) -> Self {
        Self { cache: Some(directory.into()), ..self }
    }

    /// How many pages are fetched ahead of the one being read. Default: 8.
    pub fn prefetch(self, pages: usize) -> Self {
        Self { prefetch_pages: pages.clamp(1, PREFETCH_PAGES_MAX), ..self }
    }

    /// How to hear of new events. Default: by long polls.
    pub fn live(self, live: Live) -> Self {
        Self { live, ..self }
    }

    /// Ends when all events there are have been read. A feed that is not there is an error then; else it is waited for.
    pub fn ends_at_the_end(self) -> Self {
        Self { ends_at_the_end: true, ..self }
    }

    /// Goes on where events were truncated or deleted before they were read. By default that ends it, with
    /// [`FollowError::Truncated`].
    pub fn skips_truncated(self) -> Self {
        Self { skips_truncated: true, ..self }
    }

    /// Ends when a request has failed for so long. Default: never; an outage is waited out.
    pub fn gives_up_after(self, time: Duration) -> Self {
        Self { gives_up_after: Some(time), ..self }
    }

    /// Trusts servers whose certificates these vouch for, beside those that the system trusts: certificates of
    /// authorities, as PEM.
    pub fn trusting(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls.roots.push(pem.into());
        self
    }

    /// Shows a certificate of one's own to servers that ask for one: with its chain and its key, as PEM.
    pub fn showing(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls.own = Some(pem.into());
        self
    }

    /// Whom to trust and what to show, all at once.
    pub fn tls(self, tls: Tls) -> Self {
        Self { tls, ..self }
    }

    /// Asks for this form alone. Default: whichever the server has, and of several the one that says most.
    pub fn form(self, form: Prefer) -> Self {
        Self { prefer: Some(form), ..self }
    }

    /// Shows links (`$>`) as the events that they are, where EventStore's JSON would show what they lead to. Not every
    /// server does as it is told.
    pub fn shows_links(self) -> Self {
        Self { shows_links: true, ..self }
    }

    /// Reads single pages instead of following.
    ///
    /// # Errors
    /// [`FollowError::Usage`] or [`FollowError::Local`], as of [`Self::start`].
    pub fn pages(&self) -> Result<Pages, FollowError> {
        Pages::of(self)
    }

    /// Starts it, on the runtime of the caller.
    ///
    /// # Errors
    /// [`FollowError::Usage`] for a URL, a checkpoint or an option that cannot be, or outside of a runtime;
    /// [`FollowError::Local`] if the cache's directory cannot be used. What the server has to say comes with the first
    /// event that is asked for.
    pub fn start(self) -> Result<Follower, FollowError> {
        Follower::start(self)
    }
}

impl std::fmt::Debug for Tls {
    /// Not the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("roots", &self.roots.len()).field("own", &self.own.is_some()).finish()
    }
}

impl std::fmt::Debug for Credentials {
    /// Not the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic",
            Self::Bearer(_) => "Bearer",
        })
    }
}
