//! Stores of every format there was: they open for ever, show the very bytes that they showed then, and go on.
//!
//! They lie in `tests/data/stores`, each with the list of its documents; `tests/data/stores/make` says how they came to be.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::support::store::check_sound;
use crate::support::{PATIENCE, TestServer, request};

/// What the file `everfeed` says of the present format.
const PRESENT: &str = "everfeed format 2\n";

fn stores() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/stores")
}

/// The numbers of all formats of which a store lies there.
fn formats() -> Vec<u32> {
    let entries = fs::read_dir(stores()).expect("it is there");
    let number = |entry: fs::DirEntry| {
        let name = entry.file_name();
        name.to_str()?.strip_prefix("format-")?.strip_suffix(".tar.gz")?.parse().ok()
    };
    let mut formats: Vec<u32> = entries.filter_map(|entry| number(entry.expect("it is read"))).collect();
    formats.sort_unstable();
    formats
}

fn unpack(format: u32, into: &Path) {
    fs::create_dir_all(into).expect("made");
    let archive = stores().join(format!("format-{format}.tar.gz"));
    let unpacked = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(into).status();
    assert!(unpacked.expect("tar is there").success(), "format {format}");
}

fn start(data: &Path) -> TestServer {
    let command = TestServer::command(data, &["--public-url", "http://feeds.example", "--set", "page_size=10"]);
    TestServer::spawn(command).unwrap_or_else(|log| panic!("{log:#?}"))
}

/// How many documents are as the list has them: digest and tag, or the status of a refusal; then address and Accept.
#[track_caller]
fn check_documents(server: &TestServer, format: u32, what: &str) -> usize {
    let list = fs::read_to_string(stores().join(format!("format-{format}.txt"))).expect("its list");
    for line in list.lines() {
        let [digest, tag, path, accept] = line.splitn(4, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let reply = server.get(path, &[("Accept", accept), ("Accept-Encoding", "identity")]);
        let context = format!("format {format}, {what}: {path} {accept}");
        if tag == "-" {
            assert_eq!(reply.status.to_string(), digest, "{context}: {}", reply.text());
            continue;
        }
        let found: String = Sha256::digest(&reply.body).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((reply.header("etag"), found.as_str()), (Some(tag), digest), "{context}");
    }
    list.lines().count()
}

#[test]
fn there_is_a_store_of_every_format() {
    let present = PRESENT.trim().rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number");
    assert_eq!(formats(), (1..=present).collect::<Vec<u32>>());
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(dir.path());
    assert_eq!(server.stop(), Some(0));
    let marker = fs::read_to_string(dir.path().join("everfeed")).expect("it is there");
    assert!(marker.starts_with(PRESENT), "a store that is made now needs a place here: {marker}");
}

#[test]
fn a_store_of_every_format_shows_what_it_showed_and_goes_on() {
    for format in formats() {
        let dir = tempfile::tempdir().expect("a directory");
        let data = dir.path().join("data");
        unpack(format, &data);
        check_sound(&data);
        assert!(
            fs::read_to_string(data.join("everfeed"))
                .expect("it is there")
                .starts_with(&format!("everfeed format {format}\n")),
            "to look at it changes nothing"
        );
        let server = start(&data);
        let marker = fs::read_to_string(data.join("everfeed")).expect("it is there");
        assert!(marker.starts_with(PRESENT), "format {format}: it was brought to the present one: {marker}");
        let was_brought = server.log().iter().any(|line| line.contains("brought to a later format"));
        assert_eq!(was_brought, !marker.starts_with(&format!("everfeed format {format}\n")), "and the log says so");
        assert!(check_documents(&server, format, "opened") > 300);
        server.kill();
        let server = start(&data);
        check_documents(&server, format, "after a kill");

        let json = [("Content-Type", "application/json"), ("ES-EventType", "New"), ("ES-ExpectedVersion", "29")];
        let appended = server.post("/streams/counted", &json, b"{\"new\":true}");
        assert_eq!(appended.status, 201, "format {format}: {}", appended.text());
        assert_eq!(server.get("/streams/counted/30/data", &[]).text(), "{\"new\":true}");
        let erased = request(server.address, "DELETE", "/streams/orders/40", &[], b"");
        assert_eq!(erased.status, 200, "format {format}: {}", erased.text());
        let asked = server.post("/admin/compact", &[], b"");
        assert_eq!(asked.status, 200, "format {format}: {}", asked.text());
        assert_eq!(server.stop(), Some(0));
        check_sound(&data);
        let server = start(&data);
        assert_eq!(server.get("/streams/counted/30/data", &[]).text(), "{\"new\":true}", "format {format}");
        assert_eq!(server.get("/streams/orders/40", &[]).status, 404, "format {format}");
        assert_eq!(server.get("/streams/orders/41/data", &[]).text(), "{\"order\":41}", "format {format}");
    }
}

#[test]
fn a_store_of_an_earlier_format_is_repaired_into_one_of_the_present() {
    let dir = tempfile::tempdir().expect("a directory");
    let (data, repaired) = (dir.path().join("data"), dir.path().join("repaired"));
    unpack(1, &data);
    let report = everfeed::store::repair(&data, &repaired, &mut |_, _| {}).expect("it is repaired");
    assert!(report.lost.is_empty() && report.is_complete, "{report}");
    check_sound(&repaired);
    let server = start(&repaired);
    let started = Instant::now();
    // A repair leaves it to the server to build derived streams anew.
    while ["%24ce-basket", "%24et-t", "%24streams"]
        .iter()
        .any(|name| server.get(&format!("/streams/{name}"), &[]).status != 200)
    {
        assert!(started.elapsed() < PATIENCE, "derived streams are built");
        std::thread::sleep(Duration::from_millis(20));
    }
    check_documents(&server, 1, "repaired");
}
