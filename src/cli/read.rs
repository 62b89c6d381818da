//! `everfeed read`: the events of a stream, one JSON object a line, by following the feed's own links.

use std::io::Write;
use std::time::{Duration, Instant};

use clap::Args;
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Failure;
use super::client::{Client, block_on, stream_url};
use super::failure::printable;

/// The server's default page size, so that caches have these pages already.
const PAGE_SIZE: u64 = 100;

/// How long the server is asked to wait for news, and the least time between two questions at the end.
const WAIT_SECONDS: u64 = 30;
const ASK_EVERY: Duration = Duration::from_secs(1);

/// How many times in a row a follower asks a server that has gone, before it believes that.
const LOST_MAX: u32 = 60;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The stream: its name, or its whole URL; $all is every stream
    stream: String,
    /// The server that has the stream
    #[arg(long, value_name = "URL", default_value = super::client::SERVER)]
    server: String,
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

/// As much of an event's envelope as the reader itself needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    event_number: u64,
    position: u64,
    /// Its number in the stream that is read, where that is a derived one.
    place: Option<u64>,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let stream = stream_url(&options.stream, &options.server)?;
    let printer = Printer {
        counts_positions: stream.ends_with("/streams/%24all") || stream.ends_with("/streams/$all"),
        next: options.from,
        left: options.count.unwrap_or(u64::MAX),
    };
    block_on(walk(options, &stream, printer))
}

/// From page to newer page. Only an empty page at the end has no link to a newer one: it is asked again.
async fn walk(options: &Options, stream: &str, mut printer: Printer) -> Result<(), Failure> {
    let client = Client::default();
    let mut url = format!("{stream}/{}/forward/{PAGE_SIZE}", options.from);
    let mut is_at_end = false;
    // A server that has never answered is not one that has gone.
    let mut lost = LOST_MAX;
    while printer.left > 0 {
        let asked = Instant::now();
        let mut headers = vec![("Accept", "application/vnd.eventstore.events+json".to_string())];
        let answer = if is_at_end {
            headers.push(("Cache-Control", "no-cache".to_string()));
            client.get(&format!("{url}?wait={WAIT_SECONDS}"), &headers).await
        } else {
            client.get(&url, &headers).await
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(_) if options.follow && lost < LOST_MAX => {
                lost += 1;
                tokio::time::sleep(ASK_EVERY).await;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        lost = 0;
        let is_still_to_come = answer.status == StatusCode::NOT_FOUND && options.follow;
        if let Some(problem) = answer.refused().filter(|_| !is_still_to_come) {
            return Err(Failure::failed(problem));
        }
        if !is_still_to_come {
            printer.print(&answer.body)?;
        }
        match answer.link("previous").filter(|_| !is_still_to_come) {
            Some(newer) => {
                url = newer;
                is_at_end = false;
            }
            None if !options.follow => break,
            None => {
                if is_at_end {
                    tokio::time::sleep(ASK_EVERY.saturating_sub(asked.elapsed())).await;
                }
                is_at_end = true;
            }
        }
    }
    Ok(())
}

/// Prints events in order, and says what is not there.
struct Printer {
    /// In `$all` an event's number is its position.
    counts_positions: bool,
    /// The number that comes next if nothing is missing.
    next: u64,
    left: u64,
}

impl Printer {
    fn print(&mut self, page: &[u8]) -> Result<(), Failure> {
        let unreadable = |error| Failure::failed(format_args!("the answer is no page of events: {error}"));
        let events: Vec<&RawValue> = serde_json::from_slice(page).map_err(unreadable)?;
        let mut out = std::io::stdout().lock();
        for event in events {
            if self.left == 0 {
                break;
            }
            let envelope: Envelope = serde_json::from_str(event.get()).map_err(unreadable)?;
            let own = if self.counts_positions { envelope.position } else { envelope.event_number };
            self.see(envelope.place.unwrap_or(own))?;
            // Line breaks that a producer put between the parts of its JSON mean nothing; strings hold none.
            writeln!(out, "{}", event.get().replace(['\n', '\r'], ""))?;
            self.left -= 1;
        }
        Ok(out.flush()?)
    }

    #[expect(clippy::print_stderr, reason = "a gap is no data")]
    fn see(&mut self, number: u64) -> Result<(), Failure> {
        if number < self.next {
            return Err(Failure::failed(format_args!("event {number} came where {} was due", self.next)));
        }
        if self.next < number {
            let gap = format!("events {} to {} are not there (truncated or deleted)", self.next, number - 1);
            eprintln!("everfeed: {}", printable(&gap));
        }
        self.next = number + 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_passed_and_a_step_back_is_refused() {
        let mut printer = Printer { counts_positions: false, next: 5, left: 10 };
        assert_eq!(printer.see(5), Ok(()));
        assert_eq!(printer.see(9), Ok(()));
        assert_eq!(printer.see(9), Err(Failure::failed("event 9 came where 10 was due")));
    }
}
