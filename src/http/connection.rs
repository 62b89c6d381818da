//! One connection: its deadlines, which neither hyper nor tower-http supply, and what is in flight on it.
//!
//! All deadlines are absolute, so that bytes that drip in do not buy time: the first byte and the head of a
//! request, idling between requests, and a reader that takes nothing of what is written to it. (A body has
//! deadlines of its own, where it is read.)
//!
//! It also sees to it that every answer arrives and says something: hyper refuses what it cannot read as a
//! request with a bare status, and a socket that is closed before all of a request was read takes its answer
//! with it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::ReadBuf;
use tokio::time::{Instant, Sleep, sleep};

use super::socket::Socket;
use super::underway::Place;

/// How long a peer may go on sending what nobody reads any more before its connection is cut.
const LINGER: Duration = Duration::from_secs(2);

/// What a connection may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadlines {
    /// From the first byte of a request (or the connection's beginning) to the end of its head.
    pub(crate) head: Duration,
    /// Between requests.
    pub(crate) idle: Duration,
    /// Without a reader taking anything.
    pub(crate) stalled_reader: Duration,
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// A head is awaited or has begun to arrive.
    Head = 0,
    /// A request is being answered.
    Serving = 1,
    /// Between requests.
    Idle = 2,
}

/// What the parts of a connection know of each other.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    phase: AtomicU8,
    /// When the phase began, in milliseconds after `started`.
    since: AtomicU64,
    in_flight: AtomicU32,
    /// How many requests have begun to be answered.
    requests: AtomicU32,
    /// A request was refused before its body was read, so that the peer may still be sending it.
    is_body_unread: AtomicBool,
    /// When a write first found no room; `u64::MAX` while there is some.
    stalled_since: AtomicU64,
    is_http2: AtomicBool,
}

/// A request that is being answered. Dropped once its answer is handed to the socket.
#[derive(Debug)]
pub(crate) struct InFlight {
    clock: Arc<Clock>,
    /// Its place among the requests of all connections, if it is counted there.
    place: Option<Place>,
}

impl InFlight {
    /// It takes this place.
    pub(crate) fn take(&mut self, place: Place) {
        self.place = Some(place);
    }
}

impl Clock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            phase: AtomicU8::new(Phase::Head as u8),
            since: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
            requests: AtomicU32::new(0),
            is_body_unread: AtomicBool::new(false),
            stalled_since: AtomicU64::new(u64::MAX),
            is_http2: AtomicBool::new(false),
        })
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn enter(&self, phase: Phase) {
        self.since.store(self.now(), Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    fn is_in(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Relaxed) == phase as u8
    }

    /// A request's head has arrived.
    pub(crate) fn request(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.phase.store(Phase::Serving as u8, Ordering::Relaxed);
        InFlight { clock: self.clone(), place: None }
    }

    /// The request in flight was refused, and nobody will read what is left of its body.
    pub(crate) fn leave_body_unread(&self) {
        self.is_body_unread.store(true, Ordering::Relaxed);
    }

    fn is_http2(&self) -> bool {
        self.is_http2.load(Ordering::Relaxed)
    }

    /// Returns when a deadline has passed, saying which.
    pub(crate) async fn expired(&self, deadlines: &Deadlines) -> &'static str {
        loop {
            let stalled = self.stalled_since.load(Ordering::Relaxed);
            let since = self.since.load(Ordering::Relaxed);
            let head =
                self.is_in(Phase::Head).then_some((since, deadlines.head, "the head of a request took too long"));
            let idle = self.is_in(Phase::Idle).then_some((since, deadlines.idle, "idle"));
            let reader =
                (stalled < u64::MAX).then_some((stalled, deadlines.stalled_reader, "the reader takes nothing"));
            let (now, mut next) = (self.now(), deadlines.shortest());
            for (since, limit, what) in [head, idle, reader].into_iter().flatten() {
                let limit = limit.as_millis() as u64;
                match (since + limit).checked_sub(now).filter(|left| *left > 0) {
                    Some(left) => next = next.min(Duration::from_millis(left)),
                    None => return what,
                }
            }
            sleep(next).await;
        }
    }
}

impl Deadlines {
    /// How often to look, when nothing is due sooner: whatever begins meanwhile is due no earlier than this.
    fn shortest(&self) -> Duration {
        self.head.min(self.idle).min(self.stalled_reader).max(Duration::from_millis(10))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.clock.in_flight.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.clock.enter(Phase::Idle);
        }
    }
}

/// The answer to what could not be read as a request, given the status of hyper's; none to leave that as it is.
pub(crate) type Explain = fn(status: u16) -> Option<Vec<u8>>;

/// The socket, telling its clock what happens on it.
pub(super) struct Watched<S> {
    socket: TokioIo<S>,
    clock: Arc<Clock>,
    has_read: bool,
    explain: Explain,
    /// How many requests had begun when the last answer was written whole. What is written while that is still
    /// their number answers none of them: it is hyper's refusal.
    answered: Option<u32>,
    /// What is left to write of our words for that refusal.
    explanation: Option<Bytes>,
    /// When to stop reading what nobody wants.
    lingering: Option<Pin<Box<Sleep>>>,
}

impl<S: Socket> Watched<S> {
    pub(super) fn new(socket: S, clock: Arc<Clock>, explain: Explain) -> Self {
        Self {
            socket: TokioIo::new(socket),
            clock,
            has_read: false,
            explain,
            answered: Some(0),
            explanation: None,
            lingering: None,
        }
    }

    fn wrote(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if result.is_pending() {
            let now = self.clock.now();
            let none = u64::MAX;
            let _ = self.clock.stalled_since.compare_exchange(none, now, Ordering::Relaxed, Ordering::Relaxed);
        } else {
            self.clock.stalled_since.store(u64::MAX, Ordering::Relaxed);
        }
        result
    }

    /// Whether these are the first bytes of a refusal that we have better words for.
    fn is_to_be_explained(&mut self, bytes: &[u8]) -> bool {
        let requests = self.clock.requests.load(Ordering::Relaxed);
        if self.explanation.is_none() && self.answered == Some(requests) && !self.clock.is_http2() {
            let status = bytes.get("HTTP/1.1 ".len()..).and_then(|rest| rest.get(..3));
            let status = status.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
            self.explanation = status.and_then(self.explain).map(Bytes::from);
            if self.explanation.is_some() {
                self.clock.leave_body_unread();
            }
        }
        self.explanation.is_some()
    }

    /// Writes our words in place of `bare` bytes of hyper's.
    fn poll_explain(&mut self, context: &mut Context<'_>, bare: usize) -> Poll<io::Result<usize>> {
        while let Some(explanation) = self.explanation.as_mut().filter(|explanation| !explanation.is_empty()) {
            let result = Pin::new(&mut self.socket).poll_write(context, explanation);
            if let Poll::Ready(Ok(written)) = &result {
                explanation.advance(*written);
            }
            ready!(self.wrote(result))?;
        }
        Poll::Ready(Ok(bare))
    }

    /// Reads on until the peer has heard that nobody listens any more, or for a while: to close with bytes
    /// unread would reset the connection, and the peer might lose the answer (RFC 9112 §9.6).
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let lingering = self.lingering.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        loop {
            if lingering.as_mut().poll(context).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut scratch = [0; 8 << 10];
            let mut scratch = ReadBuf::new(&mut scratch);
            ready!(Pin::new(self.socket.inner_mut()).poll_read(context, &mut scratch))?;
            if scratch.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: Socket> Read for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.has_read {
            // HTTP/2 is told by its preface. Its control frames come between requests without being one, so
            // there only the time since the last request counts.
            let is_http2 = ready!(self.socket.inner_mut().poll_is_http2(context))?;
            self.clock.is_http2.store(is_http2, Ordering::Relaxed);
            self.has_read = true;
        }
        ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        if self.clock.is_in(Phase::Idle) && !self.clock.is_http2() {
            self.clock.enter(Phase::Head);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Socket> Write for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_to_be_explained(bytes) {
            return self.poll_explain(context, bytes.len());
        }
        let result = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.wrote(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if slices.first().is_some_and(|first| self.is_to_be_explained(first)) {
            return self.poll_explain(context, slices.iter().map(|slice| slice.len()).sum());
        }
        let result = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.wrote(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes the socket when it has nothing left to write.
        let is_answered = self.clock.in_flight.load(Ordering::Relaxed) == 0;
        self.answered = is_answered.then(|| self.clock.requests.load(Ordering::Relaxed));
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.socket).poll_shutdown(context))?;
        }
        if self.clock.is_body_unread.load(Ordering::Relaxed) && !self.clock.is_http2() {
            return self.poll_linger(context);
        }
        Poll::Ready(Ok(()))
    }
}
