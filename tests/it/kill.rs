//! kill −9 of a real server under load, again and again: nothing acknowledged is lost, nothing is torn, and
//! whatever a cache was given stays true.
//!
//! `EVERFEED_CRASH_ROUNDS` sets how often, `EVERFEED_SEED` from which seed.

mod ledger;
mod producer;
mod reader;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use self::ledger::{Log, Outcome, Sent};
use self::producer::{Producer, settle};
use self::reader::Reader;
use crate::support::TestServer;
use crate::support::store::{check_no_blobs, check_sound, chunk_files};
use crate::workload::{Random, setting};

const STREAMS: [&str; 4] = ["orders", "shipping", "stock", "returns"];
const BULK: &str = "bulk";
const PRODUCERS: usize = 4;

/// Events that one page of a check asks for.
const PAGE: u64 = 200;

const ROUNDS: u64 = 25;
/// After so many rounds there is a new store, so that a long run does not read ever more.
const ROUNDS_PER_STORE: u64 = 25;
const ROUNDS_BETWEEN_VERIFIES: u64 = 5;
const LOAD_MAX: Duration = Duration::from_millis(900);

/// What the rounds came to.
#[derive(Debug, Default)]
struct Tally {
    rounds: u64,
    events: usize,
    acknowledged: usize,
    unknown: usize,
    unknown_and_written: usize,
    pages: usize,
    chunks: usize,
    /// Rounds in which the server died before a chunk file that it had begun was named.
    sealing_cut_short: usize,
}

#[test]
fn a_killed_server_loses_nothing_that_it_acknowledged() {
    let rounds = setting("EVERFEED_CRASH_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().expect("a number"));
    let mut random = Random::seeded("kill");
    let mut tally = Tally::default();
    while tally.rounds < rounds {
        let dir = tempfile::tempdir().expect("a directory");
        let until = rounds.min(tally.rounds + ROUNDS_PER_STORE);
        kill_again_and_again(dir.path(), until, &mut random, &mut tally);
    }
    println!("{tally:?}");
    assert!(tally.acknowledged > 0 && tally.pages > 0, "nothing was tried: {tally:?}");
}

fn kill_again_and_again(data: &Path, until: u64, random: &mut Random, tally: &mut Tally) {
    let (mut log, mut reader) = (Log::default(), Reader::default());
    let mut server = start(data);
    while tally.rounds < until {
        let known = log.len();
        let mut sent = load_and_kill(server, data, &log, &mut reader, random);
        check_no_blobs(data);
        tally.rounds += 1;
        if tally.rounds.is_multiple_of(ROUNDS_BETWEEN_VERIFIES) {
            check_sound(data);
        }

        let chunks = chunk_files(data).len();
        server = start(data);
        tally.sealing_cut_short += usize::from(chunk_files(data).len() < chunks);
        log.read_on(&server);
        sent.iter().for_each(|sent| log.check(sent));
        assert_eq!(log.strangers(known, &sent), 0, "there are events that nobody sent");
        for sent in sent.iter_mut().filter(|sent| sent.outcome == Outcome::Unknown) {
            tally.unknown += 1;
            tally.unknown_and_written += usize::from(log.has(sent));
            settle(server.address, sent, log.has(sent));
        }
        log.read_on(&server);
        sent.iter().for_each(|sent| log.check(sent));
        assert_eq!(log.strangers(known, &sent), 0, "settling wrote what nobody sent");
        log.check_streams(&server, known);
        (0..10).for_each(|_| log.check_data(&server, random.below(log.len() as u64) as usize));
        reader.check_some(server.address, 40, random);

        tally.acknowledged += sent.iter().filter(|sent| matches!(sent.outcome, Outcome::Acknowledged(_))).count();
    }
    reader.check_all(server.address);
    tally.events += log.len();
    tally.pages += reader.pages();
    tally.chunks += chunk_files(data).len();
    assert_eq!(server.stop(), Some(0), "it ends in order");
    check_sound(data);
}

fn start(data: &Path) -> TestServer {
    TestServer::start(data, &["--public-url", "http://feeds.example"])
}

/// Returns what was sent, in the end of which the server died.
fn load_and_kill(server: TestServer, data: &Path, log: &Log, reader: &mut Reader, random: &mut Random) -> Vec<Sent> {
    let is_dying = AtomicBool::new(false);
    let to = server.address;
    let mut reading = Random::new(random.next());
    let mut producers: Vec<Producer> = (0..=PRODUCERS)
        .map(|index| {
            let own = format!("own-{index}");
            let version = log.version(&own);
            Producer::new(own, version, random.next())
        })
        .collect();
    thread::scope(|scope| {
        let (bulk, others) = producers.split_first_mut().expect("there are some");
        scope.spawn(|| bulk.run_bulk(to, &is_dying));
        for producer in others {
            scope.spawn(|| producer.run(to, &is_dying));
        }
        scope.spawn(|| reader.run(to, &mut reading, &is_dying));
        wait_for_the_moment(data, random);
        is_dying.store(true, Ordering::SeqCst);
        server.kill();
    });
    producers.into_iter().flat_map(|producer| producer.sent).collect()
}

/// Any moment; every other time one shortly after a chunk file has appeared, when sealing is under way.
fn wait_for_the_moment(data: &Path, random: &mut Random) {
    const STEP: Duration = Duration::from_millis(1);
    let mut left = Duration::from_millis(20 + random.below(LOAD_MAX.as_millis() as u64));
    let waits_for_sealing = random.below(2) == 0;
    let chunks = chunk_files(data).len();
    if waits_for_sealing {
        left = 5 * LOAD_MAX;
    }
    while !(left.is_zero() || waits_for_sealing && chunk_files(data).len() > chunks) {
        thread::sleep(STEP);
        left = left.saturating_sub(STEP);
    }
    if waits_for_sealing {
        thread::sleep(Duration::from_micros(random.below(60_000)));
    }
}
