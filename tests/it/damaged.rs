//! Damaged, foreign and busy data directories at the door: the server says what is wrong and what to do, or serves
//! everything but what is damaged. No wrong byte is ever served.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::support::store::{check_sound, chunk_files, sled_file};
use crate::support::{TestServer, everfeed};
use crate::workload::{Random, copy_store};

const EVENTS: u64 = 1_100;
const CHUNK_EVENTS: u64 = 200;
const BASE: [&str; 2] = ["--public-url", "http://feeds.example"];

/// A store, and every document that it gave while it was sound.
struct Original {
    dir: tempfile::TempDir,
    documents: Vec<(String, Vec<u8>)>,
}

impl Original {
    fn make() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let data = dir.path().join("data");
        let mut command = TestServer::command(&data, &BASE);
        command.env("EVERFEED_CHUNK_EVENTS", CHUNK_EVENTS.to_string());
        let server = TestServer::spawn(command).expect("it starts");
        for first in (0..EVENTS).step_by(50) {
            let event = |n: u64| {
                let id = uuid::Uuid::from_u128(u128::from(n) + 1).to_string();
                serde_json::json!({ "eventId": id, "eventType": "Placed", "data": { "order": n, "text": "x".repeat(400) } })
            };
            let batch: Vec<_> = (first..first + 50).map(event).collect();
            let headers = [("Content-Type", "application/vnd.eventstore.events+json")];
            let stream = if first % 100 == 0 { "/streams/orders" } else { "/streams/stock" };
            let body = serde_json::to_vec(&batch).expect("JSON");
            assert_eq!(server.post(stream, &headers, &body).status, 201);
        }
        let chunks = (EVENTS / CHUNK_EVENTS) as usize;
        for _ in 0..1_200 {
            if chunk_files(&data).len() == chunks {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(chunk_files(&data).len(), chunks);
        let documents = documents().map(|path| {
            let reply = server.get(&path, &[]);
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
            (path, reply.body)
        });
        let documents = documents.collect();
        assert_eq!(server.stop(), Some(0));
        Self { dir, documents }
    }

    fn copy(&self) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("a directory");
        // A name that a shell would take apart.
        let data = dir.path().join("the store's copy");
        copy_store(&self.dir.path().join("data"), &data);
        (dir, data)
    }

    /// Serves a damaged copy: how many documents were refused, or none if the server did not start.
    fn serve(&self, data: &Path) -> Option<usize> {
        let Ok(server) = TestServer::spawn(TestServer::command(data, &BASE)) else {
            self.check_refusal(data);
            return None;
        };
        let mut refused = 0;
        for (path, body) in &self.documents {
            let reply = server.get(path, &[]);
            if reply.status == 500 {
                let kind = reply.json()["type"].as_str().unwrap_or_default().to_string();
                assert!(kind.ends_with("/damaged"), "{path}: {}", reply.text());
                assert_eq!(reply.header("cache-control"), Some("no-store"));
                refused += 1;
            } else {
                assert_eq!(reply.status, 200, "{path}: {}", reply.text());
                assert!(reply.body == *body, "{path}: other bytes than before the damage");
            }
        }
        Some(refused)
    }

    /// Exit code 10, and a command that works as it is printed.
    fn check_refusal(&self, data: &Path) {
        let path = data.to_str().expect("UTF-8");
        let run = everfeed(&["serve", "--data", path, "--listen", "127.0.0.1:0"]).run();
        assert_eq!(run.code, 10, "{}", run.errors);
        let repair = run.errors.lines().find_map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            Some(line["repair"].as_str()?.to_string())
        });
        let repair = repair.unwrap_or_else(|| panic!("no command: {}", run.errors));
        let binary = Path::new(env!("CARGO_BIN_EXE_everfeed")).parent().expect("a directory");
        let script = format!("PATH='{}':$PATH; {repair}", binary.display());
        let output = Command::new("sh").args(["-c", &script]).output().expect("a shell");
        assert!(output.status.success(), "{repair}: {}", String::from_utf8_lossy(&output.stderr));

        let repaired = PathBuf::from(format!("{path}.repaired"));
        check_sound(&repaired);
        let server = TestServer::start(&repaired, &BASE);
        let events = server.get("/info", &[]).json()["events"].as_u64().expect("a number");
        assert!(events <= EVENTS, "{events} events");
        assert_eq!(server.stop(), Some(0));
    }
}

/// Every page of every stream, on the grid, as Atom and as EventStore JSON.
fn documents() -> impl Iterator<Item = String> {
    let pages = |source: &'static str, events: u64| {
        (0..events).step_by(25).flat_map(move |first| {
            let page = format!("/streams/{source}/{first}/forward/25");
            [format!("{page}.atom"), format!("{page}.json?embed=body")]
        })
    };
    pages("orders", EVENTS / 2).chain(pages("stock", EVENTS / 2)).chain(pages("$all", EVENTS))
}

fn flip(path: &Path, at: u64, bit: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).expect("it opens");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("it is that long");
    byte[0] ^= 1 << bit;
    file.write_all_at(&byte, at).expect("written");
}

#[test]
fn a_damaged_block_costs_that_block_alone() {
    let original = Original::make();
    let (_dir, data) = original.copy();
    // The first block begins after the header of 64 bytes, and its payload after its own header of 24.
    flip(&chunk_files(&data)[1], 64 + 24 + 100, 3);
    let refused = original.serve(&data).expect("it starts");
    assert!(0 < refused && refused < original.documents.len() / 2, "{refused} of {}", original.documents.len());
}

#[test]
fn no_flipped_bit_lets_a_wrong_byte_out() {
    let mut random = Random::seeded("damaged");
    let original = Original::make();
    let mut not_started = 0;
    for round in 0..24 {
        let (_dir, data) = original.copy();
        let chunks = chunk_files(&data);
        let chunk = random.pick(&chunks).clone();
        let (path, from, to) = match round % 4 {
            0 => (sled_file(&data), 0, file_bytes(&sled_file(&data))),
            1 => (chunk.clone(), 0, 64),
            2 => (chunk.clone(), 64, file_bytes(&chunk)),
            // The directory of the index, and the trailer that leads to it.
            _ => (chunk.clone(), file_bytes(&chunk) - 200, file_bytes(&chunk)),
        };
        let (at, bit) = (from + random.below(to - from), random.below(8));
        println!("round {round}: bit {bit} of byte {at} of {}", path.display());
        flip(&path, at, bit);
        not_started += usize::from(original.serve(&data).is_none());
    }
    println!("{not_started} of 24 damaged stores were refused");
}

/// Where sled cannot open its file there is no serving; the command that is printed then works as it is.
#[test]
fn a_store_that_cannot_be_opened_is_exit_10_and_names_a_repair_that_works() {
    let original = Original::make();
    let (_dir, data) = original.copy();
    std::fs::write(data.join("everfeed"), "nonsense").expect("written");
    assert_eq!(original.serve(&data), None);
}

fn file_bytes(path: &Path) -> u64 {
    path.metadata().expect("it is there").len()
}

#[test]
fn a_directory_that_another_server_has_is_exit_11() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().to_str().expect("UTF-8");
    let server = TestServer::start(dir.path(), &[]);
    let run = everfeed(&["serve", "--data", data, "--listen", "127.0.0.1:0"]).run();
    assert_eq!(run.code, 11, "{}", run.errors);
    assert!(run.errors.contains(&server.pid().to_string()), "it names the other process: {}", run.errors);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_store_of_a_later_release_is_exit_13_and_stays_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().to_str().expect("UTF-8");
    assert_eq!(TestServer::start(dir.path(), &[]).stop(), Some(0));
    let marker = "everfeed format 99\nsomething else\n";
    std::fs::write(dir.path().join("everfeed"), marker).expect("written");
    let run = everfeed(&["serve", "--data", data, "--listen", "127.0.0.1:0"]).run();
    assert_eq!(run.code, 13, "{}", run.errors);
    assert!(run.errors.contains("99"), "{}", run.errors);
    assert_eq!(std::fs::read_to_string(dir.path().join("everfeed")).expect("text"), marker);
}

#[test]
fn a_wrong_setting_is_exit_2_before_the_data_are_touched() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let serve = everfeed(&["serve", "--data", data.to_str().expect("UTF-8"), "--listen", "127.0.0.1:0"]);
    let run = serve.set("EVERFEED_PAGE_SIZE", "0").run();
    assert_eq!(run.code, 2, "{}", run.errors);
    assert!(run.errors.contains("EVERFEED_PAGE_SIZE"), "{}", run.errors);
    assert!(!data.exists());
}
