//! A log that was exported and imported is the same log.

use std::fs;

use super::history::{check_same, make, serve};
use super::{check_done, export, import, rows};
use crate::support::store::check_sound;
use crate::support::{TestServer, everfeed};

#[test]
fn what_was_exported_is_imported_as_the_same_log() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let source = serve(&path("source"));
    make(&source);
    check_done(&export(&source, &path("log.ndjson"), &[]));
    check_done(&export(&source, &path("log.ndjson.zst"), &[]));
    let text = fs::read_to_string(path("log.ndjson")).expect("text");
    assert_eq!(rows(&text).len() as u64, source.events());
    let packed = fs::metadata(path("log.ndjson.zst")).expect("it is there").len();
    assert!(packed < text.len() as u64 / 2, "{packed} of {}", text.len());

    check_done(&import(&path("log.ndjson.zst"), &path("copy"), &["--same-epoch"]));
    check_sound(&path("copy"));
    let copy = serve(&path("copy"));
    check_same(&source, &copy);
    // Both go on alike.
    for server in [&source, &copy] {
        let headers = [("Content-Type", "application/json"), ("ES-EventId", "0190c6a4-7b1e-7f5e-9a52-1f6f2d3c4b5a")];
        let reply = server.post("/streams/reborn", &headers, b"1");
        assert_eq!(
            (reply.status, reply.header("location")),
            (201, Some(&*format!("http://{}/streams/reborn/30", server.address)))
        );
    }
    assert_eq!(copy.stop(), Some(0));

    // A store that no server has open says the same.
    assert_eq!(source.stop(), Some(0));
    let [data, file] = [path("source"), path("stopped.ndjson")].map(|path| path.to_str().expect("UTF-8").to_string());
    check_done(&everfeed(&["export", &file, "--data", &data]).run());
    let stopped = fs::read_to_string(path("stopped.ndjson")).expect("text");
    let known = rows(&text);
    assert_eq!(rows(&stopped)[..known.len()], known);
    assert_eq!(rows(&stopped).len(), known.len() + 1);
    check_sound(&path("source"));
}

#[test]
fn a_copy_begins_a_new_epoch_unless_it_is_said_that_the_other_log_has_ended() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let source = TestServer::start(&path("source"), &[]);
    let headers = [("Content-Type", "application/json")];
    assert_eq!(source.post("/streams/a", &headers, b"1").status, 201);
    check_done(&export(&source, &path("log"), &[]));
    let run = import(&path("log"), &path("copy"), &[]);
    check_done(&run);
    let log = source.get("/info", &[]).json()["log"].as_str().expect("a text").to_string();
    assert_eq!(run.errors, format!("everfeed: 1 events imported; log {log}, epoch 1\n"));
    // Once more, which changes nothing.
    let again = import(&path("log"), &path("copy"), &["--same-epoch"]);
    assert_eq!((again.code, &again.errors), (0, &run.errors));
    let copy = TestServer::start(&path("copy"), &[]);
    let info = copy.get("/info", &[]).json();
    assert_eq!((info["log"].as_str(), info["epoch"].as_u64()), (Some(&*log), Some(1)));
    assert_eq!(copy.post("/streams/a", &headers, b"2").status, 201);
}

#[test]
fn an_export_that_begins_where_another_ended_goes_on_with_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let source = TestServer::start(&path("source"), &[]);
    let append = |events: u64| {
        for _ in 0..events {
            assert_eq!(source.post("/streams/a", &[("Content-Type", "application/json")], b"1").status, 201);
        }
    };
    append(7);
    check_done(&export(&source, &path("first"), &[]));
    append(5);
    check_done(&export(&source, &path("second"), &["--from", "7"]));
    assert_eq!(rows(&fs::read_to_string(path("second")).expect("text")).len(), 5);
    let apart = import(&path("second"), &path("apart"), &[]);
    assert_eq!(apart.code, 2);
    assert!(apart.errors.contains("ends before position 0, and the export begins at 7"), "{}", apart.errors);
    check_done(&import(&path("first"), &path("copy"), &["--same-epoch", path("second").to_str().expect("UTF-8")]));
    check_sound(&path("copy"));
    let copy = TestServer::start(&path("copy"), &[]);
    assert_eq!(copy.get("/info", &[]).json(), source.get("/info", &[]).json());
}

#[test]
fn a_log_goes_through_a_pipe_and_an_empty_one_is_one_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let source = TestServer::start(&dir.path().join("source"), &[]);
    let url = format!("http://{}", source.address);
    for (name, events) in [("empty", 0), ("one", 1)] {
        let exported = everfeed(&["export", "--server", &url]).run();
        assert_eq!((exported.code, rows(&exported.output).len()), (0, events), "{}", exported.errors);
        let data = dir.path().join(name);
        let data = data.to_str().expect("UTF-8");
        check_done(&everfeed(&["import", "-", "--same-epoch", "--data", data]).input(&exported.output).run());
        let copy = TestServer::start(data.as_ref(), &[]);
        assert_eq!(copy.get("/info", &[]).json(), source.get("/info", &[]).json());
        assert_eq!(source.post("/streams/a", &[("Content-Type", "application/json")], b"1").status, 201);
    }
}
