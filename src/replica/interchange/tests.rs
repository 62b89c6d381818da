//! What is written is read; what was cut or altered is not, and it is said where.

use std::io::{Cursor, Seek, Write};

use proptest::prelude::*;
use uuid::Uuid;

use super::{Fault, FaultKind, Header, Reader, Unfinished, Writer, decompressed};
use crate::event::{Digest, Event, Number, Position};
use crate::feed::tests_support::any_event;
use crate::replica::Rows;
use crate::store::{Left, Row};

fn header() -> Header {
    Header::new(Uuid::from_u128(7), 3, None, 0, "2026-11-24T16:04:20.193884Z".into())
}

/// A file of these events, with a mark after each so many.
fn written(events: &[Event], is_compressed: bool) -> Vec<u8> {
    let mut writer = Writer::begin(Vec::new(), is_compressed, &header());
    for event in events {
        writer.push(event).expect("a vector takes it");
    }
    writer.end().expect("a vector takes it")
}

fn read(file: Vec<u8>) -> Result<Vec<Row>, Fault> {
    let mut reader = Reader::begin(decompressed(Cursor::new(file)).expect("bytes are read"))?;
    let mut found = Vec::new();
    let mut rows = Rows::default();
    while let Some(block) = reader.next_block()? {
        found.extend(block.events.into_iter().map(|event| rows.of(event).expect("a row")));
    }
    Ok(found)
}

fn row(event: &Event) -> Row {
    let Event { stream, number, position, time, id, event_type, digest, content, kept_correlation, .. } = event.clone();
    let left = match content {
        Some(content) => Left::Content(content),
        None => Left::Removed { digest, correlation: kept_correlation },
    };
    Row { stream, number, position, time, id, event_type, left }
}

/// Any event, with what removed ones keep.
fn any_row() -> impl Strategy<Value = Event> {
    (any_event(), any::<[u8; 16]>(), prop::option::of(any::<String>())).prop_map(|(event, digest, correlation)| {
        let kept_correlation = correlation.filter(|_| event.content.is_none()).map(Into::into);
        Event { digest: Digest(digest), kept_correlation, ..event }
    })
}

/// As many events as make several blocks.
fn many(count: u32) -> Vec<Event> {
    let mut event = crate::store::tests_support::event("orders", 0, 0);
    let place = |place: u32| (Number::from(place), Position::from(place));
    (0..count)
        .map(|index| {
            (event.number, event.position) = place(index);
            event.clone()
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_written_is_read(events in prop::collection::vec(any_row(), 0..12), is_compressed: bool) {
        let expected: Vec<Row> = events.iter().map(row).collect();
        prop_assert_eq!(read(written(&events, is_compressed)), Ok(expected));
    }

    /// Neither fewer rows nor others, as if that were all.
    #[test]
    fn what_was_cut_or_altered_is_refused(
        events in prop::collection::vec(any_row(), 1..4), is_compressed: bool,
        at in any::<prop::sample::Index>(), flipped in prop::option::of(0..8),
    ) {
        let mut file = written(&events, is_compressed);
        let at = at.index(file.len());
        match flipped {
            Some(bit) => file[at] ^= 1_u8 << bit,
            None => file.truncate(at),
        }
        let expected: Vec<Row> = events.iter().map(row).collect();
        // zstd has bits of its own that say nothing, in the headers of its frames.
        if let Ok(found) = read(file) {
            prop_assert!(is_compressed && found == expected);
        }
    }
}

#[test]
fn it_is_said_between_which_lines_a_file_was_altered() {
    let file = String::from_utf8(written(&many(9_000), false)).expect("text");
    assert_eq!(read(file.clone().into_bytes()).map(|rows| rows.len()), Ok(9_000));
    let altered = file.replacen("\"number\":5000,", "\"number\":5001,", 1);
    let fault = read(altered.into_bytes()).expect_err("refused");
    // The first mark is line 4,098: the first line, and 4,096 rows before it.
    assert_eq!(fault.line, 8_195);
    assert_eq!(
        fault.to_string(),
        "line 8195: the file was altered somewhere from line 4099 to here: its checksum is another"
    );
    let lines: Vec<&str> = file.lines().collect();
    let cut = |lines: usize| read(file.lines().take(lines).map(|line| format!("{line}\n")).collect::<String>().into());
    assert_eq!(cut(lines.len() - 1), Err(Fault { line: lines.len() as u64, why: FaultKind::CutShort }));
    assert_eq!(cut(1), Err(Fault { line: 2, why: FaultKind::CutShort }));
    let more = read(format!("{file}{}\n", lines[1]).into());
    assert_eq!(more.map_err(|fault| fault.why), Err(FaultKind::AfterTheEnd));
}

#[test]
fn what_is_no_export_is_told_from_one_that_is_cut() {
    let why = |file: &str| read(file.as_bytes().to_vec()).map_err(|fault| fault.why);
    assert_eq!(why(""), Err(FaultKind::CutShort));
    assert!(matches!(why("<feed/>\n"), Err(FaultKind::NotAnExport(_))));
    assert!(matches!(why("{\"format\":\"other\",\"version\":1}\n"), Err(FaultKind::NotAnExport(_))));
    assert_eq!(why("{\"format\":\"everfeed-export\",\"version\":2}\n"), Err(FaultKind::NewerVersion(2)));
}

#[test]
fn an_interrupted_export_goes_on_after_its_last_mark() {
    let events = many(9_000);
    for is_compressed in [false, true] {
        let whole = written(&events, is_compressed);
        let cuts = [0, 10, whole.len() / 3, whole.len() / 2, whole.len() - 1, whole.len()];
        for cut in cuts {
            let mut file = tempfile::tempfile().expect("a file");
            file.write_all(&whole[..cut]).expect("written");
            // As after a power cut: space without what was written there.
            file.write_all(&[0; 4000][..if cut < whole.len() { 4000 } else { 0 }]).expect("written");
            let unfinished = Unfinished::find(&mut file, is_compressed).expect("an export");
            let Some(unfinished) = unfinished else {
                assert!(cut < whole.len() / 2, "{cut} of {}", whole.len());
                continue;
            };
            let end = unfinished.end;
            assert_eq!(unfinished.is_whole, cut == whole.len());
            if unfinished.is_whole {
                assert_eq!(end, whole.len() as u64);
                continue;
            }
            let next = unfinished.last.as_ref().and_then(|last| last.position).expect("a row") + 1;
            assert_eq!(next % 4096, 0);
            file.set_len(end).expect("cut");
            file.seek(std::io::SeekFrom::Start(end)).expect("there");
            let mut writer = Writer::resume(&file, is_compressed, unfinished);
            for event in &events[usize::try_from(next).expect("small")..] {
                writer.push(event).expect("written");
            }
            writer.end().expect("written");
            file.seek(std::io::SeekFrom::Start(0)).expect("there");
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut file, &mut bytes).expect("read");
            assert!(bytes == whole, "the same bytes as of an export in one go");
        }
    }
}

#[test]
fn whatever_is_called_an_unfinished_export_and_is_none_is_left_alone() {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(b"dear diary\n").expect("written");
    assert!(matches!(Unfinished::find(&mut file, false).map_err(|fault| fault.why), Err(FaultKind::NotAnExport(_))));
}
