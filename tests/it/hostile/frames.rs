//! HTTP/2 by hand-made frames (RFC 9113): floods, bombs, and readers whose window stays shut.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::Attacked;
use crate::support::TestServer;
use crate::support::socket::connect;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const PROTOCOL_ERROR: u32 = 1;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;

/// What is written to somebody who may have hung up already.
struct Wire(TcpStream);

#[derive(Debug)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    fn bytes(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    /// The error that a RST_STREAM or a GOAWAY names.
    fn error(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().expect("four bytes"))
    }
}

impl Wire {
    /// Begins HTTP/2 with these settings.
    fn open(server: &TestServer, settings: &[(u16, u32)]) -> Self {
        let mut wire = Self(connect(server));
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        assert!(wire.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") && wire.send(SETTINGS, 0, 0, &payload));
        wire
    }

    /// Whether anybody still takes it.
    fn write(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.write(&Frame::bytes(kind, flags, stream, payload))
    }

    /// The next frame; none once the other side has closed.
    fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).ok()?;
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// The first frame that is so, among those to come.
    fn find(&mut self, is_it: impl Fn(&Frame) -> bool) -> Option<Frame> {
        std::iter::from_fn(|| self.next()).find(is_it)
    }

    /// The error that it ends with: that of its GOAWAY, or none if it was cut off without a word.
    fn end(&mut self) -> Option<u32> {
        std::iter::from_fn(|| self.next()).filter(|frame| frame.kind == GOAWAY).last().map(|frame| frame.error())
    }
}

/// A field without the table: its name, or the number of its name there, and its value.
fn field(name: &str, value: &[u8]) -> Vec<u8> {
    let length = |length: usize| {
        assert!(length < 127 + 128);
        if length < 127 { vec![length as u8] } else { vec![127, (length - 127) as u8] }
    };
    [&[0][..], &length(name.len()), name.as_bytes(), &length(value.len()), value].concat()
}

/// The fields of a request, encoded (RFC 7541).
fn request(method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let pseudo = [(":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path)];
    pseudo.iter().chain(more).flat_map(|(name, value)| field(name, value.as_bytes())).collect()
}

fn get(path: &str) -> Vec<u8> {
    request("GET", path, &[])
}

/// The connection that floods is ended; how, RFC 9113 §10.5 leaves open, but not that it is.
#[track_caller]
fn check_ended(
    attacked: &Attacked,
    what: &str,
    mut wire: Wire,
    flood: impl Fn(&mut Wire, u32) -> bool,
    growth_mib_max: u64,
) {
    let _ = wire.0.set_write_timeout(Some(Duration::from_secs(20)));
    let mut frames = 0_u32;
    while frames < 400_000 && flood(&mut wire, frames) {
        frames += 1;
    }
    assert!(frames < 400_000, "{what}: nobody ends it");
    let error = wire.end();
    assert!(error.is_none_or(|error| [PROTOCOL_ERROR, ENHANCE_YOUR_CALM].contains(&error)), "{what}: {error:?}");
    attacked.check_unharmed(growth_mib_max);
}

#[test]
fn requests_that_are_taken_back_at_once_end_the_connection() {
    let attacked = Attacked::new(&[]);
    let fields = get("/streams/s");
    let flood = |wire: &mut Wire, n: u32| {
        let stream = 2 * n + 1;
        let both = [
            Frame::bytes(HEADERS, END_STREAM | END_HEADERS, stream, &fields),
            Frame::bytes(RST_STREAM, 0, stream, &CANCEL.to_be_bytes()),
        ];
        wire.write(&both.concat())
    };
    check_ended(&attacked, "rapid reset", Wire::open(&attacked.server, &[]), flood, 32);
    // The same by breaking the rules, so that it is the server that takes them back.
    let flood = |wire: &mut Wire, n: u32| {
        let stream = 2 * n + 1;
        let both = [
            Frame::bytes(HEADERS, END_STREAM | END_HEADERS, stream, &fields),
            Frame::bytes(WINDOW_UPDATE, 0, stream, &0_u32.to_be_bytes()),
        ];
        wire.write(&both.concat())
    };
    check_ended(&attacked, "made you reset", Wire::open(&attacked.server, &[]), flood, 32);
}

#[test]
fn heads_without_end_end_the_connection() {
    let attacked = Attacked::new(&[]);
    let filling: Vec<u8> = (0..60).flat_map(|n| field(&format!("x-{n}"), &[b'x'; 200])).collect();
    for (what, payload) in [("full", &filling[..]), ("empty", &[][..])] {
        let mut wire = Wire::open(&attacked.server, &[]);
        assert!(wire.send(HEADERS, END_STREAM, 1, &get("/streams/s")));
        check_ended(&attacked, what, wire, |wire, _| wire.send(CONTINUATION, 0, 1, payload), 32);
    }
}

#[test]
fn empty_data_without_end_is_cut_off() {
    let attacked = Attacked::new(&[("timeouts.body", "2s")]);
    let mut wire = Wire::open(&attacked.server, &[]);
    let append = request("POST", "/streams/s", &[("content-type", "text/plain")]);
    assert!(wire.send(HEADERS, END_HEADERS, 1, &append));
    check_ended(&attacked, "empty data", wire, |wire, _| wire.send(DATA, 0, 1, b""), 32);
}

/// What must be answered is answered for as long as somebody reads it; nobody makes the server heap up answers.
#[test]
fn control_frames_without_end_heap_up_nothing() {
    let attacked = Attacked::new(&[("timeouts.stalled_reader", "1s")]);
    for (what, kind, payload) in [
        ("pings", PING, &[0; 8][..]),
        ("settings", SETTINGS, &[][..]),
        ("settings of tables", SETTINGS, &[0, 1, 0, 0, 0, 0][..]),
        ("window updates", WINDOW_UPDATE, &[0, 0, 0, 1][..]),
        ("unknown frames", 0x77, &[0; 16][..]),
    ] {
        let mut wire = Wire::open(&attacked.server, &[]);
        let _ = wire.0.set_write_timeout(Some(Duration::from_secs(5)));
        let frames = Frame::bytes(kind, 0, 0, payload).repeat(1_000);
        // Nobody reads what comes back.
        let taken = (0..300).take_while(|_| wire.write(&frames)).count();
        println!("{what}: {taken} thousand were taken");
        attacked.check_unharmed(32);
    }
}

#[test]
fn a_head_that_refers_to_itself_is_no_larger_than_others() {
    let attacked = Attacked::new(&[]);
    let mut wire = Wire::open(&attacked.server, &[]);
    // Into the table goes one field of four thousand bytes, and then it is named sixteen thousand times.
    let value = [b'x'; 3_900];
    let mut fields = get("/streams/s");
    fields.extend([0x40, 1, b'x', 127]);
    fields.extend([((3_900 - 127) & 0x7f) as u8 | 0x80, ((3_900 - 127) >> 7) as u8]);
    fields.extend(value);
    fields.extend(vec![0xbe; 12_000]);
    assert!(wire.send(HEADERS, END_STREAM | END_HEADERS, 1, &fields));
    let answer = wire.find(|frame| frame.stream == 1 || frame.kind == GOAWAY).expect("an answer");
    let is_431 = answer.kind == HEADERS && answer.payload.windows(3).any(|digits| digits == b"431");
    // In Huffman's code, as h2 writes it.
    let is_431_coded = answer.kind == HEADERS && answer.payload.len() > 2;
    assert!(is_431 || is_431_coded || matches!(answer.kind, RST_STREAM | GOAWAY), "{answer:?}");
    assert!(!answer.payload.starts_with(&[0x88]), "it is not 200");
    attacked.check_unharmed(80);
}

#[test]
fn as_many_requests_at_once_as_may_and_the_next_is_refused() {
    let attacked = Attacked::new(&[("limits.http2_streams", "10")]);
    let mut wire = Wire::open(&attacked.server, &[]);
    let settings = wire.find(|frame| frame.kind == SETTINGS && frame.flags == 0).expect("its settings");
    assert!(settings.payload.chunks(6).any(|setting| setting == [0, 3, 0, 0, 0, 10]), "{settings:?}");
    for n in 0..11 {
        assert!(wire.send(HEADERS, END_STREAM | END_HEADERS, 2 * n + 1, &get("/streams/none?wait=60")));
    }
    let refused = wire.find(|frame| frame.kind == RST_STREAM || frame.kind == GOAWAY).expect("one is too many");
    assert_eq!((refused.kind, refused.stream, refused.error()), (RST_STREAM, 21, REFUSED_STREAM));
    attacked.check_unharmed(16);
}

#[test]
fn what_breaks_the_rules_is_refused() {
    let attacked = Attacked::new(&[]);
    let head = |fields: &[(&str, &str)]| {
        fields.iter().flat_map(|(name, value)| field(name, value.as_bytes())).collect::<Vec<_>>()
    };
    let good = [(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "/streams/s")];
    let with = |more: &[(&str, &str)]| head(&[&good[..], more].concat());
    for (what, fields) in [
        ("transfer-encoding", with(&[("transfer-encoding", "chunked")])),
        ("connection", with(&[("connection", "close")])),
        ("upper case", with(&[("X-Upper", "y")])),
        ("an end of line in a value", with(&[("x", "y\r\nx-injected: z")])),
        ("a NUL in a value", with(&[("x", "y\0")])),
        ("an end of line in a name", with(&[("x\r\ny", "z")])),
        ("no path", head(&good[..3])),
        ("an empty path", head(&[good[0], good[1], good[2], (":path", "")])),
        ("two paths", with(&[(":path", "/info")])),
        ("an end of line in the path", head(&[good[0], good[1], good[2], (":path", "/streams/s HTTP/1.1\r\nx: y")])),
        ("another host", with(&[("host", "evil.example")])),
        ("a path after a header", head(&[good[0], good[1], good[2], ("x", "y"), good[3]])),
    ] {
        let mut wire = Wire::open(&attacked.server, &[]);
        assert!(wire.send(HEADERS, END_STREAM | END_HEADERS, 1, &fields), "{what}");
        let answer = wire.find(|frame| frame.stream == 1 || frame.kind == GOAWAY).expect(what);
        let is_400 = answer.kind == HEADERS && answer.payload.first() == Some(&0x8c);
        assert!(is_400 || matches!(answer.kind, RST_STREAM | GOAWAY), "{what} {answer:?}");
    }
    for (what, frame) in [
        ("data of no stream", Frame::bytes(DATA, 0, 0, b"x")),
        ("a head of no stream", Frame::bytes(HEADERS, END_STREAM | END_HEADERS, 0, &get("/ping"))),
        ("a head of the server's stream", Frame::bytes(HEADERS, END_STREAM | END_HEADERS, 2, &get("/ping"))),
        ("a continuation of nothing", Frame::bytes(CONTINUATION, END_HEADERS, 1, b"")),
        ("a ping of seven bytes", Frame::bytes(PING, 0, 0, &[0; 7])),
        ("a frame of 16 MB", vec![0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1]),
        ("fields that are none", Frame::bytes(HEADERS, END_STREAM | END_HEADERS, 1, &[0xff; 30])),
        ("a window that overflows", Frame::bytes(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]).repeat(2)),
        ("a push", Frame::bytes(5, END_HEADERS, 1, &[0, 0, 0, 2])),
    ] {
        let mut wire = Wire::open(&attacked.server, &[]);
        assert!(wire.write(&frame), "{what}");
        assert!(wire.end().is_some_and(|error| error != 0), "{what}");
    }
    attacked.check_unharmed(16);
}

/// A body that is longer or shorter than it was said to be is no body.
#[test]
fn a_length_that_is_not_that_of_the_body_is_refused() {
    let attacked = Attacked::new(&[]);
    for body in [&b"x"[..], b"xyz"] {
        let mut wire = Wire::open(&attacked.server, &[]);
        let append = request("POST", "/streams/s", &[("content-type", "text/plain"), ("content-length", "2")]);
        assert!(wire.send(HEADERS, END_HEADERS, 1, &append) && wire.send(DATA, END_STREAM, 1, body));
        let answer = wire.find(|frame| frame.stream == 1 || frame.kind == GOAWAY).expect("an answer");
        assert!(matches!(answer.kind, RST_STREAM | GOAWAY) || answer.payload.first() == Some(&0x8c), "{answer:?}");
    }
    attacked.check_unharmed(16);
}

/// A listener that never opened its window was held for ever: while it is shut hyper asks a body for nothing, and the clock
/// that watched over it ran only when it was asked.
#[test]
fn a_reader_whose_window_stays_shut_is_given_up_and_the_connection_goes_on() {
    const INITIAL_WINDOW_SIZE: u16 = 4;
    let attacked = Attacked::new(&[("timeouts.stalled_reader", "500ms")]);
    let mut wire = Wire::open(&attacked.server, &[(INITIAL_WINDOW_SIZE, 0)]);
    let listen = request("GET", "/streams/s?last-event-id=-1", &[("accept", "text/event-stream")]);
    assert!(wire.send(HEADERS, END_STREAM | END_HEADERS, 1, &listen));
    attacked.server.wait_for_listeners(1);
    assert!(wire.send(HEADERS, END_STREAM | END_HEADERS, 3, &get("/streams/s")));
    let mut given_up: Vec<u32> = (0..2)
        .map(|_| {
            let frame = wire.find(|frame| matches!(frame.kind, RST_STREAM | GOAWAY)).expect("both are");
            assert_eq!((frame.kind, frame.error()), (RST_STREAM, CANCEL), "{frame:?}");
            frame.stream
        })
        .collect();
    given_up.sort_unstable();
    assert_eq!(given_up, [1, 3]);
    attacked.server.wait_for_listeners(0);
    // One that waits with its window shut is no reader yet, and one that opens it is served.
    assert!(wire.send(HEADERS, END_STREAM | END_HEADERS, 5, &get("/streams/s")));
    assert!(wire.send(WINDOW_UPDATE, 0, 5, &1_000_000_u32.to_be_bytes()));
    let end = wire.find(|frame| frame.stream == 5 && frame.kind == DATA && frame.flags & END_STREAM != 0);
    assert!(end.is_some(), "it is read to its end");
    attacked.check_unharmed(16);
}
