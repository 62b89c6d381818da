//! One event, as groups and chunks hold it.
//!
//! ```text
//! flags       u8      bit 0: content follows; bit 1: with metadata; bit 2: without content, with a correlation
//!                     id; bit 3: with content, with a place in a trace; the others are 0
//! position    varint
//! stream      bytes
//! number      varint
//! life        varint
//! time        varint  microseconds since 1970
//! id          16 bytes
//! type        bytes
//! digest      16 bytes
//! media type  bytes   only with content
//! metadata    bytes   only with metadata
//! data        bytes   only with content
//! trace       25 bytes  only of an event that came in a trace: its id (16), the span (8), flags (1)
//! correlation bytes   only of an event whose content was removed
//! ```
//!
//! Each row stands alone, so that a single block or group can be read when all around it is lost. (What
//! repeats from row to row costs next to nothing once it is compressed.)

use std::ops::Range;

use uuid::Uuid;

use crate::event::{
    Content, Digest, Event, EventId, EventType, Life, MediaType, Number, Position, StreamName, Timestamp, TraceParent,
};

use super::codec::{put_bytes, put_varint};
use super::{Malformed, Reader};

const CONTENT: u8 = 1;
const METADATA: u8 = 2;
const CORRELATION: u8 = 4;
const TRACE: u8 = 8;

/// What an event counts towards [`super::CHUNK_BYTES_MAX`]. It decides where chunks are cut, so it depends on
/// what never changes about an event as it was appended, and is part of the format. What came from another log without
/// its content weighs less here than it did there, so a replica may cut its chunks elsewhere; nothing that is seen
/// depends on where.
pub(crate) fn weight(event: &Event) -> u64 {
    let text = event.stream.as_str().len() + event.event_type.as_str().len();
    let content = event.content.as_ref().map_or(0, |content| content.len() + content.media_type.as_str().len());
    (text + content + 64) as u64
}

/// Where an event's bytes lie in what it was encoded into. Empty for what it does not have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spans {
    pub(crate) metadata: Range<usize>,
    pub(crate) data: Range<usize>,
}

pub(crate) fn encode(event: &Event, out: &mut Vec<u8>) -> Spans {
    let mut spans = Spans::default();
    let metadata = event.content.as_ref().and_then(|content| content.metadata.as_ref());
    let mut flags = 0;
    if event.content.is_some() {
        flags |= CONTENT;
    }
    if metadata.is_some() {
        flags |= METADATA;
    }
    let trace_parent = event.content.as_ref().and_then(|content| content.trace_parent);
    if trace_parent.is_some() {
        flags |= TRACE;
    }
    let kept_correlation = event.kept_correlation.as_deref().filter(|_| event.content.is_none());
    if kept_correlation.is_some() {
        flags |= CORRELATION;
    }
    out.push(flags);
    put_varint(out, event.position.get());
    put_bytes(out, event.stream.as_str().as_bytes());
    put_varint(out, event.number.get());
    put_varint(out, u64::from(event.life.0));
    put_varint(out, event.time.micros() as u64);
    out.extend_from_slice(event.id.uuid().as_bytes());
    put_bytes(out, event.event_type.as_str().as_bytes());
    out.extend_from_slice(&event.digest.0);
    if let Some(content) = &event.content {
        put_bytes(out, content.media_type.as_str().as_bytes());
        if let Some(metadata) = metadata {
            put_bytes(out, metadata);
            spans.metadata = out.len() - metadata.len()..out.len();
        }
        put_bytes(out, &content.data);
        spans.data = out.len() - content.data.len()..out.len();
    }
    if let Some(trace_parent) = trace_parent {
        out.extend_from_slice(&trace_parent.to_bytes());
    }
    if let Some(correlation) = kept_correlation {
        put_bytes(out, correlation.as_bytes());
    }
    spans
}

/// Reads one row. `previous` lends its names where they are the same, which saves their allocation.
pub(crate) fn decode(reader: &mut Reader<'_>, previous: Option<&Event>) -> Result<Event, Malformed> {
    let flags = reader.u8()?;
    let with_content = flags & !(METADATA | TRACE);
    if !matches!(flags, 0 | CORRELATION) && with_content != CONTENT {
        return Err(Malformed("row: unknown flags"));
    }
    let position = Position::new(reader.varint()?).map_err(|_| Malformed("row: position"))?;
    let stream = match (reader.text()?, previous) {
        (text, Some(previous)) if previous.stream.as_str() == text => previous.stream.clone(),
        (text, _) => StreamName::parse(text).map_err(|_| Malformed("row: stream name"))?,
    };
    let number = Number::new(reader.varint()?).map_err(|_| Malformed("row: number"))?;
    let life = Life(reader.varint_u32()?);
    let micros = i64::try_from(reader.varint()?).map_err(|_| Malformed("row: time"))?;
    let id = EventId::new(Uuid::from_bytes(reader.array()?)).map_err(|_| Malformed("row: nil id"))?;
    let event_type = match (reader.text()?, previous) {
        (text, Some(previous)) if previous.event_type.as_str() == text => previous.event_type.clone(),
        (text, _) => EventType::parse(text).map_err(|_| Malformed("row: event type"))?,
    };
    let digest = Digest(reader.array()?);
    let content = if flags & CONTENT == 0 {
        None
    } else {
        let media_type = match (reader.text()?, previous.and_then(|previous| previous.content.as_ref())) {
            (text, Some(previous)) if previous.media_type.as_str() == text => previous.media_type.clone(),
            (text, _) => MediaType::parse(text).map_err(|_| Malformed("row: media type"))?,
        };
        let metadata = if flags & METADATA == 0 { None } else { Some(reader.bytes()?) };
        let data = reader.bytes()?;
        let trace_parent = match flags & TRACE {
            0 => None,
            _ => Some(TraceParent::from_bytes(reader.array()?).ok_or(Malformed("row: trace"))?),
        };
        Some(Content { media_type, data, metadata, trace_parent })
    };
    let kept_correlation = if flags & CORRELATION == 0 { None } else { Some(reader.text()?.into()) };
    let time = Timestamp::from_micros(micros);
    Ok(Event { stream, number, position, life, time, id, event_type, digest, content, kept_correlation })
}

#[cfg(test)]
pub(crate) mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        pub(crate) fn any_content()(
            media_type in "[a-z]{1,9}/[a-z+]{1,9}",
            data in prop::collection::vec(any::<u8>(), 0..300),
            metadata in prop::option::of(prop::collection::vec(any::<u8>(), 0..50)),
            trace in prop::option::of((1_u128.., 1_u64..)),
        ) -> Content {
            Content {
                media_type: MediaType::parse(&media_type).expect("a media type"),
                data: data.into(),
                metadata: metadata.map(Bytes::from),
                trace_parent: trace
                    .and_then(|(trace, span)| TraceParent::parse(&format!("00-{trace:032x}-{span:016x}-00"))),
            }
        }
    }

    prop_compose! {
        pub(crate) fn any_event()(
            stream in "[a-zé$/-]{1,12}", number in 0..i64::MAX as u64, position in 0..i64::MAX as u64, life: u32,
            micros in 0_i64..253_402_300_799_999_999, id in 1_u128.., event_type in "[A-Za-z]{1,12}", digest: [u8; 16],
            content in prop::option::of(any_content()), correlation in prop::option::of("[a-z-]{1,9}"),
        ) -> Event {
            Event {
                stream: StreamName::parse(&stream).expect("a name"),
                number: Number::new(number).expect("in range"),
                position: Position::new(position).expect("in range"),
                life: Life(life),
                time: Timestamp::from_micros(micros),
                id: EventId::new(Uuid::from_u128(id)).expect("not nil"),
                event_type: EventType::parse(&event_type).expect("a type"),
                digest: Digest(digest),
                kept_correlation: correlation.filter(|_| content.is_none()).map(Into::into),
                content,
            }
        }
    }

    proptest! {
        #[test]
        fn rows_come_back(events in prop::collection::vec(any_event(), 1..5)) {
            let mut out = Vec::new();
            for event in &events {
                encode(event, &mut out);
            }
            let bytes = Bytes::from(out);
            let mut reader = Reader::new(&bytes);
            let mut previous = None;
            for event in &events {
                let decoded = decode(&mut reader, previous.as_ref())?;
                prop_assert_eq!(&decoded, event);
                previous = Some(decoded);
            }
            prop_assert!(reader.is_at_end());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = Bytes::from(bytes);
            let _ = decode(&mut Reader::new(&bytes), None);
        }
    }

    #[test]
    fn the_bytes_of_a_row_are_part_of_the_format() {
        let mut event = Event {
            stream: StreamName::parse("orders").expect("a name"),
            number: Number::from(1),
            position: Position::from(300),
            life: Life(0),
            time: Timestamp::from_micros(5),
            id: EventId::new(Uuid::from_u128(1)).expect("not nil"),
            event_type: EventType::parse("t").expect("a type"),
            digest: Digest([7; 16]),
            content: Some(Content {
                media_type: MediaType::json(),
                data: Bytes::from_static(b"{}"),
                metadata: Some(Bytes::from_static(b"1")),
                trace_parent: None,
            }),
            kept_correlation: None,
        };
        let mut out = Vec::new();
        let spans = encode(&event, &mut out);
        let mut golden = b"\x03\xac\x02\x06orders\x01\x00\x05".to_vec();
        golden.extend([0; 15]);
        golden.extend(b"\x01\x01t");
        golden.extend([7; 16]);
        golden.extend(b"\x10application/json\x011\x02{}");
        assert_eq!(out, golden);
        assert_eq!((&out[spans.metadata], &out[spans.data]), (&b"1"[..], &b"{}"[..]));
        assert_eq!(weight(&event), 6 + 1 + 3 + 16 + 64);
        // What came in a trace has that behind all else, and one more flag.
        let trace_parent = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        event.content.as_mut().expect("content").trace_parent = trace_parent;
        out.clear();
        encode(&event, &mut out);
        golden[0] |= 8;
        golden.extend(
            b"\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c\xb7\xad\x6b\x71\x69\x20\x33\x31\x01",
        );
        assert_eq!(out, golden);
        assert_eq!(weight(&event), 6 + 1 + 3 + 16 + 64, "chunks are cut where they were");
    }
}
