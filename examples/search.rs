//! A search aggregator: all that was ordered and cancelled, as a full-text index that can be asked.
//!
//! ```sh
//! cargo run --release --example search -- red retrospot
//! ```
//!
//! It follows two streams into SQLite, whose FTS5 does the searching. The first run reads them from their first
//! events; any later one goes on where the last one stopped, however that came about: what the index holds and how far
//! it has come change in one transaction.
#![allow(clippy::print_stdout, reason = "an example is a program, and this is what it says")]

mod shop;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Parser;
use everfeed::client::rusqlite::{self, Connection, Transaction, params};
use everfeed::client::{Aggregate, Aggregator, Event, Failure, Follower, Sqlite};

use shop::Invoice;

#[derive(Parser)]
#[command(about = "Answers what was ordered and cancelled, from the feeds of two services")]
struct Arguments {
    /// Words to look for; of the last one a beginning will do.
    #[arg(required = true)]
    words: Vec<String>,
    /// Where the feeds are: Everfeed itself, or a cache in front of it.
    #[arg(long, default_value = "http://127.0.0.1:2113")]
    server: String,
    /// The index.
    #[arg(long, default_value = "aggregators/search.sqlite")]
    store: PathBuf,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let Arguments { words, server, store } = Arguments::parse();
    catch_up(&server, &store).await?;
    let Answer { products, invoices } = ask(&Connection::open(&store)?, &words)?;
    println!("Products");
    for Product { code, description, orders, pieces } in products {
        println!("{code:>8}  {description:<36}  {orders:>5} orders, {pieces:>6} pieces");
    }
    println!("\nOrders and cancellations");
    for Found { number, day, country, passage } in invoices {
        println!("{number:>8}  {day}  {country}: {passage}");
    }
    Ok(())
}

/// Reads all there is to read, and ends. Without `ends_at_the_end` it would stay, and apply each event as it comes.
pub(crate) async fn catch_up(server: &str, store: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(store.parent().unwrap_or(Path::new(".")))?;
    let feed = |stream| Follower::of(&format!("{server}/streams/{stream}")).ends_at_the_end();
    Aggregator::of(Sqlite::open(store)?, Search)
        .follow_as("orders", feed("orders"))
        .follow_as("cancellations", feed("cancellations"))
        .run()
        .await?;
    Ok(())
}

/// What is in the index. Products are found by code and description, invoices by what is on them.
const TABLES: &str = "
    CREATE TABLE products (
        id INTEGER PRIMARY KEY,
        code TEXT NOT NULL UNIQUE,
        description TEXT NOT NULL,
        orders INTEGER NOT NULL,
        pieces INTEGER NOT NULL
    );
    CREATE VIRTUAL TABLE descriptions USING fts5(
        code, description, content = 'products', content_rowid = 'id', tokenize = 'porter'
    );
    CREATE TRIGGER described AFTER INSERT ON products BEGIN
        INSERT INTO descriptions (rowid, code, description) VALUES (new.id, new.code, new.description);
    END;
    CREATE VIRTUAL TABLE invoices USING fts5(
        number, day UNINDEXED, customer, country, products, tokenize = 'porter'
    );
";

struct Search;

impl Aggregate<Sqlite> for Search {
    fn begin(&self, index: &mut Transaction<'_>) -> Result<(), Failure> {
        Ok(index.execute_batch(TABLES)?)
    }

    fn apply(&self, index: &mut Transaction<'_>, event: &Event) -> Result<(), Failure> {
        let invoice: Invoice = event.json()?;
        // A product may stand on several lines of an invoice.
        let mut products: BTreeMap<&str, (&str, i64)> = BTreeMap::new();
        for line in invoice.lines.iter().filter(|line| line.is_goods()) {
            products.entry(&line.stock_code).or_insert((&line.description, 0)).1 += line.quantity;
        }
        let descriptions: Vec<&str> = products.values().map(|(description, _)| *description).collect();
        index.prepare_cached("INSERT INTO invoices VALUES (?, ?, ?, ?, ?)")?.execute(params![
            invoice.number,
            invoice.day(),
            invoice.customer,
            invoice.country,
            descriptions.join(", "),
        ])?;
        // A cancellation is no order, and takes pieces back with its negative quantities.
        let orders = i64::from(&*event.event_type == "OrderPlaced");
        let mut add = index.prepare_cached(
            "INSERT INTO products (code, description, orders, pieces) VALUES (?, ?, ?, ?)
             ON CONFLICT (code) DO UPDATE SET orders = orders + excluded.orders, pieces = pieces + excluded.pieces",
        )?;
        for (code, (description, pieces)) in products {
            add.execute(params![code, description, orders, pieces])?;
        }
        Ok(())
    }
}

/// What was found.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) products: Vec<Product>,
    pub(crate) invoices: Vec<Found>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Product {
    pub(crate) code: String,
    pub(crate) description: String,
    pub(crate) orders: i64,
    pub(crate) pieces: i64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) number: String,
    pub(crate) day: String,
    pub(crate) country: String,
    /// Where the words are, in brackets.
    pub(crate) passage: String,
}

/// How many products, and how many invoices, an answer names.
const ANSWERS_MAX: u32 = 5;

/// What has all of the words, best first: by SQLite's own rank (BM25), which popularity at most doubles for a product.
pub(crate) fn ask(index: &Connection, words: &[String]) -> rusqlite::Result<Answer> {
    // In quotation marks nothing that is typed is an operator of the query language.
    let words: Vec<String> = words.iter().flat_map(|word| word.split_whitespace()).map(quoted).collect();
    let query = words.join(" ") + "*";
    let products = index
        .prepare(
            "SELECT products.code, products.description, orders, pieces FROM descriptions JOIN products ON id = descriptions.rowid
             WHERE descriptions MATCH ? ORDER BY rank * (1 + orders / (orders + 100.0)), products.code LIMIT ?",
        )?
        .query_map(params![query, ANSWERS_MAX], |row| {
            Ok(Product { code: row.get(0)?, description: row.get(1)?, orders: row.get(2)?, pieces: row.get(3)? })
        })?
        .collect::<Result<_, _>>()?;
    let invoices = index
        .prepare(
            "SELECT number, day, country, snippet(invoices, 4, '[', ']', '…', 12)
             FROM invoices WHERE invoices MATCH ? ORDER BY rank, number LIMIT ?",
        )?
        .query_map(params![query, ANSWERS_MAX], |row| {
            Ok(Found { number: row.get(0)?, day: row.get(1)?, country: row.get(2)?, passage: row.get(3)? })
        })?
        .collect::<Result<_, _>>()?;
    Ok(Answer { products, invoices })
}

fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('"', "\"\""))
}
