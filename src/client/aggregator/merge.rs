//! Several feeds into one row of events, in a stated order.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll};

use super::pump::{Pump, bytes_of};
use crate::client::{Event, FollowError, Lag};

/// In which order the events of several feeds are applied. Those of one feed always keep theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// By their times, and of the same time first the feed that was named first: until a feed has been caught up with
    /// for the first time, no event of another is applied before an older one of it. From then on its events are
    /// applied as they arrive.
    ///
    /// What happens while they are all followed live may so be applied in another order than in a replay, by as much as
    /// one feed is slower to hear of than another. A view for which that matters follows one stream that has all its
    /// events: `$all`, or that of a category.
    #[default]
    ByTime,
    /// Feed by feed, as they were named: nothing of one before all those before it have been caught up with. So what
    /// others refer to can be there first. From then on events are applied as they arrive.
    InTurn,
}

/// Events of one feed that are held here until it is their turn: so many, or so many bytes of them.
const EVENTS_WAITING: usize = 4096;
const BYTES_WAITING: usize = 8 << 20;

/// Bytes of events after which no more are applied together.
const BYTES_PER_BATCH: usize = 8 << 20;

/// All that was ready, in order.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) events: Vec<Arrived>,
    /// Feed by feed, how far it is behind once these are applied.
    pub(super) lags: Vec<Lag>,
    /// Whether each feed has been caught up with since it was started.
    pub(super) is_caught_up: Vec<bool>,
    /// Nothing more is waiting, and every feed is caught up with: one may have fallen behind while another was read.
    pub(super) is_all: bool,
}

/// An event, and which of the feeds it is from.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) feed: usize,
    pub(super) event: Event,
}

pub(super) struct Merge {
    order: Order,
    lanes: Vec<Lane>,
}

/// A feed on its way into the row.
struct Lane {
    pump: Pump,
    waiting: VecDeque<Event>,
    waiting_bytes: usize,
    /// As the follower has it: after the last of those that wait.
    lag: Lag,
    was_caught_up: bool,
    /// So it is now, once those that wait are applied.
    is_caught_up: bool,
    has_ended: bool,
    failed: Option<FollowError>,
}

impl Merge {
    pub(super) fn new(order: Order, pumps: impl IntoIterator<Item = Pump>) -> Self {
        Self { order, lanes: pumps.into_iter().map(Lane::new).collect() }
    }

    /// What is ready, at most so many events; also without any, when feeds have something else to say. None when all
    /// have ended. An error comes with the feed that it is of, after the events of that feed that were read before it.
    pub(super) async fn next(&mut self, events_max: usize) -> Option<Result<Batch, (usize, FollowError)>> {
        poll_fn(|context| self.poll_next(context, events_max)).await
    }

    fn poll_next(
        &mut self,
        context: &mut Context<'_>,
        events_max: usize,
    ) -> Poll<Option<Result<Batch, (usize, FollowError)>>> {
        let mut is_news = false;
        for lane in &mut self.lanes {
            is_news |= lane.poll(context);
        }
        let failed =
            self.lanes.iter_mut().enumerate().find(|(_, lane)| lane.waiting.is_empty() && lane.failed.is_some());
        if let Some((feed, lane)) = failed {
            return Poll::Ready(lane.failed.take().map(|error| Err((feed, error))));
        }
        let events = self.choose(events_max);
        if events.is_empty() {
            if self.lanes.iter().all(|lane| lane.has_ended) {
                return Poll::Ready(None);
            }
            if !is_news {
                return Poll::Pending;
            }
        }
        Poll::Ready(Some(Ok(Batch {
            events,
            lags: self.lanes.iter().map(Lane::lag).collect(),
            is_caught_up: self.lanes.iter().map(|lane| lane.was_caught_up).collect(),
            is_all: self.lanes.iter().all(|lane| lane.is_caught_up && lane.waiting.is_empty()),
        })))
    }

    fn choose(&mut self, events_max: usize) -> Vec<Arrived> {
        let waiting: usize = self.lanes.iter().map(|lane| lane.waiting.len()).sum();
        let mut chosen = Vec::with_capacity(waiting.min(events_max));
        let mut bytes = 0;
        while chosen.len() < events_max && bytes < BYTES_PER_BATCH {
            let next = match self.order {
                Order::ByTime => self.oldest(),
                Order::InTurn => self.first(),
            };
            let Some(feed) = next else { break };
            let event = self.lanes[feed].pop().expect("it was seen there");
            bytes += bytes_of(&event);
            chosen.push(Arrived { feed, event });
        }
        chosen
    }

    fn oldest(&self) -> Option<usize> {
        if self.lanes.iter().any(Lane::holds_others_up) {
            return None;
        }
        let fronts = self.lanes.iter().enumerate().filter_map(|(feed, lane)| Some((lane.waiting.front()?.time, feed)));
        fronts.min().map(|(_, feed)| feed)
    }

    fn first(&self) -> Option<usize> {
        let turn = self.lanes.iter().position(|lane| !lane.waiting.is_empty() || lane.holds_others_up())?;
        (!self.lanes[turn].waiting.is_empty()).then_some(turn)
    }
}

impl Lane {
    fn new(pump: Pump) -> Self {
        Self {
            pump,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            lag: Lag::default(),
            was_caught_up: false,
            is_caught_up: false,
            has_ended: false,
            failed: None,
        }
    }

    /// Takes in what has come; whether that was anything.
    fn poll(&mut self, context: &mut Context<'_>) -> bool {
        let mut is_news = false;
        while !self.has_ended && self.waiting.len() < EVENTS_WAITING && self.waiting_bytes < BYTES_WAITING {
            match self.pump.poll_recv(context) {
                Poll::Ready(Some(Ok(Some(pumped)))) => {
                    self.waiting_bytes += pumped.events.iter().map(bytes_of).sum::<usize>();
                    self.waiting.extend(pumped.events);
                    self.lag = pumped.lag;
                    self.is_caught_up = pumped.is_caught_up;
                    self.was_caught_up |= pumped.is_caught_up;
                }
                Poll::Ready(Some(Err(error))) => {
                    self.failed = Some(error);
                    self.has_ended = true;
                }
                Poll::Ready(Some(Ok(None))) => {
                    // A feed ends when all its events have been read.
                    (self.was_caught_up, self.is_caught_up) = (true, true);
                    self.has_ended = true;
                }
                Poll::Ready(None) => {
                    // Else what was read so far would pass for all there is.
                    self.failed = Some(std::io::Error::other("reading the feed was cut off by a panic").into());
                    self.has_ended = true;
                }
                Poll::Pending => break,
            }
            is_news = true;
        }
        is_news
    }

    fn pop(&mut self) -> Option<Event> {
        let event = self.waiting.pop_front()?;
        self.waiting_bytes -= bytes_of(&event);
        Some(event)
    }

    /// Something of it is still to come that may have to be first.
    fn holds_others_up(&self) -> bool {
        self.waiting.is_empty() && !self.was_caught_up
    }

    fn lag(&self) -> Lag {
        let waiting = self.waiting.len() as u64;
        Lag { events: self.lag.events.map(|events| events + waiting), seconds: self.lag.seconds }
    }
}
