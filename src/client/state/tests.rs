//! Every state store holds to the same rule: the state and its records are those of the transactions that were
//! committed, whole and in order, however the store was left.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;

/// A store, as these tests use it: numbers by key.
trait Tested {
    type Store: StateStore;

    fn open(dir: &Path) -> Self::Store;

    /// What `open` would not find again is taken along.
    fn reopen(store: Self::Store, dir: &Path) -> Self::Store {
        drop(store);
        Self::open(dir)
    }

    fn begin(state: &mut <Self::Store as StateStore>::State<'_>) -> Result<(), Failure> {
        let _ = state;
        Ok(())
    }

    /// Zero stands for a key that is not there.
    fn add(state: &mut <Self::Store as StateStore>::State<'_>, key: u8, amount: i64) -> Result<(), Failure>;

    fn all(store: &mut Self::Store) -> BTreeMap<u8, i64>;
}

struct InMemory;

impl Tested for InMemory {
    type Store = Memory<BTreeMap<u8, i64>>;

    fn open(_: &Path) -> Self::Store {
        Memory::new(BTreeMap::new())
    }

    fn reopen(store: Self::Store, _: &Path) -> Self::Store {
        store
    }

    fn add(state: &mut BTreeMap<u8, i64>, key: u8, amount: i64) -> Result<(), Failure> {
        *state.entry(key).or_default() += amount;
        state.retain(|_, number| *number != 0);
        Ok(())
    }

    fn all(store: &mut Self::Store) -> BTreeMap<u8, i64> {
        store.reader().snapshot().as_ref().clone()
    }
}

struct InSled;

impl Tested for InSled {
    type Store = Sled;

    fn open(dir: &Path) -> Sled {
        Sled::open(dir.join("sled")).expect("it opens")
    }

    fn add(state: &mut SledState<'_>, key: u8, amount: i64) -> Result<(), Failure> {
        let number = state.get(&[key])?.map_or(0, |number| number_of(&number)) + amount;
        match number {
            0 => state.remove(&[key]),
            _ => state.put(&[key], number.to_be_bytes().to_vec())?,
        }
        let all: BTreeMap<_, _> = state.scan(&[])?.into_iter().collect();
        let expected = (number != 0).then(|| number.to_be_bytes());
        assert_eq!(all.get(&[key][..]).map(|number| &number[..]), expected.as_ref().map(|number| &number[..]));
        Ok(())
    }

    fn all(store: &mut Sled) -> BTreeMap<u8, i64> {
        let all = store.reader().scan(&[]).expect("it is read");
        all.iter().map(|(key, number)| (key[0], number_of(number))).collect()
    }
}

fn number_of(bytes: &[u8]) -> i64 {
    i64::from_be_bytes(bytes.try_into().expect("eight bytes"))
}

#[cfg(feature = "sqlite")]
struct InSqlite;

#[cfg(feature = "sqlite")]
impl Tested for InSqlite {
    type Store = Sqlite;

    fn open(dir: &Path) -> Sqlite {
        Sqlite::open(dir.join("numbers.sqlite")).expect("it opens")
    }

    fn begin(state: &mut rusqlite::Transaction<'_>) -> Result<(), Failure> {
        Ok(state.execute_batch("CREATE TABLE IF NOT EXISTS numbers (key INTEGER PRIMARY KEY, number INTEGER)")?)
    }

    fn add(state: &mut rusqlite::Transaction<'_>, key: u8, amount: i64) -> Result<(), Failure> {
        let text = "INSERT INTO numbers VALUES (?, ?) ON CONFLICT DO UPDATE SET number = number + excluded.number";
        state.execute(text, (key, amount))?;
        state.execute("DELETE FROM numbers WHERE number = 0", ())?;
        Ok(())
    }

    fn all(store: &mut Sqlite) -> BTreeMap<u8, i64> {
        let mut all = BTreeMap::new();
        let read = store.transaction(|state| {
            let mut query = state.prepare("SELECT key, number FROM numbers")?;
            for row in query.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))? {
                let (key, number) = row?;
                all.insert(key, number);
            }
            Ok(Records::default())
        });
        read.expect("it is read");
        all
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// Adds, and commits or fails.
    Change { adds: Vec<(u8, i64)>, record: u8, fails: bool },
    /// The store is closed, and opened again.
    Reopen,
    /// The process dies: what is on disk at this moment is all that is left.
    Die,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let adds = prop::collection::vec((0_u8..6, -2_i64..3), 0..12);
    let change = (adds, 0_u8..3, any::<bool>()).prop_map(|(adds, record, fails)| Step::Change { adds, record, fails });
    prop::collection::vec(prop_oneof![8 => change, 1 => Just(Step::Reopen), 1 => Just(Step::Die)], 1..20)
}

fn check<T: Tested>(steps: &[Step]) {
    let mut dir = tempfile::tempdir().expect("a directory");
    let mut store = T::open(dir.path());
    store.transaction(|state| T::begin(state).map(|()| Records::default())).expect("it begins");
    let (mut numbers, mut records) = (BTreeMap::<u8, i64>::new(), BTreeMap::new());
    for (at, step) in steps.iter().enumerate() {
        match step {
            Step::Change { adds, record, fails } => {
                let done = store.transaction(|state| {
                    for (key, amount) in adds {
                        T::add(state, *key, *amount)?;
                    }
                    let mut records = Records::default();
                    records.put(format!("a {record}"), at.to_string());
                    records.remove(format!("a {}", (record + 1) % 3));
                    records.put("b".to_string(), at.to_string());
                    if *fails { Err("told to fail".into()) } else { Ok(records) }
                });
                assert_eq!(matches!(done, Err(Aborted::Apply(_))), *fails, "{done:?}");
                if !fails {
                    for (key, amount) in adds {
                        *numbers.entry(*key).or_default() += amount;
                    }
                    numbers.retain(|_, number| *number != 0);
                    records.insert(format!("a {record}"), at.to_string());
                    records.remove(&format!("a {}", (record + 1) % 3));
                }
            }
            Step::Reopen => store = T::reopen(store, dir.path()),
            Step::Die => {
                let copy = tempfile::tempdir().expect("a directory");
                copy_all(dir.path(), copy.path());
                store = T::reopen(store, copy.path());
                dir = copy;
            }
        }
        assert_eq!(T::all(&mut store), numbers, "after step {at}");
        assert_eq!(store.records("a ").expect("they are read"), records.clone().into_iter().collect::<Vec<_>>());
    }
}

fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("it is read") {
        let entry = entry.expect("it is read");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&to).expect("it is made");
            copy_all(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).expect("it is copied");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn memory_holds_what_was_committed(steps in steps()) {
        check::<InMemory>(&steps);
    }

    #[test]
    fn sled_holds_what_was_committed(steps in steps()) {
        check::<InSled>(&steps);
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn sqlite_holds_what_was_committed(steps in steps()) {
        check::<InSqlite>(&steps);
    }
}

#[test]
fn a_snapshot_stays_what_it_is_and_a_reader_can_be_switched() {
    let mut old = Memory::new(1);
    let mut new = Memory::new(10);
    let (reader, clone) = (old.reader(), old.reader().clone());
    let snapshot = reader.snapshot();
    old.transaction(|state| {
        *state += 1;
        Ok(Records::default())
    })
    .expect("it is committed");
    assert_eq!((*snapshot, *reader.snapshot(), *clone.snapshot()), (1, 2, 2));

    let held = reader.clone();
    reader.switch_to(&new.reader());
    new.transaction(|state| {
        *state += 1;
        Ok(Records::default())
    })
    .expect("it is committed");
    assert_eq!((*held.snapshot(), *clone.snapshot()), (11, 2));
}

#[test]
fn a_sled_entry_that_would_reach_the_blob_files_is_refused_and_is_the_events_fault() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = Sled::open(dir.path()).expect("it opens");
    let done = store.transaction(|state| {
        state.put(b"k", vec![0; (64 << 10) - 1])?;
        state.put(b"k", vec![0; 64 << 10])?;
        Ok(Records::default())
    });
    let text = "a key of 1 and a value of 65536 bytes are more than 65536 together";
    assert!(matches!(&done, Err(Aborted::Apply(reason)) if reason.to_string() == text), "{done:?}");
    assert_eq!(store.reader().get(b"k").expect("it is read"), None);
}

/// An event that was parked once went into sled as it was, into files that sled never syncs, and the place in the feed may
/// have gone there with it.
#[test]
fn a_long_record_lies_in_sled_in_parts_and_is_one_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let name = || "parked 1".to_string();
    let put = |store: &mut Sled, value: Option<&str>| {
        let done = store.transaction(|_| {
            let mut records = Records::default();
            records.put("parked 10".to_string(), "next".to_string());
            match value {
                Some(value) => records.put(name(), value.to_string()),
                None => records.remove(name()),
            }
            Ok(records)
        });
        done.expect("it is committed");
    };
    let next = ("parked 10".to_string(), "next".to_string());
    let long = "ä".repeat(4 << 20);
    for value in [&long[..], &long[..(32 << 10)], &long[..(32 << 10) + 2], "", "short"] {
        let mut store = Sled::open(dir.path()).expect("it opens");
        put(&mut store, Some(value));
        drop(store);
        let store = Sled::open(dir.path()).expect("it opens");
        let found = store.records("parked").expect("they are read");
        assert!(found == [(name(), value.to_string()), next.clone()], "{} bytes", value.len());
        drop(store);
        let blobs = fs::read_dir(dir.path().join("blobs")).expect("it is there").count();
        assert_eq!(blobs, 0, "{} bytes", value.len());
    }
    let mut store = Sled::open(dir.path()).expect("it opens");
    put(&mut store, Some(&long));
    put(&mut store, None);
    assert_eq!(store.records("").expect("they are read"), [next]);
}

#[test]
fn a_transaction_in_sled_is_full_before_it_is_too_much_between_two_syncs() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = Sled::open(dir.path()).expect("it opens");
    let mut puts = 0_u32;
    store
        .transaction(|state| {
            while !Sled::is_full(state) {
                // The same key costs nothing more, however often it changes.
                state.put(b"counter", puts.to_be_bytes().to_vec())?;
                state.put(&puts.to_be_bytes(), vec![0; 1000])?;
                puts += 1;
            }
            Ok(Records::default())
        })
        .expect("it is committed");
    assert!((500..700).contains(&puts), "{puts}");
}

#[cfg(feature = "sqlite")]
#[test]
fn a_failure_of_the_database_is_not_the_events_fault() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = Sqlite::open(dir.path().join("a.sqlite")).expect("it opens");
    let done = store.transaction(|state| {
        state.pragma_update(None, "max_page_count", 5)?;
        state.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(100000))")?;
        Ok(Records::default())
    });
    assert!(matches!(done, Err(Aborted::Store(_))), "{done:?}");
    let done = store.transaction(|state| {
        state.execute("INSERT INTO no_such_table VALUES (1)", ())?;
        Ok(Records::default())
    });
    assert!(matches!(done, Err(Aborted::Apply(_))), "{done:?}");
}

#[cfg(feature = "sqlite")]
#[test]
fn an_aggregate_that_ends_the_transaction_itself_is_told_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = Sqlite::open(dir.path().join("a.sqlite")).expect("it opens");
    let done = store.transaction(|state| {
        state.execute_batch("COMMIT")?;
        Ok(Records::default())
    });
    let text = "the state store failed: the aggregate ended the transaction itself";
    assert!(matches!(&done, Err(Aborted::Store(error)) if error.to_string() == text), "{done:?}");
}

/// Two that had the same file open each went on from what they had read of it at their start, and every event counted
/// twice.
#[cfg(feature = "sqlite")]
#[test]
fn one_aggregator_has_a_sqlite_file_at_a_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.sqlite");
    let store = Sqlite::open(&path).expect("it opens");
    let refused = sqlite::lock(&path, std::time::Duration::ZERO).expect_err("it is in use");
    assert!(refused.to_string().contains("in use"), "{refused}");
    drop(store);
    drop(sqlite::lock(&path, std::time::Duration::ZERO).expect("it is free"));
    Sqlite::open(&path).expect("it opens again");
}
