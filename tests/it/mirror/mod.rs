//! `everfeed mirror` and `everfeed promote`: a second server with the very pages of the first, until it goes its own way.

mod histories;
mod killed;
pub(crate) mod pages;
pub(crate) mod shop;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::json;

use crate::support::listener::Listener;
use crate::support::store::check_sound;
use crate::support::{PATIENCE, TestServer, check, everfeed};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Small chunks, so that a short history has several.
const CHUNK_EVENTS: &str = "40";

/// `everfeed mirror` of this server, over `data`, on a free port.
fn command(source: &TestServer, data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_everfeed"));
    command.args(["mirror", &url(source), "--listen", "127.0.0.1:0", "--data"]).arg(data);
    command.env("EVERFEED_CHUNK_EVENTS", CHUNK_EVENTS);
    command
}

fn mirror(source: &TestServer, data: &Path) -> TestServer {
    TestServer::spawn(command(source, data)).unwrap_or_else(|log| panic!("the mirror did not start: {log:#?}"))
}

/// A server with small chunks, whose streams are looked at often for what is too old.
pub(crate) fn serve(data: &Path) -> TestServer {
    let mut command = TestServer::command(data, &["--set", "max_age.interval=200ms"]);
    command.env("EVERFEED_CHUNK_EVENTS", CHUNK_EVENTS);
    TestServer::spawn(command).unwrap_or_else(|log| panic!("the server did not start: {log:#?}"))
}

pub(crate) fn url(server: &TestServer) -> String {
    format!("http://{}", server.address)
}

/// Waits until the mirror has all that its source has.
#[track_caller]
fn caught_up(source: &TestServer, mirror: &TestServer) {
    let started = Instant::now();
    loop {
        let (there, here) = (source.events(), mirror.events());
        if there == here {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{here} of {there} events: {:#?}", mirror.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_mirror_serves_the_very_pages_of_its_source_whatever_was_removed_there() {
    let (here, there) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let source = serve(here.path());
    shop::open(&source);
    shop::scavenge(&source);

    let first = mirror(&source, there.path());
    caught_up(&source, &first);
    pages::check_same(&source, &first);
    // What happens while the mirror listens, and while it is away, comes too.
    shop::go_on(&source, 1);
    caught_up(&source, &first);
    assert_eq!(first.stop(), Some(0));
    shop::go_on(&source, 2);
    let again = mirror(&source, there.path());
    caught_up(&source, &again);
    pages::check_same(&source, &again);
    shop::scavenge(&again);
    pages::check_same(&source, &again);
    again.assert_no_panic();
    assert_eq!(again.stop(), Some(0));
    check_sound(there.path());
    assert_eq!(source.stop(), Some(0));
}

#[test]
fn a_mirror_refuses_writes_until_it_is_promoted_and_then_goes_on_in_a_new_epoch() {
    let (here, there) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let source = serve(here.path());
    let replica = mirror(&source, there.path());
    assert_eq!((replica.events(), replica.get("/streams/s", &[]).status), (0, 404), "of an empty log");
    let order = [JSON, ("ES-EventId", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"), ("ES-EventType", "Placed")];
    let receipt = source.post("/streams/s", &order, b"{\"n\":1}");
    assert_eq!(receipt.status, 201);
    caught_up(&source, &replica);

    let ready = replica.get("/health/ready", &[]);
    assert_eq!((ready.status, ready.json()["read_only"] == json!(true)), (503, true));
    assert_eq!(replica.get("/info", &[]).json()["state"], "readOnlyReplica");
    let refused = |reply: crate::support::Reply| {
        check(&reply, "a refusal");
        assert_eq!((reply.status, reply.header("retry-after")), (503, Some("10")));
        assert_eq!(reply.json()["replicaOf"].as_str(), Some(&*url(&source)));
        assert!(reply.text().contains("everfeed promote"), "{}", reply.text());
    };
    refused(replica.post("/streams/s", &order, b"{\"n\":1}"));
    refused(replica.post("/streams/s/metadata", &[JSON], b"{\"$maxCount\":1}"));
    refused(crate::support::request(replica.address, "DELETE", "/streams/s", &[], b""));
    let tag =
        |server: &TestServer| server.get("/streams/s/0", &[("Host", "localhost")]).header("etag").map(str::to_string);
    assert_eq!(tag(&source), tag(&replica));

    // Any server that opens the directory knows what it is.
    assert_eq!(replica.stop(), Some(0));
    let plain = serve(there.path());
    refused(plain.post("/streams/s", &order, b"{\"n\":1}"));
    assert_eq!(plain.get("/streams/s/0/data", &[]).text(), "{\"n\":1}");
    assert_eq!(plain.stop(), Some(0));

    // While it runs, and with its source gone for good.
    let replica = mirror(&source, there.path());
    caught_up(&source, &replica);
    let mut listener = Listener::open(replica.address, "/streams/s?last-event-id=-1", &[]);
    assert_eq!(listener.next().expect("an event").id, 0);
    source.kill();
    let promoted = everfeed(&["promote", "--server", &url(&replica)]).run();
    assert_eq!(promoted.code, 0, "{}", promoted.errors);
    assert!(promoted.output.contains("in epoch 1"), "{}", promoted.output);
    let epoch = |server: &TestServer| server.get("/info", &[]).json()["epoch"].as_u64();
    assert_eq!((replica.get("/health/ready", &[]).status, epoch(&replica)), (200, Some(1)));
    let repeated = replica.post("/streams/s", &order, b"{\"n\":1}");
    assert_eq!((repeated.status, repeated.header("everfeed-repeat")), (201, Some("true")));
    for name in ["es-currentversion", "es-position"] {
        assert_eq!(repeated.header(name), receipt.header(name), "{name}");
    }
    assert_eq!(replica.post("/streams/s", &[JSON], b"{\"n\":2}").header("es-currentversion"), Some("1"));
    assert_eq!(listener.next(), None, "what comes now is of another history than the one it was told");
    let entry = replica.get("/streams/s/0", &[]);
    assert!(entry.header("everfeed-log").is_some_and(|log| log.ends_with("; epoch=1")), "{:?}", entry.headers);
    assert_ne!(entry.header("etag").map(str::to_string), None);
    assert_eq!(everfeed(&["promote", "--server", &url(&replica)]).run().code, 1, "once");
    replica.kill();

    let replica = serve(there.path());
    assert_eq!((replica.events(), epoch(&replica)), (2, Some(1)), "a kill takes nothing back");
    assert_eq!(replica.post("/streams/s", &[JSON], b"{\"n\":3}").status, 201);
    assert_eq!(replica.stop(), Some(0));
    check_sound(there.path());
}

#[test]
fn a_promotion_that_was_cut_short_is_done_again_and_one_that_was_not_holds() {
    let (here, dirs) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let source = serve(here.path());
    assert_eq!(source.post("/streams/s", &[JSON], b"1").status, 201);
    let cut_short_at = |point: &str| {
        let data = dirs.path().join(point);
        let mut command = command(&source, &data);
        command.env("EVERFEED_FAILPOINT", point);
        let replica = TestServer::spawn(command).unwrap_or_else(|log| panic!("the mirror did not start: {log:#?}"));
        caught_up(&source, &replica);
        assert_eq!(everfeed(&["promote", "--server", &url(&replica)]).run().code, 1, "nobody answers");
        replica.wait();
        data
    };
    let data = cut_short_at("turn.epoch_synced");
    assert!(histories::ends(&source, &data).contains("was being promoted"));
    let plain = serve(&data);
    assert_eq!(plain.post("/streams/s", &[JSON], b"2").status, 503, "nothing was answered, so nothing holds");
    assert_eq!(plain.stop(), Some(0));
    let promoted = everfeed(&["promote", "--data", data.to_str().expect("a path")]).run();
    assert!(promoted.output.contains("in epoch 2"), "{}{}", promoted.output, promoted.errors);
    assert_eq!(serve(&data).post("/streams/s", &[JSON], b"2").status, 201);

    let data = cut_short_at("turn.marked");
    let plain = serve(&data);
    assert_eq!(
        (plain.post("/streams/s", &[JSON], b"2").status, plain.get("/info", &[]).json()["epoch"] == json!(1)),
        (201, true)
    );
}

#[test]
fn a_replica_that_no_server_has_open_is_promoted_in_its_directory() {
    let (here, there) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let source = serve(here.path());
    assert_eq!(source.post("/streams/s", &[JSON], b"1").status, 201);
    let replica = mirror(&source, there.path());
    caught_up(&source, &replica);
    let data = there.path().to_str().expect("a path");
    let promote = |arguments: &[&str]| everfeed(&[&["promote"], arguments].concat()).run();
    assert_eq!(promote(&["--data", data]).code, 11, "a server has it open");
    assert_eq!(replica.stop(), Some(0));
    let promoted = promote(&["--data", data]);
    assert_eq!(promoted.code, 0, "{}", promoted.errors);
    assert!(promoted.output.contains("in epoch 1"), "{}", promoted.output);
    let again = promote(&["--data", data]);
    assert_eq!(again.code, 1, "{}", again.output);
    assert!(again.errors.contains("it takes appends"), "{}", again.errors);
    assert_eq!(promote(&["--data", &format!("{data}/nothing")]).code, 2);
    assert_eq!((promote(&[]).code, promote(&["--data", data, "--server", "http://a"]).code), (2, 2));

    // It has a history of its own from now on, so it mirrors nothing.
    let log = TestServer::spawn(command(&source, there.path())).err().expect("it does not start");
    assert!(log.join("\n").contains("a store that takes appends"), "{log:#?}");
    let run = everfeed(&["mirror", &url(&source), "--data", data, "--read-only"]).run();
    assert_eq!(run.code, 2, "{}", run.errors);
    assert_eq!(everfeed(&["mirror", "nowhere", "--data", data]).run().code, 2);
    let replica = serve(there.path());
    assert_eq!(replica.post("/streams/s", &[JSON], b"2").status, 201);
}
