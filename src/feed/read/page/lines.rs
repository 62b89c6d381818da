//! Lines of JSON, as our own pages are written: one event each.
//!
//! A replay reads millions of them. Data and metadata are slices of the page; what neighbours have in common they
//! share; and data are not parsed: they were when they were appended, and will be by whoever uses them. It is certain
//! only where they end. Members stand in any order, and those that are not known are passed over.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use uuid::Uuid;

use super::time::time;
use super::value_end::value_end;
use super::{Event, EventContent, EventId, PageFault, UnreadablePage};
use crate::event::limits::{NUMBER_MAX, PAGE_EVENTS_MAX};
use crate::event::{Digest, Timestamp, TraceParent};
use crate::feed::json::{self, NotJson};

/// The events of a page, in order.
pub(super) fn read(body: &Bytes) -> Result<Vec<Event>, UnreadablePage> {
    let text = text(body)?;
    let mut names = Names::default();
    let mut events = Vec::new();
    let mut start = 0;
    while start < text.len() {
        // Whatever broke off on its way has no line break at its end.
        let end = memchr::memchr(b'\n', &body[start..]).map(|length| start + length);
        let end = end.ok_or(UnreadablePage::at(text.len(), PageFault::CutShort))?;
        if events.len() == PAGE_EVENTS_MAX {
            return Err(UnreadablePage::at(start, PageFault::TooManyEvents));
        }
        let line = Line { text: &text[start..end], at: 0 };
        let event = line.event(&mut names, |range| body.slice(start + range.start..start + range.end));
        events.push(event.map_err(|unreadable| unreadable.within(start))?);
        if start == 0 {
            events.reserve((text.len() / (end + 1)).min(PAGE_EVENTS_MAX));
        }
        start = end + 1;
    }
    Ok(events)
}

/// The event of one line, with or without the line break at its end.
///
/// # Errors
/// When it is no line of ours.
pub fn line(line: &Bytes) -> Result<Event, UnreadablePage> {
    let text = text(line)?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    Line { text, at: 0 }.event(&mut Names::default(), |range| line.slice(range))
}

fn text(body: &[u8]) -> Result<&str, UnreadablePage> {
    std::str::from_utf8(body).map_err(|error| UnreadablePage::at(error.valid_up_to(), NotJson::NotUtf8))
}

/// The names that the event before had.
#[derive(Default)]
struct Names<'a> {
    stream: Name<'a>,
    event_type: Name<'a>,
    media_type: Name<'a>,
}

/// A name, and how it stood in its line.
#[derive(Default)]
struct Name<'a> {
    quoted: &'a str,
    name: Arc<str>,
}

/// What the members of a line say, those that are strings still as they stand there.
#[derive(Default)]
struct Members<'a> {
    stream: Option<&'a str>,
    number: Option<u64>,
    position: Option<u64>,
    place: Option<u64>,
    id: Option<Uuid>,
    event_type: Option<&'a str>,
    media_type: Option<&'a str>,
    time: Option<Timestamp>,
    trace_parent: Option<&'a str>,
    metadata: Option<Range<usize>>,
    metadata_base64: Option<&'a str>,
    data: Option<Range<usize>>,
    data_base64: Option<&'a str>,
    removed: Option<bool>,
    digest: Option<Digest>,
    correlation: Option<&'a str>,
}

/// A line, and how far it has been read.
struct Line<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Line<'a> {
    /// `slice` cuts a part of the line out of the page.
    fn event(mut self, names: &mut Names<'a>, slice: impl Fn(Range<usize>) -> Bytes) -> Result<Event, UnreadablePage> {
        let members = self.members()?;
        if self.peek().is_some() {
            return Err(self.expected("the end of the line"));
        }
        members.event(names, self.text, slice).map_err(|fault| UnreadablePage::at(0, fault))
    }

    fn members(&mut self) -> Result<Members<'a>, UnreadablePage> {
        let mut members = Members::default();
        self.expect(b'{', "`{`")?;
        if self.take(b'}') {
            return Ok(members);
        }
        loop {
            self.expect(b'"', "a name in double quotes")?;
            let name = self.string()?;
            self.expect(b':', "`:`")?;
            self.member(&mut members, name)?;
            if !self.take(b',') {
                self.expect(b'}', "`,` or `}`")?;
                return Ok(members);
            }
        }
    }

    /// One member, from behind the colon.
    #[inline]
    fn member(&mut self, members: &mut Members<'a>, name: &'a str) -> Result<(), UnreadablePage> {
        let start = self.at;
        let is_new = match name {
            "stream" => members.stream.replace(self.text("stream")?).is_none(),
            "number" => members.number.replace(self.number("number")?).is_none(),
            "position" => members.position.replace(self.number("position")?).is_none(),
            "place" => members.place.replace(self.number("place")?).is_none(),
            "id" => members.id.replace(self.id()?).is_none(),
            "type" => members.event_type.replace(self.text("type")?).is_none(),
            "mediaType" => members.media_type.replace(self.text("mediaType")?).is_none(),
            "time" => members.time.replace(self.time()?).is_none(),
            "traceparent" => members.trace_parent.replace(self.text("traceparent")?).is_none(),
            "metadata" => members.metadata.replace(self.value()?).is_none(),
            "metadataBase64" => members.metadata_base64.replace(self.text("metadataBase64")?).is_none(),
            "data" => members.data.replace(self.value()?).is_none(),
            "dataBase64" => members.data_base64.replace(self.text("dataBase64")?).is_none(),
            "removed" => members.removed.replace(self.fact("removed")?).is_none(),
            "digest" => members.digest.replace(self.digest()?).is_none(),
            "correlationId" => members.correlation.replace(self.text("correlationId")?).is_none(),
            _ => self.value().map(|_| true)?,
        };
        if is_new { Ok(()) } else { Err(UnreadablePage::at(start, PageFault::Twice("a member"))) }
    }

    /// The first byte of the next token.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    #[inline]
    fn take(&mut self, token: u8) -> bool {
        let is_next = self.peek() == Some(token);
        self.at += usize::from(is_next);
        is_next
    }

    #[inline]
    fn expect(&mut self, token: u8, name: &'static str) -> Result<(), UnreadablePage> {
        if self.take(token) { Ok(()) } else { Err(self.expected(name)) }
    }

    fn expected(&self, name: &'static str) -> UnreadablePage {
        let is_over = self.at == self.text.len();
        UnreadablePage::at(self.at, if is_over { NotJson::EndsBefore(name) } else { NotJson::Expected(name) })
    }

    /// What stands between the quotes of a string, from behind the first one.
    #[inline]
    fn string(&mut self) -> Result<&'a str, UnreadablePage> {
        let start = self.at;
        loop {
            self.at += json::plain_run(&self.text.as_bytes()[self.at..]);
            match self.text.as_bytes().get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(&self.text[start..self.at - 1]);
                }
                // What comes next is ASCII, or no escape; that is seen when the string is decoded.
                Some(b'\\') if self.text.is_char_boundary(self.at + 2) => self.at += 2,
                Some(b'\\') => return Err(UnreadablePage::at(self.at, NotJson::UnknownEscape)),
                Some(_) => return Err(UnreadablePage::at(self.at, NotJson::ControlCharacter)),
                None => return Err(self.expected("the closing quote of a string")),
            }
        }
    }

    /// A member that is a string.
    #[inline]
    fn text(&mut self, name: &'static str) -> Result<&'a str, UnreadablePage> {
        if self.take(b'"') { self.string() } else { Err(self.invalid(name, "a string")) }
    }

    fn invalid(&self, name: &'static str, what: &'static str) -> UnreadablePage {
        UnreadablePage::at(self.at, PageFault::Invalid { name, what })
    }

    /// A member that is a number or a position.
    #[inline]
    fn number(&mut self, name: &'static str) -> Result<u64, UnreadablePage> {
        self.peek();
        let digits = &self.text.as_bytes()[self.at..];
        let length = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
        let is_decimal = 0 < length && (length == 1 || digits[0] != b'0');
        let number = digits[..length]
            .iter()
            .try_fold(0_u64, |number, digit| number.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
        let number = number.filter(|number| is_decimal && *number <= NUMBER_MAX);
        self.at += length;
        number.ok_or_else(|| self.invalid(name, "a whole number below 2^63"))
    }

    fn id(&mut self) -> Result<Uuid, UnreadablePage> {
        let text = self.text("id")?;
        let hyphenated = Some(text).filter(|text| text.len() == uuid::fmt::Hyphenated::LENGTH);
        let id = hyphenated.and_then(|text| Uuid::try_parse_ascii(text.as_bytes()).ok());
        id.ok_or_else(|| self.invalid("id", "a UUID"))
    }

    fn time(&mut self) -> Result<Timestamp, UnreadablePage> {
        let text = self.text("time")?;
        time(text).ok_or_else(|| self.invalid("time", "a time such as 2026-01-31T12:00:00.000000Z"))
    }

    fn fact(&mut self, name: &'static str) -> Result<bool, UnreadablePage> {
        let value = self.value()?;
        match &self.text[value] {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.invalid(name, "true or false")),
        }
    }

    fn digest(&mut self) -> Result<Digest, UnreadablePage> {
        let text = self.text("digest")?;
        // 128 bits, as a UUID without hyphens has them.
        let digits = Some(text).filter(|text| text.len() == uuid::fmt::Simple::LENGTH);
        let digest = digits.and_then(|text| Uuid::try_parse_ascii(text.as_bytes()).ok());
        digest.map(|digest| Digest(digest.into_bytes())).ok_or_else(|| self.invalid("digest", "32 hexadecimal digits"))
    }

    /// Where the next value stands, of which only the end is looked for.
    #[inline]
    fn value(&mut self) -> Result<Range<usize>, UnreadablePage> {
        let first = self.peek();
        let start = self.at;
        match first {
            Some(b'{' | b'[') => {
                let length = value_end(&self.text.as_bytes()[start..]);
                self.at =
                    start + length.ok_or(UnreadablePage::at(start, NotJson::EndsBefore("the closing bracket")))?;
            }
            Some(b'"') => {
                self.at += 1;
                self.string()?;
            }
            _ => {
                let rest = &self.text.as_bytes()[start..];
                let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b' ' | b'\t' | b'\r');
                self.at = start + rest.iter().position(is_end).unwrap_or(rest.len());
                json::check(&rest[..self.at - start]).map_err(|fault| UnreadablePage::from(fault).within(start))?;
            }
        }
        Ok(start..self.at)
    }
}

impl<'a> Members<'a> {
    /// `slice` cuts a part of the line out of the page.
    fn event(
        self,
        names: &mut Names<'a>,
        line: &str,
        slice: impl Fn(Range<usize>) -> Bytes,
    ) -> Result<Event, PageFault> {
        let lacks = PageFault::Lacks;
        let number = self.number.ok_or(lacks("number"))?;
        let stream = names.stream.of(self.stream.ok_or(lacks("stream"))?)?;
        let event_type = names.event_type.of(self.event_type.ok_or(lacks("type"))?)?;
        let content = if self.removed == Some(true) {
            let correlation = self.correlation.map(unescaped).transpose()?;
            EventContent::Removed { digest: self.digest, correlation: correlation.map(Into::into) }
        } else {
            // As where they are appended, these say as much as nothing.
            let metadata = self.metadata.filter(|range| !matches!(&line[range.clone()], "null" | "\"\""));
            EventContent::Here {
                media_type: names.media_type.of(self.media_type.ok_or(lacks("mediaType"))?)?,
                data: either(self.data, self.data_base64, &slice)?.ok_or(lacks("data"))?,
                metadata: either(metadata, self.metadata_base64, &slice)?,
            }
        };
        Ok(Event {
            id: EventId::Uuid(self.id.ok_or(lacks("id"))?),
            stream,
            number: Some(number),
            position: Some(self.position.ok_or(lacks("position"))?),
            place: Some(self.place.unwrap_or(number)),
            event_type,
            time: self.time.ok_or(lacks("time"))?,
            trace_parent: self.trace_parent.and_then(TraceParent::parse),
            content,
        })
    }
}

impl<'a> Name<'a> {
    /// The name that stands so, which most of the time is that of the event before.
    #[inline]
    fn of(&mut self, quoted: &'a str) -> Result<Arc<str>, PageFault> {
        if self.quoted != quoted {
            *self = Self { quoted, name: unescaped(quoted)?.into() };
        }
        Ok(self.name.clone())
    }
}

/// What stands between the quotes of a string, as what it means.
fn unescaped(quoted: &str) -> Result<Cow<'_, str>, PageFault> {
    if memchr::memchr(b'\\', quoted.as_bytes()).is_none() {
        return Ok(quoted.into());
    }
    let text = serde_json::from_str(&format!("\"{quoted}\"")).map_err(|_| NotJson::UnknownEscape)?;
    Ok(Cow::Owned(text))
}

/// JSON as it stands there, or the bytes that a string of base64 stands for.
fn either(
    plain: Option<Range<usize>>,
    base64: Option<&str>,
    slice: impl Fn(Range<usize>) -> Bytes,
) -> Result<Option<Bytes>, PageFault> {
    match (plain, base64) {
        (None, None) => Ok(None),
        (Some(range), None) => Ok(Some(slice(range))),
        (None, Some(base64)) => match STANDARD.decode(&*unescaped(base64)?) {
            Ok(data) => Ok(Some(data.into())),
            Err(_) => Err(PageFault::Invalid { name: "dataBase64 or metadataBase64", what: "base64" }),
        },
        (Some(_), Some(_)) => Err(PageFault::Twice("the same value, once in base64,")),
    }
}
