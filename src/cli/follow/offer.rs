//! Offering events to a place that may refuse them: many at once, and those that were refused one by one, until it is
//! known which of them it is that cannot be taken.

use std::time::Duration;

use super::super::Failure;
use super::super::failure::printable;
use super::command::Command;
use super::park::Parking;
use super::post::Post;
use super::stop::Stop;
use crate::client::Event;

/// How long to wait before the second time, and at most; it doubles.
const RETRY_AFTER: Duration = Duration::from_millis(200);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

/// A place that may refuse events, and what is done then.
pub(super) struct Offered {
    pub(super) place: Place,
    /// How often an event is offered before it is given up.
    pub(super) attempts: u32,
    pub(super) parking: Option<Parking>,
    pub(super) stop: Stop,
}

/// The places.
pub(super) enum Place {
    Command(Command),
    Post(Post),
}

/// Why events were not taken. Some of several may have been.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It has nothing to do with the events: the place cannot be reached, or is busy.
    Passing { why: String, retry_after: Option<Duration> },
    /// One of them cannot be taken, now at least.
    Refused(String),
}

impl Place {
    /// How many of these events to offer at once.
    fn events_at_once(&self, events: &[Event]) -> usize {
        match self {
            Self::Command(command) => command.events_at_once(events),
            Self::Post(post) => post.events_at_once(events),
        }
    }

    async fn offer(&mut self, events: &[Event]) -> Result<(), Refusal> {
        match self {
            Self::Command(command) => command.offer(events).await,
            Self::Post(post) => post.offer(events).await,
        }
    }
}

impl Offered {
    /// Offers these events in turn. How many of them are done with, and why not all if it was not told to stop.
    pub(super) async fn offer(&mut self, events: &[Event]) -> (usize, Option<Failure>) {
        let mut taken = 0;
        // What was refused with others is offered alone.
        let mut alone_until = 0;
        let mut troubles = Troubles::default();
        while taken < events.len() && !self.stop.is_asked() {
            let left = &events[taken..];
            let count = if taken < alone_until { 1 } else { self.place.events_at_once(left).clamp(1, left.len()) };
            let refused = match self.place.offer(&left[..count]).await {
                Ok(()) => {
                    troubles.are_over();
                    taken += count;
                    continue;
                }
                Err(refusal) => refusal,
            };
            // A command that was run on the same terminal was interrupted as well.
            if self.stop.is_asked() {
                break;
            }
            match refused {
                Refusal::Passing { why, retry_after } => self.pause(troubles.passing(&why, retry_after)).await,
                Refusal::Refused(_) if 1 < count => alone_until = taken + count,
                Refusal::Refused(why) if troubles.refusals + 1 < self.attempts => {
                    self.pause(troubles.refused(&why)).await;
                }
                Refusal::Refused(why) => match self.give_up(&left[0], &why) {
                    Ok(()) => {
                        troubles = Troubles::default();
                        taken += 1;
                        alone_until = taken;
                    }
                    Err(failure) => return (taken, Some(failure)),
                },
            }
        }
        (taken, None)
    }

    /// Parks it, or says why that is the end.
    #[expect(clippy::print_stderr, reason = "it is no event")]
    fn give_up(&mut self, event: &Event, why: &str) -> Result<(), Failure> {
        let named = format!("event {}{}", event.id, event.place.map_or(String::new(), |place| format!(" at {place}")));
        match &mut self.parking {
            Some(parking) => {
                eprintln!("everfeed: {} was parked: {}", printable(&named), printable(why));
                parking.park(event, why)
            }
            None => Err(Failure::failed(format_args!(
                "{named} was refused: {why}; it comes first when it is started again (--park FILE would put it aside)"
            ))),
        }
    }

    async fn pause(&self, time: Duration) {
        tokio::select! { () = self.stop.asked() => (), () = tokio::time::sleep(time) => () }
    }
}

/// What went wrong since something went well.
#[derive(Debug, Default)]
struct Troubles {
    /// How often the event at hand was refused.
    refusals: u32,
    outages: u32,
}

impl Troubles {
    /// How long to wait until it has passed. An outage is said once.
    #[expect(clippy::print_stderr, reason = "it is no event")]
    fn passing(&mut self, why: &str, retry_after: Option<Duration>) -> Duration {
        if self.outages == 0 {
            eprintln!("everfeed: {}; it is tried again until it succeeds", printable(why));
        }
        self.outages += 1;
        retry_after.unwrap_or_default().max(after(self.outages)).min(RETRY_AFTER_MAX)
    }

    #[expect(clippy::print_stderr, reason = "it is no event")]
    fn refused(&mut self, why: &str) -> Duration {
        eprintln!("everfeed: {}; it is tried again", printable(why));
        self.refusals += 1;
        after(self.refusals)
    }

    #[expect(clippy::print_stderr, reason = "it is no event")]
    fn are_over(&mut self) {
        if 0 < self.outages {
            eprintln!("everfeed: events are taken again");
        }
        *self = Self::default();
    }
}

/// Between half of the wait and all of it, so that many who failed together do not try again together.
fn after(times: u32) -> Duration {
    let wait = RETRY_AFTER.saturating_mul(1 << (times - 1).min(16)).min(RETRY_AFTER_MAX);
    wait.mul_f64(fastrand::f64().mul_add(0.5, 0.5))
}
