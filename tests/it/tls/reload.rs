//! SIGHUP: new certificates and log levels without a new start, and without anybody noticing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{curl, openssl, start};
use crate::support::authority::Authority;
use crate::support::{PATIENCE, TestServer};

const REPLACEMENTS: usize = 20;

/// Tells the server to reload, and waits until it says that it has, or has not.
#[track_caller]
fn reload(server: &TestServer) -> String {
    let before = server.log().len();
    let pid = Pid::from_raw(server.pid().cast_signed()).expect("a process");
    kill_process(pid, Signal::HUP).expect("it runs");
    let started = Instant::now();
    loop {
        let log = server.log().split_off(before).join("\n");
        if log.contains("\"reloaded\"") || log.contains("nothing has changed") {
            return log;
        }
        assert!(started.elapsed() < PATIENCE, "{log}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn serial(server: &TestServer) -> String {
    let (_, said) = openssl(server, &["-showcerts"]);
    let certificate = said.split("-----BEGIN CERTIFICATE-----").nth(1).expect("a certificate");
    certificate.split("-----END").next().expect("its end").to_string()
}

#[test]
fn certificates_are_replaced_under_load_and_nobody_notices() {
    let (data, authority) = (tempfile::tempdir().expect("a directory"), Authority::new());
    let server = start(data.path(), &authority, &[]);
    let (done, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let first = serial(&server);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let read = curl(&server, &authority, &[], "/ping").expect("it answers all the time");
                    assert!(read.ends_with("200 HTTP/2 "), "{read}");
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut before = first.clone();
        for _ in 0..REPLACEMENTS {
            authority.server();
            let log = reload(&server);
            assert!(log.contains("certificates"), "{log}");
            let now = serial(&server);
            assert_ne!(now, before, "new connections get the new one");
            before = now;
        }
        done.store(true, Ordering::Relaxed);
    });
    println!("{} requests beside {REPLACEMENTS} replacements", asked.load(Ordering::Relaxed));

    // What cannot be used leaves the last one in its place.
    let (certificate, _) = authority.server();
    let before = serial(&server);
    std::fs::write(certificate, "no certificate").expect("it is written");
    let log = reload(&server);
    assert!(log.contains("what was read before goes on"), "{log}");
    assert_eq!(serial(&server), before);
    server.assert_no_panic();
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn the_log_level_changes_at_once_and_what_cannot_change_is_named() {
    let data = tempfile::tempdir().expect("a directory");
    let file = data.path().join("everfeed.toml");
    let write = |text: &str| std::fs::write(&file, text).expect("it is written");
    write("[log]\nlevel = \"info\"\n");
    let store = data.path().join("data");
    let server = TestServer::start(&store, &["--config", &file.display().to_string()]);
    let asked = |server: &TestServer| server.log().iter().filter(|line| line.contains("everfeed::access")).count();
    assert_eq!(server.get("/ping", &[]).status, 200);
    assert_eq!(asked(&server), 0);

    write("page_size = 7\n[log]\nlevel = \"info,everfeed::access=debug\"\n");
    let log = reload(&server);
    assert!(log.contains("page_size") && log.contains("next start"), "{log}");
    assert!(!log.contains("\"setting\":\"log.level\""), "{log}");
    assert_eq!(server.get("/ping", &[]).status, 200);
    let started = Instant::now();
    while asked(&server) == 0 {
        assert!(started.elapsed() < PATIENCE, "requests are logged now");
        thread::sleep(Duration::from_millis(5));
    }

    write("page_size = \"many\"\n");
    let log = reload(&server);
    assert!(log.contains("nothing has changed") && log.contains("page_size"), "{log}");
    assert_eq!(server.get("/ping", &[]).status, 200);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn users_and_rules_are_read_again_and_bad_rules_leave_the_last_ones_in_force() {
    let data = tempfile::tempdir().expect("a directory");
    let rules = data.path().join("rules.toml");
    let write = |text: &str| std::fs::write(&rules, text).expect("it is written");
    let settings =
        [("access.enabled", "true"), ("access.anonymous", "read"), ("access.rules", rules.to_str().expect("UTF-8"))];
    write("[[rule]]\nstreams = \"news\"\nread = \"nobody\"\n");
    let server = TestServer::start_with(&data.path().join("data"), &settings);
    assert_eq!(server.get("/streams/news", &[]).status, 401);
    write("");
    let log = reload(&server);
    assert!(log.contains("rules, users"), "{log}");
    assert_eq!(server.get("/streams/news", &[]).status, 404, "everybody may look, and there is nothing");
    write("[[rule]]\nstream = \"news\"\n");
    let log = reload(&server);
    assert!(log.contains("what was read before goes on"), "{log}");
    assert_eq!(server.get("/streams/news", &[]).status, 404);
    assert_eq!(server.stop(), Some(0));
}
