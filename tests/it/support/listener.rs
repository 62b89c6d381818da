//! A reader of an event stream, on a socket of its own, which takes the bytes apart as the standards say.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: u64,
    /// One line of JSON.
    pub(crate) data: String,
}

/// Someone who listens.
pub(crate) struct Listener {
    socket: BufReader<TcpStream>,
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    /// What has been received of a line that is not complete.
    line: Vec<u8>,
    /// What the chunk that is being read has left; none before the first.
    chunk: Option<usize>,
    /// What `retry:` said last.
    pub(crate) retry: Option<u64>,
}

impl Listener {
    /// Begins to listen; returns once the head of the answer is there.
    pub(crate) fn open(to: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut socket = TcpStream::connect(to).expect("it listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        write!(socket, "GET {path} HTTP/1.1\r\nHost: {to}\r\nAccept: text/event-stream\r\n{headers}\r\n")
            .expect("it reads");
        let mut socket = BufReader::new(socket);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            socket.read_line(&mut line).expect("a head");
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_string()),
            }
        }
        let status = lines[0].split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let headers = lines[1..]
            .iter()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_string()))
            .collect();
        Self { socket, status, headers, line: Vec::new(), chunk: None, retry: None }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The next message; none when the stream has ended as it should, with its last chunk.
    pub(crate) fn next(&mut self) -> Option<Message> {
        let (mut events, mut ids, mut data) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(line) = self.line() {
            match line.split_once(": ") {
                Some(("event", value)) => events.push(value.to_string()),
                Some(("id", value)) => ids.push(value.parse().expect("a number")),
                Some(("data", value)) => data.push(value.to_string()),
                Some(("retry", value)) => self.retry = Some(value.parse().expect("milliseconds")),
                _ if line.starts_with(':') => {}
                _ if line.is_empty() => {
                    let Some(data) = data.pop() else { continue };
                    assert_eq!((events, ids.len()), (vec!["event".to_string()], 1), "{data}");
                    return Some(Message { id: ids[0], data });
                }
                _ => panic!("no line of an event stream: {line}"),
            }
        }
        None
    }

    /// The next messages, so many of them.
    #[track_caller]
    pub(crate) fn take(&mut self, count: usize) -> Vec<Message> {
        (0..count).map(|taken| self.next().unwrap_or_else(|| panic!("it ended after {taken} of {count}"))).collect()
    }

    /// The next line, without its end.
    pub(crate) fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.line.drain(..=end).collect();
                return Some(String::from_utf8(line[..end].to_vec()).expect("text"));
            }
            match self.chunk {
                Some(0) => self.chunk = None,
                Some(left) => {
                    let received = self.socket.fill_buf().expect("in time");
                    assert!(!received.is_empty(), "it was cut off inside of a chunk");
                    let bytes = received.len().min(left);
                    self.line.extend_from_slice(&received[..bytes]);
                    self.socket.consume(bytes);
                    self.chunk = Some(left - bytes);
                    if left == bytes {
                        self.socket.read_exact(&mut [0; 2]).expect("the end of a chunk");
                    }
                }
                None => {
                    let mut size = String::new();
                    self.socket.read_line(&mut size).expect("in time");
                    assert!(!size.is_empty(), "it was cut off between two chunks");
                    match usize::from_str_radix(size.trim(), 16).expect("the size of a chunk") {
                        0 => return None,
                        size => self.chunk = Some(size),
                    }
                }
            }
        }
    }
}
