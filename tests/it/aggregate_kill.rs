//! An aggregator, the server and nginx between them are killed again and again during a replay: in the end the totals
//! are those of a direct sum over the file, and no event was applied twice or left out. The state itself counts them.
//!
//! `EVERFEED_CRASH_ROUNDS` sets how often the aggregator is killed, `EVERFEED_CRASH_FILE` names another file of order
//! lines than the sample, `EVERFEED_SEED` says from which seed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::thread;
use std::time::{Duration, Instant};

use everfeed::client::rusqlite::{Connection, OptionalExtension, Transaction};
use everfeed::client::{Aggregate, Aggregator, Ended, Event, Failure, Follower, Sled, SledState, Sqlite, StateStore};
use serde::{Deserialize, Serialize};

use crate::follow::faults::chaos;
use crate::retail::{SAMPLE, STREAMS, Totals, direct_sum_of, post, thousandths};
use crate::support::faults::{Fault, Faults};
use crate::support::proxy::{Kind, Proxy};
use crate::support::{PATIENCE, TestServer};
use crate::workload::{self, Random};

const ROUNDS: u64 = 15;
/// So long at most an aggregator lives after its first event; some do not come so far.
const LIFE_MAX: Duration = Duration::from_millis(700);
/// It is so slow that in all its lives it would not get to the end, even if starting the others again takes its time.
const TIMES_SLOWER: u64 = 3;
const TASK: &str = "EVERFEED_CRASH_AGGREGATOR";

/// What the child process has to do.
#[derive(Clone, Serialize, Deserialize)]
struct Task {
    is_sled: bool,
    dir: PathBuf,
    /// Where the streams are.
    server: String,
    /// How long each event takes it, so that it can be killed in between.
    micros_per_event: u64,
}

impl Task {
    fn sign(&self) -> PathBuf {
        self.dir.with_extension("began")
    }
}

/// The child process: an aggregator of three feeds that runs to their end.
#[test]
fn child() {
    let Some(task) = workload::setting(TASK) else { return };
    run(&serde_json::from_str(&task).expect("a task"));
}

fn run(task: &Task) {
    let pause = Duration::from_micros(task.micros_per_event);
    let business = Business { pause, began: Once::new(), sign: task.sign() };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let ended = if task.is_sled {
        let store = Sled::open(&task.dir).expect("it opens");
        runtime.block_on(following(Aggregator::of(store, business), &task.server).run())
    } else {
        let store = Sqlite::open(task.dir.join("totals.sqlite")).expect("it opens");
        runtime.block_on(following(Aggregator::of(store, business), &task.server).run())
    };
    assert_eq!(ended.expect("nothing stops it"), Ended::AtTheEnd);
}

fn following<S: StateStore, A: Aggregate<S>>(mut aggregator: Aggregator<S, A>, server: &str) -> Aggregator<S, A> {
    for stream in STREAMS {
        aggregator =
            aggregator.follow_as(stream, Follower::of(&format!("{server}/streams/{stream}")).ends_at_the_end());
    }
    aggregator
}

/// Revenue by country, stock by product, and how often each event was applied.
struct Business {
    pause: Duration,
    /// At the first event a file says that it has begun.
    began: Once,
    sign: PathBuf,
}

impl Business {
    /// What changes, by key, and the event that has to come next in its stream.
    fn changes(&self, event: &Event) -> Result<(String, BTreeMap<String, i64>), Failure> {
        self.began.call_once(|| drop(File::create(&self.sign).expect("it can be made")));
        thread::sleep(self.pause);
        let place = event.place.ok_or("an event without a place")?;
        let invoice: serde_json::Value = event.json()?;
        let country = invoice["country"].as_str().ok_or("no country")?;
        let mut changes = BTreeMap::from([(format!("applied {} {place:06}", event.stream), 1)]);
        for line in invoice["lines"].as_array().ok_or("no lines")? {
            let quantity = line["quantity"].as_i64().ok_or("no quantity")?;
            let price = thousandths(line["unitPrice"].as_str().ok_or("no price")?);
            let moved = match &*event.event_type {
                "StockCorrected" => quantity,
                "DebtAdjusted" => 0,
                _ => -quantity,
            };
            *changes.entry(format!("revenue {country}")).or_default() += quantity * price;
            let product = line["stockCode"].as_str().ok_or("no product")?;
            *changes.entry(format!("stock {product}")).or_default() += moved;
        }
        let before = place.checked_sub(1).map(|before| format!("applied {} {before:06}", event.stream));
        Ok((before.unwrap_or_default(), changes))
    }
}

/// In each stream the event before was applied, and this one was not.
fn check_place(before: &str, is_before_there: bool, amount: i64, key: &str) -> Result<(), Failure> {
    if !before.is_empty() && !is_before_there {
        return Err(format!("{before} is missing").into());
    }
    if key.starts_with("applied") && amount != 1 { Err(format!("{key} for the second time").into()) } else { Ok(()) }
}

impl Aggregate<Sqlite> for Business {
    fn begin(&self, tables: &mut Transaction<'_>) -> Result<(), Failure> {
        Ok(tables.execute_batch("CREATE TABLE totals (key TEXT PRIMARY KEY, amount INTEGER NOT NULL)")?)
    }

    fn apply(&self, tables: &mut Transaction<'_>, event: &Event) -> Result<(), Failure> {
        let (before, changes) = self.changes(event)?;
        let mut find = tables.prepare_cached("SELECT amount FROM totals WHERE key = ?")?;
        let is_before_there = find.query_row([&before], |row| row.get::<_, i64>(0)).optional()?.is_some();
        let mut add = tables.prepare_cached(
            "INSERT INTO totals VALUES (?, ?) ON CONFLICT DO UPDATE SET amount = amount + excluded.amount RETURNING amount",
        )?;
        for (key, amount) in changes {
            let sum = add.query_row((&key, amount), |row| row.get(0))?;
            check_place(&before, is_before_there, sum, &key)?;
        }
        Ok(())
    }
}

impl Aggregate<Sled> for Business {
    fn apply(&self, state: &mut SledState<'_>, event: &Event) -> Result<(), Failure> {
        let (before, changes) = self.changes(event)?;
        let is_before_there = state.get(before.as_bytes())?.is_some();
        for (key, amount) in changes {
            let sum = state.get(key.as_bytes())?.map_or(0, |amount| number(&amount)) + amount;
            state.put(key.as_bytes(), sum.to_be_bytes().to_vec())?;
            check_place(&before, is_before_there, sum, &key)?;
        }
        Ok(())
    }
}

fn number(bytes: &[u8]) -> i64 {
    i64::from_be_bytes(bytes.try_into().expect("eight bytes"))
}

fn totals(task: &Task) -> BTreeMap<String, i64> {
    if task.is_sled {
        let all = Sled::open(&task.dir).expect("it opens").reader().scan(b"").expect("it is read");
        let text = |key: &[u8]| String::from_utf8(key.to_vec()).expect("text");
        return all.iter().map(|(key, amount)| (text(key), number(amount))).collect();
    }
    let tables = Connection::open(task.dir.join("totals.sqlite")).expect("it opens");
    let mut query = tables.prepare("SELECT key, amount FROM totals").expect("it has the table");
    let rows = query.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).expect("it is read");
    rows.collect::<Result<_, _>>().expect("it is read")
}

/// What the totals have to be.
fn expected(events: [usize; 3], sums: Totals) -> BTreeMap<String, i64> {
    let applied = STREAMS.into_iter().zip(events);
    let applied =
        applied.flat_map(|(stream, events)| (0..events).map(move |place| format!("applied {stream} {place:06}")));
    let mut expected: BTreeMap<String, i64> = applied.map(|key| (key, 1)).collect();
    expected.extend(sums.revenue.into_iter().map(|(country, sum)| (format!("revenue {country}"), sum)));
    expected.extend(sums.stock.into_iter().map(|(product, sum)| (format!("stock {product}"), sum)));
    expected
}

fn serve(data: &Path, address: &str) -> TestServer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_everfeed"));
    command.arg("serve").arg("--data").arg(data).args(["--listen", address]);
    TestServer::spawn(command).unwrap_or_else(|log| panic!("the server did not start: {log:#?}"))
}

/// The aggregator as a process, and what it says.
fn start(task: &Task) -> Child {
    let log = File::create(task.dir.with_extension("log")).expect("it can be written to");
    let task = serde_json::to_string(task).expect("it can be written");
    let mut command = workload::child("aggregate_kill::child", TASK, task);
    let output = log.try_clone().expect("a file");
    command.stdin(Stdio::null()).stdout(output).stderr(log).spawn().expect("it starts")
}

fn kill(child: &mut Child, task: &Task) {
    let ended = child.try_wait().expect("it is ours");
    assert!(ended.is_none(), "it ended by itself: {ended:?}: {}", said(task));
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

fn said(task: &Task) -> String {
    fs::read_to_string(task.dir.with_extension("log")).unwrap_or_default()
}

fn killed_again_and_again(is_sled: bool) {
    let rounds = workload::setting("EVERFEED_CRASH_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().expect("a number"));
    let file = PathBuf::from(workload::setting("EVERFEED_CRASH_FILE").unwrap_or_else(|| SAMPLE.to_string()));
    let mut random = Random::seeded(if is_sled { "aggregate_kill, sled" } else { "aggregate_kill, SQLite" });
    let (data, states) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let mut server = serve(data.path(), "127.0.0.1:0");
    let origin: SocketAddr = server.address;
    let all = post(&format!("http://{origin}"), &file).events;
    let mut nginx = Proxy::start(Kind::Nginx, origin);
    let dir = states.path().join("state");
    fs::create_dir(&dir).expect("it is made");
    let micros_per_event = LIFE_MAX.as_micros() as u64 * TIMES_SLOWER * rounds / all as u64;
    let task = Task { is_sled, dir, server: nginx.url(), micros_per_event };

    for _ in 0..rounds {
        let _ = fs::remove_file(task.sign());
        let (mut child, started) = (start(&task), Instant::now());
        let dies_young = random.below(4) == 0;
        while !dies_young && !task.sign().exists() && started.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
        let life = |random: &mut Random| Duration::from_micros(random.below(LIFE_MAX.as_micros() as u64 / 2));
        thread::sleep(life(&mut random));
        match random.below(3) {
            0 => {
                server.kill();
                server = serve(data.path(), &origin.to_string());
            }
            1 => nginx.restart(Kind::Nginx, origin),
            _ => {}
        }
        thread::sleep(life(&mut random));
        kill(&mut child, &task);
    }

    let applied = totals(&task).keys().filter(|key| key.starts_with("applied")).count();
    println!("{applied} of {all} events were applied by {rounds} aggregators that were killed");
    assert!(0 < applied && applied < all, "they were killed before the first event, or after the last");
    let mut child = start(&Task { micros_per_event: 0, ..task.clone() });
    let started = Instant::now();
    let ended = loop {
        match child.try_wait().expect("it is ours") {
            Some(ended) => break ended,
            None if started.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(20)),
            None => {
                let _ = child.kill();
                panic!("it does not get to the end: {}", said(&task));
            }
        }
    };
    assert!(ended.success(), "{}", said(&task));
    check(&task, &file);
}

fn check(task: &Task, file: &Path) {
    let (events, sums) = direct_sum_of(file);
    let (found, expected) = (totals(task), expected(events, sums));
    let wrong: Vec<_> = expected.iter().filter(|(key, amount)| found.get(*key) != Some(*amount)).take(10).collect();
    assert!(wrong.is_empty(), "of {} totals these are others: {wrong:?}", expected.len());
    assert_eq!(found.len(), expected.len());
}

#[test]
fn a_state_in_sqlite_counts_each_event_once_whoever_is_killed() {
    killed_again_and_again(false);
}

#[test]
fn a_state_in_sled_counts_each_event_once_whoever_is_killed() {
    killed_again_and_again(true);
}

#[test]
fn a_network_that_loses_cuts_delays_and_repeats_makes_no_difference_to_a_state() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    post(&format!("http://{}", server.address), SAMPLE.as_ref());
    for is_sled in [false, true] {
        let faults = Faults::before(server.address, chaos(fastrand::u64(..)));
        let dir = tempfile::tempdir().expect("a directory");
        let server = format!("http://{}", faults.address);
        let task = Task { is_sled, dir: dir.path().to_path_buf(), server, micros_per_event: 0 };
        run(&task);
        check(&task, SAMPLE.as_ref());
        assert!(faults.seen().iter().any(|(_, fault)| *fault != Fault::Nothing), "nothing went wrong");
    }
}
