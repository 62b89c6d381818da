//! A clock that jumps by a day, forwards and backwards, under a running server: order, numbers and dates never go back,
//! nobody who waits is let go or forgotten, and nothing is truncated by a clock that was wrong for a moment.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use chrono::DateTime;

use crate::support::faulty_disk::FaultyDisk;
use crate::support::listener::Listener;
use crate::support::store::check_sound;
use crate::support::{PATIENCE, TestServer};

const DAY: i64 = 86_400;

fn start(disk: &FaultyDisk, data: &Path) -> TestServer {
    let mut command = TestServer::command(data, &[]);
    command.env("EVERFEED_MAX_AGE__INTERVAL", "200ms");
    disk.under(&mut command);
    TestServer::spawn(command).unwrap_or_else(|log| panic!("{log:#?}"))
}

fn post(server: &TestServer, stream: &str, number: u64) {
    let reply = server.post(&format!("/streams/{stream}"), &[("Content-Type", "text/plain")], b"tick");
    assert_eq!(
        (reply.status, reply.header("es-currentversion")),
        (201, Some(&*number.to_string())),
        "{}",
        reply.text()
    );
}

#[test]
fn order_numbers_and_dates_never_go_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = FaultyDisk::new();
    let mut server = start(&disk, dir.path());
    let mut modified = Vec::new();
    let jumps = [0, DAY, 0, -DAY, 2 * DAY, 0];
    for (number, seconds_ahead) in (0..).zip(jumps) {
        disk.set_clock(seconds_ahead);
        // Also where the clock was wrong when the server started.
        if number == 3 {
            assert_eq!(server.stop(), Some(0));
            server = start(&disk, dir.path());
        }
        post(&server, "orders", number);
        let event = server.get(&format!("/streams/orders/{number}.atom"), &[]);
        let date = event.header("last-modified").expect("it has one");
        modified.push(DateTime::parse_from_rfc2822(date).expect("a date"));
    }
    assert!(modified.is_sorted(), "Last-Modified goes back: {modified:?}");
    let rows = server.get("/streams/orders/0/forward/20?format=ndjson", &[]);
    let rows: Vec<serde_json::Value> =
        rows.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let times: Vec<_> = rows
        .iter()
        .map(|row| DateTime::parse_from_rfc3339(row["time"].as_str().expect("a time")).expect("RFC 3339"))
        .collect();
    assert!(times.is_sorted() && times.len() == jumps.len(), "{times:?}");
    assert!(rows.iter().zip(0..).all(|(row, number)| row["number"] == number && row["position"] == number));
    let whole_day = chrono::TimeDelta::days(1) - chrono::TimeDelta::minutes(10);
    assert!(times[1] - times[0] > whole_day, "the clock did not jump: {times:?}");
    let says = |server: &TestServer| server.log().iter().any(|line| line.contains("the clock is behind the log"));
    assert!(says(&server), "{:#?}", server.log());
    assert_eq!(server.stop(), Some(0));
    check_sound(dir.path());
}

#[test]
fn nobody_who_waits_is_let_go_or_forgotten() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = FaultyDisk::new();
    let server = start(&disk, dir.path());
    let mut number = 0;
    post(&server, "orders", number);
    let mut kept = TcpStream::connect(server.address).expect("it listens");
    let mut listener =
        Listener::open(server.address, "/streams/orders?Last-Event-ID=0", &[("Accept", "text/event-stream")]);
    for seconds_ahead in [DAY, 0, -DAY] {
        let path = format!("/streams/orders/{}/forward/20?format=ndjson&wait=60", number + 1);
        let to = server.address;
        let waiting = thread::spawn(move || crate::support::request(to, "GET", &path, &[], b""));
        // The event stream is one of them.
        while !server.get("/metrics", &[]).text().contains("\neverfeed_waits 2\n") {
            assert!(!waiting.is_finished(), "it does not wait");
            thread::sleep(Duration::from_millis(5));
        }
        disk.set_clock(seconds_ahead);
        kept.write_all(b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").expect("it is open");
        let mut answer = [0; 12];
        kept.read_exact(&mut answer).expect("it is answered");
        assert_eq!(&answer, b"HTTP/1.1 200");
        // The rest of that answer.
        kept.set_read_timeout(Some(Duration::from_millis(100))).expect("it can");
        while kept.read(&mut [0; 4096]).is_ok_and(|bytes| bytes > 0) {}
        assert!(!waiting.is_finished(), "the clock let it go");
        number += 1;
        post(&server, "orders", number);
        let page = waiting.join().expect("it is answered");
        assert_eq!((page.status, page.text().lines().count()), (200, 1), "{}", page.text());
        assert_eq!(listener.next().map(|message| message.id), Some(number));
    }
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_clock_that_is_a_day_ahead_for_a_moment_truncates_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = FaultyDisk::new();
    let server = start(&disk, dir.path());
    let json = ("Content-Type", "application/json");
    for (stream, age) in [("kept", 3_600), ("short", 1)] {
        post(&server, stream, 0);
        let settings = format!("{{\"$maxAge\": {age}}}");
        assert_eq!(server.post(&format!("/streams/{stream}/metadata"), &[json], settings.as_bytes()).status, 201);
    }
    let started = Instant::now();
    let says = |what: &str| server.log().iter().any(|line| line.contains(what));
    while !says("truncated by age") {
        assert!(started.elapsed() < PATIENCE, "{:#?}", server.log());
        thread::sleep(Duration::from_millis(20));
    }
    disk.set_clock(DAY);
    while !says("the clock has jumped ahead") {
        assert!(started.elapsed() < PATIENCE, "{:#?}", server.log());
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(server.get("/streams/kept/0/data", &[]).text(), "tick");
    disk.set_clock(0);
    post(&server, "kept", 1);
    assert_eq!(server.get("/streams/kept/0/data", &[]).text(), "tick");
    assert_eq!(server.stop(), Some(0));
}
