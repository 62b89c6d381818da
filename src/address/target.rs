//! What a request asks for, as a value.

use uuid::Uuid;

use crate::event::{Count, EventId, Number, Position, Source, StreamName, Timestamp};

use super::{Asset, Format, Query, StreamList, Ui};

/// A request's path and query, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What is asked for.
    pub address: Address,
    /// The representation that the suffix or `?format=` names, whatever Accept says.
    pub format: Option<Format>,
    /// The known parameters.
    pub query: Query,
    /// Path and query are spelled exactly as our own links spell them: unreserved characters as they are,
    /// all else percent-encoded in upper case (`$all` is `%24all`), `format` and `embed` alone, once each.
    /// Any other spelling gets the same bytes, but may be cached only briefly, so that strangers cannot
    /// fill caches with copies.
    pub is_canonical: bool,
}

/// Everything that the server has under its base URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `/`: what there is.
    Home,
    /// `/streams/{stream}`: the head feed.
    Feed(Source),
    /// `/streams/{stream}/{from}/{direction}/{count}`. Below `…/metadata` the source is `$${stream}`.
    Page {
        /// Whose events.
        source: Source,
        /// Which of them.
        request: PageRequest,
    },
    /// `/streams/{stream}/{place}`. The place is never [`Place::Hex`].
    Event {
        /// Whose event.
        source: Source,
        /// Which one.
        place: Place,
    },
    /// `/streams/{stream}/{place}/data`: the event's bytes. The place is never [`Place::Hex`].
    Data {
        /// Whose event.
        source: Source,
        /// Which one.
        place: Place,
    },
    /// `/streams/{stream}/incoming/{uuid}`: append one event with this id.
    Incoming {
        /// To which stream.
        stream: StreamName,
        /// Under which id.
        id: EventId,
    },
    /// `/streams/{stream}/metadata`: the settings of the stream.
    Metadata {
        /// Whose settings.
        stream: StreamName,
    },
    /// `/streams/{stream}/categories`: the types of its events.
    Categories {
        /// Whose types.
        stream: StreamName,
    },
    /// `/info`
    Info,
    /// `/ping`
    Ping,
    /// `/health/live`
    Live,
    /// `/health/ready`
    Ready,
    /// `/metrics`
    Metrics,
    /// `/admin/stats`: every number that the server has about itself.
    Stats,
    /// `/admin/stats/{by}`: how these went.
    History(By),
    /// `/openapi.json`: what there is, for programs.
    OpenApi,
    /// `/admin/scavenge`: giving space back.
    Scavenge,
    /// `/admin/compact`: the same, and what lingers in free parts of the store's files.
    Compact,
    /// `/admin/promote`: ending that a replica takes no appends.
    Promote,
    /// `/admin/streams`: which streams there are.
    Streams(StreamList),
    /// `/admin/streams/{stream}`: where a stream stands, and how it grew.
    Stream {
        /// Which one.
        source: Source,
        /// `?at={time}`: which number came then, or next.
        at: Option<Timestamp>,
    },
    /// `/admin/backups`: copying the whole store.
    Backups,
    /// `/admin/backups/{id}`: one copy that is being made, and below it what there is to be copied.
    Backup {
        /// Which one.
        id: Uuid,
        /// What of it.
        part: BackupPart,
    },
    /// `/users`: everybody whom the server knows.
    Users,
    /// `/users/$current`: whoever asks.
    CurrentUser,
    /// `/users/{login}`: one of them.
    User {
        /// The name; not checked here.
        login: String,
    },
    /// `/users/{login}/command/{command}`: something to be done with one of them.
    UserCommand {
        /// The name; not checked here.
        login: String,
        /// What.
        command: UserCommand,
    },
    /// Below `/ui/`: a page for people.
    Ui(Ui),
    /// `/ui/problems/{kind}`: an explanation of a kind of refusal.
    Problem {
        /// The kind, as the problem's `type` names it; not checked here.
        kind: String,
    },
    /// What pages for people are made with.
    Asset(Asset),
}

/// How closely something is told that happened over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum By {
    /// `seconds`: the last quarter of an hour.
    Seconds,
    /// `minutes`: the last day.
    Minutes,
}

impl By {
    /// As paths name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Minutes => "minutes",
        }
    }
}

/// What there is to be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BackupPart {
    /// The list of all that there is.
    Manifest,
    /// `…/chunks/{first}.{generation}/{offset}`: a piece of a chunk's file.
    Piece {
        /// The first position of the chunk.
        first: Position,
        /// How often the chunk was written anew.
        generation: u32,
        /// Where in the file the piece begins.
        offset: u64,
    },
    /// `…/chunks/{first}.{generation}/digest`: what a copy of a chunk's file is compared by.
    Digest {
        /// The first position of the chunk.
        first: Position,
        /// How often the chunk was written anew.
        generation: u32,
    },
    /// `…/tail/{position}`: some of the events that are in no chunk yet.
    Group {
        /// The position that they begin with.
        from: Position,
    },
    /// `…/users`: who may log in.
    Users,
}

/// What can be done with a user, besides changing and deleting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserCommand {
    /// `enable`: let the user in again.
    Enable,
    /// `disable`: keep the user out.
    Disable,
    /// `reset-password`: give the user another password.
    ResetPassword,
    /// `change-password`: the same by the user, who knows the old one.
    ChangePassword,
}

impl UserCommand {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Enable, Self::Disable, Self::ResetPassword, Self::ChangePassword];

    /// As paths name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::ResetPassword => "reset-password",
            Self::ChangePassword => "change-password",
        }
    }
}

/// A place in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// The newest event, `head`.
    Head,
    /// By number; in `$all` the position, in decimal. Inclusive in both directions.
    Number(Number),
    /// EventStore's 32 hex digits, in `$all` alone: a place between events. Forward from it are the events at
    /// this position and above, backward those below.
    Hex(Position),
}

/// Which way a page runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To rising numbers.
    Forward,
    /// To falling numbers.
    Backward,
}

/// The numbers that a page's URL asks for. Forward never starts at [`Place::Head`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageRequest {
    /// Where it starts.
    pub from: Place,
    /// Which way it runs.
    pub direction: Direction,
    /// How many numbers at most.
    pub count: Count,
}
