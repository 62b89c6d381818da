//! The body of an event stream: the events of a source, a message each, for as long as their reader stays.
//!
//! Nothing runs for a reader but the connection that it came on. A piece is made when the one before has been taken, from
//! a view of the store that is let go at once. So whoever reads slowly, or not at all, costs one piece, which counts among
//! what is on its way, and a place among those who wait; appends know nothing of it.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::access::ReadPermit;
use crate::event::{Life, Number, Source, Status, Timestamp};
use crate::meter::Seen;
use crate::store::{Identity, ReadError, Store, Watch};

use super::Served;
use super::live::Wait;
use super::messages::RecentMessages;
use super::sight::Reader;
use super::underway::Underway;

/// Where nothing happens for so long a comment is sent: proxies cut off who is silent, and whoever went away is noticed.
const COMMENT_INTERVAL: Duration = Duration::from_secs(15);

const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// Rights are looked up for every piece; whether there still is such a user, and such a token, only so often.
const LET_IN_FOR: Duration = Duration::from_secs(5);

/// Whoever is only told that there is something new is told no more often: a page is not read faster than that.
const NEWS_INTERVAL: Duration = Duration::from_millis(250);

/// The first words, sent at once: a reader that is cut off comes again after so many milliseconds.
const GREETING: Bytes = Bytes::from_static(b"retry: 2000\n\n");

/// Who listens, from where on, and what that takes.
pub(crate) struct Listening {
    pub(crate) store: Store,
    pub(crate) source: Source,
    /// With which right, and who looks after it; none on a server that is open.
    pub(crate) permit: Option<(Arc<Served>, ReadPermit)>,
    /// The first number that the reader has not got.
    pub(crate) next: Number,
    pub(crate) messages: Arc<RecentMessages>,
    /// Counts what is on its way, and to where it is.
    pub(crate) underway: Arc<Underway>,
    pub(crate) address: IpAddr,
    /// True when the server is told to stop.
    pub(crate) draining: watch::Receiver<bool>,
    /// How long the reader may take nothing of what is sent.
    pub(crate) stalled_time_max: Duration,
    /// Where whoever looks after the server sees how far the reader has come; none for one who does not read events.
    pub(crate) seen: Option<Arc<Seen>>,
    /// The clock.
    pub(crate) now: fn() -> Timestamp,
    pub(crate) tells: Tells,
}

/// What a reader is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tells {
    /// The events.
    Events,
    /// That there are new ones, and the number of the newest.
    News,
}

/// What is sent to one reader, as it is taken.
pub(crate) struct EventStream {
    greeting: Option<Bytes>,
    /// The next piece; none at the end.
    next: Option<Making>,
}

/// A piece on its way, and the reader who goes on after it.
type Making = Pin<Box<dyn Future<Output = Option<(io::Result<Bytes>, Listener)>> + Send>>;

struct Listener {
    listening: Listening,
    /// Its place among those who wait.
    _wait: Wait,
    watch: Watch,
    identity: Identity,
    /// Goes out with each piece and comes back when the socket has it, so that one is under way at a time.
    hand: Arc<Semaphore>,
    /// The life in which the stream has been seen: if it is in another one, or is no more, it was deleted.
    life: Option<Life>,
    /// When to find out again who this is.
    let_in_until: Instant,
    /// Until when there is no need to look again.
    told_until: Option<Instant>,
}

/// What a look at the store shows.
enum Look {
    New(Bytes),
    Nothing,
    /// The stream was deleted, or what comes is of another history.
    Over,
}

impl EventStream {
    pub(crate) fn new(listening: Listening, wait: Wait) -> Self {
        tracing::debug!(source = %listening.source, from = %listening.next, "somebody listens");
        let watch = listening.store.watch(&listening.source);
        let (identity, hand) = (listening.store.identity(), Arc::new(Semaphore::new(1)));
        let let_in_until = Instant::now() + LET_IN_FOR;
        let told_until = None;
        let listener = Listener { listening, _wait: wait, watch, identity, hand, life: None, let_in_until, told_until };
        Self { greeting: Some(GREETING), next: Some(Box::pin(listener.piece())) }
    }

    /// The next piece, as [`hyper::body::Body`] asks for it.
    pub(crate) fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let Some(greeting) = self.greeting.take() {
            return Poll::Ready(Some(Ok(greeting)));
        }
        let Some(next) = &mut self.next else { return Poll::Ready(None) };
        let made = ready!(next.as_mut().poll(context));
        self.next = None;
        Poll::Ready(made.map(|(piece, listener)| {
            // An error cuts the answer off.
            if piece.is_ok() {
                self.next = Some(Box::pin(listener.piece()));
            }
            piece
        }))
    }
}

impl Listener {
    async fn piece(mut self) -> Option<(io::Result<Bytes>, Self)> {
        // A connection has this deadline too; on one of HTTP/2 a single reader can stop while others go on.
        let hand = timeout(self.listening.stalled_time_max, self.hand.clone().acquire_owned()).await;
        let Ok(hand) = hand else { return Some((Err(io::ErrorKind::TimedOut.into()), self)) };
        let hand = hand.expect("nobody closes it");
        let made = self.next().await;
        if let Some(seen) = &self.listening.seen {
            seen.reached(self.listening.next.get(), (self.listening.now)().micros());
        }
        match made {
            Ok(bytes) => bytes.map(|bytes| (Ok(Bytes::from_owner(InHand { bytes, _hand: hand })), self)),
            Err(error) => {
                tracing::warn!(%error, source = %self.listening.source, "a listener could not be sent what comes next");
                Some((Err(io::Error::other(error)), self))
            }
        }
    }

    /// The next messages as soon as there are any, or a comment; none when it is over or the server stops.
    async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        if let Some(until) = self.told_until.take() {
            tokio::select! { () = sleep_until(until) => {}, () = super::stopping(&mut self.listening.draining) => {} }
        }
        let comment_due = Instant::now() + COMMENT_INTERVAL;
        loop {
            if *self.listening.draining.borrow() {
                return Ok(None);
            }
            // A right may be taken away at any time, also while nothing else happens.
            if !self.may_still_read().await? {
                return Ok(None);
            }
            if comment_due <= Instant::now() {
                return Ok(Some(COMMENT));
            }
            match Box::pin(self.look()).await? {
                // The right may have ended since, and this have come after that.
                Look::New(messages) => {
                    let may_have_it = self.may_still_read().await?;
                    return Ok(may_have_it.then(|| self.hold(messages)).flatten());
                }
                Look::Over => return Ok(None),
                Look::Nothing => {}
            }
            // The watch is older than the view that had nothing: what came since ends the wait at once.
            tokio::select! {
                () = self.watch.changed() => {}
                () = super::stopping(&mut self.listening.draining) => {}
                () = sleep_until(comment_due) => {}
            }
        }
    }

    /// Counts a piece until the reader has it; none if more is on its way than may be. Then the stream ends, and its reader
    /// comes again.
    fn hold(&self, messages: Bytes) -> Option<Bytes> {
        let Listening { underway, address, source, .. } = &self.listening;
        let held = underway.hold(messages, *address).ok();
        if held.is_none() {
            tracing::debug!(%source, "somebody listens no more: too much is waiting for slow readers at this moment");
        }
        held
    }

    /// Whether whoever listens may still do so. What the permit says is brought up to date.
    async fn may_still_read(&mut self) -> Result<bool, ReadError> {
        let may = self.renew().await?;
        if !may {
            tracing::debug!(source = %self.listening.source, "the right of somebody who listens has ended");
        }
        Ok(may)
    }

    async fn renew(&mut self) -> Result<bool, ReadError> {
        let Some((served, permit)) = &mut self.listening.permit else { return Ok(true) };
        let now = Instant::now();
        let caller = if now < self.let_in_until {
            permit.caller().clone()
        } else {
            let Some(caller) = served.still_let_in(permit.caller()) else { return Ok(false) };
            self.let_in_until = now + LET_IN_FOR;
            caller
        };
        match served.renewed(&caller, permit).await? {
            Some(renewed) => {
                *permit = renewed;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// What there is from `next` on. What is truncated is passed over, as on pages.
    async fn look(&mut self) -> Result<Look, ReadError> {
        let Listening { store, source, permit, next, messages, tells, .. } = &mut self.listening;
        let view = store.view();
        // The answer said of which log and epoch its events are, and cannot say it again.
        if view.identity() != self.identity {
            return Ok(Look::Over);
        }
        let head = view.head(source)?;
        match head.status {
            // It may begin anew; but whoever has followed it is told that it ended, however late they look.
            Status::Live if self.life.is_some_and(|life| life != head.life) => return Ok(Look::Over),
            Status::Live => {}
            Status::SoftDeleted if self.life.is_none() => return Ok(Look::Nothing),
            Status::SoftDeleted | Status::HardDeleted => return Ok(Look::Over),
        }
        if head.exists() {
            self.life = Some(head.life);
        }
        let from = head.first_visible.max(*next);
        if from >= head.next {
            return Ok(Look::Nothing);
        }
        if *tells == Tells::News {
            *next = head.next;
            self.told_until = Some(Instant::now() + NEWS_INTERVAL);
            return Ok(Look::New(news(head.last().unwrap_or_default())));
        }
        let reader = permit.as_ref().and_then(|(served, permit)| Reader::of(served, permit));
        let messages = messages.get(&view, source, from, &head, reader).await?;
        *next = messages.next;
        Ok(Look::New(messages.bytes.clone()))
    }
}

/// That this is the newest.
fn news(last: Number) -> Bytes {
    format!("id: {last}\ndata: {last}\n\n").into()
}

impl Drop for Listener {
    fn drop(&mut self) {
        tracing::debug!(source = %self.listening.source, next = %self.listening.next, "somebody listens no more");
    }
}

/// Bytes that are under way until the socket has them.
struct InHand {
    bytes: Bytes,
    _hand: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for InHand {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::super::live::{WaitLimits, Waiting, Waits};
    use super::super::underway::UnderwayLimits;
    use super::*;
    use crate::meter::{Consumers, Way, Who};
    use crate::store::tests_support::{append, new_event, open, stream};

    /// What comes next if it is polled now; none while nothing does.
    fn next(events: &mut EventStream) -> Option<Bytes> {
        match events.poll_piece(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(piece) => Some(piece.expect("it goes on").expect("it can be read")),
            Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn a_piece_is_made_when_the_one_before_is_with_the_socket() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        // Each of them is a piece.
        let large = |id| new_event(id, format!("\"{}\"", "x".repeat(100_000)));
        append(&store, "s", (1..=3).map(large).collect()).await.expect("appended");
        let limits = WaitLimits { time_max: Duration::ZERO, waits_max: 1, waits_max_per_address: 1 };
        let wait = Waits::new(limits).begin(IpAddr::from([127, 0, 0, 1]), Waiting::Listener).expect("a place");
        let (_drain, draining) = watch::channel(false);
        let unlimited = UnderwayLimits {
            requests_max: usize::MAX,
            unsent_bytes_max: u64::MAX,
            unsent_bytes_max_per_address: u64::MAX,
        };
        let address = IpAddr::from([127, 0, 0, 1]);
        let who = Who { stream: "s", name: "test", is_named: false, user: None, address };
        let listening = Listening {
            store: store.clone(),
            source: Source::Stream(stream("s")),
            permit: None,
            next: Number::ZERO,
            messages: Arc::new(RecentMessages::new()),
            underway: Underway::new(unlimited),
            address: IpAddr::from([127, 0, 0, 1]),
            draining,
            stalled_time_max: Duration::from_secs(600),
            seen: Some(Consumers::default().saw(&who, Way::Listen, 0, 0)),
            now: || Timestamp::from_micros(0),
            tells: Tells::Events,
        };
        let mut events = EventStream::new(listening, wait);
        assert_eq!(next(&mut events), Some(GREETING));
        for number in 0..3 {
            let piece = next(&mut events).expect("the one before has been taken");
            assert!(piece.starts_with(format!("event: event\nid: {number}\n").as_bytes()));
            assert_eq!(next(&mut events), None, "this one is under way");
            let rest = piece.slice(90_000..);
            drop(piece);
            assert_eq!(next(&mut events), None, "a part of it still is");
            drop(rest);
        }
        assert_eq!(next(&mut events), None, "there is nothing more yet");
    }
}
