//! A consumer without the library, in about a hundred lines: revenue by country and stock by product, from the feeds of
//! three services.
//!
//! ```sh
//! cargo run --release --example revenue -- [--server URL] [--follow]
//! ```
//!
//! It knows three addresses and builds no others: all the rest it finds through the links in the documents, as a
//! browser would. From the head of a feed, `last` leads to its oldest page, and `previous` from each page to the
//! newer one. The link begins right after the newest event of its page, so nothing is read twice or left out, and
//! one URL is all that a consumer must remember to go on where it stopped.
#![allow(clippy::print_stdout, reason = "an example is a program, and this is what it says")]

mod feed;
mod shop;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;

use clap::Parser;

use feed::{Failure, Form};
use shop::{Invoice, Line, pounds};

/// The feeds, and the form in which each is read. One form would do; each has its friends.
const FEEDS: [(&str, Form); 3] =
    [("orders", Form::Atom), ("cancellations", Form::EventStoreJson), ("stock", Form::EventStoreJson)];

#[derive(Parser)]
#[command(about = "Keeps revenue by country and stock by product, from the feeds of three services")]
struct Arguments {
    /// Where the feeds are: Everfeed itself, or a cache in front of it.
    #[arg(long, default_value = "http://127.0.0.1:2113")]
    server: String,
    /// Stay at the end and tell of every event as it comes.
    #[arg(long)]
    follow: bool,
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let totals = aggregate(&arguments.server, arguments.follow)?;
    println!("Revenue by country, in pounds");
    for (country, thousandths) in &totals.revenue {
        println!("{country:>24} {:>16}", pounds(*thousandths));
    }
    println!("\nStock by product, against the start");
    for (product, pieces) in &totals.stock {
        println!("{product:>24} {pieces:>12}");
    }
    Ok(())
}

/// What is known so far.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// In thousandths of a pound: some prices have a tenth of a penny, and sums of integers are exact.
    pub(crate) revenue: BTreeMap<String, i64>,
    /// In pieces, against the stock before the first event.
    pub(crate) stock: BTreeMap<String, i64>,
}

impl Totals {
    fn apply(&mut self, event_type: &str, invoice: &Invoice) {
        for Line { stock_code, quantity, unit_price, .. } in &invoice.lines {
            // Orders take goods away and cancellations, with their negative quantities, bring them back.
            let (sold, moved) = match event_type {
                "OrderPlaced" | "OrderCancelled" => (*quantity, -quantity),
                "DebtAdjusted" => (*quantity, 0),
                "StockCorrected" => (0, *quantity),
                _ => continue,
            };
            *self.revenue.entry(invoice.country.clone()).or_default() += sold * unit_price;
            *self.stock.entry(stock_code.clone()).or_default() += moved;
        }
    }
}

/// Reads all feeds side by side, each from its first event to its end; with `follow`, for ever.
pub(crate) fn aggregate(server: &str, follow: bool) -> Result<Totals, Failure> {
    let totals = Mutex::new(Totals::default());
    let add = |event_type: &str, invoice: &Invoice| {
        let mut totals = totals.lock().expect("nobody panics with it");
        totals.apply(event_type, invoice);
        if follow {
            let revenue = totals.revenue.get(&invoice.country).copied().unwrap_or_default();
            println!("{event_type} {}: {} pounds from {} now", invoice.number, pounds(revenue), invoice.country);
        }
    };
    thread::scope(|scope| {
        let add = &add;
        let readers = FEEDS
            .map(|(stream, form)| scope.spawn(move || read(form, &format!("{server}/streams/{stream}"), follow, add)));
        readers.into_iter().try_for_each(|reader| reader.join().expect("a reader ends with an answer"))
    })?;
    Ok(totals.into_inner().expect("nobody panicked with it"))
}

/// Follows one feed from its first event and shows each event once, in order.
fn read(form: Form, head: &str, follow: bool, show: impl Fn(&str, &Invoice)) -> Result<(), Failure> {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut page = form.page(&agent, head, false)?;
    // A head without a link to newer events is that of a stream that nobody has written to yet.
    while follow && page.newer.is_none() {
        page = form.page(&agent, head, true)?;
    }
    if let Some(oldest) = &page.oldest {
        page = form.page(&agent, oldest, false)?;
    }
    loop {
        for event in &page.events {
            show(&event.event_type, &serde_json::from_slice(&event.data)?);
        }
        page = match &page.newer {
            Some(newer) => form.page(&agent, newer, false)?,
            // The end, until something comes.
            None if follow => form.page(&agent, &page.url, true)?,
            None => return Ok(()),
        };
    }
}
