//! Refusals: RFC 9457 problem details, one kind each. The only place that maps a refusal to a status.
//!
//! A problem says what was wrong and what would be right, to whoever can mend it; the cause, where it is ours,
//! goes to the log under the same request id.

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use serde_json::{Map, Value};

use crate::access::users::{self, Refused};
use crate::access::{Audience, Caller, ChangeError, Denied, Unidentified};
use crate::address::Unaddressable;
use crate::event::{InvalidExpectedVersion, Number, Refusal, Source};
use crate::feed::read::{UnreadableBody, UnsupportedBody};
use crate::store::{AppendError, ReadError, ReplicateError};

use super::cache_policy::Freshness;
use super::header;

/// A refusal.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    pub(crate) status: StatusCode,
    /// What was wrong here, and what would be right.
    pub(crate) detail: String,
    /// What the log gets and the caller does not.
    pub(crate) cause: Option<String>,
    /// For HTTP/1.1, where clients of EventStore look at it.
    pub(crate) reason: Option<&'static str>,
    pub(crate) freshness: Freshness,
    /// Who else may be told.
    pub(crate) audience: Audience,
    pub(crate) headers: HeaderMap,
    pub(crate) members: Map<String, Value>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $slug:literal $status:ident $title:literal $explanation:literal;)*) => {
        /// Every kind of problem: its name in the `type` URL, its usual status, its title, what it means.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// All kinds, in the order in which a request meets them.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in the `type` URL.
            pub(crate) const fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }

            /// The status it usually comes with.
            pub(crate) const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// A few words.
            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// A paragraph for the page behind the `type` URL: what it means, what to do.
            pub(crate) const fn explanation(self) -> &'static str {
                match self { $(Self::$name => $explanation,)* }
            }
        }
    };
}

kinds! {
    TooManyConnections = "too-many-connections" SERVICE_UNAVAILABLE "There are too many connections"
        "As many connections are open as the server takes in all (limits.connections) or from one address \
         (limits.connections_per_address). Keep connections and use them again, or put a cache in front.";
    MalformedRequest = "malformed-request" BAD_REQUEST "The request is malformed"
        "The request breaks the rules of HTTP itself: its first line, a header, or the framing of its body. Most \
         clients never send such a thing; look for whatever builds requests by hand, or for a proxy that rewrites them.";
    UriTooLong = "uri-too-long" URI_TOO_LONG "The address is too long"
        "The request line is longer than the server takes (limits.request_line). Stream names have at most 500 bytes, \
         so an address of ours is far shorter.";
    HeadersTooLarge = "headers-too-large" REQUEST_HEADER_FIELDS_TOO_LARGE "The headers are too large"
        "There are more headers than the server takes (limits.headers), or they are longer together than it takes \
         (limits.head). Cookies are the usual reason; this server needs none.";
    TooFast = "too-fast" TOO_MANY_REQUESTS "Requests come faster than they may"
        "A user, or an address that nobody known comes from, may do so much in a second: requests (rates.requests), events \
         appended (rates.events), bytes of them (rates.bytes), and for rates.burst more at once after a quiet time. \
         Nothing was written. Come again after the time that Retry-After names; send more events in one request, or \
         read through a cache.";
    MissingHost = "missing-host" BAD_REQUEST "The Host header is missing or malformed"
        "HTTP/1.1 asks for exactly one Host header, and for the same host in the request line if that names one.";
    UnknownHost = "unknown-host" MISDIRECTED_REQUEST "This server does not answer for that host"
        "Pages carry absolute links, so the server answers only under names that it knows: loopback names, the address \
         a connection came in on, the host of `public_url`, and `allowed_hosts`. Set one of these two settings to the \
         name that clients use. Otherwise anyone could plant links to elsewhere in a shared cache.";
    UnknownAddress = "unknown-address" NOT_FOUND "There is nothing at this address"
        "The path is none of this server's. Streams are at /streams/{name}, single events at /streams/{name}/{number}, \
         pages at /streams/{name}/{number}/forward/{count}. A slash in a name is written %2F.";
    InvalidAddress = "invalid-address" BAD_REQUEST "The address is invalid"
        "The path is one of this server's, and a part of it is not what belongs there: a stream name, a number, a count, \
         an id, or a parameter. The detail says which part and why.";
    MethodNotAllowed = "method-not-allowed" METHOD_NOT_ALLOWED "The method is not allowed here"
        "The Allow header lists what this address takes. Events never change, so nothing takes PUT or PATCH.";
    InvalidHeader = "invalid-header" BAD_REQUEST "A header is invalid"
        "A header that the server acts on has a value that means nothing, or two headers contradict each other. The \
         server never guesses which of them was meant.";
    NotAcceptable = "not-acceptable" NOT_ACCEPTABLE "None of the accepted formats exists here"
        "The Accept header (or the `format` parameter) leaves out every format that this address has. The detail lists \
         those that exist.";
    UnsupportedMediaType = "unsupported-media-type" UNSUPPORTED_MEDIA_TYPE "The body's media type is not supported"
        "Any media type can be stored as one event, but some types mean something to the server, and it takes only those \
         it can read. The detail says what to send instead.";
    UnsupportedCoding = "unsupported-content-coding" UNSUPPORTED_MEDIA_TYPE "The body's coding is not supported"
        "The body comes in a Content-Encoding that the server cannot read, or in several. It takes gzip and zstd, one of \
         them, once, as the Accept-Encoding header says; or the body as it is.";
    InvalidBody = "invalid-body" BAD_REQUEST "The body cannot be read"
        "The body is not what its Content-Type says. Nothing was written. The detail names the place.";
    IncompleteBody = "incomplete-body" BAD_REQUEST "The body was cut short"
        "The connection ended, or the framing of the body broke, before all of it had arrived. Nothing was written.";
    SlowBody = "slow-body" REQUEST_TIMEOUT "The body came too slowly"
        "The body took longer than timeouts.body, or came more slowly than timeouts.body_rate. Nothing was written; it \
         may be sent again.";
    BodyTooLarge = "body-too-large" PAYLOAD_TOO_LARGE "The body is too large"
        "The request body, one of its events, or the number of its events is over a limit. Nothing was written. Send \
         fewer events at once, or keep large data elsewhere and the reference to it in the event.";
    ExpandsTooFar = "body-expands-too-far" PAYLOAD_TOO_LARGE "The compressed body expands too far"
        "Unpacked, the body is more times as long as it came than the server takes (limits.compression_ratio). Nothing \
         was written. Send it as it is, or fewer events at once.";
    TooManyBodies = "too-many-bodies" SERVICE_UNAVAILABLE "Too much is being sent to the server"
        "The bodies that are being sent to the server at this moment take as much together as it takes on \
         (limits.bodies). Nothing was written; try again after the time that Retry-After names.";
    Unauthenticated = "unauthenticated" UNAUTHORIZED "The server does not know who is asking"
        "Not everybody may do this, and the request says nothing of who it comes from. Send a user's name and password \
         (Basic), or a token (Bearer).";
    WrongCredentials = "wrong-credentials" UNAUTHORIZED "The credentials do not count"
        "The request says who it comes from, and that does not hold: the Authorization header cannot be read, or there is \
         no such user or token, or the password is wrong, or the user is disabled, or the token has expired. Which of \
         these it is nobody is told. Send a user's name and password (Basic), or a token (Bearer), or neither.";
    TooManyTries = "too-many-tries" TOO_MANY_REQUESTS "There were too many wrong log-ins"
        "So many log-ins went wrong, from this address or with this name, that further ones have to wait, right or \
         wrong. Try again after the time that Retry-After names. Whoever has a log-in stored somewhere that is not right \
         any more should mend that first.";
    Forbidden = "forbidden" FORBIDDEN "The caller has not got the right"
        "The server knows who is asking, and that user may not do this. Rights come from the settings of the stream \
         ($acl), from the rules of the server's configuration, and from the stream $settings; whoever administers the \
         server can give them.";
    RightsUnknown = "rights-unknown" SERVICE_UNAVAILABLE "It is unknown who may do this"
        "What says who may (the stream's settings, or the stream $settings) could not be read, and while it is not known \
         nobody may. The log says why under the request id of the problem.";
    UserNotFound = "user-not-found" NOT_FOUND "There is no such user"
        "Nobody has this name. Names of users are compared byte for byte; /users lists them.";
    UserExists = "user-exists" CONFLICT "There is such a user already"
        "Somebody has this name, with another full name, other groups or another password. Nothing was changed. PUT \
         changes a user, and the command reset-password the password.";
    ReservedStream = "reserved-stream" FORBIDDEN "The stream belongs to the server"
        "Names that begin with `$` belong to the server, which keeps those streams itself. Choose another name.";
    StreamNotFound = "stream-not-found" NOT_FOUND "There is no such stream"
        "Nothing was ever appended to the stream. It comes into being with its first event; a reader can wait for that \
         with ?wait=30. Names are compared byte for byte, so look for a different spelling first. Where the server keeps \
         secret which streams there are (access.secret_existence), it may also be there for others.";
    EventNotFound = "event-not-found" NOT_FOUND "There is no such event"
        "The stream has no event with this number yet. Numbers begin at 0 and have no gaps.";
    EventRemoved = "event-removed" NOT_FOUND "The event was removed"
        "The event was truncated by the stream's settings ($maxAge, $maxCount, $tb), or deleted with its stream. Its \
         number stays its own; what it carried is gone for good. The stream's pages lead to what is left.";
    StreamDeleted = "stream-deleted" GONE "The stream was deleted"
        "The stream was deleted for ever. Its name cannot be used again.";
    WrongExpectedVersion = "wrong-expected-version" BAD_REQUEST "The stream is not at the expected version"
        "Somebody else appended first, or the expectation was wrong from the start. Nothing was written. Read what came \
         since, decide again, and append with the current version, which the problem and the ES-CurrentVersion header \
         name.";
    IdTaken = "event-id-taken" CONFLICT "The event id is taken"
        "An event id is unique in its stream. This one is there already with another type or other data, or stands twice \
         in the batch. Nothing was written. To repeat an append safely send exactly the same events in the same order; \
         for a new event take a new id.";
    TooManyWaits = "too-many-waits" SERVICE_UNAVAILABLE "Too many requests are waiting"
        "As many long polls and event streams are waiting as the server takes in all (limits.waits) or from one address \
         (limits.waits_per_address). Poll without waiting: a cache in front answers many with one request.";
    TooBusy = "too-busy" SERVICE_UNAVAILABLE "The server is too busy"
        "As many requests are under way as the server takes on at once (limits.requests), with those that wait; or more \
         log-ins are being checked than it takes on. Nothing was written; try again after the time that Retry-After \
         names.";
    TooMuchUnsent = "too-much-unsent" SERVICE_UNAVAILABLE "Too much is on its way to readers"
        "The answers that their readers have not taken yet hold as much together as the server gives them \
         (limits.unsent). Try again after the time that Retry-After names, or put a cache in front: it takes answers \
         as fast as they come, and serves slow readers by itself.";
    TooManyLargePages = "too-many-large-pages" SERVICE_UNAVAILABLE "Too many very large pages are being sent"
        "As many pages of many megabytes are being sent as the server sends at once (limits.large_pages). Ask for fewer \
         events, or try again after the time that Retry-After names.";
    QueueFull = "append-queue-full" SERVICE_UNAVAILABLE "Too many appends are waiting"
        "As many appends, or as many bytes of them, wait to be written as the server takes on (limits.queued_appends, \
         limits.queued_bytes). Nothing was written; try again after the time that Retry-After names.";
    ReadOnly = "read-only" SERVICE_UNAVAILABLE "The server takes no writes"
        "The server was started read-only, is shutting down, or its storage failed. Nothing was written. Reads go on. \
         /health/ready says which of these it is.";
    Replica = "replica" SERVICE_UNAVAILABLE "This server is a replica"
        "The server takes its events from another one alone, so that both have the same log. Nothing was written. Write \
         to that one. If it is gone for good, whoever runs this one ends the replication with `everfeed promote`; then \
         the same request, sent again, is taken here.";
    ForeignScript = "foreign-script" FORBIDDEN "Scripts of that site may not do this"
        "What cannot be taken back is not for just any page that somebody looks at, and neither is whatever a browser \
         would do in the name of its user, with a password or a certificate that it has stored. A script may ask for it \
         if cors.origins names its site, or, where that is all, with a token of its own; programs that are no browsers \
         may anyway.";
    Unrecorded = "unrecorded" SERVICE_UNAVAILABLE "What was to be done could not be recorded"
        "Settings, deletions, users and the operation of the server are accounted for: the stream $audit says who did what, \
         before it is done. That could not be written just now, so nothing was done. The detail says why; try again after \
         the time that Retry-After names.";
    CatchingUp = "catching-up" SERVICE_UNAVAILABLE "The replica has not caught up with this"
        "Events of this document have come from the other server without their content, and what removed it there has \
         not come yet. The document is served as the other server has it as soon as it has; ask again after the time that \
         Retry-After names, or ask that server.";
    NoReplica = "no-replica" CONFLICT "This server is no replica"
        "The server takes appends already, so there is nothing to promote. If it was a replica, it has been promoted \
         before.";
    TooManyStreams = "too-many-streams" INSUFFICIENT_STORAGE "There are as many streams as may be"
        "The append would begin a new stream, and there are as many as the server takes (limits.streams). Nothing was \
         written. Streams that are there take appends as before.";
    DiskFull = "disk-full" INSUFFICIENT_STORAGE "The disk is nearly full"
        "Less space is free than disk.floor keeps back. Nothing was written. Reads go on, and appends are taken again as \
         soon as there is space.";
    OutcomeUnknown = "outcome-unknown" SERVICE_UNAVAILABLE "It is unknown whether the events were written"
        "The storage failed while the append was being made durable. It may or may not be there when the server has been \
         restarted. Send it again with the same event ids: if it was written, you get its first receipt.";
    Indexing = "stream-being-built" SERVICE_UNAVAILABLE "The derived stream is still being built"
        "The kind of derived streams that it belongs to (settings under `derived`) was switched on a while ago, and its \
         index is being built from the first event on, in the background. The problem says how far it is; ask again \
         after the time that Retry-After names. All other streams are served meanwhile.";
    Damaged = "damaged" INTERNAL_SERVER_ERROR "The stored data are damaged"
        "A part of the store fails its checksum, and nothing of it is served. Other pages are not affected. Run \
         `everfeed verify`, then `everfeed repair`, which rebuilds the store from everything that can be read.";
    Unreadable = "unreadable" SERVICE_UNAVAILABLE "The disk cannot be read"
        "The operating system could not read a part of the store from the disk. Other pages are not affected, and this one \
         is served as soon as the disk can be read again. If that does not happen, look at the disk.";
    Internal = "internal" INTERNAL_SERVER_ERROR "Something went wrong in the server"
        "This is a fault of the server, not of the request. The log says more under the request id of the problem.";
}

/// A disk that could not be read is tried again after so long.
const UNREADABLE_RETRY_SECONDS: u16 = 10;

/// A reader who came while an index was being built comes again after so long.
const INDEXING_RETRY_SECONDS: u16 = 5;

/// Only somebody who runs the server can make room for more streams.
const TOO_MANY_STREAMS_RETRY_SECONDS: u16 = 3_600;

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            status: kind.status(),
            detail: detail.into(),
            cause: None,
            reason: None,
            freshness: Freshness::Never,
            audience: Audience::Everybody,
            headers: HeaderMap::new(),
            members: Map::new(),
        }
    }

    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    pub(crate) fn freshness(mut self, freshness: Freshness) -> Self {
        self.freshness = freshness;
        self
    }

    /// For those alone who may know; nobody who was left out before is let in.
    pub(crate) fn to(self, audience: Audience) -> Self {
        Self { audience: self.audience.max(audience), ..self }
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// A member of its own, beside those of RFC 9457.
    pub(crate) fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_string(), value.into());
        self
    }

    /// Whether somebody on the way may have read the request in another way, and may take its rest for another one: then
    /// nothing that follows on the connection is to be trusted (RFC 9112 §11.2).
    pub(crate) const fn could_hide_another(&self) -> bool {
        matches!(self.kind, Kind::MalformedRequest | Kind::MissingHost)
    }

    fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    fn retry_after_seconds(self, seconds: u16) -> Self {
        self.header(RETRY_AFTER, seconds.into())
    }

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

    /// The event was truncated, or went with a deletion of its stream.
    pub(crate) fn event_removed(source: &Source, number: Number) -> Self {
        Self::new(Kind::EventRemoved, format!("event {number} of the stream `{source}` was truncated or deleted"))
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

    /// As many connections are open as the server takes.
    pub(crate) fn too_many_connections() -> Self {
        Self::new(Kind::TooManyConnections, "there are as many connections as may be").retry_after_seconds(1)
    }

    /// A replica knows that something was removed, and not yet why.
    pub(crate) fn catching_up() -> Self {
        Self::new(Kind::CatchingUp, "what removed the content of events here has not come yet".to_string())
            .retry_after_seconds(INDEXING_RETRY_SECONDS)
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

    /// As many requests wait as the server takes.
    pub(crate) fn too_many_waits(detail: &str) -> Self {
        Self::new(Kind::TooManyWaits, detail).retry_after_seconds(1)
    }

    /// More is being sent at once than the server takes on.
    pub(crate) fn too_many_bodies() -> Self {
        Self::new(Kind::TooManyBodies, "too many large bodies are being sent at this moment").retry_after_seconds(1)
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

    /// A refused append. `is_dialect`: the request is in EventStore's words; `is_conditional`: the expectation
    /// came as If-Match or If-None-Match.
    pub(crate) fn append(error: &AppendError, is_dialect: bool, is_conditional: bool) -> Self {
        const WRONG: &str = "Wrong expected EventNumber";
        let detail = error.to_string();
        match error {
            AppendError::Refused(refusal) => match refusal {
                Refusal::NoEvents => Self::new(Kind::InvalidBody, detail),
                Refusal::ReservedType { index } | Refusal::InvalidSettings { index, .. } => {
                    Self::new(Kind::InvalidBody, detail).member("index", *index)
                }
                Refusal::HardDeleted | Refusal::SoftDeleted => {
                    Self::new(Kind::StreamDeleted, detail).freshness(Freshness::Never).reason("Stream deleted")
                }
                Refusal::IdTaken { id, number } => {
                    Self::id_taken(detail, is_dialect).member("eventId", id.to_string()).member("number", number.get())
                }
                Refusal::IdTwice { id, .. } => Self::id_taken(detail, is_dialect).member("eventId", id.to_string()),
                Refusal::WrongVersion { expected, current } => {
                    let current = current.map_or(-1, |number| number.get().cast_signed());
                    let problem = Self::new(Kind::WrongExpectedVersion, detail)
                        .header(header::ES_CURRENT_VERSION, current.into())
                        .header(header::KURRENT_CURRENT_VERSION, current.into())
                        .member("expected", expected.to_string())
                        .member("currentVersion", current);
                    if is_conditional {
                        problem.status(StatusCode::PRECONDITION_FAILED)
                    } else {
                        problem.reason(WRONG)
                    }
                }
            },
            AppendError::Overloaded => Self::new(Kind::QueueFull, detail).retry_after_seconds(1),
            AppendError::DiskFull => Self::new(Kind::DiskFull, detail).retry_after_seconds(60),
            AppendError::ReadOnly(_) => Self::new(Kind::ReadOnly, detail).retry_after_seconds(10),
            AppendError::Replica(of) => {
                Self::new(Kind::Replica, detail).member("replicaOf", of.as_str()).retry_after_seconds(10)
            }
            AppendError::OutcomeUnknown(cause) => Self::new(
                Kind::OutcomeUnknown,
                "the storage failed, and it is unknown whether the events were written; to send them again with the same \
                 event ids is safe",
            )
            .cause(cause.clone())
            .retry_after_seconds(10),
            AppendError::Read(error) => Self::from(error.clone()),
        }
    }

    /// What was to be done is not on record, and so was not done.
    pub(crate) fn unrecorded(error: &AppendError) -> Self {
        let why = Self::append(error, false, false);
        let detail = format!("nothing was done, because it could not be recorded: {}", why.detail);
        let retry_after = why.headers.get(RETRY_AFTER).cloned().unwrap_or(HeaderValue::from_static("10"));
        Self { cause: why.cause, ..Self::new(Kind::Unrecorded, detail) }.header(RETRY_AFTER, retry_after)
    }

    fn id_taken(detail: String, is_dialect: bool) -> Self {
        let problem = Self::new(Kind::IdTaken, detail);
        if is_dialect { problem.status(StatusCode::BAD_REQUEST).reason("Wrong expected EventNumber") } else { problem }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Damaged(cause) => {
                Self::new(Kind::Damaged, "the events that were asked for lie in a damaged part of the store")
                    .cause(cause)
            }
            ReadError::Io(cause) => {
                Self::new(Kind::Unreadable, "the events that were asked for cannot be read from the disk just now")
                    .cause(cause)
                    .retry_after_seconds(UNREADABLE_RETRY_SECONDS)
            }
            ReadError::Indexing { ref stream, done, of } => Self::new(Kind::Indexing, error.to_string())
                .member("stream", stream.as_str())
                .member("indexed", done.get())
                .member("events", of.get())
                .retry_after_seconds(INDEXING_RETRY_SECONDS),
        }
    }
}

impl From<ReplicateError> for Problem {
    fn from(error: ReplicateError) -> Self {
        match error {
            ReplicateError::Store(error) => Self::append(&error, false, false),
            ReplicateError::NoReplica
            | ReplicateError::Position { .. }
            | ReplicateError::Number { .. }
            | ReplicateError::Time { .. }
            | ReplicateError::AnotherHistory { .. } => Self::new(Kind::NoReplica, error.to_string()),
        }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let detail = denied.to_string();
        match denied {
            Denied::Reserved(_) | Denied::Undeletable(_) => Self::new(Kind::ReservedStream, detail),
            Denied::Unknown(_) => Self::new(Kind::Unauthenticated, detail),
            Denied::Forbidden(_) => Self::new(Kind::Forbidden, detail),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let kind = match refused {
            Refused::NoSuchUser(_) | Refused::NoSuchToken(_) => Kind::UserNotFound,
            Refused::UserExists(_) | Refused::TokenExists(_) => Kind::UserExists,
            Refused::InvalidName(_) | Refused::InvalidPassword(_) | Refused::EmptyToken | Refused::TooMany => {
                Kind::InvalidBody
            }
        };
        Self::new(kind, refused.to_string())
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Unidentified(unidentified) => unidentified.into(),
            ChangeError::Users(users::Error::Refused(refused)) => refused.into(),
            ChangeError::Users(error @ users::Error::Locked { .. }) => {
                Self::new(Kind::TooBusy, "the users are being changed by somebody else at this moment")
                    .cause(error.to_string())
                    .retry_after_seconds(1)
            }
            // Where they are kept is for the log alone.
            ChangeError::Users(error) => {
                Self::new(Kind::Internal, "the users could not be read, or not be changed").cause(error.to_string())
            }
        }
    }
}

impl From<Unidentified> for Problem {
    fn from(unidentified: Unidentified) -> Self {
        let detail = unidentified.to_string();
        let problem = match unidentified {
            Unidentified::Wrong | Unidentified::Expired => Self::new(Kind::WrongCredentials, detail),
            Unidentified::TooManyTries { .. } => Self::new(Kind::TooManyTries, detail),
            Unidentified::Busy { .. } => Self::new(Kind::TooBusy, detail),
        };
        match unidentified.retry_after_seconds() {
            Some(seconds) => problem.header(RETRY_AFTER, seconds.into()),
            None => problem,
        }
    }
}

impl From<InvalidExpectedVersion> for Problem {
    fn from(error: InvalidExpectedVersion) -> Self {
        Self::invalid_header("ES-ExpectedVersion", error)
    }
}

impl From<UnsupportedBody> for Problem {
    fn from(error: UnsupportedBody) -> Self {
        Self::new(Kind::UnsupportedMediaType, error.to_string())
    }
}

impl From<UnreadableBody> for Problem {
    fn from(error: UnreadableBody) -> Self {
        let kind = if error.is_too_large() { Kind::BodyTooLarge } else { Kind::InvalidBody };
        let mut problem = Self::new(kind, error.to_string());
        if let Some(place) = error.place {
            problem = problem.member("line", place.line).member("column", place.column);
        }
        problem
    }
}

impl From<Unaddressable> for Problem {
    fn from(error: Unaddressable) -> Self {
        let kind = if matches!(error, Unaddressable::Unknown) { Kind::UnknownAddress } else { Kind::InvalidAddress };
        Self::new(kind, error.to_string())
    }
}
