//! A server on a disk that fills up: it says so, goes on answering readers, and takes appends again by itself.

use std::thread;
use std::time::Duration;

use crate::disk_full::fill;
use crate::loop_disk::LoopDisk;
use crate::support::store::check_sound;
use crate::support::{Reply, TestServer};

const FLOOR: (&str, &str) = ("disk.floor", "48 MiB");
const FLOOR_BYTES: usize = 48 << 20;

/// Free space is looked at ten times a second.
const LOOK: Duration = Duration::from_millis(150);

fn post(server: &TestServer, text: &str) -> Reply {
    server.post("/streams/orders", &[("Content-Type", "text/plain")], text.as_bytes())
}

fn check_refuses_and_reads(server: &TestServer) {
    let refused = post(server, "refused");
    assert_eq!(refused.status, 507, "{}", refused.text());
    assert!(refused.json()["type"].as_str().is_some_and(|kind| kind.ends_with("/disk-full")), "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    let ready = server.get("/health/ready", &[]);
    assert_eq!(ready.status, 503);
    assert!(ready.json()["reason"].as_str().is_some_and(|reason| reason.contains("disk")), "{}", ready.text());
    assert_eq!(server.get("/streams/orders/0/data", &[]).text(), "first");
    assert_eq!(server.get("/streams/orders", &[]).status, 200);
}

fn check_appends_again(server: &TestServer, text: &str, number: u64) {
    for _ in 0..200 {
        let reply = post(server, text);
        if reply.status == 201 {
            assert_eq!(reply.header("es-currentversion"), Some(&*number.to_string()));
            assert_eq!(server.get("/health/ready", &[]).status, 200);
            return;
        }
        assert_eq!(reply.status, 507, "{}", reply.text());
        thread::sleep(Duration::from_millis(50));
    }
    panic!("there is space, and still nothing can be appended");
}

#[test]
fn a_server_on_a_full_disk_reads_and_says_so_and_appends_once_there_is_space() {
    let Some(disk) = LoopDisk::make_or_skip("a server on a full disk", 256) else { return };
    let (data, filler) = (disk.path().join("data"), disk.path().join("filler"));
    let server = TestServer::start_with(&data, &[FLOOR]);
    assert_eq!(post(&server, "first").status, 201);

    fill(&filler, FLOOR_BYTES / 2);
    thread::sleep(LOOK);
    check_refuses_and_reads(&server);
    std::fs::remove_file(&filler).expect("removed");
    check_appends_again(&server, "second", 1);

    // Full to the last byte, and started anew, after a kill and after an end in order.
    fill(&filler, 0);
    thread::sleep(LOOK);
    check_refuses_and_reads(&server);
    server.kill();
    let server = TestServer::start_with(&data, &[FLOOR]);
    check_refuses_and_reads(&server);
    assert_eq!(server.stop(), Some(0));
    let server = TestServer::start_with(&data, &[FLOOR]);
    check_refuses_and_reads(&server);

    std::fs::remove_file(&filler).expect("removed");
    check_appends_again(&server, "third", 2);
    assert_eq!(server.get("/streams/orders/1/data", &[]).text(), "second");
    assert_eq!(server.stop(), Some(0));
    check_sound(&data);
}
