//! A reporting aggregator: revenue by country and day, in tables that answer questions in SQL.
//!
//! ```sh
//! cargo run --release --example reporting
//! cargo run --release --example reporting -- "SELECT day, pounds FROM revenue WHERE country = 'Germany'"
//! ```
//!
//! There are two versions of it. The first is as it went into production, with a mistake in it; the second is right, and
//! has two columns that were asked for since. Each has tables of its own: those of the second are built beside those of
//! the first, from the first event on, while the first go on answering, and take their place when they have caught up.
//! `examples/story` plays it.
#![allow(clippy::print_stdout, reason = "an example is a program, and this is what it says")]

mod shop;

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use clap::Parser;
use everfeed::client::rusqlite::types::ValueRef;
use everfeed::client::rusqlite::{Connection, OpenFlags, Transaction};
use everfeed::client::{Aggregate, Aggregator, Event, Failure, Follower, Sqlite, Views};
use indicatif::ProgressBar;

use shop::Invoice;

#[derive(Parser)]
#[command(about = "Keeps revenue by country and day, from the feeds of two services")]
struct Arguments {
    /// A question in SQL.
    #[arg(default_value = "SELECT * FROM countries")]
    question: String,
    /// Where the feeds are: Everfeed itself, or a cache in front of it.
    #[arg(long, default_value = "http://127.0.0.1:2113")]
    server: String,
    /// The directory of the tables.
    #[arg(long, default_value = "aggregators/reporting")]
    store: PathBuf,
    /// Which version of this program to be.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=2))]
    version: u32,
    /// Read no feeds: answer from the tables as they are.
    #[arg(long)]
    offline: bool,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let Arguments { question, server, store, version, offline } = Arguments::parse();
    match (offline, version) {
        (true, _) => {}
        (false, 1) => catch_up(&server, &store, Version1).await?,
        (false, _) => catch_up(&server, &store, Version2).await?,
    }
    let rows = ask(&store, &question)?;
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    for row in &rows {
        let cells = row.iter().enumerate().map(|(column, cell)| format!("{cell:>width$}", width = width(column)));
        println!("{}", cells.collect::<Vec<_>>().join("  "));
    }
    Ok(())
}

/// As it went into production.
pub(crate) struct Version1;

impl Aggregate<Sqlite> for Version1 {
    fn version(&self) -> u32 {
        1
    }

    fn begin(&self, tables: &mut Transaction<'_>) -> Result<(), Failure> {
        Ok(tables.execute_batch(
            "CREATE TABLE revenue (
                 country TEXT NOT NULL, day TEXT NOT NULL, thousandths INTEGER NOT NULL,
                 pounds REAL AS (thousandths / 1000.0), PRIMARY KEY (country, day)
             ) WITHOUT ROWID;
             CREATE VIEW countries AS SELECT country, SUM(thousandths) / 1000.0 AS pounds
                 FROM revenue GROUP BY country ORDER BY pounds DESC;",
        )?)
    }

    fn apply(&self, tables: &mut Transaction<'_>, event: &Event) -> Result<(), Failure> {
        let invoice: Invoice = event.json()?;
        // The mistake. Some quantities were negative, which could not be right: so `abs` was put here.
        let thousandths: i64 = invoice.lines.iter().map(|line| line.quantity.abs() * line.unit_price).sum();
        tables
            .prepare_cached(
                "INSERT INTO revenue VALUES (?, ?, ?)
                 ON CONFLICT DO UPDATE SET thousandths = thousandths + excluded.thousandths",
            )?
            .execute((&invoice.country, invoice.day(), thousandths))?;
        Ok(())
    }
}

/// Without the mistake, and with how many orders and pieces it was.
pub(crate) struct Version2;

impl Aggregate<Sqlite> for Version2 {
    fn version(&self) -> u32 {
        2
    }

    fn begin(&self, tables: &mut Transaction<'_>) -> Result<(), Failure> {
        Ok(tables.execute_batch(
            "CREATE TABLE revenue (
                 country TEXT NOT NULL, day TEXT NOT NULL, thousandths INTEGER NOT NULL,
                 orders INTEGER NOT NULL, pieces INTEGER NOT NULL,
                 pounds REAL AS (thousandths / 1000.0), PRIMARY KEY (country, day)
             ) WITHOUT ROWID;
             CREATE VIEW countries AS SELECT country, SUM(thousandths) / 1000.0 AS pounds,
                     SUM(orders) AS orders, SUM(pieces) AS pieces
                 FROM revenue GROUP BY country ORDER BY pounds DESC;",
        )?)
    }

    fn apply(&self, tables: &mut Transaction<'_>, event: &Event) -> Result<(), Failure> {
        let invoice: Invoice = event.json()?;
        // Cancellations have negative quantities. Postage, fees and debts are money, but no pieces.
        let thousandths: i64 = invoice.lines.iter().map(|line| line.quantity * line.unit_price).sum();
        let pieces: i64 = invoice.lines.iter().filter(|line| line.is_goods()).map(|line| line.quantity).sum();
        let orders = i64::from(&*event.event_type == "OrderPlaced");
        tables
            .prepare_cached(
                "INSERT INTO revenue VALUES (?, ?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET thousandths = thousandths + excluded.thousandths,
                     orders = orders + excluded.orders, pieces = pieces + excluded.pieces",
            )?
            .execute((&invoice.country, invoice.day(), thousandths, orders, pieces))?;
        Ok(())
    }
}

/// The tables of a version, in its directory.
const FILE: &str = "revenue.sqlite";

/// Brings the tables of this version up to date, and lets them take the place of any other's.
pub(crate) async fn catch_up(server: &str, store: &Path, revenue: impl Aggregate<Sqlite>) -> Result<(), Failure> {
    let version = revenue.version();
    let views = Views::open(store)?;
    let feed = |stream| Follower::of(&format!("{server}/streams/{stream}")).ends_at_the_end();
    let aggregator = Aggregator::of(Sqlite::open(views.path(version)?.join(FILE))?, revenue)
        .follow_as("orders", feed("orders"))
        .follow_as("cancellations", feed("cancellations"))
        .takes_its_place(views.place(version));

    // On a terminal, how far it is.
    let (status, bar) = (aggregator.handle().status(), ProgressBar::new(0));
    let mut run = pin!(aggregator.run());
    loop {
        tokio::select! {
            ended = &mut run => {
                bar.finish_and_clear();
                ended?;
                return Ok(());
            }
            () = tokio::time::sleep(Duration::from_millis(100)) => {
                let progress = status.progress();
                bar.set_length(progress.events + progress.remaining.unwrap_or_default());
                bar.set_position(progress.events);
            }
        }
    }
}

/// What the tables that count answer: the names of the columns, and then the rows.
pub(crate) fn ask(store: &Path, question: &str) -> Result<Vec<Vec<String>>, Failure> {
    let current = store.join("current").join(FILE);
    let tables = Connection::open_with_flags(current, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut query = tables.prepare(question)?;
    let mut answer = vec![query.column_names().map(str::to_string).collect::<Vec<_>>()];
    let columns = answer[0].len();
    let mut rows = query.query(())?;
    while let Some(row) = rows.next()? {
        answer.push((0..columns).map(|column| Ok(text(row.get_ref(column)?))).collect::<Result<_, Failure>>()?);
    }
    Ok(answer)
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(integer) => integer.to_string(),
        ValueRef::Real(real) => format!("{real:.3}"),
        ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text).into_owned(),
    }
}
