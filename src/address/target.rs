//! What a request asks for, as a value, and why a path asks for nothing.

use uuid::Uuid;

use crate::event::{Count, EventId, EventType, InvalidName, Number, Position, Source, StreamName, Timestamp};

use super::{Format, Query, StreamList};

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

/// What there is to be looked at, with a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ui {
    /// `/ui/`: the server.
    Overview {
        /// `?search={text}`: what the names of the streams that are listed hold.
        search: Option<String>,
    },
    /// `/ui/streams/{stream}`
    Stream {
        /// Whose events.
        source: Source,
        /// Which of them.
        look: Look,
    },
    /// `/ui/streams/{stream}/{place}`. The place is never [`Place::Hex`].
    Event {
        /// Whose event.
        source: Source,
        /// Which one.
        place: Place,
        /// How its data are shown.
        form: Form,
    },
    /// `/ui/news/{stream}`: an event stream that says when the page of a stream has changed.
    News {
        /// Whose page.
        source: Source,
    },
    /// `/ui/log-in`: where a browser asks who its user is.
    LogIn,
    /// `/ui/log-out`: where it forgets that.
    LogOut {
        /// `?user={name}`: who wants to leave. Whoever else a browser names meanwhile has come instead.
        user: Option<String>,
    },
}

/// Which events of a stream are looked at, in the words of a page's query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// With which event the list begins. It runs to older ones.
    pub from: Begin,
    /// `?type={type}`: only those of this type.
    pub event_type: Option<EventType>,
}

/// With which event a list begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Begin {
    /// The newest.
    #[default]
    Newest,
    /// `?from={number}`
    Number(Number),
    /// `?at={time}`: the newest that is not newer than this. A number beside it says more.
    Time(Timestamp),
}

/// How the data of an event are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Form {
    /// As is best read: JSON and XML indented, bytes that are no text in hexadecimal.
    #[default]
    Pretty,
    /// `?as=raw`: as they came.
    Raw,
    /// `?as=hex`: byte for byte.
    Hex,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pretty, Self::Raw, Self::Hex];

    /// As links name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pretty => "pretty",
            Self::Raw => "raw",
            Self::Hex => "hex",
        }
    }
}

/// What pages for people are made with: files of ours, the same for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asset {
    /// `/ui/everfeed.css`
    Stylesheet,
    /// `/ui/everfeed.js`
    Script,
    /// `/ui/everfeed.svg`
    Icon,
}

impl Asset {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Stylesheet, Self::Script, Self::Icon];

    /// Its name below `/ui/`.
    #[must_use]
    pub const fn file(self) -> &'static str {
        match self {
            Self::Stylesheet => "everfeed.css",
            Self::Script => "everfeed.js",
            Self::Icon => "everfeed.svg",
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

/// Why a path and query address nothing. The text of each is a sentence for whoever sent it; what it quotes
/// is shortened and escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unaddressable {
    /// Nothing has this path.
    #[error("there is nothing at this path")]
    Unknown,
    /// The path is ours but for a slash at its end: one too many, or none behind `/ui`. `location` is the path as it
    /// should be, in the spelling of our own links and with the query kept, to be put behind the base URL.
    #[error("the path has a slash at its end or has none, and should be {location}")]
    TrailingSlash {
        /// Path and query.
        location: String,
    },
    /// The stream's name cannot be one.
    #[error("this cannot be the name of a stream: {0}")]
    InvalidName(InvalidName),
    /// The path's percent-decoded bytes are no text.
    #[error("the path is not UTF-8 once its percent-encoding is undone")]
    NotUtf8,
    /// A `%` without its two digits.
    #[error("the path has a % that is not followed by two hexadecimal digits; a % itself is written %25")]
    MalformedEscape,
    /// Not the number of an event.
    #[error("{text:?} is no event number: {why}")]
    InvalidNumber {
        /// What stood there.
        text: String,
        /// What is wrong with it.
        why: NotDecimal,
    },
    /// Not a page size.
    #[error("{text:?} is no page size: {why}")]
    InvalidCount {
        /// What stood there.
        text: String,
        /// What is wrong with it.
        why: NotDecimal,
    },
    /// 32 hex digits that are no position.
    #[error("{text:?} is no position: {why}")]
    InvalidPosition {
        /// What stood there.
        text: String,
        /// What is wrong with it.
        why: NotPosition,
    },
    /// `head/forward`: nothing is newer than the newest.
    #[error("a page from `head` can only run backward; forward pages start at a number")]
    ForwardFromHead,
    /// `…/metadata` of a stream that holds settings itself.
    #[error("a stream of settings has no settings of its own")]
    MetadataOfMetadata,
    /// Not an event id.
    #[error(
        "{0:?} is no event id: a UUID other than the nil one is expected, such as fbf4a1a1-b4a3-4dfe-a01f-ec52c34e16e4"
    )]
    InvalidId(String),
    /// An unknown `?embed=`.
    #[error("{0:?} is no way to embed: `none`, `content`, `rich`, `body`, `pretty` and `tryharder` are")]
    InvalidEmbed(String),
    /// An unknown `?format=`.
    #[error(
        "{0:?} is no format: `atom`, `json`, `xml`, `text`, `atomxj`, `ndjson`, `cloudevents`, `atomsvc` and `atomsvcxj` are"
    )]
    InvalidFormat(String),
    /// A `?type=` that is no event's.
    #[error("{text:?} cannot be the type of an event: {why}")]
    InvalidType {
        /// What stood there.
        text: String,
        /// What is wrong with it.
        why: InvalidName,
    },
    /// An `?at=` that is no time.
    #[error("{0:?} is no time: a day, perhaps with the time of day in UTC, is expected, such as at=2026-11-24T16:04")]
    InvalidTime(String),
    /// An unknown `?as=`.
    #[error("{0:?} is no way to show data: `pretty`, `raw` and `hex` are")]
    InvalidForm(String),
    /// A `?wait=` that is no number of seconds.
    #[error("{0:?} is no time to wait: whole seconds are expected, such as wait=30")]
    InvalidWait(String),
    /// What `/admin/streams` is asked for with a parameter.
    #[error(
        "{text:?} cannot stand in `{parameter}` here: `order` is `recent` or `name`, `limit` is 1 to {}, `before` is a \
         position in decimal, and `at` is a time such as 2026-11-25T09:30:00Z",
        StreamList::LIMIT_MAX
    )]
    InvalidList {
        /// The parameter.
        parameter: &'static str,
        /// What stood there.
        text: String,
    },
    /// A `?last-event-id=` that is the number of no event.
    #[error("{0:?} is no event to go on after: its number is expected, such as last-event-id=41, or -1 for all events")]
    InvalidLastEventId(String),
}

/// What keeps a text from being a number of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDecimal {
    /// Nothing stands there.
    #[error("it is empty")]
    Empty,
    /// Something else than `0` to `9`.
    #[error("only the digits 0 to 9 can stand there")]
    NotDigits,
    /// One number has one spelling.
    #[error("it has leading zeros")]
    LeadingZeros,
    /// Over 2⁶³ − 1.
    #[error("it is over 9223372036854775807, the largest number there is")]
    TooLarge,
    /// A page size outside the limits.
    #[error("a page holds 1 to {} events", crate::event::limits::COUNT_MAX)]
    CountOutOfRange,
}

/// What keeps 32 hex digits from being a position of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPosition {
    /// Commit and prepare position are always the same here.
    #[error("both halves, of 16 digits each, must be the same")]
    HalvesDiffer,
    /// Over 2⁶³ − 1.
    #[error("it is over 7FFFFFFFFFFFFFFF, the largest position there is")]
    TooLarge,
    /// It is a place between events.
    #[error("in this form it lies between two events; a single one is asked for by its position in decimal")]
    BetweenEvents,
}
