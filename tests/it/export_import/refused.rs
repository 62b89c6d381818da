//! What is refused, with a sentence that says why and where; and what is said off a terminal.

use std::fs;

use everfeed::event::Timestamp;
use everfeed::store::{NewStore, Options, Store};

use super::{check_done, export, import};
use crate::support::{TestServer, everfeed};

fn source(data: &std::path::Path) -> TestServer {
    let source = TestServer::start(data, &[]);
    let body: String = (0..6_000).map(|n| format!("{{\"type\":\"t\",\"data\":{n}}}\n")).collect();
    let reply = source.post("/streams/a", &[("Content-Type", "application/x-ndjson")], body.as_bytes());
    assert_eq!(reply.status, 201, "{}", reply.text());
    source
}

#[test]
fn a_file_that_was_cut_or_altered_is_refused_and_a_whole_one_goes_on_with_what_was_right() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let source = source(&path("source"));
    check_done(&export(&source, &path("log"), &[]));
    let whole = fs::read_to_string(path("log")).expect("text");
    let lines: Vec<&str> = whole.lines().collect();
    assert_eq!(lines.len(), 6_003, "the first line, 6,000 rows, a mark among them and the last line");

    let file = path("log").display().to_string();
    let cut = whole.len() - lines[6_002].len() - 10;
    fs::write(path("log"), &whole[..cut]).expect("written");
    let run = import(&path("log"), &path("copy"), &[]);
    assert_eq!(run.code, 10);
    let said = "line 6002: the file ends here, before its last line: it was cut short, or its export is not finished";
    assert_eq!(run.errors, format!("everfeed: {file}: {said}\n"));

    fs::write(path("log"), whole.replacen("\"data\":5000}", "\"data\":5001}", 1)).expect("written");
    let run = import(&path("log"), &path("copy"), &[]);
    assert_eq!(run.code, 10);
    let said = "line 6003: the file was altered somewhere from line 4099 to here: its checksum is another";
    assert_eq!(run.errors, format!("everfeed: {file}: {said}\n"));

    // What is there so far takes no appends.
    let unfinished = TestServer::start(&path("copy"), &[]);
    assert_eq!(unfinished.events(), 4_096);
    let reply = unfinished.post("/streams/a", &[("Content-Type", "text/plain")], b"1");
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(reply.text().contains("the export"), "{}", reply.text());
    let in_use = import(&path("log"), &path("copy"), &[]);
    assert_eq!(in_use.code, 11, "{}", in_use.errors);
    drop(unfinished);

    fs::write(path("log"), &whole).expect("written");
    check_done(&import(&path("log"), &path("copy"), &[]));
    assert_eq!(TestServer::start(&path("copy"), &[]).events(), 6_000);
}

#[test]
fn what_cannot_be_is_said_before_anything_is_begun() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let source = source(&path("source"));
    check_done(&export(&source, &path("log"), &[]));
    let check = |run: crate::support::Run, code: i32, why: &str| {
        assert_eq!(run.code, code, "{}", run.errors);
        assert!(run.errors.contains(why), "{}", run.errors);
    };
    check(export(&source, &path("log"), &[]), 2, "is there already");
    fs::write(path("other.part"), "dear diary\n").expect("written");
    check(export(&source, &path("other"), &[]), 2, "is no unfinished export");
    assert_eq!(fs::read_to_string(path("other.part")).expect("text"), "dear diary\n");
    check(export(&source, &path("derived"), &["--stream", "$ce-a"]), 2, "its events are those of other streams");
    check(export(&source, &path("none"), &["--stream", "none"]), 1, "404");
    check(export(&source, &path("late"), &["--from", "6001"]), 2, "there are 6000 events, counted from 0");
    let nowhere = path("nowhere").display().to_string();
    check(everfeed(&["export", "--data", &nowhere]).run(), 2, "holds no store");

    fs::create_dir(path("full")).expect("made");
    fs::write(path("full").join("letter"), "dear").expect("written");
    check(import(&path("log"), &path("full"), &[]), 2, "is neither empty nor a store: it holds letter");
    check(import(&path("full").join("letter"), &path("new"), &[]), 10, "cut short");
    fs::write(path("letter"), "dear diary\n").expect("written");
    check(import(&path("letter"), &path("new"), &[]), 2, "this is no export of everfeed");
    assert!(!path("new").exists());
    drop(TestServer::start(&path("another"), &[]));
    check(import(&path("log"), &path("another"), &[]), 2, "and the export is of the log");

    let log = source.get("/info", &[]).json()["log"].as_str().expect("a text").parse().expect("a UUID");
    let replica = |name: &str, epoch: u32, of: &str| {
        let new = NewStore { log, epoch, created: Timestamp::default(), replica_of: Some(of.into()) };
        Store::open_or_make(&Options::new(path(name)), &new).expect("it is made").0.close();
    };
    // An import once ended the mirroring of whatever had the same log.
    replica("mirror", 0, "http://127.0.0.1:2113");
    check(import(&path("log"), &path("mirror"), &[]), 2, "is a replica of http://127.0.0.1:2113");
    // And went on with the events of an older epoch as if they were of a newer one.
    replica("newer", 1, "the export of a newer epoch");
    check(import(&path("log"), &path("newer"), &[]), 2, "the store is in epoch 1 and the export in epoch 0");
}

#[test]
fn off_a_terminal_there_is_no_bar() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let source = source(&path("source"));
    let log = source.get("/info", &[]).json()["log"].as_str().expect("a text").to_string();
    let run = export(&source, &path("log"), &[]);
    assert_eq!(run.errors, format!("everfeed: 6000 events exported; log {log}, epoch 0\n"));
    let run = import(&path("log"), &path("copy"), &[]);
    assert_eq!(run.errors, format!("everfeed: 6000 events imported; log {log}, epoch 1\n"));
}
