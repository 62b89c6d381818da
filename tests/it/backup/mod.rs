//! `everfeed backup` and `everfeed restore`: the log of a server that runs, in files that a server with the very same
//! pages is made of, whatever is cut short in between.

mod erased;
mod changing;
mod cut_short;
mod damaged;
mod refused;
mod routes;

use std::path::Path;
use std::time::Instant;

use everfeed::event::{Event, Number, Order, Source};
use everfeed::store::{Options, Store};
use serde_json::Value;
use uuid::Uuid;

use crate::mirror::{pages, serve, shop, url};
use crate::support::store::check_sound;
use crate::support::{PATIENCE, Reply, Run, TestServer, everfeed};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// `everfeed backup` of a server, into a directory.
fn backup(server: &TestServer, into: &Path) -> Run {
    everfeed(&["backup", &url(server), path(into)]).run()
}

/// `everfeed restore` of a backup, into a data directory.
fn restore(backup: &Path, data: &Path, more: &[&str]) -> Run {
    everfeed(&[&["restore", path(backup), path(data)], more].concat()).run()
}

/// `everfeed verify` of a backup.
fn verify(backup: &Path) -> Run {
    everfeed(&["verify", "--backup", path(backup)]).run()
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[track_caller]
fn done(run: Run) -> String {
    assert_eq!(run.code, 0, "{}{}", run.output, run.errors);
    run.output
}

/// What a backup that is done says of itself: events, chunk files copied, chunk files in all, bytes copied.
#[track_caller]
fn told(run: Run) -> [u64; 4] {
    let output = done(run);
    let numbers: Vec<u64> = output
        .split(" events backed up; ")
        .flat_map(|part| part.split(" chunk files and "))
        .flat_map(|part| part.split(" of "))
        .filter_map(|part| part.split(' ').next()?.parse().ok())
        .collect();
    numbers.try_into().unwrap_or_else(|_| panic!("{output}"))
}

/// The lines of the manifest: what it says of the log, then of each file.
fn manifest(backup: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(backup.join("manifest")).expect("there is one");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// The names of all files below the directory of a backup.
fn files(backup: &Path) -> Vec<String> {
    let names = |dir: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(dir).expect("it is there");
        entries.map(|entry| entry.expect("it is read").file_name().to_string_lossy().into_owned()).collect()
    };
    let mut all = names(backup);
    all.extend(names(&backup.join("chunks")).into_iter().map(|name| format!("chunks/{name}")));
    all.retain(|name| name != "chunks");
    all.sort();
    all
}

/// Every event of a store that no server has open, removed ones too.
fn events(data: &Path) -> Vec<Event> {
    let (store, _) =
        Store::open(&Options::new(data), Uuid::nil(), everfeed::event::Timestamp::default()).expect("it opens");
    let all = store.view().read_blocking(&Source::All, Number::ZERO, Number::MAX, Order::OldestFirst, usize::MAX);
    store.close();
    all.expect("it reads")
}

/// Waits until the streams that are kept by reference are built.
#[track_caller]
fn wait_until_built(server: &TestServer) {
    let started = Instant::now();
    for stream in ["$streams", "$ce-order", "$et-Placed"] {
        while server.get(&format!("/streams/{stream}"), &[]).status == 503 {
            assert!(started.elapsed() < PATIENCE, "{stream} is never built");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// Waits until the newest events alone are not in chunks.
#[track_caller]
fn wait_until_sealed(server: &TestServer) {
    let started = Instant::now();
    loop {
        let metrics = server.get("/metrics", &[]);
        let tail = metrics.text().lines().find_map(|line| line.strip_prefix("everfeed_tail_events "));
        if tail.expect("it is there").parse::<u64>().expect("a number") <= 40 {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "they are never sealed");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_restored_server_serves_the_very_pages_of_the_one_that_was_backed_up() {
    let dir = tempfile::tempdir().expect("a directory");
    let [here, copy, there] = ["data", "backup", "restored"].map(|name| dir.path().join(name));
    let source = serve(&here);
    shop::open(&source);
    shop::scavenge(&source);
    let [events, files, of, _] = told(backup(&source, &copy));
    assert!(events == source.events() && files == of && of > 3, "{files} of {of} files");
    assert!(done(verify(&copy)).contains("every file and every event in it is what was copied"));

    let said = done(restore(&copy, &there, &["--same-epoch"]));
    assert!(said.starts_with(&format!("{events} events restored; log ")) && said.ends_with(", epoch 0\n"), "{said}");
    check_sound(&there);
    let restored = serve(&there);
    wait_until_built(&restored);
    pages::check_same(&source, &restored);
    // What is gone was not brought back, and what goes on does so alike.
    shop::go_on(&source, 1);
    shop::go_on(&restored, 1);
    shop::scavenge(&restored);
    restored.assert_no_panic();
    assert_eq!(restored.stop(), Some(0));
    check_sound(&there);
    assert_eq!(source.stop(), Some(0));
}

/// Tags, and what repeats them, say in which epoch they were made; nothing else does.
fn without_epoch(reply: &mut Reply) {
    reply.headers.retain(|(name, _)| !matches!(name.as_str(), "etag" | "everfeed-log"));
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    if let Some((before, rest)) = text.split_once("\"eTag\": \"")
        && let Some((_, after)) = rest.split_once('"')
    {
        reply.body = format!("{before}{after}").into_bytes();
    }
}

#[test]
fn a_restored_log_goes_on_in_a_new_epoch_and_only_its_tags_tell() {
    let dir = tempfile::tempdir().expect("a directory");
    let [here, copy, there] = ["data", "backup", "restored"].map(|name| dir.path().join(name));
    let source = serve(&here);
    shop::open(&source);
    let order = [JSON, ("ES-EventId", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"), ("ES-EventType", "Placed")];
    let receipt = source.post("/streams/order-9", &order, b"{\"n\":1}");
    assert_eq!(receipt.status, 201);
    told(backup(&source, &copy));
    assert!(done(restore(&copy, &there, &[])).ends_with(", epoch 1\n"));
    let restored = serve(&there);
    wait_until_built(&restored);
    assert_eq!(restored.get("/info", &[]).json()["epoch"], 1);
    pages::check_same_but(&source, &restored, without_epoch);
    let tag = |server: &TestServer| {
        server.get("/streams/order-9/0", &[("Host", "localhost")]).header("etag").map(str::to_string)
    };
    assert_ne!(tag(&source), tag(&restored), "what caches and followers have of the other history is told apart");

    let repeated = restored.post("/streams/order-9", &order, b"{\"n\":1}");
    assert_eq!((repeated.status, repeated.header("everfeed-repeat")), (201, Some("true")));
    for name in ["es-currentversion", "es-position"] {
        assert_eq!(repeated.header(name), receipt.header(name), "{name}");
    }
    assert_eq!(restored.post("/streams/order-9", &[JSON], b"2").header("es-currentversion"), Some("1"));
    assert_eq!(restored.stop(), Some(0));
    check_sound(&there);
}

#[test]
fn the_next_backup_copies_only_what_is_new_and_lets_old_generations_go() {
    let dir = tempfile::tempdir().expect("a directory");
    let [here, copy, there] = ["data", "backup", "restored"].map(|name| dir.path().join(name));
    let source = serve(&here);
    shop::open(&source);
    let [_, first, of, bytes] = told(backup(&source, &copy));
    assert!(first == of && first > 3);
    let tail_bytes =
        |copy: &Path| manifest(copy).iter().find(|line| line["tail"].is_string()).expect("one")["bytes"].clone();
    let [_, none, _, again] = told(backup(&source, &copy));
    assert_eq!((none, Value::from(again)), (0, tail_bytes(&copy)), "the tail alone");
    assert!(again < bytes);

    let names = |copy: &Path| files(copy).into_iter().filter(|name| name.starts_with("chunks/")).collect::<Vec<_>>();
    let before = names(&copy);
    for round in 1..4 {
        shop::go_on(&source, round);
    }
    wait_until_sealed(&source);
    let [_, new, all, _] = told(backup(&source, &copy));
    assert_eq!(new, all - of, "those that were sealed since");
    assert!(new > 0 && before.iter().all(|name| names(&copy).contains(name)));

    shop::scavenge(&source);
    let [events, anew, same, _] = told(backup(&source, &copy));
    assert!(anew > 0 && same >= all, "{anew} of {same}");
    let kept = names(&copy);
    assert_eq!(kept.len() as u64, same, "of every chunk one generation is left: {kept:?}");
    assert!(before.iter().any(|name| !kept.contains(name)));
    assert!(
        files(&copy)
            .iter()
            .all(|name| name.starts_with("chunks/") || ["lock", "manifest", "tail.4"].contains(&&**name))
    );
    done(verify(&copy));
    done(restore(&copy, &there, &["--same-epoch"]));
    assert_eq!(source.stop(), Some(0));
    let (was, is) = (self::events(&here), self::events(&there));
    assert_eq!(is.len() as u64, events);
    assert!(was == is);
}
