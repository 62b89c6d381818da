//! Why a path asks for nothing.

use crate::event::InvalidName;

use super::StreamList;

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
