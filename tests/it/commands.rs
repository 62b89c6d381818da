//! Commands for whoever sits at a terminal: servers under names, the newest events, what shells and `man` read.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::proxy::{Kind, Proxy};
use crate::support::{Run, TestServer, everfeed, password_of};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// With profiles in this directory and none of the user's.
fn run(home: &Path, arguments: &[&str]) -> Run {
    let profiles = home.join("profiles.toml");
    everfeed(arguments).set("EVERFEED_PROFILES", profiles.to_str().unwrap()).run()
}

#[track_caller]
fn done(home: &Path, arguments: &[&str]) -> String {
    let run = run(home, arguments);
    assert_eq!(run.code, 0, "{arguments:?}: {}", run.errors);
    run.output
}

#[test]
fn a_server_under_a_name_is_meant_by_it_with_who_to_be_there() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path();
    let server = TestServer::start_with_access(&home.join("data"), &[], &[("ann", &[])]);
    let url = format!("http://{}", server.address);
    fs::write(home.join("secret"), format!("ann:{}\n", password_of("ann"))).unwrap();
    let secret = format!("@{}", home.join("secret").display());
    assert_eq!(server.append_as("ann", "s", "{\"n\":1}").status, 201);

    assert_eq!(done(home, &["profile", "list"]), "NAME  SERVER  WHO\n");
    done(home, &["profile", "add", "here", &url, "--user", &secret]);
    let listed: Value = serde_json::from_str(&done(home, &["profile", "list", "--json"])).unwrap();
    assert_eq!((&listed["name"], &listed["server"], &listed["who"]), (&"here".into(), &url.into(), &secret.into()));
    assert!(done(home, &["read", "s", "--server", "here"]).contains("\"data\":{\"n\":1}"));
    // Whoever the command itself names goes before what was saved.
    let refused = run(home, &["read", "s", "--server", "here", "--user", "ann:wrong password"]);
    assert!(refused.code == 1 && refused.errors.contains("401"), "{}: {}", refused.code, refused.errors);

    let unknown = run(home, &["read", "s", "--server", "there"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.errors.contains("there is neither a URL nor the name of a profile: there are here"));
    done(home, &["profile", "remove", "here"]);
    assert_eq!(run(home, &["profile", "remove", "here"]).code, 2);
    assert_eq!(run(home, &["profile", "add", "a.b", "http://h"]).code, 2);
    assert_eq!(run(home, &["profile", "add", "a", "h"]).code, 2);
}

#[test]
fn the_newest_events_are_a_line_each() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::start(&dir.path().join("data"), &[]);
    let url = format!("http://{}", server.address);
    let tail = |arguments: &[&str]| done(dir.path(), &[&["tail", "s", "--server", &url], arguments].concat());
    let none = run(dir.path(), &["tail", "s", "--server", &url]);
    assert!(none.code == 1 && none.errors.contains("404"), "{}", none.errors);
    for n in 0..25 {
        server.post("/streams/s", &[JSON, ("ES-EventType", "Counted")], format!("{{\"n\":{n}}}").as_bytes());
    }
    let lines = tail(&[]);
    assert_eq!(lines.lines().count(), 10);
    let last = lines.lines().last().unwrap();
    assert!(last.contains("  24  s  Counted  {\"n\":24}"), "{last}");
    let json: Vec<Value> =
        tail(&["-n", "2", "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json.iter().map(|event| &event["number"]).collect::<Vec<_>>(), [23, 24]);
    assert_eq!(tail(&["-n", "1000"]).lines().count(), 25);
    // What events carry rules no terminal, and what is no text is counted.
    server.post("/streams/s", &[("Content-Type", "text/plain")], b"\x1b[2J");
    server.post("/streams/s", &[("Content-Type", "application/octet-stream")], &[0xff; 7]);
    let hostile = tail(&["-n", "2"]);
    assert!(!hostile.contains('\u{1b}') && hostile.trim_end().ends_with("(7 bytes)"), "{hostile}");
}

#[test]
fn whoever_follows_is_told_of_what_comes() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::start(&dir.path().join("data"), &[]);
    let mut tail = Command::new(env!("CARGO_BIN_EXE_everfeed"))
        .args(["tail", "-f", "later", "--server", &format!("http://{}", server.address)])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    server.post("/streams/later", &[JSON], b"{\"n\":7}");
    let mut line = String::new();
    BufReader::new(tail.stdout.take().unwrap()).read_line(&mut line).unwrap();
    tail.kill().unwrap();
    tail.wait().unwrap();
    assert!(line.contains("{\"n\":7}"), "{line}");
}

#[test]
fn shells_and_man_know_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let commands = everfeed(&["--help"]).run().output;
    let commands: Vec<&str> = commands
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help")
        .collect();
    assert!(commands.contains(&"serve") && commands.contains(&"completion"), "{commands:?}");
    for shell in ["bash", "zsh", "fish"] {
        let script = everfeed(&["completion", shell]).run();
        assert_eq!((script.code, script.errors.as_str()), (0, ""));
        for command in &commands {
            assert!(script.output.contains(command), "{shell}: {command}");
        }
    }
    assert_eq!(everfeed(&["completion", "tcsh"]).run().code, 2);
    let page = everfeed(&["man"]).run();
    assert!(page.code == 0 && page.output.contains(".TH everfeed 1"), "{}", page.output);
    let pages = dir.path().join("man1");
    assert_eq!(everfeed(&["man", pages.to_str().unwrap()]).run().code, 0);
    for command in &commands {
        assert!(pages.join(format!("everfeed-{command}.1")).is_file(), "{command}");
    }
}

#[test]
fn streams_are_listed_found_and_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::start(&dir.path().join("data"), &[]);
    let url = format!("http://{}", server.address);
    let run = |arguments: &[&str]| done(dir.path(), &[arguments, &["--server", &url]].concat());
    for stream in ["order-1", "order-2", "people"] {
        server.post(&format!("/streams/{stream}"), &[JSON, ("ES-EventType", "Begun")], b"{}");
    }
    let names = |output: String| -> Vec<String> {
        let name = |line: &str| line.split(' ').next().unwrap_or_default().to_string();
        output.lines().skip(1).map(name).filter(|name| !name.starts_with('$')).collect()
    };
    assert_eq!(names(run(&["streams"])), ["people", "order-2", "order-1"]);
    assert_eq!(names(run(&["streams", "--order", "name"])), ["order-1", "order-2", "people"]);
    assert_eq!(names(run(&["streams", "--prefix", "order-"])), ["order-1", "order-2"]);
    assert_eq!(names(run(&["streams", "eople"])), ["people"]);
    assert_eq!(names(run(&["streams", "--limit", "1"])), ["people"]);
    let json: Vec<Value> =
        run(&["streams", "--json", "--limit", "0"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(json.iter().any(|stream| stream["stream"] == "order-1" && stream["head"]["type"] == "Begun"), "{json:?}");

    let told: Value = serde_json::from_str(&run(&["info", "--json"])).unwrap();
    assert_eq!((&told["name"], &told["events"], &told["ready"]), (&"everfeed".into(), &3.into(), &true.into()));
    assert!(run(&["info"]).lines().any(|line| line.starts_with("epoch ")));
    server.post("/streams/people/metadata", &[JSON], b"{\"$maxCount\":7}");
    let told: Value = serde_json::from_str(&run(&["info", "people", "--json"])).unwrap();
    assert_eq!((&told["events"], &told["settings"]["$maxCount"]), (&1.into(), &7.into()));
    assert_eq!(self::run(dir.path(), &["info", "nobody", "--server", &url]).code, 1);

    let stats: Value = serde_json::from_str(&run(&["stats", "--json"])).unwrap();
    assert_eq!(stats["storage"]["events"], 4);
    assert!(run(&["stats"]).lines().any(|line| line.starts_with("storage.events ") && line.ends_with(" 4")));
}

#[test]
fn a_doctor_finds_what_works_and_says_how_to_mend_what_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::start(&dir.path().join("data"), &[]);
    for n in 0..120 {
        server.post("/streams/s", &[JSON, ("ES-EventType", "Counted")], format!("{{\"number\":{n}}}").as_bytes());
    }
    let doctor = |url: &str| run(dir.path(), &["doctor", url, "--wait", "1", "--json"]);
    let verdicts = |run: &Run| -> Vec<(String, String)> {
        let finding = |line| serde_json::from_str::<Value>(line).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_string();
        run.output.lines().map(finding).map(|found| (text(&found["check"]), text(&found["verdict"]))).collect()
    };
    let all = |caching: &str| -> Vec<(String, String)> {
        let rest = ["tags", "compression", "freshness", "long poll", "event stream"].map(|check| (check, "good"));
        let checks = [("reach", "good"), ("links", "good"), ("caching", caching)].into_iter().chain(rest);
        checks.map(|(check, verdict)| (check.to_string(), verdict.to_string())).collect()
    };
    let direct = doctor(&format!("http://{}", server.address));
    assert_eq!((direct.code, verdicts(&direct)), (0, all("note")), "{}", direct.output);
    let proxy = Proxy::start(Kind::Nginx, server.address);
    let through = doctor(&proxy.url());
    assert_eq!((through.code, verdicts(&through)), (0, all("good")), "{}", through.output);

    // Links that lead elsewhere, and nobody there.
    let told = tempfile::tempdir().unwrap();
    let elsewhere = TestServer::start_with(told.path(), &[("public_url", "https://feeds.example")]);
    elsewhere.post("/streams/s", &[JSON], b"{}");
    let wrong = run(told.path(), &["doctor", &format!("http://{}", elsewhere.address), "--wait", "1"]);
    assert!(wrong.code == 1 && wrong.output.contains("links lead to https://feeds.example"), "{}", wrong.output);
    let nobody = doctor("http://127.0.0.1:1");
    assert_eq!((nobody.code, verdicts(&nobody)), (1, vec![("reach".to_string(), "wrong".to_string())]));
}
