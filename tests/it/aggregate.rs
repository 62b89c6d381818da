//! Aggregators before a real server, as their users run them.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use everfeed::client::rusqlite::{Connection, Transaction};
use everfeed::client::{
    Aggregate, Aggregator, Ended, Event, Failure, Follower, Following, Handle, Live, Memory, Poison, Sqlite,
    StateStore, Views,
};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::support::{TestServer, wait_until};

fn start() -> (TempDir, TestServer) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    (data, server)
}

/// Sales of these amounts.
fn sell(server: &TestServer, amounts: impl IntoIterator<Item = i64>) {
    let sales: Vec<_> =
        amounts.into_iter().map(|cents| serde_json::json!({"eventType": "Sold", "data": {"cents": cents}})).collect();
    let body = serde_json::to_vec(&sales).expect("it can be written");
    let reply = server.post("/streams/sales", &[("Content-Type", "application/vnd.eventstore.events+json")], &body);
    assert_eq!(reply.status, 201, "{}", reply.text());
}

fn sales(server: &TestServer) -> Following {
    Follower::of(&format!("http://{}/streams/sales", server.address)).live(Live::LongPoll)
}

fn cents(event: &Event) -> Result<i64, Failure> {
    let sale: serde_json::Value = event.json()?;
    Ok(sale["cents"].as_i64().ok_or("a sale without a price")?)
}

/// An aggregator that runs until it is told to stop.
struct Running {
    stop: oneshot::Sender<()>,
    ended: thread::JoinHandle<Ended>,
}

impl Running {
    fn new<S: StateStore, A: Aggregate<S>>(aggregator: Aggregator<S, A>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let ended = thread::spawn(move || {
            // On a task, as most users will have it.
            let running = runtime.spawn(aggregator.run_until(stopped));
            runtime.block_on(running).expect("it does not panic").expect("nothing stops it")
        });
        Self { stop, ended }
    }

    fn stop(self) {
        self.stop.send(()).expect("it runs");
        assert_eq!(self.ended.join().expect("it does not panic"), Ended::Stopped);
    }
}

fn run_to_the_end<S: StateStore, A: Aggregate<S>>(aggregator: Aggregator<S, A>) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    assert_eq!(runtime.block_on(aggregator.run()).expect("nothing stops it"), Ended::AtTheEnd);
}

#[test]
fn a_state_that_has_caught_up_hears_of_each_event_as_it_comes() {
    let (_data, server) = start();
    sell(&server, 1..=250);
    let store = Memory::new(Vec::new());
    let reader = store.reader();
    let aggregator = Aggregator::of(store, |sales: &mut Vec<i64>, event: &Event| {
        sales.push(cents(event)?);
        Ok(())
    });
    let status = aggregator.handle().status();
    let running = Running::new(aggregator.follow_as("sales", sales(&server)).named("sales"));
    wait_until("caught up", || status.progress().is_caught_up);
    for amount in 251..=255 {
        sell(&server, [amount]);
        wait_until("heard of", || reader.snapshot().last() == Some(&amount));
    }
    assert!(reader.snapshot().iter().copied().eq(1..=255));
    // An event is in the state a moment before it is counted.
    for line in [
        r#"everfeed_aggregator_events_total{aggregator="sales",feed="sales"} 255"#,
        r#"everfeed_aggregator_lag_events{aggregator="sales",feed="sales"} 0"#,
        r#"everfeed_aggregator_lag_seconds{aggregator="sales",feed="sales"} 0"#,
    ] {
        wait_until(line, || status.openmetrics().lines().any(|found| found == line));
    }
    running.stop();
}

#[test]
fn a_feed_that_is_not_there_yet_is_waited_for_and_holds_no_other_up() {
    let (_data, server) = start();
    sell(&server, 1..=3);
    let store = Memory::new(Vec::new());
    let reader = store.reader();
    let aggregator = Aggregator::of(store, |seen: &mut Vec<String>, event: &Event| {
        seen.push(event.stream.to_string());
        Ok(())
    });
    let returns = Follower::of(&format!("http://{}/streams/returns", server.address));
    let running = Running::new(aggregator.follow(returns).follow(sales(&server)));
    wait_until("sales", || reader.snapshot().len() == 3);
    let headers = [("Content-Type", "application/json"), ("ES-EventType", "Returned")];
    assert_eq!(server.post("/streams/returns", &headers, b"{}").status, 201);
    wait_until("a return", || reader.snapshot().len() == 4);
    assert_eq!(*reader.snapshot(), ["sales", "sales", "sales", "returns"]);
    running.stop();
}

/// Revenue in a table. The first version counts everything twice.
struct Revenue {
    version: u32,
    first_place: Arc<AtomicU64>,
    /// At the place, tells that it is there and waits to go on.
    gate: Option<(u64, mpsc::SyncSender<()>)>,
}

impl Aggregate<Sqlite> for Revenue {
    fn version(&self) -> u32 {
        self.version
    }

    fn begin(&self, tables: &mut Transaction<'_>) -> Result<(), Failure> {
        Ok(tables.execute_batch("CREATE TABLE revenue (cents INTEGER); INSERT INTO revenue VALUES (0)")?)
    }

    fn apply(&self, tables: &mut Transaction<'_>, event: &Event) -> Result<(), Failure> {
        let place = event.place.ok_or("no place")?;
        self.first_place.fetch_min(place, Ordering::SeqCst);
        if let Some((gate, at)) = &self.gate
            && *gate == place
        {
            // Twice: the second is taken by whoever opens the gate.
            at.send(())?;
            at.send(())?;
        }
        let times = if self.version == 1 { 2 } else { 1 };
        tables.execute("UPDATE revenue SET cents = cents + ?", [cents(event)? * times])?;
        Ok(())
    }
}

impl Revenue {
    fn of_version(version: u32) -> Self {
        Self { version, first_place: Arc::new(AtomicU64::new(u64::MAX)), gate: None }
    }

    fn build(self, views: &Views, feed: Following) -> Aggregator<Sqlite, Self> {
        let version = self.version;
        let dir = views.path(version).expect("it is made");
        let store = Sqlite::open(dir.join("revenue.sqlite")).expect("it opens");
        Aggregator::of(store, self).follow(feed).takes_its_place(views.place(version))
    }
}

/// As a reader in another process finds it.
fn revenue(dir: &Path) -> i64 {
    let tables = Connection::open(dir.join("current/revenue.sqlite")).expect("it opens");
    tables.query_row("SELECT cents FROM revenue", (), |row| row.get(0)).expect("it has the table")
}

#[test]
fn a_new_version_is_built_beside_the_old_one_and_takes_its_place_when_it_has_caught_up() {
    let (_data, server) = start();
    sell(&server, 1..=1000);
    let dir = tempfile::tempdir().expect("a directory");
    let views = Views::open(dir.path()).expect("it opens");
    run_to_the_end(Revenue::of_version(1).build(&views, sales(&server).ends_at_the_end()));
    assert_eq!((views.current().expect("it is read"), revenue(dir.path())), (Some(1), 2 * 500_500));

    // The new version is stopped half-way; nobody notices.
    let (at, gate) = mpsc::sync_channel(0);
    let revenue_2 = Revenue { gate: Some((600, at)), ..Revenue::of_version(2) };
    let aggregator = revenue_2.build(&views, sales(&server));
    let status = aggregator.handle().status();
    let running = Running::new(aggregator);
    gate.recv().expect("it comes there");
    assert_eq!((views.current().expect("it is read"), revenue(dir.path())), (Some(1), 2 * 500_500));
    assert!(!status.progress().is_caught_up);
    running.stop.send(()).expect("it runs");
    // What is longer than a transaction should be ends it.
    thread::sleep(Duration::from_millis(300));
    gate.recv().expect("it waits there");
    running.ended.join().expect("it does not panic");
    let applied = status.progress().events;
    assert!(600 < applied && applied < 1000, "{applied}");

    // It goes on where it was, catches up, and stays.
    let revenue_2 = Revenue::of_version(2);
    let first_place = revenue_2.first_place.clone();
    let running = Running::new(revenue_2.build(&Views::open(dir.path()).expect("it opens"), sales(&server)));
    wait_until("in its place", || views.current().expect("it is read") == Some(2));
    assert_eq!((revenue(dir.path()), first_place.load(Ordering::SeqCst)), (500_500, applied));
    wait_until("the old version is removed", || !dir.path().join("v1").exists());
    sell(&server, [7]);
    wait_until("the new sale", || revenue(dir.path()) == 500_507);
    running.stop();
}

#[test]
fn what_is_parked_waits_in_the_store_until_it_can_be_applied() {
    let (_data, server) = start();
    sell(&server, [1, 2]);
    let reply = server.post("/streams/sales", &[("Content-Type", "application/json"), ("ES-EventType", "Sold")], b"{}");
    assert_eq!(reply.status, 201, "{}", reply.text());
    sell(&server, [4]);
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("sales.sqlite");
    let is_mended = Arc::new(AtomicBool::new(false));
    let aggregator = || {
        let is_mended = is_mended.clone();
        let apply = move |tables: &mut Transaction<'_>, event: &Event| {
            tables.execute_batch("CREATE TABLE IF NOT EXISTS sales (cents INTEGER)")?;
            tables.execute("INSERT INTO sales VALUES (-1)", ())?;
            let cents = if is_mended.load(Ordering::SeqCst) { cents(event).unwrap_or(3) } else { cents(event)? };
            tables.execute("UPDATE sales SET cents = ? WHERE cents = -1", [cents])?;
            Ok(())
        };
        Aggregator::of(Sqlite::open(&file).expect("it opens"), apply)
            .follow(sales(&server).ends_at_the_end())
            .poison(Poison::Park { attempts: 2 })
    };
    run_to_the_end(aggregator());

    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let handle: Handle<_, _> = aggregator().handle();
    let parked = runtime.block_on(handle.parked()).expect("it is read");
    assert_eq!(parked.len(), 1, "{parked:?}");
    let about = (parked[0].number, parked[0].attempts, &*parked[0].reason, parked[0].checkpoint.place);
    assert_eq!(about, (3, 2, "a sale without a price", Some(2)));
    let query = |text: &str| {
        let tables = Connection::open(&file).expect("it opens");
        tables.query_row(text, (), |row| row.get::<_, String>(0)).expect("it is read")
    };
    assert_eq!(query("SELECT group_concat(cents) FROM sales"), "1,2,4");
    // People see it too.
    let reason = "SELECT value ->> 'reason' FROM everfeed WHERE name LIKE 'parked %'";
    assert_eq!(query(reason), "a sale without a price");

    runtime.block_on(handle.replay(3)).expect_err("it still cannot be applied");
    is_mended.store(true, Ordering::SeqCst);
    assert!(runtime.block_on(handle.replay(3)).expect("it can be applied now"));
    assert_eq!(runtime.block_on(handle.parked()).expect("it is read"), []);
    drop(handle);
    run_to_the_end(aggregator());
    assert_eq!(query("SELECT group_concat(cents) FROM sales"), "1,2,4,3");
}
