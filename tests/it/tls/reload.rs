//! SIGHUP: new certificates and log levels without a new start, and without anybody noticing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{curl, openssl, start};
use crate::support::authority::Authority;
use crate::support::{PATIENCE, TestServer, wait_until};

const REPLACEMENTS: usize = 20;

/// Tells the server to reload, and waits until it says what it has.
#[track_caller]
fn reload(server: &TestServer) -> String {
    let before = server.log().len();
    let pid = Pid::from_raw(server.pid().cast_signed()).expect("a process");
    kill_process(pid, Signal::HUP).expect("it runs");
    let started = Instant::now();
    loop {
        let log = server.log().split_off(before).join("\n");
        if log.contains("\"reloaded\"") {
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
    let asked = |server: &TestServer| server.log().iter().filter(|line| line.contains("everfeed::request")).count();
    assert_eq!(server.get("/ping", &[]).status, 200);
    assert_eq!(asked(&server), 0);

    write("page_size = 7\n[log]\nlevel = \"info,everfeed::request=debug\"\n");
    let log = reload(&server);
    assert!(log.contains("page_size") && log.contains("next start"), "{log}");
    assert!(!log.contains("\"setting\":\"log.level\""), "{log}");
    assert_eq!(server.get("/ping", &[]).status, 200);
    wait_until("requests are logged now", || asked(&server) != 0);

    write("page_size = \"many\"\n");
    let log = reload(&server);
    assert!(log.contains("stay as they were") && log.contains("page_size"), "{log}");
    assert!(log.contains("\"what\":\"nothing\""), "{log}");
    assert_eq!(server.get("/ping", &[]).status, 200);
    assert_eq!(server.stop(), Some(0));
}

/// Certificates that were set while a server without TLS ran were silently ignored.
#[test]
fn a_server_without_tls_says_that_certificates_take_effect_at_the_next_start() {
    let (data, authority) = (tempfile::tempdir().expect("a directory"), Authority::new());
    let file = data.path().join("everfeed.toml");
    std::fs::write(&file, "").expect("it is written");
    let server = TestServer::start(&data.path().join("data"), &["--config", &file.display().to_string()]);
    let (certificate, key) = authority.server();
    std::fs::write(&file, format!("[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n")).expect("it is written");
    let log = reload(&server);
    for name in ["tls.certificate", "tls.key"] {
        assert!(log.contains(&format!("\"setting\":\"{name}\"")) && log.contains("next start"), "{log}");
    }
    assert_eq!(server.get("/ping", &[]).status, 200);
    assert_eq!(server.stop(), Some(0));
}

/// It was said to take effect at the next start, and did at once.
#[test]
fn whether_clients_need_certificates_changes_at_once_and_nothing_else_is_said() {
    let (data, authority) = (tempfile::tempdir().expect("a directory"), Authority::new());
    let (certificate, key) = authority.server();
    let authorities = authority.certificate();
    let file = data.path().join("everfeed.toml");
    let write = |is_required: bool| {
        let text = format!(
            "[tls]\ncertificate = {certificate:?}\nkey = {key:?}\nclient_ca = {authorities:?}\nclient_required = {is_required}\n"
        );
        std::fs::write(&file, text).expect("it is written");
    };
    write(false);
    let server = TestServer::start(&data.path().join("data"), &["--config", &file.display().to_string()]);
    assert!(curl(&server, &authority, &[], "/ping").is_ok());
    write(true);
    let log = reload(&server);
    assert!(log.contains("certificates") && !log.contains("next start"), "{log}");
    assert!(curl(&server, &authority, &[], "/ping").is_err(), "one is required now");
    assert_eq!(server.stop(), Some(0));
}

/// A mistake anywhere in the settings kept everything else from being read again.
#[test]
fn settings_that_cannot_be_read_keep_no_rule_from_being_read() {
    let data = tempfile::tempdir().expect("a directory");
    let (file, rules) = (data.path().join("everfeed.toml"), data.path().join("rules.toml"));
    std::fs::write(&file, "").expect("it is written");
    std::fs::write(&rules, "").expect("it is written");
    let mut command = TestServer::command(&data.path().join("data"), &["--config", &file.display().to_string()]);
    command.env("EVERFEED_ACCESS__ENABLED", "true").env("EVERFEED_ACCESS__ANONYMOUS", "read");
    command.env("EVERFEED_ACCESS__RULES", &rules);
    let server = TestServer::spawn(command).expect("it starts");
    assert_eq!(server.get("/streams/news", &[]).status, 404, "everybody may look");
    std::fs::write(&file, "page_size = \"many\"\n").expect("it is written");
    std::fs::write(&rules, "[[rule]]\nstreams = \"news\"\nread = \"nobody\"\n").expect("it is written");
    let log = reload(&server);
    assert!(log.contains("page_size") && log.contains("rules, users"), "{log}");
    assert_eq!(server.get("/streams/news", &[]).status, 401);
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
