//! A crash at every named point of an append, of sealing, and of indexing: nothing acknowledged is lost, nothing is left behind.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use everfeed::event::Source;
use everfeed::store::{Kinds, Options, Store, verify};

use crate::support::store::chunk_files;
use crate::workload::{self, Acknowledged, Batch, Seen, Size};

const DATA: &str = "EVERFEED_SEAL_CRASH_DATA";
const CHUNK_EVENTS: &str = "2000";
const SIGABRT: i32 = 6;

/// The child process: appends what makes every step of sealing happen, until it aborts at its fail point. Derived
/// streams are on, then off for a while, so that what is missing is built in the background.
#[test]
fn child() {
    let Some(data) = workload::setting(DATA).map(PathBuf::from) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    for (rounds, kinds) in
        [(0..2, Options::new(&data).derived), (2..6, Kinds::NONE), (6..20, Options::new(&data).derived)]
    {
        let store = workload::open_with(&data, kinds).expect("it opens");
        append(&runtime, &store, rounds);
        store.close();
    }
}

fn append(runtime: &tokio::runtime::Runtime, store: &Store, rounds: std::ops::Range<u64>) {
    runtime.block_on(async {
        for round in rounds {
            // So many streams and categories, with names so long, that one chunk's runs take several batches.
            let mut tasks = tokio::task::JoinSet::new();
            for task in 0..64_u64 {
                let store = store.clone();
                tasks.spawn(async move {
                    for count in 0..25 {
                        let serial = round << 40 | task << 32 | count;
                        let batch = Batch { serial, size: Size::Small, events: 1 };
                        let name = format!("{}{serial}-x", "n".repeat(470));
                        workload::append_and_tell(&store, &name, &batch).await.expect("appended");
                    }
                });
            }
            while let Some(done) = tasks.join_next().await {
                done.expect("it ran");
            }
            for (part, size, events) in [(1_u64, Size::Small, 900), (2, Size::Large, 6)] {
                let batch = Batch { serial: round << 40 | 99 << 32 | part, size, events };
                workload::append_and_tell(store, "together", &batch).await.expect("appended");
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    });
}

#[test]
fn a_crash_at_any_step_loses_nothing_and_leaves_nothing_behind() {
    let names: Vec<_> = ["append", "seal", "index"].into_iter().flat_map(workload::fail_points).collect();
    assert!(names.len() >= 18, "{names:?}");
    for name in names {
        for times in [1, 2] {
            crash_at(&format!("{name}:{times}"));
        }
    }
}

/// What is complete is sealed, and what is sealed is indexed.
fn wait_until_done(store: &Store) {
    let is_built = |name| store.view().head(&Source::named(workload::stream(name))).is_ok();
    for _ in 0..6_000 {
        if store.view().chunks_due() == 0 && ["$ce-n", "$et-t", "$streams"].into_iter().all(is_built) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("sealing and building come to no end");
}

fn crash_at(point: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let mut command = workload::child("seal_crash::child", DATA, &data);
    command.env("EVERFEED_CHUNK_EVENTS", CHUNK_EVENTS).env("EVERFEED_FAILPOINT", point);
    let output = command.stdin(Stdio::null()).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(SIGABRT), "{point} was not reached: {complained}");
    let acknowledged: Vec<_> = said.split_inclusive('\n').filter_map(Acknowledged::parse).collect();

    let crashed = verify(&data, &mut |_, _| {}).expect("it opens");
    assert!(crashed.is_sound(), "{point}: {crashed}");
    let store = workload::open(&data).expect("it opens");
    let mut seen = Seen::default();
    if let Err(what) = seen.read_on(&store, 0).and_then(|()| seen.holds(&acknowledged)) {
        panic!("{point}: {what}");
    }
    wait_until_done(&store);
    store.close();
    drop(store);

    let cleaned = verify(&data, &mut |_, _| {}).expect("it opens");
    assert!(cleaned.is_sound(), "{point}: {cleaned}");
    assert_eq!((cleaned.leftovers, cleaned.events), (0, crashed.events), "{point}");
    assert_eq!(chunk_files(&data).len(), cleaned.chunks, "{point}");
    let files = std::fs::read_dir(data.join("chunks")).expect("it is there").count();
    assert_eq!(files, 4 * cleaned.chunks, "{point}: each chunk has three indexes");
    println!("{point}: {} acknowledged, {} leftovers removed, {cleaned}", acknowledged.len(), crashed.leftovers);
}
