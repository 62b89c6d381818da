//! A crash at every named point of an append and of sealing: nothing acknowledged is lost, nothing is left behind.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use everfeed::store::verify;

use crate::workload::{self, Acknowledged, Batch, Seen, Size};

const DATA: &str = "EVERFEED_SEAL_CRASH_DATA";
const CHUNK_EVENTS: &str = "2000";
const SIGABRT: i32 = 6;

/// The child process: appends what makes every step of sealing happen, until it aborts at its fail point.
#[test]
fn child() {
    let Some(data) = workload::setting(DATA).map(PathBuf::from) else { return };
    let store = workload::open(&data).expect("it opens");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        for round in 0..20_u64 {
            // So many streams, with names so long, that one chunk's runs take several batches.
            let mut tasks = tokio::task::JoinSet::new();
            for task in 0..64_u64 {
                let store = store.clone();
                tasks.spawn(async move {
                    for count in 0..25 {
                        let serial = round << 40 | task << 32 | count;
                        let batch = Batch { serial, size: Size::Small, events: 1 };
                        let name = format!("{}-{serial}", "n".repeat(470));
                        workload::append_and_tell(&store, &name, &batch).await.expect("appended");
                    }
                });
            }
            while let Some(done) = tasks.join_next().await {
                done.expect("it ran");
            }
            for (part, size, events) in [(1_u64, Size::Small, 900), (2, Size::Large, 6)] {
                let batch = Batch { serial: round << 40 | 99 << 32 | part, size, events };
                workload::append_and_tell(&store, "together", &batch).await.expect("appended");
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    });
}

/// Every fail point that the store names, but those that leave a step out.
fn fail_points() -> BTreeSet<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(dir).expect("it is there") {
        let path = entry.expect("it is read").path();
        if path.is_file() {
            let text = std::fs::read_to_string(path).expect("it is text");
            let calls = text.split("failpoint::reached(\"").skip(1);
            names.extend(calls.map(|call| call.split('"').next().expect("it ends").to_string()));
        }
    }
    names
}

#[test]
fn a_crash_at_any_step_loses_nothing_and_leaves_nothing_behind() {
    let names = fail_points();
    assert!(names.len() >= 12, "{names:?}");
    for name in names {
        for times in [1, 2] {
            crash_at(&format!("{name}:{times}"));
        }
    }
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
    store.close();
    drop(store);

    let cleaned = verify(&data, &mut |_, _| {}).expect("it opens");
    assert!(cleaned.is_sound(), "{point}: {cleaned}");
    assert_eq!((cleaned.leftovers, cleaned.events), (0, crashed.events), "{point}");
    let files = std::fs::read_dir(data.join("chunks")).expect("it is there").count();
    assert_eq!(files, cleaned.chunks, "{point}");
    println!("{point}: {} acknowledged, {} leftovers removed, {cleaned}", acknowledged.len(), crashed.leftovers);
}
