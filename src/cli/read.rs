//! `everfeed read`: the events of a stream, a line of JSON each.

use std::io::Write;
use std::time::Duration;

use clap::Args;

use super::Failure;
use super::at::At;
use super::client::{block_on, stream_url};
use super::failure::printable;
use super::who::Who;
use crate::client::{Event, Follower, Start};
use crate::feed::read::page::EventContent;
use crate::feed::write::{LineFor, followed_line};

/// The server's default page size, so that caches have these pages already.
const PAGE_SIZE: u64 = 100;

/// How many events are printed at once, at most.
const EVENTS_AT_ONCE: usize = 1_000;

/// How long a server may be away: whoever waits at a terminal wants to know soon, and who follows does not.
const AWAY_MAX: Duration = Duration::from_secs(3);
const AWAY_MAX_FOLLOWING: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The stream: its name, or its whole URL; $all is every stream
    stream: String,
    #[command(flatten)]
    at: At,
    /// The number to begin with
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
    /// Print at most so many events
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Do not end at the end: wait for what comes
    #[arg(long)]
    follow: bool,
}

/// How an event is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// All that is known of it, as one JSON object.
    Json,
    /// When, where, what, for people.
    Text,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let server = options.at.server()?;
    let stream = stream_url(&options.stream, &server.url)?;
    block_on(read(&stream, &server.who, options.from, options.count, options.follow, Lines::Json))
}

/// Prints so many events of the stream at this URL, from this number on; all there are if nobody says how many.
pub(super) async fn read(
    stream: &str,
    who: &Who,
    from: u64,
    count: Option<u64>,
    follow: bool,
    printed_as: Lines,
) -> Result<(), Failure> {
    let start = match from {
        0 => Start::Beginning,
        from => Start::Page(format!("{stream}/{from}/forward/{PAGE_SIZE}")),
    };
    let following = who.follows(Follower::of(stream).from(start).skips_truncated())?;
    let following = if follow {
        following.gives_up_after(AWAY_MAX_FOLLOWING)
    } else {
        following.gives_up_after(AWAY_MAX).ends_at_the_end()
    };
    let mut printer = Printer { next: from, left: count.unwrap_or(u64::MAX), printed_as, lines: Vec::new() };
    let mut follower = following.start()?;
    while 0 < printer.left {
        match follower.next_batch(EVENTS_AT_ONCE).await {
            Some(events) => printer.print(&events?)?,
            None => break,
        }
    }
    Ok(())
}

/// Prints events, and says what is not there.
struct Printer {
    /// The number that comes next if nothing is missing.
    next: u64,
    left: u64,
    printed_as: Lines,
    lines: Vec<u8>,
}

impl Printer {
    fn print(&mut self, events: &[Event]) -> Result<(), Failure> {
        self.lines.clear();
        for event in events {
            if self.left == 0 {
                break;
            }
            match event.place {
                // Whoever begins behind the end is given what comes next; it is not what was asked for.
                Some(place) if place < self.next => continue,
                Some(place) => self.see(place),
                None => (),
            }
            if event.is_hidden() {
                return Err(Failure::failed(format_args!(
                    "event {} of the stream is hidden: these credentials may not read all streams that it is of",
                    event.place.unwrap_or_default()
                )));
            }
            match self.printed_as {
                Lines::Json => followed_line(event, LineFor::Readers, &mut self.lines),
                Lines::Text => text_line(event, &mut self.lines),
            }
            self.left -= 1;
        }
        let mut out = std::io::stdout().lock();
        out.write_all(&self.lines)?;
        Ok(out.flush()?)
    }

    #[expect(clippy::print_stderr, reason = "a gap is no data")]
    fn see(&mut self, place: u64) {
        if self.next < place {
            let gap = format!("events {} to {} are not there (truncated or deleted)", self.next, place - 1);
            eprintln!("everfeed: {}", printable(&gap));
        }
        self.next = place + 1;
    }
}

/// When, where and what, in one line; of what is no text, how much there is.
fn text_line(event: &Event, lines: &mut Vec<u8>) {
    const DATA_CHARS_MAX: usize = 200;
    let place = event.place.map(|place| place.to_string()).unwrap_or_default();
    let head = format!("{}  {place}  {}  {}  ", event.time, event.stream, event.event_type);
    let data = match &event.content {
        EventContent::Here { data, .. } => match std::str::from_utf8(data) {
            Ok(text) if text.chars().count() <= DATA_CHARS_MAX => text.to_string(),
            Ok(text) => text.chars().take(DATA_CHARS_MAX).chain(['…']).collect(),
            Err(_) => format!("({} bytes)", data.len()),
        },
        EventContent::Elsewhere { url, .. } => format!("(at {url})"),
        EventContent::Removed { .. } => "(removed)".to_string(),
    };
    lines.extend_from_slice(printable(&(head + &data)).as_bytes());
    lines.push(b'\n');
}
