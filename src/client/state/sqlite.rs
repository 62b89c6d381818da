//! A state in SQLite: tables that people can query, while events are applied.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::{Aborted, Records, StateError, StateStore};
use crate::client::Failure;

/// How long it waits for somebody who writes to the same file.
const BUSY: Duration = Duration::from_secs(30);

/// A process that was told to stop may hold the lock for a moment longer.
const LOCKED_WAIT: Duration = Duration::from_secs(5);

/// Beside the tables of the aggregate, in the same file and so in the same transactions.
const RECORDS: &str = "CREATE TABLE IF NOT EXISTS everfeed (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID";

/// A state in a SQLite database. An aggregate is given the transaction, and may do everything in it but end it.
///
/// The table `everfeed` is this library's: its rows say how far each feed was followed, and hold what was parked.
/// Everything else belongs to the aggregate. Others may read the file at any time; they see it as the last transaction
/// left it. But one aggregator has it at a time: two would both apply each event, and commit it twice. So whoever opens it
/// holds a lock, on a file beside it whose name ends in `-lock`.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
    /// Let go when the process ends, however it ends.
    _lock: Option<File>,
}

impl Sqlite {
    /// Opens or makes a file, with a write-ahead log, so that nobody waits for readers. A power cut may take the last
    /// transactions back, whole and with their places in the feeds. It waits some seconds for another aggregator that has
    /// it open.
    ///
    /// # Errors
    ///
    /// It is in use, or SQLite cannot open it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StateError> {
        let lock = lock(path.as_ref(), LOCKED_WAIT)?;
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        Ok(Self { _lock: Some(lock), ..Self::with(connection)? })
    }

    /// Takes a connection as it was set up by others, who also see to it that no other aggregator has the same database.
    ///
    /// # Errors
    ///
    /// The table `everfeed` cannot be made in it.
    pub fn with(connection: Connection) -> Result<Self, StateError> {
        connection.execute_batch(RECORDS)?;
        Ok(Self { connection, _lock: None })
    }
}

/// What whoever applies events to this database holds.
pub(super) fn lock(database: &Path, wait: Duration) -> Result<File, StateError> {
    let mut path = database.as_os_str().to_owned();
    path.push("-lock");
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(StateError::new)?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if started.elapsed() < wait => thread::sleep(Duration::from_millis(50)),
            Err(TryLockError::WouldBlock) => {
                return Err(StateError::new(format!("{} is in use by another aggregator", database.display())));
            }
            Err(TryLockError::Error(error)) => return Err(StateError::new(error)),
        }
    }
}

impl StateStore for Sqlite {
    type State<'t> = rusqlite::Transaction<'t>;

    fn records(&self, prefix: &str) -> Result<Vec<(String, String)>, StateError> {
        let text = "SELECT name, value FROM everfeed WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name";
        let mut query = self.connection.prepare_cached(text)?;
        let records = query.query_map([prefix], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(records.collect::<Result<_, _>>()?)
    }

    fn transaction(
        &mut self,
        work: impl FnOnce(&mut rusqlite::Transaction<'_>) -> Result<Records, Failure>,
    ) -> Result<(), Aborted> {
        let connection = &mut self.connection;
        // Dropped before it is committed, it is rolled back.
        let mut transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StateError::from)?;
        let records = work(&mut transaction).map_err(blamed)?;
        if transaction.is_autocommit() {
            return Err(StateError::new("the aggregate ended the transaction itself").into());
        }
        write(&transaction, &records)?;
        transaction.commit().map_err(StateError::from)?;
        Ok(())
    }
}

fn write(transaction: &rusqlite::Transaction<'_>, records: &Records) -> Result<(), StateError> {
    let mut put = transaction.prepare_cached("REPLACE INTO everfeed VALUES (?, ?)")?;
    let mut remove = transaction.prepare_cached("DELETE FROM everfeed WHERE name = ?")?;
    for (name, value) in records.changes() {
        match value {
            Some(value) => put.execute((name, value))?,
            None => remove.execute([name])?,
        };
    }
    Ok(())
}

/// A full disk is not the event's fault: it must not be parked for it.
fn blamed(failure: Failure) -> Aborted {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&*failure);
    while let Some(error) = cause {
        let code = error.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
        if code.is_some_and(is_of_the_database) {
            return StateError::new(failure).into();
        }
        cause = error.source();
    }
    Aborted::Apply(failure)
}

fn is_of_the_database(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::CannotOpen
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::NotADatabase
            | ErrorCode::OutOfMemory
            | ErrorCode::ReadOnly
            | ErrorCode::SystemIoFailure
    )
}

impl From<rusqlite::Error> for StateError {
    fn from(error: rusqlite::Error) -> Self {
        Self::new(error)
    }
}
