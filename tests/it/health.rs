//! `/health/live` and `/health/ready`: whether a new start would help, whether writes are taken, and why not.

use std::fs::{self, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::authority::Authority;
use crate::support::tls::free_address;
use crate::support::{PATIENCE, TestServer, exchange};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// What it says of itself: status and JSON of both.
fn health(server: &TestServer) -> [(u16, Value); 2] {
    ["/health/live", "/health/ready"].map(|path| {
        let reply = server.get(path, &[]);
        (reply.status, reply.json())
    })
}

#[test]
fn a_server_lives_while_it_serves_and_is_ready_while_it_takes_writes() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(dir.path(), &[]);
    let [live, ready] = health(&server);
    assert_eq!(live, (200, json!({ "live": true, "state": "ready", "restart_helps": false })));
    assert_eq!((ready.0, &ready.1["ready"], &ready.1["state"]), (200, &json!(true), &json!("ready")));
    assert!(ready.1["disk"]["free_bytes"].as_u64() > ready.1["disk"]["reserve_bytes"].as_u64(), "{}", ready.1);
    assert_eq!(server.post("/streams/s", &[JSON], b"1").status, 201);
    assert_eq!(server.stop(), Some(0));

    for (setting, state) in [(("read_only", "true"), "read-only"), (("disk.floor", "1048576 MiB"), "disk-reserve")] {
        let server = TestServer::start_with(dir.path(), &[setting]);
        let [live, ready] = health(&server);
        assert_eq!((live.0, &live.1["state"], &live.1["restart_helps"]), (200, &json!(state), &json!(false)));
        assert_eq!((ready.0, &ready.1["state"], &ready.1["read_only"]), (503, &json!(state), &json!(true)));
        assert!(ready.1["reason"].is_string(), "{}", ready.1);
        if state == "disk-reserve" {
            assert!(ready.1["disk"]["free_bytes"].as_u64() < ready.1["disk"]["reserve_bytes"].as_u64());
            let told = server.logged("the disk is nearly full");
            assert_eq!(told["reserve_bytes"], ready.1["disk"]["reserve_bytes"], "before anybody is refused: {told}");
        }
        assert_eq!(server.stop(), Some(0));
    }
}

#[test]
fn who_does_not_operate_the_server_is_told_only_that_it_takes_no_writes() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(dir.path(), &[("read_only", "true")], &[]);
    assert_eq!(server.get("/health/live", &[]).json(), json!({ "live": true }));
    let ready = server.get("/health/ready", &[]).json();
    let reason = "no writes are taken; operators are told why";
    assert_eq!(ready, json!({ "ready": false, "read_only": true, "reason": reason }));
    assert_eq!(server.get_as("ops", "/health/ready", &[]).json()["state"], "read-only");
}

/// A store that is not open before somebody lets it be: what is read first of it is a pipe, in which nothing comes.
struct Held(PathBuf);

impl Held {
    fn make(data: &Path) -> Self {
        fs::create_dir_all(data).expect("made");
        let pipe = data.join("closed");
        assert!(Command::new("mkfifo").arg(&pipe).status().expect("coreutils have it").success());
        Self(pipe)
    }

    fn let_go(self) {
        drop(OpenOptions::new().write(true).open(&self.0).expect("it is being read"));
    }
}

/// `everfeed serve` at an address that is known before it listens there.
fn serve(data: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_everfeed"));
    command.arg("serve").arg("--data").arg(data).args(["--listen", &address.to_string()]);
    command
}

fn start(command: Command) -> JoinHandle<TestServer> {
    thread::spawn(move || TestServer::spawn(command).unwrap_or_else(|log| panic!("{log:#?}")))
}

#[test]
fn while_the_store_is_being_opened_everybody_is_told_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let (held, address) = (Held::make(dir.path()), free_address());
    let starting = start(serve(dir.path(), address));
    let ask = |path: &str| {
        let started = Instant::now();
        loop {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
            match exchange(address, request.as_bytes()) {
                Ok(reply) => return reply,
                Err(_) => assert!(started.elapsed() < PATIENCE, "it listens"),
            }
            thread::sleep(Duration::from_millis(20));
        }
    };
    let live = ask("/health/live");
    assert_eq!((live.status, live.json()), (200, json!({ "live": true, "state": "starting" })));
    let ready = ask("/health/ready");
    assert_eq!(
        (ready.status, &ready.json()["state"], &ready.json()["ready"]),
        (503, &json!("starting"), &json!(false))
    );
    let page = ask("/streams/s");
    assert_eq!((page.status, page.header("retry-after")), (503, Some("1")));
    assert!(page.json()["type"].as_str().is_some_and(|kind| kind.ends_with("/starting")), "{}", page.text());
    held.let_go();
    let server = starting.join().expect("it starts");
    assert_eq!(health(&server).map(|(status, _)| status), [200, 200]);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_server_with_tls_tells_so_over_tls() {
    let (dir, authority) = (tempfile::tempdir().expect("a directory"), Authority::new());
    let (held, address) = (Held::make(dir.path()), free_address());
    let (certificate, key) = authority.server();
    let mut command = serve(dir.path(), address);
    command.env("EVERFEED_TLS__CERTIFICATE", certificate).env("EVERFEED_TLS__KEY", key);
    let starting = start(command);
    let url = format!("https://localhost:{}/health/ready", address.port());
    let started = Instant::now();
    let said = loop {
        let mut command = Command::new("curl");
        command.args(["--silent", "--max-time", "30", "--cacert"]).arg(authority.certificate()).arg(&url);
        let done = command.output().expect("curl is installed: `tests/run` installs it first");
        if done.status.success() {
            break String::from_utf8(done.stdout).expect("text");
        }
        assert!(started.elapsed() < PATIENCE, "it listens: {done:?}");
    };
    assert!(said.contains("\"state\":\"starting\""), "{said}");
    held.let_go();
    assert_eq!(starting.join().expect("it starts").stop(), Some(0));
}
