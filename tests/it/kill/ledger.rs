//! What producers sent and what they were told, and whether the log agrees.

use std::collections::HashMap;

use uuid::Uuid;

use super::{BULK, PAGE};
use crate::support::TestServer;

/// The media type of everything that is not JSON here.
const BYTES: &str = "application/octet-stream";

/// So large that few of them make a chunk, and so alike that the disk hardly notices.
const BULK_BYTES: usize = 3 << 20;

/// One POST, which can be sent again exactly as it was.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) stream: String,
    pub(crate) ids: Vec<Uuid>,
    pub(crate) expected: Option<i64>,
    pub(crate) outcome: Outcome,
}

/// What the producer was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Acknowledged(Receipt),
    /// 400: the stream was not at the expected version.
    Refused,
    /// The server was killed before it answered.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// Of the last event.
    pub(crate) position: u64,
    pub(crate) is_repeat: bool,
}

impl Sent {
    /// The request, as bytes for the wire.
    pub(crate) fn request(&self) -> Vec<u8> {
        let (media_type, body) = match &self.ids[..] {
            [id] if self.stream == BULK => (BYTES, data(&self.stream, *id)),
            [id] => ("application/json", data(&self.stream, *id)),
            ids => ("application/vnd.eventstore.events+json", self.batch(ids)),
        };
        let mut head = format!(
            "POST /streams/{} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: {media_type}\r\n\
             Content-Length: {}\r\n",
            self.stream,
            body.len()
        );
        if let [id] = &self.ids[..] {
            head.push_str(&format!("ES-EventType: Tried\r\nES-EventId: {id}\r\n"));
        }
        if let Some(expected) = self.expected {
            head.push_str(&format!("ES-ExpectedVersion: {expected}\r\n"));
        }
        head.push_str("\r\n");
        let mut raw = head.into_bytes();
        raw.extend_from_slice(&body);
        raw
    }

    fn batch(&self, ids: &[Uuid]) -> Vec<u8> {
        let mut body = vec![b'['];
        for (index, id) in ids.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            body.extend_from_slice(
                format!("{comma}{{\"eventId\":\"{id}\",\"eventType\":\"Tried\",\"data\":").as_bytes(),
            );
            body.extend_from_slice(&data(&self.stream, *id));
            body.push(b'}');
        }
        body.push(b']');
        body
    }
}

/// An event's data follow from its stream and id, so nobody has to remember them.
pub(crate) fn data(stream: &str, id: Uuid) -> Vec<u8> {
    let text = id.to_string();
    if stream == BULK {
        return text.bytes().cycle().take(BULK_BYTES).collect();
    }
    let filler: String = text.chars().cycle().take(id.as_u128() as usize % 1_500).collect();
    format!("{{\"id\":\"{id}\",\"filler\":\"{filler}\"}}").into_bytes()
}

/// The whole log, as `$all` told it.
#[derive(Default)]
pub(crate) struct Log {
    events: Vec<(String, u64, Uuid)>,
    places: HashMap<Uuid, usize>,
    /// The number that each stream goes on with.
    next: HashMap<String, u64>,
}

impl Log {
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// The newest number of a stream; −1 if it has none.
    pub(crate) fn version(&self, stream: &str) -> i64 {
        self.next.get(stream).map_or(-1, |next| next.cast_signed() - 1)
    }

    /// Reads on from where it was: no gap in positions and in the numbers of any stream, no id twice.
    pub(crate) fn read_on(&mut self, server: &TestServer) {
        loop {
            let page = page(server, "$all", self.len() as u64);
            let is_last = page.len() < PAGE as usize;
            for (stream, number, id) in page {
                let next = self.next.entry(stream.clone()).or_default();
                assert_eq!(number, *next, "{stream} has a gap, or a number twice, at position {}", self.events.len());
                *next += 1;
                assert_eq!(self.places.insert(id, self.events.len()), None, "{id} is there twice");
                self.events.push((stream, number, id));
            }
            if is_last {
                return;
            }
        }
    }

    /// The streams themselves hold what `$all` says, from position `start` on.
    pub(crate) fn check_streams(&self, server: &TestServer, start: usize) {
        let mut rest: HashMap<&str, Vec<(u64, Uuid)>> = HashMap::new();
        for (stream, number, id) in &self.events[start..] {
            rest.entry(stream).or_default().push((*number, *id));
        }
        for (stream, expected) in rest {
            let mut found = Vec::new();
            let mut number = expected[0].0;
            while found.len() < expected.len() {
                let page = page(server, stream, number);
                assert!(!page.is_empty(), "{stream} ends at {number}, and $all knows more of it");
                number += page.len() as u64;
                found.extend(page.into_iter().map(|(_, number, id)| (number, id)));
            }
            assert_eq!(found, expected, "{stream} and $all differ");
        }
    }

    /// An event is there with the bytes that were sent.
    pub(crate) fn check_data(&self, server: &TestServer, position: usize) {
        let (stream, number, id) = &self.events[position];
        let reply = server.get(&format!("/streams/{stream}/{number}/data"), &[]);
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(reply.body == data(stream, *id), "{number}@{stream} has other data than were sent");
    }

    /// All of it is there, at one place and in order, or nothing; which of the two its outcome says.
    pub(crate) fn check(&self, sent: &Sent) {
        let places: Vec<usize> = sent.ids.iter().filter_map(|id| self.places.get(id).copied()).collect();
        match sent.outcome {
            Outcome::Refused => assert!(places.is_empty(), "refused, and written: {sent:?}"),
            Outcome::Unknown if places.is_empty() => {}
            Outcome::Unknown => self.check_group(sent, &places),
            Outcome::Acknowledged(receipt) => {
                self.check_group(sent, &places);
                let (first, last) = (places[0], places[places.len() - 1]);
                assert_eq!(last as u64, receipt.position, "{sent:?}");
                assert_eq!((self.events[first].1, self.events[last].1), (receipt.first, receipt.last), "{sent:?}");
            }
        }
    }

    fn check_group(&self, sent: &Sent, places: &[usize]) {
        assert_eq!(places.len(), sent.ids.len(), "torn or lost: {sent:?}");
        assert!(places.windows(2).all(|pair| pair[0] + 1 == pair[1]), "out of order: {sent:?} at {places:?}");
        assert!(places.iter().all(|place| self.events[*place].0 == sent.stream), "elsewhere: {sent:?}");
    }

    /// Whether an append is there.
    pub(crate) fn has(&self, sent: &Sent) -> bool {
        self.places.contains_key(&sent.ids[0])
    }

    /// Events from position `start` on that are none of these: what nobody sent.
    pub(crate) fn strangers(&self, start: usize, sent: &[Sent]) -> usize {
        let known: usize = sent.iter().filter(|sent| self.has(sent)).map(|sent| sent.ids.len()).sum();
        self.events.len() - start - known
    }
}

/// The events of a forward page, oldest first: stream, number, id.
fn page(server: &TestServer, source: &str, from: u64) -> Vec<(String, u64, Uuid)> {
    let path = format!("/streams/{source}/{from}/forward/{PAGE}?embed=rich");
    let reply = server.get(&path, &[("Accept", "application/vnd.eventstore.atom+json")]);
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    let mut entries: Vec<_> = reply.json()["entries"].as_array().expect("it has entries").iter().map(entry).collect();
    entries.reverse();
    entries
}

fn entry(entry: &serde_json::Value) -> (String, u64, Uuid) {
    let text = |name: &str| entry[name].as_str().unwrap_or_else(|| panic!("no {name} in {entry}"));
    let number = entry["eventNumber"].as_u64().expect("a number");
    (text("streamId").to_string(), number, text("eventId").parse().expect("a UUID"))
}
