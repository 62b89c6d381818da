//! Those who come and do nothing, or nearly nothing: they are let go in time, and nobody else waits for them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use tokio::net::TcpSocket;

use super::{Attacked, HOST, TEXT};
use crate::support::process::most_descriptors;
use crate::support::socket::{connect, rest};
use crate::support::wait_until;

const MANY: usize = 300;

/// As many connections, each of which begins like this and says no more.
fn hold(attacked: &Attacked, begin: &str) -> Vec<TcpStream> {
    let hold = |_| {
        let mut socket = connect(&attacked.server);
        socket.write_all(begin.as_bytes()).expect("it reads");
        socket
    };
    (0..MANY).map(hold).collect()
}

/// Whether the other side has closed, whatever it has said before.
fn is_closed(socket: &mut TcpStream) -> bool {
    socket.set_read_timeout(Some(Duration::from_millis(1))).expect("a timeout");
    match socket.read(&mut [0; 4 << 10]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
    }
}

#[test]
fn slow_heads_and_slow_bodies_and_those_who_say_nothing_are_let_go() {
    let attacked = Attacked::new(&[
        ("timeouts.head", "1s"),
        ("timeouts.body", "1s"),
        ("timeouts.idle", "1s"),
        ("limits.connections_per_address", "5000"),
    ]);
    let append = format!("POST /streams/slow HTTP/1.1\r\n{HOST}Content-Type: text/plain\r\n");
    let mut held: Vec<(&str, Vec<TcpStream>)> = vec![
        ("say nothing", hold(&attacked, "")),
        ("a slow head", hold(&attacked, "GET /ping HTTP/1.1\r\nX")),
        ("a slow body", hold(&attacked, &format!("{append}Content-Length: 1000\r\n\r\nx"))),
        ("a slow chunk", hold(&attacked, &format!("{append}Transfer-Encoding: chunked\r\n\r\n5\r\nx"))),
        ("an answered request", hold(&attacked, &format!("GET /ping HTTP/1.1\r\n{HOST}\r\n"))),
        ("half of HTTP/2", hold(&attacked, "PRI * HTTP/2.0\r\n\r\nSM")),
    ];
    // Bytes that drip in buy no time.
    let dripping = held[1].1[0].try_clone().expect("a socket");
    let drip = std::thread::spawn(move || {
        let mut socket = dripping;
        while socket.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    for _ in 0..20 {
        assert_eq!(attacked.server.get("/streams/s", &[]).status, 200, "others are answered");
    }
    for (what, sockets) in &mut held {
        wait_until(what, || sockets.iter_mut().all(is_closed));
    }
    drip.join().expect("it was let go as well");
    attacked.check_unharmed(96);
}

#[test]
fn readers_who_take_nothing_are_let_go_and_hold_no_memory() {
    const EVENTS: u8 = 20;
    let attacked = Attacked::new(&[("timeouts.stalled_reader", "1s"), ("limits.unsent", "30 MiB")]);
    for n in 0..EVENTS {
        let large = vec![n; 4 << 20];
        assert_eq!(attacked.server.post("/streams/large", &[TEXT], &large).status, 201);
    }
    let before = attacked.growth_bytes();
    let stalled: Vec<TcpStream> = (0..100)
        .map(|n| {
            let mut socket = connect(&attacked.server);
            let event = n % EVENTS;
            write!(socket, "GET /streams/large/{event}/data HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n")
                .expect("it reads");
            socket
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(attacked.server.get("/streams/s", &[]).status, 200, "others are answered");
    }
    let answers = stalled.into_iter().map(|mut socket| rest(&mut socket));
    let refused = answers.filter(|answer| answer.starts_with(b"HTTP/1.1 503 ")).count();
    assert!(refused > 0, "more than may be on its way was asked for");
    let more = attacked.growth_bytes().saturating_sub(before) >> 20;
    assert!(more < 64, "{more} MiB");
    attacked.check_unharmed_with(1 + u64::from(EVENTS), 400);
}

/// An event stream was counted nowhere: those who listened and took nothing held a piece each, of whatever size, and one
/// address could have a thousand of them.
#[test]
fn those_who_listen_and_take_nothing_hold_no_more_than_other_readers() {
    const EVENTS: usize = 8;
    let attacked = Attacked::new(&[("timeouts.stalled_reader", "2s"), ("limits.unsent", "8 MiB")]);
    for n in 0..EVENTS {
        let large = vec![b'a' + n as u8; 4 << 20];
        assert_eq!(attacked.server.post("/streams/large", &[TEXT], &large).status, 201);
    }
    let before = attacked.growth_bytes();
    let stalled: Vec<TcpStream> = (0..80)
        .map(|n| {
            let mut socket = connect(&attacked.server);
            let last = format!("Last-Event-ID: {}\r\n", n % (EVENTS - 1));
            write!(
                socket,
                "GET /streams/large HTTP/1.1\r\n{HOST}Accept: text/event-stream\r\n{last}Connection: close\r\n\r\n"
            )
            .expect("it reads");
            socket
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(attacked.server.get("/streams/s", &[]).status, 200, "others are answered");
    }
    // Whoever begins to take something before the server has given up hears it all, and then nothing more.
    let heard = |mut socket: TcpStream| {
        socket.set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout");
        rest(&mut socket)
    };
    let heard: Vec<Vec<u8>> = stalled.into_iter().map(heard).collect();
    let ended = heard.iter().filter(|heard| heard.ends_with(b"retry: 2000\n\n\r\n0\r\n\r\n")).count();
    assert!(0 < ended && ended < heard.len(), "{ended} ended in order before they had heard anything");
    let more = attacked.growth_bytes().saturating_sub(before) >> 20;
    assert!(more < 96, "{more} MiB");
    attacked.check_unharmed_with(1 + EVENTS as u64, 400);
}

/// How many files and sockets other tests have at the same time, and this one beside.
const OF_OTHER_TESTS: usize = 2_000;

/// Ten thousand where the system lets one process have so many sockets, else as many as it does.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_connections_cost_little_and_disturb_nobody() {
    let attacked = Attacked::new(&[("limits.connections", "10100")]);
    let sockets = most_descriptors();
    // Each side of a connection has a socket of its own, in a process of its own; other tests have some in this one.
    let many = sockets.saturating_sub(OF_OTHER_TESTS).clamp(1, 10_000);
    println!("{many} idle connections (the system allows {sockets} sockets)");
    let to = attacked.server.address;
    let mut idle = Vec::with_capacity(many);
    for number in 0..many {
        // A thousand from each address.
        let from = Ipv4Addr::new(127, 0, 1, 1 + (number / 1_000) as u8);
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from((from, 0))).expect("an address of this machine");
        idle.push(socket.connect(to).await.unwrap_or_else(|error| panic!("connection {number}: {error}")));
    }
    tokio::task::block_in_place(|| {
        for _ in 0..20 {
            assert_eq!(attacked.server.get("/streams/s", &[]).status, 200);
        }
        let each = attacked.growth_bytes() / many as u64;
        println!("{each} bytes each");
        // Without optimisation more than with it.
        attacked.check_unharmed(many as u64 * 40 / 1_024 + 16);
    });
    drop(idle);
    // Those from one address are not more than their share.
    let mut many_from_one = Vec::new();
    for _ in 0..1_100 {
        many_from_one.push(tokio::net::TcpStream::connect(to).await.expect("it listens"));
    }
    tokio::task::block_in_place(|| {
        let refused = attacked.server.get("/ping", &[]);
        assert!(refused.status == 503 && refused.text().contains("too-many-connections"), "{}", refused.status);
    });
    drop(many_from_one);
    tokio::task::block_in_place(|| {
        wait_until("there is room again", || attacked.server.get("/ping", &[]).status == 200);
    });
}
