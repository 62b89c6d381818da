//! One answer among many on a connection of HTTP/2, given up when its reader takes nothing of it.
//!
//! There every answer has a window of its own, which its reader opens. While it stays shut hyper asks the body for nothing
//! more, so that no clock of the body's can run, and the connection goes on for the others. But hyper makes each answer a
//! task of its own, on an executor of ours: it ends the task, and with it the answer (RST_STREAM).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// An answer that is here whole is given in such pieces, the size of a frame: what was given is hyper's, and in memory
/// until the connection ends, whether anybody takes it or not.
pub(crate) const PIECE_BYTES: usize = 16 << 10;

const NOTHING: u64 = u64::MAX;

tokio::task_local! {
    /// Of the answer that the task is for.
    static TAKING: Arc<Taking>;
}

/// Since when a piece of an answer has been waiting for its reader.
#[derive(Debug)]
struct Taking {
    began: Instant,
    /// In milliseconds after that, or [`NOTHING`].
    since: AtomicU64,
}

/// Whether this task is for one answer on a connection of HTTP/2.
pub(crate) fn is_here() -> bool {
    TAKING.try_with(|_| ()).is_ok()
}

/// The next piece is asked for, so what was given before has been taken.
pub(crate) fn asked() {
    // Over HTTP/1.1 there is none, and the connection has a clock.
    let _ = TAKING.try_with(|taking| taking.since.store(NOTHING, Ordering::Relaxed));
}

/// A piece was given.
pub(crate) fn gave() {
    let _ = TAKING.try_with(|taking| taking.since.store(taking.now(), Ordering::Relaxed));
}

impl Taking {
    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// Returns when a piece has waited for so long.
    async fn stalled(&self, limit: Duration) {
        let limit = limit.as_millis() as u64;
        loop {
            // Whatever is given from now on is due no earlier.
            let left = match self.since.load(Ordering::Relaxed) {
                NOTHING => limit,
                since => (since + limit).saturating_sub(self.now()),
            };
            if left == 0 {
                return;
            }
            sleep(Duration::from_millis(left)).await;
        }
    }
}

/// Runs what hyper makes of each request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Executor {
    pub(crate) stalled_reader_time_max: Duration,
}

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, answer: F) {
        let taking = Arc::new(Taking { began: Instant::now(), since: AtomicU64::new(NOTHING) });
        let limit = self.stalled_reader_time_max;
        tokio::spawn(TAKING.scope(taking.clone(), async move {
            tokio::select! {
                biased;
                _ = answer => {}
                () = taking.stalled(limit) => tracing::debug!("an answer was given up: its reader takes nothing"),
            }
        }));
    }
}
