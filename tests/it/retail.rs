//! A wholesaler's business, posted by the producers of the examples and summed up by their aggregator.

#[path = "../../examples/online_retail.rs"]
#[expect(dead_code, reason = "as a program it has a main of its own")]
mod online_retail;
#[path = "../../examples/revenue.rs"]
#[expect(dead_code, reason = "as a program it has a main of its own")]
mod revenue;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::path::Path;

use indicatif::ProgressBar;

use crate::support::TestServer;

pub(crate) use online_retail::{Posted, SAMPLE, STREAMS};
pub(crate) use revenue::{Totals, aggregate};

/// Posts the sample, as the example does.
pub(crate) fn post_sample(server: &str) -> Posted {
    post(server, SAMPLE.as_ref())
}

/// Posts a file of order lines, as the example does.
pub(crate) fn post(server: &str, file: &Path) -> Posted {
    let invoices = online_retail::read(file).expect("the file can be read");
    online_retail::post(server, &invoices, 100, &ProgressBar::hidden()).expect("the server takes them all")
}

/// A line of the sample, without any of the code that posts or reads it.
pub(crate) struct OrderLine {
    /// The place in `STREAMS` of the stream that its invoice is published in.
    pub(crate) stream: usize,
    pub(crate) invoice: String,
    pub(crate) product: String,
    pub(crate) description: String,
    pub(crate) quantity: i64,
    pub(crate) day: String,
    pub(crate) thousandths: i64,
    pub(crate) country: String,
}

/// All lines of the sample, in its order.
pub(crate) fn sample() -> Vec<OrderLine> {
    order_lines(SAMPLE.as_ref())
}

/// All lines of a file, gzipped, in its order.
fn order_lines(file: &Path) -> Vec<OrderLine> {
    let file = flate2::read::GzDecoder::new(File::open(file).expect("the file is there"));
    let lines: Vec<csv::StringRecord> =
        csv::Reader::from_reader(file).into_records().collect::<Result<_, _>>().expect("the file is CSV");
    // An invoice with neither a price nor a customer on any of its lines corrects the stock.
    let mut corrects: HashMap<&str, bool> = HashMap::new();
    for line in &lines {
        *corrects.entry(&line[0]).or_insert(true) &= thousandths(&line[5]) == 0 && line[6].is_empty();
    }
    let line = |line: &csv::StringRecord| OrderLine {
        stream: match (line[0].starts_with(['C', 'A']), corrects[&line[0]]) {
            (true, _) => 1,
            (false, true) => 2,
            (false, false) => 0,
        },
        invoice: line[0].to_string(),
        product: line[1].to_string(),
        description: line[2].to_string(),
        quantity: line[3].parse().expect("a quantity"),
        day: line[4][..10].to_string(),
        thousandths: thousandths(&line[5]),
        country: line[7].to_string(),
    };
    lines.iter().map(line).collect()
}

/// Events in the streams of `STREAMS`, and the totals, by a direct sum over the lines of the sample.
pub(crate) fn direct_sum() -> ([usize; 3], Totals) {
    direct_sum_of(SAMPLE.as_ref())
}

/// The same of another file, gzipped.
pub(crate) fn direct_sum_of(file: &Path) -> ([usize; 3], Totals) {
    let mut totals = Totals { revenue: BTreeMap::new(), stock: BTreeMap::new() };
    let mut invoices = [const { BTreeSet::new() }; 3];
    let lines = order_lines(file);
    for line in &lines {
        let is_debt = line.invoice.starts_with('A');
        let moved = match line.stream {
            2 => line.quantity,
            _ if is_debt => 0,
            _ => -line.quantity,
        };
        *totals.revenue.entry(line.country.clone()).or_default() += line.quantity * line.thousandths;
        *totals.stock.entry(line.product.clone()).or_default() += moved;
        invoices[line.stream].insert(&*line.invoice);
    }
    (invoices.map(|invoices| invoices.len()), totals)
}

/// Another way to read a price than the example's, so that they check each other.
pub(crate) fn thousandths(price: &str) -> i64 {
    let price: f64 = price.parse().expect("a price");
    (price * 1000.0).round() as i64
}

fn events_in(server: &TestServer, stream: &str) -> usize {
    let head = server.get(&format!("/streams/{stream}/head"), &[("Accept", "application/vnd.eventstore.event+json")]);
    assert_eq!(head.status, 200, "{}", head.text());
    head.json()["eventNumber"].as_u64().expect("a number") as usize + 1
}

#[test]
fn posting_the_sample_twice_changes_nothing() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    let url = format!("http://{}", server.address);
    let (events, expected) = direct_sum();
    let all = events.iter().sum();

    assert_eq!(post_sample(&url), Posted { events: all, repeats: 0 });
    assert_eq!(aggregate(&url, false).expect("it can be read"), expected);

    assert_eq!(post_sample(&url), Posted { events: all, repeats: all });
    assert_eq!(STREAMS.map(|stream| events_in(&server, stream)), events);
    assert_eq!(aggregate(&url, false).expect("it can be read"), expected);
}
