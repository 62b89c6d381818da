//! A relay between a proxy and the server that takes down what the server was asked and what it answered.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use super::{PATIENCE, Reply, exchange};

/// A request that came to the server, and its answer once there is one.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// Without its body.
    pub(crate) answer: Option<Reply>,
}

impl Seen {
    /// The value of a header of the request; none if it was not sent.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn status(&self) -> Option<u16> {
        self.answer.as_ref().map(|answer| answer.status)
    }

    /// Whether the server said that its answer is good for ever.
    pub(crate) fn is_complete_page(&self) -> bool {
        let cache_control = self.answer.as_ref().and_then(|answer| answer.header("cache-control"));
        cache_control.is_some_and(|value| value.contains("max-age=31536000"))
    }
}

/// Listens on a port of its own until the test ends.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    seen: Mutex<Vec<Seen>>,
    changed: Condvar,
}

impl Relay {
    pub(crate) fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let log = Arc::new(Log::default());
        let shared = log.clone();
        thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let log = shared.clone();
                // A connection that breaks is no matter of the relay's; whoever used it will say so.
                thread::spawn(move || serve(socket, server, &log));
            }
        });
        Self { address, log }
    }

    /// All that was asked so far, health probes left out.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.log.seen.lock().expect("nobody panics with it").clone()
    }

    /// What was asked of this path.
    pub(crate) fn seen_of(&self, path: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.path == path).collect()
    }

    /// Waits until the condition holds for what was seen.
    pub(crate) fn wait_until(&self, condition: impl Fn(&[Seen]) -> bool) {
        let seen = self.log.seen.lock().expect("nobody panics with it");
        let (seen, wait) = self
            .log
            .changed
            .wait_timeout_while(seen, PATIENCE, |seen| !condition(seen))
            .expect("nobody panics with it");
        assert!(!wait.timed_out(), "it did not come: {seen:#?}");
    }
}

fn serve(mut socket: TcpStream, server: SocketAddr, log: &Log) -> std::io::Result<()> {
    let mut received = Vec::new();
    let mut buffer = [0; 64 << 10];
    loop {
        while let Some(length) = request_length(&received) {
            let raw: Vec<u8> = received.drain(..length).collect();
            let request = parse(&raw);
            let place = (request.path != "/health/live").then(|| {
                let mut seen = log.seen.lock().expect("nobody panics with it");
                seen.push(request);
                log.changed.notify_all();
                seen.len() - 1
            });
            let reply = exchange(server, &raw)?;
            if let Some(place) = place {
                let answer = Reply { body: Vec::new(), ..reply.clone() };
                log.seen.lock().expect("nobody panics with it")[place].answer = Some(answer);
                log.changed.notify_all();
            }
            send(&mut socket, &reply, raw.starts_with(b"HEAD "))?;
        }
        match socket.read(&mut buffer)? {
            0 => return Ok(()),
            bytes => received.extend_from_slice(&buffer[..bytes]),
        }
    }
}

/// The length of the first request in `received`, if it is there in whole.
fn request_length(received: &[u8]) -> Option<usize> {
    let head = received.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let request = parse(&received[..head]);
    assert_eq!(request.header("transfer-encoding"), None, "proxies say how long a body is, if they were told");
    let body = request.header("content-length").map_or(0, |length| length.parse().expect("a length"));
    (received.len() >= head + body).then_some(head + body)
}

fn parse(raw: &[u8]) -> Seen {
    let head = raw.windows(4).position(|window| window == b"\r\n\r\n").expect("the head is there in whole");
    let head = std::str::from_utf8(&raw[..head]).expect("tests ask in ASCII");
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let method = words.next().unwrap_or_default().to_string();
    let path = words.next().unwrap_or_default().to_string();
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_string()))
        .collect();
    Seen { method, path, headers, answer: None }
}

/// The answer again, in one piece.
fn send(socket: &mut TcpStream, reply: &Reply, is_head: bool) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", reply.status, reply.reason);
    let has_body = !is_head && reply.status != 304 && reply.status != 204;
    for (name, value) in &reply.headers {
        let replaced =
            matches!(name.as_str(), "transfer-encoding" | "connection") || has_body && name == "content-length";
        if !replaced {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    if has_body {
        head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
    }
    head.push_str("\r\n");
    let mut raw = head.into_bytes();
    raw.extend_from_slice(&reply.body);
    socket.write_all(&raw)
}
