//! Every kind of problem, in the words by which it is explained.

use hyper::StatusCode;

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
    Starting = "starting" SERVICE_UNAVAILABLE "The server is starting"
        "The server has just been started and opens its store, which takes seconds if it is large, or longer if it is brought \
         to a later format. Nothing was written; try again after the time that Retry-After names.";
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
        "The event was truncated by the stream's settings ($maxAge, $maxCount, $tb), deleted with its stream, or erased. Its \
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
        "The answers that their readers have not taken yet hold as much together as the server gives them, in all \
         (limits.unsent) or at one address (limits.unsent_per_address). Try again after the time that Retry-After names, or put a cache in front: it takes answers \
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
    TooManyBackups = "too-many-backups" SERVICE_UNAVAILABLE "As many backups are being made as may be"
        "A backup that is being made keeps files and memory that would go otherwise, so there may be only so many of them \
         (limits.backups). One whose client asks for nothing any more ends by itself after timeouts.backup; /admin/backups \
         lists them, and DELETE ends one.";
    BackupNotFound = "backup-not-found" NOT_FOUND "There is no such backup, or nothing of that name in it"
        "The backup was never begun at this server, or it has come to its end: its client ended it, or asked for nothing \
         for longer than timeouts.backup, or it took longer than a day, or the server was started anew. Begin another one: \
         what was copied stays good.";
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
