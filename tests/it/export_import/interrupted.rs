//! Killed at any moment, again and again, an export and an import come to the same in the end.
//!
//! `EVERFEED_CRASH_ROUNDS` sets how often each is killed, `EVERFEED_SEED` from which seed.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::{check_done, export, import, rows};
use crate::support::TestServer;
use crate::support::store::check_sound;
use crate::workload::{Random, setting};

const ROUNDS: u64 = 12;
const EVENTS: usize = 20_000;

fn start(arguments: &[&str]) -> std::process::Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_everfeed"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the binary is there")
}

/// Starts it, and kills it after a while; until it has been killed so often, or has ended by itself.
fn kill_again_and_again(arguments: &[&str], longest: Duration, random: &mut Random) -> u64 {
    let rounds = setting("EVERFEED_CRASH_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().expect("a number"));
    for round in 0..rounds {
        let mut child = start(arguments);
        thread::sleep(longest.mul_f64(random.below(1000) as f64 / 1000.0));
        let has_ended = child.try_wait().expect("it can be asked").is_some();
        let _ = child.kill();
        child.wait().expect("it ends");
        if has_ended {
            return round;
        }
    }
    rounds
}

fn fill(server: &TestServer) {
    for batch in 0..EVENTS / 2_000 {
        let line =
            |n: usize| format!("{{\"type\":\"t\",\"data\":{{\"n\":{n},\"text\":\"{}\"}}}}\n", "x".repeat(n % 97));
        let body: String = (batch * 2_000..(batch + 1) * 2_000).map(line).collect();
        let stream = format!("/streams/s-{}", batch % 3);
        let reply = server.post(&stream, &[("Content-Type", "application/x-ndjson")], body.as_bytes());
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("text")
}

#[test]
fn an_export_and_an_import_that_are_killed_come_to_the_same_in_the_end() {
    let mut random = Random::seeded("export_import");
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let source = TestServer::start(&path("source"), &[]);
    fill(&source);
    check_done(&export(&source, &path("whole"), &[]));

    let url = format!("http://{}", source.address);
    let [file, data] = [path("log"), path("copy")].map(|path| path.to_str().expect("UTF-8").to_string());
    let killed = kill_again_and_again(&["export", &file, "--server", &url], Duration::from_millis(1_500), &mut random);
    if !path("log").exists() {
        check_done(&export(&source, &path("log"), &[]));
    }
    assert!(!path("log.part").exists());
    assert_eq!(rows(&text(&path("log"))), rows(&text(&path("whole"))));

    let killed_importing = kill_again_and_again(
        &["import", &file, "--same-epoch", "--data", &data],
        Duration::from_millis(1_500),
        &mut random,
    );
    println!("killed {killed} times exporting, {killed_importing} times importing");
    check_done(&import(&path("log"), &path("copy"), &["--same-epoch"]));
    check_sound(&path("copy"));
    let copy = TestServer::start(&path("copy"), &[]);
    check_done(&export(&copy, &path("again"), &[]));
    assert_eq!(rows(&text(&path("again"))), rows(&text(&path("whole"))));
    assert_eq!(copy.get("/info", &[]).json(), source.get("/info", &[]).json());
}
