//! Refusals that serving itself comes to, each as what its caller is told.

use crate::access::Caller;
use crate::event::{Number, Source};

use super::super::cache_policy::Freshness;
use super::{Kind, Problem};

/// A reader of a replica that is not told everything yet comes again after so long.
const CATCHING_UP_RETRY_SECONDS: u16 = 5;

/// A backup that its client has left ends by itself, and one that is being made takes a while.
const TOO_MANY_BACKUPS_RETRY_SECONDS: u16 = 30;

/// Only somebody who runs the server can make room for more streams.
const TOO_MANY_STREAMS_RETRY_SECONDS: u16 = 3_600;

impl Problem {
    /// Nothing was ever appended there.
    pub(crate) fn stream_not_found(source: &Source) -> Self {
        Self::new(Kind::StreamNotFound, format!("nothing was ever appended to the stream `{source}`"))
            .freshness(Freshness::MayCome)
            .member("stream", source.name())
    }

    /// There is nothing, or nothing that the caller may see.
    pub(crate) fn nothing_to_see() -> Self {
        Self::new(Kind::StreamNotFound, "there is no such stream, or it is not for you to see")
    }

    /// The same for every stream, whether it is missing or hidden. What it varies by is the request's.
    pub(crate) fn without_particulars(self) -> Self {
        Self { headers: self.headers, ..Self::nothing_to_see() }
    }

    /// The stream was deleted, and nothing was appended to it since.
    pub(crate) fn stream_soft_deleted(source: &Source) -> Self {
        let detail = format!("the stream `{source}` was deleted; an append begins it anew");
        Self { detail, ..Self::stream_not_found(source) }
    }

    /// The stream has no event with this number yet.
    pub(crate) fn event_not_found(source: &Source, number: Number, next: Number) -> Self {
        let newest = next.before().map_or_else(|| "it has none".to_string(), |last| format!("its newest is {last}"));
        Self::new(Kind::EventNotFound, format!("the stream `{source}` has no event {number}; {newest}"))
            .freshness(Freshness::MayCome)
            .member("stream", source.name())
    }

    /// The event was truncated or erased, or went with a deletion of its stream.
    pub(crate) fn event_removed(source: &Source, number: Number) -> Self {
        Self::new(
            Kind::EventRemoved,
            format!("event {number} of the stream `{source}` was truncated, deleted or erased"),
        )
        .member("stream", source.name())
    }

    /// The event is there, and of a stream that the caller may not read. Which one is not said.
    pub(crate) fn event_hidden(caller: &Caller, source: &Source, number: Number) -> Self {
        let detail = format!("event {number} of the stream `{source}` is of a stream that not everybody may read");
        if caller.is_anonymous() {
            Self::new(Kind::Unauthenticated, detail)
        } else {
            Self::new(Kind::Forbidden, detail)
        }
    }

    /// Whoever has waited is no user any more, or the token has ended.
    pub(crate) fn let_in_no_more() -> Self {
        Self::new(Kind::WrongCredentials, "the user or the token that this request came with has ended while it waited")
    }

    /// A header that the server acts on means nothing.
    pub(crate) fn invalid_header(name: &str, why: impl std::fmt::Display) -> Self {
        Self::new(Kind::InvalidHeader, format!("{name}: {why}")).member("header", name)
    }

    /// The store is not open yet.
    pub(crate) fn starting(why: &str) -> Self {
        Self::new(Kind::Starting, why).retry_after_seconds(1)
    }

    /// As many connections are open as the server takes.
    pub(crate) fn too_many_connections() -> Self {
        Self::new(Kind::TooManyConnections, "there are as many connections as may be").retry_after_seconds(1)
    }

    /// A replica knows that something was removed, and not yet why.
    pub(crate) fn catching_up() -> Self {
        Self::new(Kind::CatchingUp, "what removed the content of events here has not come yet".to_string())
            .retry_after_seconds(CATCHING_UP_RETRY_SECONDS)
    }

    /// A page of another site makes a browser write, where whoever reaches the server may.
    pub(crate) fn foreign_script() -> Self {
        let detail = "the request comes from a page of another site that cors.origins does not name. If cors.origins has \
                      `*` such pages may append events, with a media type for which browsers ask first \
                      (application/json, say), and nothing else";
        Self::new(Kind::ForeignScript, detail)
    }

    /// Another site makes a browser write in the name of its user.
    pub(crate) fn forged() -> Self {
        let detail = "the request comes from a page of another site, with a password or a certificate that the browser \
                      keeps; cors.origins does not name that site";
        Self::new(Kind::ForeignScript, detail)
    }

    /// The form of a page came from somewhere else than a page of ours.
    pub(crate) fn foreign_form() -> Self {
        let detail = "this takes what a form of this server's own pages sends, and no browser says that one of them sent \
                      it; programs append at the stream's own address, /streams/{stream}";
        Self::new(Kind::ForeignScript, detail)
    }

    /// As many requests wait as the server takes.
    pub(crate) fn too_many_waits(detail: &str) -> Self {
        Self::new(Kind::TooManyWaits, detail).retry_after_seconds(1)
    }

    /// More is being sent at once than the server takes on.
    pub(crate) fn too_many_bodies() -> Self {
        Self::new(Kind::TooManyBodies, "too many large bodies are being sent at this moment").retry_after_seconds(1)
    }

    /// As many copies of the store are being made as may be.
    pub(crate) fn too_many_backups(limit: usize) -> Self {
        Self::new(Kind::TooManyBackups, format!("{limit} backups are being made, as many as may"))
            .member("limit", limit)
            .retry_after_seconds(TOO_MANY_BACKUPS_RETRY_SECONDS)
    }

    /// Nothing of the kind is being copied.
    pub(crate) fn backup_not_found(detail: impl Into<String>) -> Self {
        Self::new(Kind::BackupNotFound, detail)
    }

    /// As many huge pages are on their way as the server takes on.
    pub(crate) fn too_many_large_pages() -> Self {
        let detail = "too many pages of many megabytes are being sent at this moment; ask for fewer events";
        Self::new(Kind::TooManyLargePages, detail).retry_after_seconds(1)
    }

    /// As many requests are under way as the server takes on.
    pub(crate) fn too_busy(limit: usize) -> Self {
        Self::new(Kind::TooBusy, format!("{limit} requests are under way, as many as may"))
            .member("limit", limit)
            .retry_after_seconds(1)
    }

    /// A principal has done so much that it has to wait.
    pub(crate) fn too_fast(what: &str, per_second: u64, retry_after_seconds: u16) -> Self {
        let detail = format!("more {what} came from you than {per_second} in a second, with what may be saved up");
        Self::new(Kind::TooFast, detail).member("limit", per_second).retry_after_seconds(retry_after_seconds)
    }

    /// No new stream may come into being.
    pub(crate) fn too_many_streams(limit: u64) -> Self {
        Self::new(Kind::TooManyStreams, format!("there are as many streams as may be: {limit}"))
            .member("limit", limit)
            .retry_after_seconds(TOO_MANY_STREAMS_RETRY_SECONDS)
    }

    /// As much is on its way to readers as may be.
    pub(crate) fn too_much_unsent() -> Self {
        Self::new(Kind::TooMuchUnsent, "too much is waiting for slow readers at this moment").retry_after_seconds(1)
    }
}
