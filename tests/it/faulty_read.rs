//! A disk that cannot be read: 503 for what lies there, the rest is served, and it comes back when the disk does.

use std::path::Path;
use std::process::Command;

use crate::support::confined::run_confined;
use crate::support::faulty_disk::{EIO, Fault, FaultyDisk};
use crate::support::store::{check_sound, chunk_files, sled_file};
use crate::support::{TestServer, wait_until};

const CHUNK_EVENTS: u64 = 100;
const EVENTS: u64 = 350;
const PAGE: u64 = 10;

fn serve(disk: &FaultyDisk, data: &Path) -> Command {
    let mut command = TestServer::command(data, &["--public-url", "http://feeds.example"]);
    // So little room that blocks and pages are read again.
    command.env("EVERFEED_CHUNK_EVENTS", CHUNK_EVENTS.to_string()).env("EVERFEED_CACHE__BLOCKS", "64 KiB");
    command.env("EVERFEED_CACHE__PAGES", "64 KiB");
    disk.under(&mut command);
    command
}

fn start(disk: &FaultyDisk, data: &Path) -> TestServer {
    TestServer::spawn(serve(disk, data)).unwrap_or_else(|log| panic!("{log:#?}"))
}

/// Three chunks of what does not compress, and a tail.
fn make(disk: &FaultyDisk, data: &Path) {
    let server = start(disk, data);
    for first in (0..EVENTS).step_by(50) {
        let event = |n: u64| {
            let noise: String =
                crate::workload::Random::new(n).bytes(1_000).iter().map(|b| format!("{b:02x}")).collect();
            serde_json::json!({ "eventId": uuid::Uuid::from_u128(u128::from(n) + 1), "eventType": "t", "data": noise })
        };
        let batch = serde_json::to_vec(&(first..first + 50).map(event).collect::<Vec<_>>()).expect("JSON");
        let headers = [("Content-Type", "application/vnd.eventstore.events+json")];
        assert_eq!(server.post("/streams/orders", &headers, &batch).status, 201);
    }
    wait_until("it seals", || chunk_files(data).len() >= (EVENTS / CHUNK_EVENTS) as usize);
    assert_eq!(server.stop(), Some(0));
}

fn pages() -> Vec<String> {
    let page = |first: u64| {
        let at = format!("{first}/forward/{PAGE}");
        [
            format!("/streams/orders/{at}.atom"),
            format!("/streams/%24all/{at}?format=ndjson"),
            format!("/streams/%24et-t/{at}.atom"),
        ]
    };
    (0..EVENTS).step_by(PAGE as usize).flat_map(page).collect()
}

/// Every page: its bytes, or none where the disk could not be read.
fn read(server: &TestServer) -> Vec<Option<Vec<u8>>> {
    let read = |path: &String| {
        let reply = server.get(path, &[]);
        if reply.status == 200 {
            return Some(reply.body);
        }
        let kind = reply.json()["type"].as_str().unwrap_or_default().to_string();
        assert!(reply.status == 503 && kind.ends_with("/unreadable"), "{path}: {}", reply.text());
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        assert!(reply.header("retry-after").is_some(), "{path}");
        None
    };
    pages().iter().map(read).collect()
}

#[test]
fn what_cannot_be_read_is_503_the_rest_is_served_and_it_comes_back_with_the_disk() {
    let dir = tempfile::tempdir().expect("a directory");
    let (disk, data) = (FaultyDisk::new(), dir.path().join("data"));
    make(&disk, &data);
    let server = start(&disk, &data);
    let whole = read(&server);
    assert!(whole.iter().all(Option::is_some));

    for path in ["/chunks/100.0", "/chunks/100.et"] {
        // In the middle of the file, and all of it.
        for bytes in [3_000..20_000, 0..0] {
            let server = start(&disk, &data_copy(&dir, &data));
            disk.fail(&[Fault { bytes: bytes.clone(), ..Fault::always("read", EIO, path) }]);
            let partly = read(&server);
            let refused = partly.iter().filter(|page| page.is_none()).count();
            assert!(refused < whole.len() * 2 / 3, "{path} {bytes:?}: {refused} of {}", whole.len());
            let is_right = |(found, whole): (&Option<Vec<u8>>, &Option<Vec<u8>>)| found.is_none() || found == whole;
            assert!(partly.iter().zip(&whole).all(is_right), "{path} {bytes:?}");
            assert_eq!(server.post("/streams/orders", &[("Content-Type", "text/plain")], b"more").status, 201);
            disk.mend();
            let again = read(&server);
            let before = (EVENTS - PAGE) as usize / PAGE as usize * 3;
            assert!(again[..before] == whole[..before], "{path} {bytes:?}: not all of it came back");
            assert_eq!(server.stop(), Some(0));
            println!("{path} {bytes:?}: {refused} of {} pages could not be read", whole.len());
        }
    }
    assert_eq!(server.stop(), Some(0));
}

fn data_copy(dir: &tempfile::TempDir, data: &Path) -> std::path::PathBuf {
    let copy = dir.path().join(format!("copy-{}", std::fs::read_dir(dir.path()).expect("it is there").count()));
    crate::workload::copy_store(data, &copy);
    copy
}

/// sled takes what it cannot read for the end of its log, and would overwrite what comes behind it.
#[test]
fn a_store_that_cannot_be_read_just_now_is_exit_12_and_loses_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let (disk, data) = (FaultyDisk::new(), dir.path().join("data"));
    make(&disk, &data);
    // sled makes its snapshot when it is opened.
    assert_eq!(start(&disk, &data).stop(), Some(0));
    for (path, bytes) in
        [("/sled/db", 0..1), ("/sled/db", 100_000..100_001), ("/sled/snap", 0..0), ("/sled/conf", 0..0)]
    {
        disk.fail(&[Fault { bytes, ..Fault::always("read", EIO, path) }]);
        let before = std::fs::read(sled_file(&data)).expect("it is read");
        let mut verify = Command::new(env!("CARGO_BIN_EXE_everfeed"));
        verify.arg("verify").arg("--data").arg(&data);
        disk.under(&mut verify);
        for command in [serve(&disk, &data), verify] {
            let ended = run_confined(&command).unwrap_or_else(|why| panic!("{path}: {why}"));
            assert_eq!(ended.status.code(), Some(12), "{path}: {ended:?}");
        }
        assert!(std::fs::read(sled_file(&data)).expect("it is read") == before, "{path}: something was overwritten");
    }
    disk.mend();
    check_sound(&data);
    let server = start(&disk, &data);
    assert_eq!(server.events(), EVENTS);
    assert_eq!(server.stop(), Some(0));
}
