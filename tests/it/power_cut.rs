//! Power cuts: a file system that is shut down under load, without its log being flushed, keeps every event
//! that was acknowledged. Appends, sealing, deletes of sealed groups and the reuse of sled's segments are all
//! under way, of events from 100 bytes to the largest that are taken; some cuts come while the store is opened, or made.
//! On ext4 and on XFS.
//!
//! `EVERFEED_POWER_CUTS=100` makes more of them on each, `EVERFEED_SEED` repeats their times.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use everfeed::store::verify;

use crate::loop_disk::{FileSystem, LoopDisk, file_bytes};
use crate::support::PATIENCE;
use crate::support::store::chunk_files;
use crate::workload::{self, Acknowledged, Batch, Random, Seen, Size};

const CUTS: u32 = 5;
/// After so many cuts there is a new store, so that all of it can be verified after each.
const CUTS_PER_STORE: u32 = 10;
/// Room for what these write.
const DISK_MEGABYTES: u32 = 4 << 10;
/// So few events make a chunk that several are sealed in a second.
const CHUNK_EVENTS: &str = "10000";

const DATA: &str = "EVERFEED_POWER_CUT_DATA";
const RUN: &str = "EVERFEED_POWER_CUT_RUN";

/// The child process: appends as fast as it can until it is killed.
#[test]
fn child() {
    let Some(data) = workload::setting(DATA).map(PathBuf::from) else { return };
    let run: u64 = workload::setting(RUN).and_then(|run| run.parse().ok()).expect("the number of this run");
    println!("opening");
    let store = workload::open(&data).expect("it opens");
    println!("opened");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..8_u64 {
            let store = store.clone();
            tasks.spawn(async move {
                for count in 0..u64::from(u32::MAX) {
                    let serial = run << 40 | task << 32 | count;
                    let (name, batch) = match task {
                        0 => ("tiny".into(), Batch { serial, size: Size::Tiny, events: 1 }),
                        1..4 => (format!("one-{task}"), Batch { serial, size: Size::Small, events: 1 }),
                        4..7 => (format!("many-{}", count % 60), Batch { serial, size: Size::Small, events: 300 }),
                        // Megabytes take several syncs before they are real.
                        _ => {
                            tokio::time::sleep(Duration::from_millis(120)).await;
                            let (size, events) = if count % 4 == 3 { (Size::Limit, 1) } else { (Size::Large, 5) };
                            ("large".into(), Batch { serial, size, events })
                        }
                    };
                    // Without power nothing more is acknowledged; the parent is about to kill us.
                    if workload::append_and_tell(&store, &name, &batch).await.is_err() {
                        return;
                    }
                }
            });
        }
        while tasks.join_next().await.is_some() {}
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
}

/// When the power goes.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So long after the store was told to open: while it recovers, cleans up, or is made.
    Opening(Duration),
    /// So long after appends began.
    Appending(Duration),
}

/// Lets a child append to `data` until the moment comes, then cuts the power and brings the disk back. Returns
/// what was acknowledged.
fn cut(disk: &mut LoopDisk, data: &Path, run: u32, moment: Moment, failpoint: Option<&str>) -> Vec<Acknowledged> {
    let mut command = workload::child("power_cut::child", DATA, data);
    command.env(RUN, run.to_string());
    match failpoint {
        None => command.env("EVERFEED_CHUNK_EVENTS", CHUNK_EVENTS),
        // Without sealing: whatever syncs a file makes the disk write much else as well.
        Some(failpoint) => command.env("EVERFEED_FAILPOINT", failpoint),
    };
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut complaints = child.stderr.take().expect("it is piped");
    let (told, moments) = channel();
    let reader = thread::spawn(move || {
        let mut acknowledged = Vec::new();
        let mut line = String::new();
        while lines.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            // The first line comes behind what the test harness has to say.
            if line.ends_with("opening\n") || line == "opened\n" {
                let _ = told.send(line.trim_end().rsplit(' ').next().map(str::to_string));
            }
            acknowledged.extend(Acknowledged::parse(&line));
            line.clear();
        }
        acknowledged
    });
    let complained = thread::spawn(move || std::io::read_to_string(&mut complaints).unwrap_or_default());
    let (line, after) = match moment {
        Moment::Opening(after) => ("opening", after),
        Moment::Appending(after) => ("opened", after),
    };
    let came = std::iter::from_fn(|| moments.recv_timeout(PATIENCE).ok().flatten()).any(|told| told == line);
    thread::sleep(after);
    disk.cut_power();
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
    let acknowledged = reader.join().expect("it only reads");
    let complained = complained.join().expect("it only reads");
    assert!(came, "the child did not come to {line}: {complained}");
    disk.unmount().expect("nobody holds it");
    disk.mount().expect("the file system replays its log");
    acknowledged
}

/// Opens the store after a cut, and tells the first thing that is wrong.
fn check(data: &Path, seen: &mut Seen, acknowledged: &[Acknowledged]) -> Result<(), String> {
    let store = workload::open(data).map_err(|error| format!("it does not open: {error}"))?;
    seen.read_on(&store, seen.events().saturating_sub(20_000))?;
    store.close();
    seen.holds(acknowledged)
}

/// Everything in the store is as it should be, before anybody has opened it.
fn check_verifies(data: &Path) -> Result<(), String> {
    let report = verify(data, &mut |_, _| {}).map_err(|error| format!("verify: {error}"))?;
    if report.is_sound() { Ok(()) } else { Err(report.to_string()) }
}

#[test]
fn no_acknowledged_event_is_lost_when_the_power_goes() {
    lose_power(FileSystem::Ext4);
}

#[test]
fn no_acknowledged_event_is_lost_when_the_power_goes_on_xfs() {
    lose_power(FileSystem::Xfs);
}

fn lose_power(system: FileSystem) {
    let Some(mut disk) = LoopDisk::of(system, "power cuts", DISK_MEGABYTES) else { return };
    let mut random = Random::seeded("power cuts");
    let cuts = workload::setting("EVERFEED_POWER_CUTS").map_or(CUTS, |cuts| cuts.parse().expect("a number"));
    let (mut seen, mut acknowledged) = (Seen::default(), Vec::new());
    let (mut checked, mut events, mut appends, mut chunks) = (0, 0, 0, 0);
    for run in 0..cuts {
        let started = Instant::now();
        let data = disk.path().join(format!("data-{}", run / CUTS_PER_STORE));
        if run.is_multiple_of(CUTS_PER_STORE) && run > 0 {
            let before = disk.path().join(format!("data-{}", run / CUTS_PER_STORE - 1));
            std::fs::remove_dir_all(before).expect("removed");
            (seen, acknowledged, checked) = (Seen::default(), Vec::new(), 0);
        }
        let moment = match run % 5 {
            // In the middle of opening, and then again before anybody has looked.
            3 => Moment::Opening(Duration::from_millis(random.below(150))),
            _ => Moment::Appending(Duration::from_millis(400 + random.below(1_800))),
        };
        let before = acknowledged.len();
        acknowledged.extend(cut(&mut disk, &data, run, moment, None));
        appends += acknowledged.len() - before;
        if run % 5 == 3 {
            continue;
        }
        let (events_before, chunks_before) = (seen.events(), chunk_files(&data).len());
        // At the end also what was seen long before.
        let is_last = run + 1 == cuts || (run + 1).is_multiple_of(CUTS_PER_STORE);
        let unchecked = if is_last { 0 } else { checked };
        let found = check_verifies(&data).and_then(|()| check(&data, &mut seen, &acknowledged[unchecked..]));
        if let Err(what) = found {
            panic!("cut {run} of {system:?}, {moment:?}: {what}");
        }
        checked = acknowledged.len();
        events += seen.events() - events_before;
        chunks = chunks.max(chunks_before);
        println!(
            "{system:?}, cut {run}: {moment:?}, {appends} appends acknowledged and {events} events written so far, \
             {chunks_before} chunks, sled {} MB, {:?}",
            file_bytes(&data.join("sled/db")) >> 20,
            started.elapsed()
        );
        assert_eq!(std::fs::read_dir(data.join("sled/blobs")).expect("sled makes it").count(), 0);
    }
    // The load was what it should be.
    assert!(appends > 0 && chunks > 0, "{appends} appends, {chunks} chunks");
}

#[test]
fn a_store_whose_making_was_cut_short_opens() {
    let Some(mut disk) = LoopDisk::make_or_skip("power cuts while a store is made", 1 << 10) else { return };
    let mut random = Random::seeded("power cuts while a store is made");
    for run in 0..10 {
        let data = disk.path().join(format!("new-{run}"));
        let moment = Moment::Opening(Duration::from_millis(random.below(120)));
        let acknowledged = cut(&mut disk, &data, run, moment, None);
        let mut seen = Seen::default();
        if let Err(what) = check(&data, &mut seen, &acknowledged) {
            panic!("cut {run}, {moment:?}: {what}");
        }
        println!("cut {run}: {moment:?}, {} acknowledged, {} events", acknowledged.len(), seen.events());
    }
}

/// The disk may have written everything by itself when the power goes; hardly so often.
const UNSYNCED_CUTS_MAX: u32 = 20;

/// What the tests above would say of a store that trusted sled's own flush.
#[test]
fn leaving_the_fdatasync_out_is_noticed() {
    lose_power_unsynced(FileSystem::Ext4);
}

#[test]
fn leaving_the_fdatasync_out_is_noticed_on_xfs() {
    lose_power_unsynced(FileSystem::Xfs);
}

fn lose_power_unsynced(system: FileSystem) {
    let Some(mut disk) = LoopDisk::of(system, "power cuts without fdatasync", 2 << 10) else { return };
    let mut random = Random::seeded("power cuts without fdatasync");
    let data = disk.path().join("data");
    let (mut seen, mut acknowledged) = (Seen::default(), Vec::new());
    for run in 0..UNSYNCED_CUTS_MAX {
        let moment = Moment::Appending(Duration::from_millis(400 + random.below(1_000)));
        acknowledged.extend(cut(&mut disk, &data, run, moment, Some("skip.fdatasync")));
        if let Err(what) = check(&data, &mut seen, &acknowledged) {
            println!("{system:?}, cut {run}: noticed: {what}");
            return;
        }
    }
    panic!("the power was cut {UNSYNCED_CUTS_MAX} times without fdatasync, and nothing was missed");
}
