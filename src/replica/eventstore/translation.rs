//! From the source's events to rows that continue the new log.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use uuid::Uuid;

use super::{TakeOverError, left_out};
use crate::event::limits::EVENT_BYTES_MAX;
use crate::event::{
    Content, Digest, EventId, EventType, HARD_DELETION_TYPE, LINK_TYPE, LogHead, MediaType, Number, SETTINGS_TYPE,
    Settings, Source, Status, StreamHead, StreamName, Timestamp,
};
use crate::feed::read::page::{self, EventContent};
use crate::store::{LOST_TYPE, Left, ReplicateError, Row, Store};

/// How many events may wait for the settings that bring their stream back.
const HELD_MAX: usize = 10_000;

const GAPS: &str = "numbers whose events the source has no more, kept as rows without content";
const DANGLING: &str = "entries of links that lead to nothing left out";
const NAMES: &str = "events left out whose stream has no name that one can have here";
const TYPES: &str = "events without content: their type is none that one can have here";
const SIZES: &str = "events without content: they are larger than 4 MiB";
const METADATA: &str = "events whose metadata are not JSON: they are kept as a JSON string";
const NO_JSON: &str = "events whose data are not the JSON that they are said to be: they are kept as bytes";

/// Makes rows of events.
pub(super) struct Translation {
    log: Uuid,
    /// Where the log stands once `rows` are in it.
    next: LogHead,
    heads: HashMap<StreamName, StreamHead>,
    /// EventStore writes the first event of a stream's new life before the settings that begin that life; here they
    /// come first.
    held: VecDeque<(StreamName, page::Event)>,
    /// Those that are not in the store yet.
    pub(super) rows: Vec<Row>,
    pub(super) remarks: BTreeMap<&'static str, u64>,
}

impl Translation {
    pub(super) fn into(store: &Store) -> Self {
        Self {
            log: store.identity().log,
            next: store.view().log(),
            heads: HashMap::new(),
            held: VecDeque::new(),
            rows: Vec::new(),
            remarks: BTreeMap::new(),
        }
    }

    /// Whether every event that was taken has become a row, or never will.
    pub(super) fn holds_nothing(&self) -> bool {
        self.held.is_empty()
    }

    /// Takes the next event of the source, from the feed of this stream, or from `$all`. `target` is what it leads to, if
    /// it is a link: `{number}@{stream}`.
    pub(super) fn take(
        &mut self,
        store: &Store,
        feed: Option<&StreamName>,
        mut event: page::Event,
        target: Option<String>,
    ) -> Result<(), TakeOverError> {
        if is_link(&event) {
            let removed = EventContent::Removed { digest: None, correlation: None };
            event.content = target.map_or(removed, |target| link_to(target, &event.content));
        }
        if let Some(feed) = feed {
            self.unresolve(store, feed, &mut event)?;
        } else if let page::EventId::Iri(_) = event.id {
            // Only a link whose target is not there has nothing but an address; where it stood is not told in `$all`.
            self.remark(DANGLING);
            return Ok(());
        }
        let Ok(stream) = StreamName::parse(&event.stream) else {
            self.remark(NAMES);
            return Ok(());
        };
        // A stream that was asked for by its name is wanted.
        if let Some(why) = left_out::why(&stream).filter(|_| feed.is_none()) {
            self.remark(why);
            return Ok(());
        }
        let is_deletion = &*event.event_type == HARD_DELETION_TYPE;
        if self.head(store, &stream)?.status == Status::SoftDeleted && !is_deletion {
            // The oldest goes first: whatever overtook it would leave a gap in its place.
            if HELD_MAX <= self.held.len()
                && let Some((stream, oldest)) = self.held.pop_front()
            {
                self.place(store, stream, oldest)?;
            }
            self.held.push_back((stream, event));
            return Ok(());
        }
        self.place(store, stream, event)
    }

    /// The source has been read to its end: what still waits for settings waits in vain.
    pub(super) fn end(&mut self, store: &Store) -> Result<(), TakeOverError> {
        while let Some((stream, event)) = self.held.pop_front() {
            self.place(store, stream, event)?;
        }
        Ok(())
    }

    fn place(&mut self, store: &Store, stream: StreamName, event: page::Event) -> Result<(), TakeOverError> {
        let named = format!("{}@{stream} ({})", event.number.map_or("?".into(), |number| number.to_string()), event.id);
        let broken = |why: String| TakeOverError::Event { event: named.clone(), why };
        let mut head = self.head(store, &stream)?;
        let is_deletion = &*event.event_type == HARD_DELETION_TYPE;
        if is_deletion && head.status == Status::HardDeleted {
            return Ok(());
        }
        // EventStore gives a deletion the largest number there is.
        let number =
            if is_deletion { head.next.get() } else { event.number.ok_or_else(|| broken("no number".into()))? };
        let number = Number::new(number).map_err(|error| broken(error.to_string()))?;
        if number < head.next {
            return Ok(());
        }
        while head.next < number {
            self.remark(GAPS);
            self.push_lost(&stream, &mut head, event.time);
        }
        let row = self.row(&stream, number, event);
        let settled = settings_of(&row);
        if is_deletion {
            head.status = Status::HardDeleted;
        }
        head.next = number.plus(1);
        self.heads.insert(stream, head);
        self.next = LogHead { next: self.next.next.plus(1), time: row.time };
        self.rows.push(row);
        match settled {
            Some((stream, settings)) => self.settle(store, &stream, settings),
            None => Ok(()),
        }
    }

    /// Takes in what settings say of a deletion, and lets go what has waited for them.
    fn settle(&mut self, store: &Store, stream: &StreamName, settings: Settings) -> Result<(), TakeOverError> {
        let mut head = self.head(store, stream)?;
        head.status = match head.status {
            Status::HardDeleted => Status::HardDeleted,
            _ if settings.is_deletion() => Status::SoftDeleted,
            Status::Live | Status::SoftDeleted => Status::Live,
        };
        self.heads.insert(stream.clone(), head);
        if head.status == Status::SoftDeleted {
            return Ok(());
        }
        let (free, held) = std::mem::take(&mut self.held).into_iter().partition(|(waiting, _)| waiting == stream);
        self.held = held;
        let free: VecDeque<(StreamName, page::Event)> = free;
        free.into_iter().try_for_each(|(stream, event)| self.place(store, stream, event))
    }

    /// An event in the place that it has in the source.
    fn row(&mut self, stream: &StreamName, number: Number, event: page::Event) -> Row {
        let page::Event { id, event_type, time, content, .. } = event;
        let id = match id {
            page::EventId::Uuid(id) => EventId::new(id).ok(),
            page::EventId::Iri(_) => None,
        };
        let id = id.unwrap_or_else(|| EventId::of_server(stream, number));
        let known_type = EventType::parse(&event_type);
        if known_type.is_err() {
            self.remark(TYPES);
        }
        let left = match (&known_type, content) {
            // What this says is in its type; and the source does not show its data.
            (Ok(event_type), _) if event_type.as_str() == HARD_DELETION_TYPE => {
                let data = Bytes::from_static(b"{}");
                Some(Content { media_type: MediaType::json(), data, metadata: None, trace_parent: None })
            }
            (Ok(_), EventContent::Here { media_type, data, metadata }) => self.content(&media_type, data, metadata),
            (Ok(_), EventContent::Removed { .. } | EventContent::Elsewhere { .. }) => {
                self.remark(GAPS);
                None
            }
            (Err(_), _) => None,
        };
        let position = self.next.next;
        let time = time.max(self.next.time);
        match (left, known_type) {
            (Some(content), Ok(event_type)) => {
                let left = Left::Content(content);
                Row { stream: stream.clone(), number, position, time, id, event_type, left }
            }
            _ => Row { id, ..lost(self.log, stream, number, self.next, time) },
        }
    }

    /// None if there is too much of it.
    fn content(&mut self, media_type: &str, data: Bytes, metadata: Option<Bytes>) -> Option<Content> {
        let is_json = |text: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok();
        let bytes = || MediaType::parse("application/octet-stream").expect("a media type");
        let mut media_type = MediaType::parse(media_type).unwrap_or_else(|_| bytes());
        if media_type.is_json() && !is_json(&data) {
            self.remark(NO_JSON);
            media_type = bytes();
        }
        let metadata = metadata.map(|metadata| {
            if is_json(&metadata) {
                return metadata;
            }
            self.remark(METADATA);
            serde_json::Value::from(String::from_utf8_lossy(&metadata)).to_string().into()
        });
        let content = Content { media_type, data, metadata, trace_parent: None };
        if EVENT_BYTES_MAX < content.len() {
            self.remark(SIZES);
            return None;
        }
        Some(content)
    }

    fn push_lost(&mut self, stream: &StreamName, head: &mut StreamHead, time: Timestamp) {
        let time = time.max(self.next.time);
        self.rows.push(lost(self.log, stream, head.next, self.next, time));
        head.next = head.next.plus(1);
        self.next = LogHead { next: self.next.next.plus(1), time };
    }

    /// Where a stream stands after all rows so far.
    fn head(&mut self, store: &Store, stream: &StreamName) -> Result<StreamHead, TakeOverError> {
        if let Some(head) = self.heads.get(stream) {
            return Ok(*head);
        }
        let head = store.view().head(&Source::Stream(stream.clone())).map_err(ReplicateError::from)?;
        self.heads.insert(stream.clone(), head);
        Ok(head)
    }

    /// In the feed of a stream, later servers always show what links lead to. The link is put in its place again.
    fn unresolve(&mut self, store: &Store, feed: &StreamName, event: &mut page::Event) -> Result<(), TakeOverError> {
        let (place, number) = (event.place, event.number);
        if feed.as_str() == &*event.stream && place == number {
            return Ok(());
        }
        let place = match place {
            Some(place) => place,
            // A link whose target is gone does not say where it stands: next to the one before it.
            None => self.head(store, feed)?.next.get(),
        };
        let number = number.map_or_else(|| "?".to_string(), |number| number.to_string());
        event.content =
            link_to(format!("{number}@{}", event.stream), &EventContent::Removed { digest: None, correlation: None });
        event.id = page::EventId::Iri("".into());
        event.number = Some(place);
        event.stream = feed.as_str().into();
        event.event_type = LINK_TYPE.into();
        Ok(())
    }

    fn remark(&mut self, what: &'static str) {
        *self.remarks.entry(what).or_default() += 1;
    }
}

/// Whether it is a link, and shown as one: in the place of its target it would have the id of that, or none.
pub(super) fn is_link(event: &page::Event) -> bool {
    &*event.event_type == LINK_TYPE && matches!(event.id, page::EventId::Uuid(_))
}

/// The content of a link, with the metadata that it has.
fn link_to(target: String, known: &EventContent) -> EventContent {
    let metadata = match known {
        EventContent::Here { metadata, .. } | EventContent::Elsewhere { metadata, .. } => metadata.clone(),
        EventContent::Removed { .. } => None,
    };
    EventContent::Here { media_type: "text/plain".into(), data: target.into(), metadata }
}

/// What new settings say, and of which stream.
fn settings_of(row: &Row) -> Option<(StreamName, Settings)> {
    let Left::Content(content) = &row.left else { return None };
    if row.event_type.as_str() != SETTINGS_TYPE {
        return None;
    }
    Some((row.stream.with_settings()?, Settings::parse(&content.data).ok()?))
}

/// What stands in the place of an event that there is no more.
fn lost(log: Uuid, stream: &StreamName, number: Number, next: LogHead, time: Timestamp) -> Row {
    Row {
        stream: stream.clone(),
        number,
        position: next.next,
        time,
        id: EventId::of_lost(log, next.next),
        event_type: EventType::parse(LOST_TYPE).expect("a type"),
        left: Left::Removed { digest: Digest([0; 16]), correlation: None },
    }
}
