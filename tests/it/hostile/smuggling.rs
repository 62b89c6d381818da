//! The same requests through proxies that keep their connections to the server: whatever they make of them, nobody ever
//! gets an answer to a question that somebody else asked.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::Attacked;
use super::framing::cases;
use crate::support::proxy::{Kind, Proxy};
use crate::support::{PATIENCE, exchange};

/// Long enough for an answer to come through, where one comes.
const WAIT: Duration = Duration::from_millis(60);

const QUESTIONS: usize = 1_000;

fn nobody_gets_anybody_elses_answer(kind: Kind) {
    let attacked = Attacked::new(&[]);
    let proxy = Proxy::start(kind, attacked.server.address);
    for (what, raw, _) in cases() {
        let mut socket = TcpStream::connect(proxy.address).expect("it listens");
        socket.set_read_timeout(Some(WAIT)).expect("a timeout");
        // As the proxy knows itself, so that it hands it on.
        let raw = String::from_utf8_lossy(&raw).replace("Host: localhost\r\n", &format!("Host: {}\r\n", proxy.address));
        let _ = socket.write_all(raw.as_bytes());
        let _ = socket.read(&mut [0; 4 << 10]);
        // Somebody else comes at once, maybe on the connection that this one was handed on by.
        let asked = format!("after-{}", what.len());
        let answer = ask(&proxy, &asked);
        assert!(answer.contains(&asked), "{kind:?} {what:?}: {answer}");
    }
    std::thread::scope(|scope| {
        for asker in 0..4 {
            let proxy = &proxy;
            scope.spawn(move || {
                for question in 0..QUESTIONS / 4 {
                    let asked = format!("question-{asker}-{question}-");
                    let answer = ask(proxy, &asked);
                    assert!(answer.contains(&asked), "{kind:?} {asked}: {answer}");
                }
            });
        }
    });
    // What a proxy takes for two requests it may hand on as two: then they are two, each with an answer of its own, and
    // everybody sees it so. Nothing of it is anybody else's.
    attacked.server.assert_no_panic();
    assert_eq!(attacked.server.get("/streams/s/0/data", &[]).text(), "x");
}

/// The answer to a question that no cache has heard before: a stream that is not there, and is named in the answer.
fn ask(proxy: &Proxy, stream: &str) -> String {
    let raw = format!("GET /streams/{stream} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", proxy.address);
    let started = std::time::Instant::now();
    loop {
        match exchange(proxy.address, raw.as_bytes()) {
            Ok(reply) if reply.status == 404 => return String::from_utf8_lossy(&reply.body).into_owned(),
            // A proxy that lost its connection to the server to a refusal says so, and opens another.
            Ok(reply) if matches!(reply.status, 502..=504) && started.elapsed() < PATIENCE => {}
            other => return format!("{other:?}"),
        }
    }
}

#[test]
fn nothing_is_smuggled_through_nginx() {
    nobody_gets_anybody_elses_answer(Kind::Nginx);
}

#[test]
fn nothing_is_smuggled_through_varnish() {
    nobody_gets_anybody_elses_answer(Kind::Varnish);
}
