//! Arrays and objects in a body, member by member, with the place of whatever is wrong.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use uuid::Uuid;

use super::{BodyFault, UnreadableBody};
use crate::event::limits::BATCH_EVENTS_MAX;
use crate::event::{EventId, EventType};
use crate::feed::json::{Fault, Scanner};

/// A fault, and where it is: in bytes from the start of what is read, and in which event.
pub(super) struct Placed {
    at: usize,
    index: Option<usize>,
    fault: BodyFault,
}

/// A member of an object.
pub(super) struct Member<'a> {
    pub(super) name: Cow<'a, str>,
    /// Where its name stands.
    pub(super) at: usize,
    /// Where its value stands.
    pub(super) value: Range<usize>,
}

impl Placed {
    pub(super) fn at(at: usize, fault: impl Into<BodyFault>) -> Self {
        Self { at, index: None, fault: fault.into() }
    }

    /// In the event at this index, which was read from a part that begins at this place of the body.
    pub(super) fn in_event(self, index: usize, start: usize) -> Self {
        Self { at: self.at + start, index: Some(index), ..self }
    }

    pub(super) fn in_body(self, body: &[u8]) -> UnreadableBody {
        UnreadableBody { index: self.index, ..UnreadableBody::at(body, self.at, self.fault) }
    }
}

impl From<Fault> for Placed {
    fn from(fault: Fault) -> Self {
        Self::at(fault.at, fault.why)
    }
}

/// The events of an array, which is all of the body; at least one. Each is read from where the scanner stands.
pub(super) fn array<T>(
    body: &Bytes,
    mut read: impl FnMut(&mut Scanner<'_>, usize) -> Result<T, Placed>,
) -> Result<Vec<T>, Placed> {
    let mut scanner = Scanner::new(body)?;
    let start = scanner.at();
    if !scanner.take(b'[') {
        // Whoever sent no JSON at all is told that first.
        scanner.value()?;
        return Err(Placed::at(start, BodyFault::NotAnArray));
    }
    if scanner.take(b']') {
        return Err(Placed::at(start, BodyFault::NoEvents));
    }
    let mut events = Vec::new();
    loop {
        let index = events.len();
        if index == BATCH_EVENTS_MAX {
            return Err(Placed::at(scanner.at(), BodyFault::TooManyEvents));
        }
        events.push(read(&mut scanner, index).map_err(|placed| placed.in_event(index, 0))?);
        if !scanner.take(b',') {
            scanner.expect(b']', "`,` or `]`")?;
            scanner.end()?;
            return Ok(events);
        }
    }
}

/// Hands on each member of the object that comes next. `what` is said when none does.
pub(super) fn members<'a>(
    scanner: &mut Scanner<'a>,
    what: &'static str,
    mut take: impl FnMut(&Scanner<'a>, Member<'a>) -> Result<(), Placed>,
) -> Result<(), Placed> {
    let start = scanner.at();
    if !scanner.take(b'{') {
        scanner.value()?;
        return Err(Placed::at(start, BodyFault::NotAnObject(what)));
    }
    if scanner.take(b'}') {
        return Ok(());
    }
    loop {
        let name = scanner.member_name()?;
        let at = name.start;
        let name = scanner.string(name).unwrap_or_default();
        let value = scanner.value()?;
        take(scanner, Member { name, at, value })?;
        if !scanner.take(b',') {
            return Ok(scanner.expect(b'}', "`,` or `}`")?);
        }
    }
}

/// Where the values of these members stand in the object that comes next. Names are compared without regard to
/// case, as EventStore does, and the number of each says which field it is a name of; others are passed over.
pub(super) fn fields<const N: usize>(
    scanner: &mut Scanner<'_>,
    what: &'static str,
    names: &[(&'static str, usize)],
) -> Result<[Option<Range<usize>>; N], Placed> {
    let mut fields = [const { None }; N];
    members(scanner, what, |_, member| {
        let known = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(&member.name));
        match known {
            Some((name, field)) if fields[*field].replace(member.value).is_some() => {
                Err(Placed::at(member.at, BodyFault::Twice((*name).to_string())))
            }
            _ => Ok(()),
        }
    })?;
    Ok(fields)
}

/// What the string at this place says.
pub(super) fn text<'a>(scanner: &Scanner<'a>, name: &'static str, range: Range<usize>) -> Result<Cow<'a, str>, Placed> {
    let at = range.start;
    scanner.string(range).ok_or(Placed::at(at, BodyFault::NotAString(name)))
}

/// The event id at this place.
pub(super) fn event_id(scanner: &Scanner<'_>, name: &'static str, range: Range<usize>) -> Result<EventId, Placed> {
    let at = range.start;
    let uuid =
        Uuid::try_parse(&text(scanner, name, range)?).map_err(|_| Placed::at(at, BodyFault::InvalidEventId(name)))?;
    EventId::new(uuid).map_err(|nil| Placed::at(at, BodyFault::NilEventId(name, nil)))
}

/// The event type at this place.
pub(super) fn event_type(scanner: &Scanner<'_>, name: &'static str, range: Range<usize>) -> Result<EventType, Placed> {
    let at = range.start;
    EventType::parse(&text(scanner, name, range)?).map_err(|why| Placed::at(at, BodyFault::InvalidEventType(name, why)))
}

/// The bytes that the base64 at this place stands for.
pub(super) fn decoded(scanner: &Scanner<'_>, name: &'static str, range: Range<usize>) -> Result<Bytes, Placed> {
    let at = range.start;
    let text = text(scanner, name, range)?;
    STANDARD.decode(&*text).map(Bytes::from).map_err(|_| Placed::at(at, BodyFault::NotBase64(name)))
}
