//! Three services that post a year of a wholesaler's business: orders, cancellations and stock corrections.
//!
//! ```sh
//! cargo run --release                                        # the server
//! cargo run --release --example online_retail -- [FILE]      # these producers
//! cargo run --release --example search -- red retrospot      # and who listens to them
//! ```
//!
//! Each invoice of the file becomes one JSON document and one event. A service posts its events in order and
//! waits for each answer; the three work side by side. The id of an event follows from its invoice, so
//! whatever happens, posting again is safe: what the server already has, it only confirms.
#![allow(clippy::print_stdout, reason = "an example is a program, and this is what it says")]

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

type Failure = Box<dyn Error + Send + Sync>;

/// What the project carries: every tenth invoice. Collected by Dr. Daqing Chen; see `tests/data/README.md`.
pub(crate) const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/online-retail-sample.csv.gz");

/// Who owns what. Debt adjustments move money and no goods, as a credit note does; they belong to whoever
/// writes those.
pub(crate) const STREAMS: [&str; 3] = ["orders", "cancellations", "stock"];

/// How often one batch is sent before its service gives up.
const ATTEMPTS_MAX: u32 = 60;

#[derive(Parser)]
#[command(about = "Posts the order lines of a wholesaler as three services would")]
struct Arguments {
    /// Order lines as CSV, plain or gzipped.
    #[arg(default_value = SAMPLE)]
    file: PathBuf,
    /// Where Everfeed listens.
    #[arg(long, default_value = "http://127.0.0.1:2113")]
    server: String,
    /// How many events go into one POST.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    batch: u16,
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let invoices = read(&arguments.file)?;
    let style = ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} invoices, {per_sec}, {eta} left")?;
    let progress = ProgressBar::new(invoices.len() as u64).with_style(style);
    let posted = post(&arguments.server, &invoices, usize::from(arguments.batch), &progress)?;
    progress.finish_and_clear();
    println!("{} invoices posted, {} of them repeats that changed nothing", posted.events, posted.repeats);
    Ok(())
}

/// One line of the file.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OrderLine {
    invoice_no: String,
    stock_code: String,
    description: String,
    quantity: i64,
    invoice_date: String,
    /// As the file writes it. It never passes through binary floating point, which has no 2.55.
    unit_price: String,
    #[serde(rename = "CustomerID")]
    customer_id: String,
    country: String,
}

/// The document that a service publishes about one invoice.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Invoice {
    number: String,
    date: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    customer: String,
    country: String,
    lines: Vec<Line>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    stock_code: String,
    description: String,
    quantity: i64,
    unit_price: String,
}

/// One member of `application/vnd.eventstore.events+json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    event_id: String,
    event_type: &'a str,
    data: &'a Invoice,
}

impl Invoice {
    /// The stream that it is published in, and the type of the event.
    fn event(&self) -> (&'static str, &'static str) {
        let [orders, cancellations, stock] = STREAMS;
        let is_free = self.lines.iter().all(|line| line.unit_price.bytes().all(|digit| matches!(digit, b'0' | b'.')));
        match self.number.as_bytes() {
            [b'C', ..] => (cancellations, "OrderCancelled"),
            [b'A', ..] => (cancellations, "DebtAdjusted"),
            // Goods that were found, lost or thrown away: nobody pays, and there is nobody who could.
            _ if is_free && self.customer.is_empty() => (stock, "StockCorrected"),
            _ => (orders, "OrderPlaced"),
        }
    }

    /// The same invoice always has the same id.
    fn id(&self) -> Uuid {
        Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("urn:online-retail:invoice:{}", self.number).as_bytes())
    }
}

/// All invoices of the file, in the order of their first lines.
pub(crate) fn read(path: &Path) -> Result<Vec<Invoice>, Failure> {
    let mut file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut magic = [0; 2];
    file.read_exact(&mut magic)?;
    file.rewind()?;
    let file = BufReader::new(file);
    let lines: Box<dyn Read> =
        if magic == [0x1f, 0x8b] { Box::new(flate2::bufread::GzDecoder::new(file)) } else { Box::new(file) };

    let mut invoices: Vec<Invoice> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for line in csv::Reader::from_reader(lines).into_deserialize() {
        let line: OrderLine = line?;
        // Two tills write into one file, so the lines of an invoice may stand apart.
        let place = *places.entry(line.invoice_no.clone()).or_insert(invoices.len());
        if place == invoices.len() {
            invoices.push(Invoice {
                number: line.invoice_no,
                date: line.invoice_date,
                customer: line.customer_id,
                country: line.country,
                lines: Vec::new(),
            });
        }
        invoices[place].lines.push(Line {
            stock_code: line.stock_code,
            description: line.description,
            quantity: line.quantity,
            unit_price: line.unit_price,
        });
    }
    Ok(invoices)
}

/// What the server said to a service.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
pub(crate) struct Posted {
    pub(crate) events: usize,
    /// How many of them the server already had.
    pub(crate) repeats: usize,
}

/// Posts each invoice to its stream: the three services side by side, each in order.
pub(crate) fn post(
    server: &str,
    invoices: &[Invoice],
    batch: usize,
    progress: &ProgressBar,
) -> Result<Posted, Failure> {
    let serve = |stream: &'static str| {
        let mine: Vec<&Invoice> = invoices.iter().filter(|invoice| invoice.event().0 == stream).collect();
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let url = format!("{server}/streams/{stream}");
        let mut posted = Posted::default();
        for batch in mine.chunks(batch) {
            let is_repeat = post_batch(&agent, &url, batch)?;
            posted.events += batch.len();
            posted.repeats += if is_repeat { batch.len() } else { 0 };
            progress.inc(batch.len() as u64);
        }
        Ok::<Posted, Failure>(posted)
    };
    let answers = thread::scope(|scope| {
        let services = STREAMS.map(|stream| scope.spawn(move || serve(stream)));
        services.map(|service| service.join().expect("a service ends with an answer, not with a panic"))
    });
    let mut sum = Posted::default();
    for posted in answers {
        let posted = posted?;
        sum.events += posted.events;
        sum.repeats += posted.repeats;
    }
    Ok(sum)
}

/// Posts one batch, again while the server is overloaded or cannot be reached; says whether it was a repeat.
fn post_batch(agent: &ureq::Agent, url: &str, batch: &[&Invoice]) -> Result<bool, Failure> {
    let events: Vec<Event<'_>> = batch
        .iter()
        .map(|invoice| Event { event_id: invoice.id().to_string(), event_type: invoice.event().1, data: invoice })
        .collect();
    let body = serde_json::to_vec(&events)?;
    let mut refusal: Failure = "it was never sent".into();
    for _ in 0..ATTEMPTS_MAX {
        let pause = match agent.post(url).content_type("application/vnd.eventstore.events+json").send(&body[..]) {
            Ok(answer) if answer.status() == 201 => return Ok(answer.headers().contains_key("everfeed-repeat")),
            Ok(mut answer) => {
                let problem = answer.body_mut().read_to_string()?;
                refusal = format!("{}: {problem}", answer.status()).into();
                if answer.status() != 503 {
                    return Err(format!("{url} refused the invoices from {} on: {refusal}", batch[0].number).into());
                }
                answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(1)
            }
            // Whether it arrived is not known, and need not be: the ids tell the server.
            Err(error) => {
                refusal = error.into();
                1
            }
        };
        thread::sleep(Duration::from_secs(pause));
    }
    Err(format!("{url} did not take the invoices from {} on: {refusal}", batch[0].number).into())
}
