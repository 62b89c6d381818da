//! How far following has come: one line that changes on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use crate::client::{Event, Lag};
use crate::event::Timestamp;

/// How often it is looked at while nothing happens.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often a line is written while there is something to be caught up with, and once there is not.
const LINE_EVERY: Duration = Duration::from_secs(10);
const LINE_EVERY_CAUGHT_UP: Duration = Duration::from_secs(600);

/// What is shown, and what is known for it.
pub(super) struct Shown {
    how: How,
    started: Instant,
    events: u64,
    /// When the last of them happened.
    time: Option<Timestamp>,
}

enum How {
    Silent,
    Status(ProgressBar),
    Lines { last: Instant, events: u64, is_caught_up: bool },
}

impl Shown {
    pub(super) fn new(quiet: bool) -> Self {
        let how = if quiet {
            How::Silent
        } else if std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{spinner} {msg}").expect("the template is sound");
            let status = ProgressBar::new_spinner().with_style(style);
            status.enable_steady_tick(Duration::from_millis(250));
            How::Status(status)
        } else {
            How::Lines { last: Instant::now(), events: 0, is_caught_up: false }
        };
        Self { how, started: Instant::now(), events: 0, time: None }
    }

    /// These events are to be handed on.
    pub(super) fn took(&mut self, events: &[Event]) {
        self.events += events.len() as u64;
        self.time = events.last().map_or(self.time, |event| Some(event.time));
    }

    /// Says how far it is, if it is time to.
    #[expect(clippy::print_stderr, reason = "how far it is is no event")]
    pub(super) fn look(&mut self, lag: Lag, caught_up: bool) {
        let line = |seconds: Duration| status(self.events, self.time, seconds, lag, caught_up);
        match &mut self.how {
            How::Silent => {}
            How::Status(status) => status.set_message(line(self.started.elapsed())),
            How::Lines { last, events, is_caught_up } => {
                let every = if caught_up { LINE_EVERY_CAUGHT_UP } else { LINE_EVERY };
                let is_due = every <= last.elapsed() && *events != self.events;
                if is_due || caught_up && !*is_caught_up {
                    eprintln!("everfeed: {}", line(self.started.elapsed()));
                    (*last, *events) = (Instant::now(), self.events);
                    *is_caught_up |= caught_up;
                }
            }
        }
    }

    /// The status line goes.
    pub(super) fn end(self) {
        if let How::Status(status) = self.how {
            status.finish_and_clear();
        }
    }
}

fn status(events: u64, time: Option<Timestamp>, since: Duration, lag: Lag, caught_up: bool) -> String {
    let mut text = format!("{} events", HumanCount(events));
    if let Some(time) = time {
        text.push_str(&format!(", the last of {time}"));
    }
    if caught_up {
        return text + "; caught up";
    }
    let per_second = events as f64 / since.as_secs_f64().max(0.001);
    text.push_str(&format!(", {} a second", HumanCount(per_second as u64)));
    match lag.events {
        Some(left) => text.push_str(&format!("; {} to come", HumanCount(left))),
        None => text.push_str(&format!("; {:.0} s behind", lag.seconds)),
    }
    if let Some(left) = lag.events.filter(|_| 1.0 <= per_second) {
        text.push_str(&format!(", {:.0} s left", left as f64 / per_second));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_much_came_how_fast_and_how_much_is_left() {
        let (time, since) = (Some(Timestamp::from_micros(0)), Duration::from_secs(2));
        let behind = |events| Lag { events, seconds: 7.4 };
        assert_eq!(
            status(3_000, time, since, behind(Some(6_000)), false),
            "3,000 events, the last of 1970-01-01T00:00:00.000000Z, 1,500 a second; 6,000 to come, 4 s left"
        );
        assert_eq!(status(10, None, since, behind(None), false), "10 events, 5 a second; 7 s behind");
        assert_eq!(status(0, None, Duration::ZERO, behind(Some(0)), true), "0 events; caught up");
    }
}
