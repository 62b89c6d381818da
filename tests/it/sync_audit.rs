//! What the operating system was asked for before a producer was told that its event is kept.

use std::path::Path;

use crate::strace::{Call, Strace};
use crate::support::TestServer;
use crate::support::store::{check_no_blobs, sled_file};

const POSTS: usize = 200;

const TRACED: &str = "trace=fdatasync,read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg";

/// Posts one event after the other, and returns for how many of them no sync of sled's file both began after the
/// request was read and ended before the 201 was written.
fn unsynced(data: &Path, server: &TestServer) -> usize {
    let strace = Strace::attach(server, &["-e", TRACED]);
    // The body is what is read last of a request, so that is what the sync must follow.
    let body = |post: usize| format!("<post {post}>");
    for post in 0..POSTS {
        let reply = server.post("/streams/audit", &[("Content-Type", "text/plain")], body(post).as_bytes());
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
    let calls = strace.end();

    let file = sled_file(data);
    let one = |wanted: &dyn Fn(&Call) -> bool, what: &str, after: usize| -> usize {
        let offset = calls[after..].iter().position(wanted);
        after + offset.unwrap_or_else(|| panic!("no {what} in the trace, of {} calls", calls.len()))
    };
    let mut unsynced = 0;
    let mut at = 0;
    for post in 0..POSTS {
        let read = one(&|call| call.text.contains(&body(post)), &body(post), at);
        let answered = one(&|call| call.text.contains("\"HTTP/1.1 201 "), "201", read);
        let (read_at, answered_at) = (calls[read].ended, calls[answered].began);
        let is_synced = calls[read..answered]
            .iter()
            .any(|call| call.is_sync_of(&file) && read_at < call.began && call.ended < answered_at);
        unsynced += usize::from(!is_synced);
        at = answered + 1;
    }
    unsynced
}

#[test]
fn every_201_comes_after_a_sync_that_began_after_its_post_was_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(dir.path(), &[]);
    assert_eq!(unsynced(dir.path(), &server), 0, "answered 201 before the event was on stable storage");
    assert_eq!(server.stop(), Some(0));
    check_no_blobs(dir.path());
}

/// The audit sees what it is for.
#[cfg(feature = "failpoints")]
#[test]
fn the_audit_notices_when_the_sync_is_left_out() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = TestServer::command(dir.path(), &[]);
    command.env("EVERFEED_FAILPOINT", "skip.fdatasync");
    let server = TestServer::spawn(command).expect("it starts");
    assert_eq!(unsynced(dir.path(), &server), POSTS, "the audit lets a missing sync pass");
}
