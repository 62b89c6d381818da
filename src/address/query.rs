//! The query parameters that mean something; all others are ignored.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS};

use crate::event::Number;

use super::Unaddressable;
use super::parse::{decimal, excerpt};

/// The known parameters, but for `format`, which stands beside the suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Query {
    /// `?embed=`: how much of its events a feed holds.
    pub embed: Option<Embed>,
    /// `?wait=`: how long an answer may wait for an event, in seconds as asked for.
    pub wait_seconds: Option<u64>,
    /// `?last-event-id=`, also `lastEventId`: after which event a listener goes on.
    pub last_event_id: Option<LastEventId>,
}

/// The event that a listener has got last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LastEventId {
    next: Number,
}

impl LastEventId {
    /// The number of an event, or `-1` for none: then the first comes next.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "-1" => Some(Self { next: Number::ZERO }),
            _ => decimal(text).ok().map(|last| Self { next: last.plus(1) }),
        }
    }

    /// The number of the event after it.
    #[must_use]
    pub const fn next(self) -> Number {
        self.next
    }
}

/// How much of its events a feed holds, in the words of `?embed=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Embed {
    /// `none`: in Atom XML, all content is linked; in EventStore JSON, plain entries (also its default).
    None,
    /// `content`
    Content,
    /// `rich`
    Rich,
    /// `body`
    Body,
    /// `pretty`, also `PrettyBody`
    Pretty,
    /// `tryharder`
    TryHarder,
}

/// A representation that an address itself names: by suffix (`.atom`, `.json`, `.ndjson`) or by `?format=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `atom`: `application/atom+xml`
    Atom,
    /// `json`: `application/json`
    Json,
    /// `xml`: `text/xml`
    Xml,
    /// `text`: `text/plain`
    Text,
    /// `atomxj`: `application/vnd.eventstore.atom+json`
    AtomJson,
    /// `ndjson`: `application/x-ndjson`
    Ndjson,
    /// `cloudevents`: `application/cloudevents+json`, and of a page `application/cloudevents-batch+json`
    CloudEvents,
    /// `atomsvc`: `application/atomsvc+xml`
    Service,
    /// `atomsvcxj`: `application/vnd.eventstore.atomsvc+json`
    ServiceJson,
}

impl Embed {
    const WORDS: [(&'static str, Self); 6] = [
        ("none", Self::None),
        ("content", Self::Content),
        ("rich", Self::Rich),
        ("body", Self::Body),
        ("pretty", Self::Pretty),
        ("tryharder", Self::TryHarder),
    ];

    /// The word for it in our own links.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        word_of(&Self::WORDS, self)
    }

    /// Case does not count, and EventStore's documentation says `PrettyBody` for `pretty`.
    fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("prettybody") { Some(Self::Pretty) } else { named(&Self::WORDS, text) }
    }
}

impl Format {
    const WORDS: [(&'static str, Self); 9] = [
        ("atom", Self::Atom),
        ("json", Self::Json),
        ("xml", Self::Xml),
        ("text", Self::Text),
        ("atomxj", Self::AtomJson),
        ("ndjson", Self::Ndjson),
        ("cloudevents", Self::CloudEvents),
        ("atomsvc", Self::Service),
        ("atomsvcxj", Self::ServiceJson),
    ];

    /// The word for it in our own links.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        word_of(&Self::WORDS, self)
    }
}

fn named<T: Copy>(words: &[(&str, T)], text: &str) -> Option<T> {
    words.iter().find(|(word, _)| text.eq_ignore_ascii_case(word)).map(|(_, meaning)| *meaning)
}

fn word_of<T: Copy + PartialEq>(words: &[(&'static str, T)], meaning: T) -> &'static str {
    words.iter().find(|(_, other)| *other == meaning).map(|(word, _)| *word).expect("every variant has its word")
}

/// What only pages for people know, as it was sent.
#[derive(Debug, Default)]
pub(super) struct OfPages<'a> {
    pub(super) from: Option<Cow<'a, str>>,
    pub(super) at: Option<Cow<'a, str>>,
    pub(super) event_type: Option<Cow<'a, str>>,
    pub(super) form: Option<Cow<'a, str>>,
    pub(super) search: Option<Cow<'a, str>>,
    pub(super) user: Option<Cow<'a, str>>,
}

impl<'a> OfPages<'a> {
    /// The place of a parameter that goes by this name.
    fn named(&mut self, key: &str) -> Option<&mut Option<Cow<'a, str>>> {
        Some(match key {
            "from" => &mut self.from,
            "at" => &mut self.at,
            "type" => &mut self.event_type,
            "as" => &mut self.form,
            "search" => &mut self.search,
            "user" => &mut self.user,
            _ => return None,
        })
    }
}

/// A query, understood.
#[derive(Debug, Default)]
pub(super) struct Parameters<'a> {
    pub(super) format: Option<Format>,
    pub(super) query: Query,
    pub(super) of_pages: OfPages<'a>,
    /// `format` and `embed` alone, once each, in this order, in the words of our own links.
    pub(super) is_canonical: bool,
}

/// What may not stand in a query as it is: what would break a header or a document.
pub(super) const NOT_IN_A_QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'`');

/// An empty value is as good as none, and of a parameter that stands twice the first counts.
pub(super) fn parse(query: Option<&str>) -> Result<Parameters<'_>, Unaddressable> {
    let mut parameters = Parameters { is_canonical: true, ..Parameters::default() };
    let mut last_rank = 0;
    for pair in query.into_iter().flat_map(|query| query.split('&')) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(key);
        let rank = match &*name {
            "format" => 1,
            "embed" => 2,
            "wait" => 3,
            "last-event-id" | "lastEventId" => 4,
            _ => 0,
        };
        let text = decode(value);
        let mut canonical = None;
        match rank {
            1 if parameters.format.is_none() && !text.is_empty() => {
                let format =
                    named(&Format::WORDS, &text).ok_or_else(|| Unaddressable::InvalidFormat(excerpt(&text)))?;
                canonical = Some(format.as_str());
                parameters.format = Some(format);
            }
            2 if parameters.query.embed.is_none() && !text.is_empty() => {
                let embed = Embed::parse(&text).ok_or_else(|| Unaddressable::InvalidEmbed(excerpt(&text)))?;
                canonical = Some(embed.as_str());
                parameters.query.embed = Some(embed);
            }
            // There are more spans of time than a cache has room for copies, so none has a canonical spelling.
            3 if parameters.query.wait_seconds.is_none() && !text.is_empty() => {
                parameters.query.wait_seconds = Some(seconds(&text)?);
            }
            4 if parameters.query.last_event_id.is_none() && !text.is_empty() => {
                let last = LastEventId::parse(&text);
                parameters.query.last_event_id =
                    Some(last.ok_or_else(|| Unaddressable::InvalidLastEventId(excerpt(&text)))?);
            }
            _ => {
                let place = parameters.of_pages.named(&name);
                if let Some(place) = place.filter(|place| place.is_none()) {
                    *place = Some(decode_form(value)).filter(|text| !text.is_empty());
                }
            }
        }
        // A repeated, empty or unknown parameter has no canonical spelling.
        parameters.is_canonical &= last_rank < rank && canonical == Some(value) && !key.contains('%');
        last_rank = rank;
    }
    Ok(parameters)
}

/// However long a wait is asked for: whoever waits shortens it.
fn seconds(text: &str) -> Result<u64, Unaddressable> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Unaddressable::InvalidWait(excerpt(text)));
    }
    Ok(text.parse().unwrap_or(u64::MAX))
}

/// Bytes that are no UTF-8 cannot be part of anything known.
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy()
}

/// As forms send it: a plus stands for a space.
fn decode_form(text: &str) -> Cow<'_, str> {
    if text.contains('+') { Cow::Owned(decode(&text.replace('+', " ")).into_owned()) } else { decode(text) }
}
