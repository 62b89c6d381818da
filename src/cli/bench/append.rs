//! Appending: how many events a second become durable, and how long a producer waits for its answer.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::Arc;

use serde::Serialize;

use super::connection::{Answer, Connection};
use super::load::{self, Tally, Work};
use super::machine;
use super::orders::{Orders, Random};
use super::report::Report;
use super::server::{self, Target};

/// Events are orders of about `--event-bytes`, no two alike.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    #[command(flatten)]
    #[serde(flatten)]
    load: load::Options,
    #[command(flatten)]
    #[serde(flatten)]
    events: EventOptions,
    #[command(flatten)]
    #[serde(flatten)]
    server: server::Options,
}

/// What is appended.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct EventOptions {
    /// Events in one POST
    #[arg(long, default_value_t = 1)]
    pub(crate) batch: usize,
    /// The length of an event's data
    #[arg(long, value_name = "BYTES", default_value_t = 1_024)]
    pub(crate) event_bytes: usize,
    /// The stream, or the beginning of their names if there are several
    #[arg(long, value_name = "NAME", default_value = "orders")]
    pub(crate) stream: String,
    /// Streams, written to in turn
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) streams: usize,
    /// Let the server make the event ids [default: random ones, as producers send that may have to repeat]
    #[arg(long)]
    pub(crate) server_ids: bool,
}

impl EventOptions {
    pub(crate) fn stream_name(&self, index: usize) -> String {
        if self.streams == 1 { self.stream.clone() } else { format!("{}-{index}", self.stream) }
    }
}

/// One producer.
pub(crate) struct Producer {
    /// Those headers that all requests have.
    lines: String,
    options: EventOptions,
    orders: Arc<Orders>,
    random: Random,
    stream: usize,
    headers: String,
    body: Vec<u8>,
}

impl Producer {
    pub(crate) fn new(index: usize, target: &Target, options: &EventOptions, orders: &Arc<Orders>) -> Self {
        Self::with(target.lines(index), index, options, orders)
    }

    fn with(lines: String, index: usize, options: &EventOptions, orders: &Arc<Orders>) -> Self {
        let stream = index % options.streams;
        let (options, orders) = (options.clone(), orders.clone());
        Self { lines, options, orders, random: Random::seeded(), stream, headers: String::new(), body: Vec::new() }
    }

    /// One event: its id and type are headers.
    fn write_event(&mut self) {
        let (event_type, data) = self.orders.next();
        self.headers.clear();
        write!(self.headers, "ES-EventType: {event_type}\r\n").expect("a string takes all that is written");
        if !self.options.server_ids {
            let id = self.random.uuid();
            write!(self.headers, "ES-EventId: {id}\r\n").expect("a string takes all that is written");
        }
        self.body.clear();
        self.body.extend_from_slice(data);
    }

    /// Several: each in its envelope.
    fn write_batch(&mut self) {
        self.body.clear();
        for index in 0..self.options.batch {
            let (event_type, data) = self.orders.next();
            self.body.extend_from_slice(if index == 0 { b"[{" } else { b",{" });
            if !self.options.server_ids {
                self.body.extend_from_slice(b"\"eventId\":\"");
                self.body.extend_from_slice(self.random.uuid().hyphenated().encode_lower(&mut [0; 36]).as_bytes());
                self.body.extend_from_slice(b"\",");
            }
            self.body.extend_from_slice(b"\"eventType\":\"");
            self.body.extend_from_slice(event_type.as_bytes());
            self.body.extend_from_slice(b"\",\"data\":");
            self.body.extend_from_slice(data);
            self.body.push(b'}');
        }
        self.body.push(b']');
    }
}

impl Work for Producer {
    fn prepare(&mut self, request: &mut Vec<u8>) -> u64 {
        self.stream = (self.stream + 1) % self.options.streams;
        let stream = self.options.stream_name(self.stream);
        let media_type = if self.options.batch == 1 {
            self.write_event();
            "application/json"
        } else {
            self.write_batch();
            "application/vnd.eventstore.events+json"
        };
        let Self { lines, headers, body, .. } = self;
        write!(
            request,
            "POST /streams/{stream} HTTP/1.1\r\n{lines}Content-Type: {media_type}\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        )
        .expect("a vector takes all that is written");
        request.extend_from_slice(body);
        self.options.batch as u64
    }

    fn check(&mut self, answer: Answer, _: &Connection) -> io::Result<()> {
        if answer.status == 201 { Ok(()) } else { Err(load::unexpected(answer, 201)) }
    }
}

/// Appends to the target for as long as the options say.
pub(crate) async fn load(
    target: &Target,
    load: &load::Options,
    events: &EventOptions,
    orders: &Arc<Orders>,
    measuring: impl FnOnce() -> io::Result<()>,
) -> io::Result<Tally> {
    load::run(target.address, load, |index| Producer::new(index, target, events, orders), measuring).await
}

pub(crate) async fn run(options: &Options) -> io::Result<Report> {
    let mut report = Report::new("append", options);
    let orders = Arc::new(Orders::new(options.events.event_bytes, &mut Random::seeded()));
    let target = Target::new(&options.server, &[])?;
    let mut before = None;
    let measuring = || {
        before = target.server.as_ref().map(server::Server::usage).transpose()?;
        Ok(())
    };
    let tally = load(&target, &options.load, &options.events, &orders, measuring).await?;
    report.figure("events_per_second", tally.things_per_second());
    report.figure("posts_per_second", tally.requests_per_second());
    report.count("events_in_slowest_second", tally.things_in_slowest_second);
    report.latencies("latency", &tally.latency_micros);
    if let (Some(server), Some(before)) = (&target.server, before) {
        let now = server.usage()?;
        report.figure("server_rss_mb", now.rss_bytes as f64 / 1e6);
        report.figure("server_rss_peak_mb", now.rss_bytes_peak as f64 / 1e6);
        report.figure("server_cores_used", (now.cpu - before.cpu).as_secs_f64() / tally.elapsed.as_secs_f64());
        report.figure("disk_mb", machine::disk_bytes(&server.data)? as f64 / 1e6);
        report.count("chunks_sealed", machine::chunks(&server.data)?);
        if machine::is_in_memory(&server.data) {
            report.note("the data are in memory, where a sync costs nothing: durability was not measured");
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(batch: usize, streams: usize, server_ids: bool) -> String {
        let options = EventOptions { batch, event_bytes: 300, stream: "orders".into(), streams, server_ids };
        let orders = Arc::new(Orders::new(300, &mut Random::new(1)));
        let mut request = Vec::new();
        let events = Producer::with("Host: h\r\n".into(), 0, &options, &orders).prepare(&mut request);
        assert_eq!(events, batch as u64);
        String::from_utf8(request).expect("it is text")
    }

    fn check_body(request: &str) -> serde_json::Value {
        let (head, body) = request.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
        serde_json::from_str(body).expect("the body is JSON")
    }

    #[test]
    fn one_event_is_named_by_headers_and_several_by_their_envelopes() {
        let one = request(1, 1, false);
        assert!(one.starts_with("POST /streams/orders HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"));
        assert!(one.contains("\r\nES-EventId: ") && one.contains("\r\nES-EventType: OrderPlaced\r\n"), "{one}");
        assert!(check_body(&one)["orderId"].is_string());

        let several = request(3, 7, false);
        assert!(several.starts_with("POST /streams/orders-1 HTTP/1.1\r\n"), "{several}");
        let events = check_body(&several);
        assert_eq!(events.as_array().map(Vec::len), Some(3));
        assert!(events[2]["eventId"].is_string() && events[2]["data"]["orderId"].is_string());
    }

    #[test]
    fn ids_are_left_to_the_server_when_asked() {
        assert!(!request(1, 1, true).contains("ES-EventId"));
        assert!(!request(2, 1, true).contains("eventId"));
    }
}
