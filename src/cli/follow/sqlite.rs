//! Events as rows of a table that people can query, each exactly once: rows and checkpoint are one transaction.

use std::path::Path;

use serde::de::IgnoredAny;

use super::super::{Exit, Failure};
use crate::client::rusqlite::Transaction;
use crate::client::rusqlite::types::{ToSqlOutput, ValueRef};
use crate::client::{self, Checkpoint, Event, Records, Sqlite, StateStore};
use crate::event::MediaType;

/// What is queried. JSON is text, so that `json_extract(data, '$.total')` reads it; data of all other media types are
/// blobs. The view has the rows with JSON alone.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS events (
        place INTEGER PRIMARY KEY, -- in the feed; counted from 1 where the feed does not say it
        stream TEXT NOT NULL,
        number INTEGER,
        position INTEGER,
        id TEXT NOT NULL,
        type TEXT NOT NULL,
        time TEXT NOT NULL,
        media_type TEXT, -- none if what the event carried was removed
        metadata TEXT,
        data
    );
    CREATE VIEW IF NOT EXISTS json_events AS SELECT * FROM events WHERE typeof(data) = 'text';
";

const INSERT: &str = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// The record that says how far the table has come.
const CHECKPOINT: &str = "follow";

/// The table, of one feed.
pub(super) struct Table {
    store: Sqlite,
    path: String,
}

impl Table {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let path = path.display().to_string();
        let unusable = |error: &dyn std::fmt::Display| Failure::new(Exit::Usage, format_args!("{path}: {error}"));
        let mut store = Sqlite::open(&path).map_err(|error| unusable(&error))?;
        let made = store.transaction(|tables| {
            tables.execute_batch(TABLES)?;
            Ok(Records::default())
        });
        made.map_err(|error| unusable(&error))?;
        Ok(Self { store, path })
    }

    /// How far the table has come.
    pub(super) fn checkpoint(&self) -> Result<Option<Checkpoint>, Failure> {
        let unusable =
            |error: &dyn std::fmt::Display| Failure::new(Exit::Usage, format_args!("{}: {error}", self.path));
        let records = self.store.records(CHECKPOINT).map_err(|error| unusable(&error))?;
        let Some((_, text)) = records.first() else { return Ok(None) };
        serde_json::from_str(text).map(Some).map_err(|error| unusable(&error))
    }

    /// Adds these events, and where to go on after them.
    pub(super) fn write(&mut self, events: &[Event], checkpoint: &Checkpoint) -> Result<(), Failure> {
        let text = serde_json::to_string(checkpoint).map_err(Failure::failed)?;
        let added = self.store.transaction(|tables| {
            events.iter().try_for_each(|event| insert(tables, event))?;
            let mut records = Records::default();
            records.put(CHECKPOINT.to_string(), text);
            Ok(records)
        });
        added.map_err(|error| Failure::failed(format_args!("{}: {error}", self.path)))
    }
}

fn insert(tables: &Transaction<'_>, event: &Event) -> Result<(), client::Failure> {
    let number = |number: Option<u64>| number.map(i64::try_from).transpose();
    let data = event.data().map(|data| if is_json(event) { ValueRef::Text(data) } else { ValueRef::Blob(data) });
    tables.prepare_cached(INSERT)?.execute((
        number(event.place)?,
        &*event.stream,
        number(event.number)?,
        number(event.position)?,
        event.id.to_string(),
        &*event.event_type,
        event.time.to_string(),
        event.media_type(),
        event.metadata().map(|metadata| ToSqlOutput::Borrowed(ValueRef::Text(metadata))),
        data.map(ToSqlOutput::Borrowed),
    ))?;
    Ok(())
}

/// Whether it is JSON, and not only says so: one row that is not would fail every query that looks into all of them.
fn is_json(event: &Event) -> bool {
    let is_named = event.media_type().is_some_and(|named| {
        named == "application/json" || MediaType::parse(named).is_ok_and(|media_type| media_type.is_json())
    });
    is_named && event.json::<IgnoredAny>().is_ok()
}
