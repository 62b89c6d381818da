//! When the next request is due: as soon as the last one was answered (closed loop), or at a fixed rate whatever
//! the answers do (open loop).
//!
//! In the open loop every request has an intended start, and its latency counts from there: a server that
//! stalls is charged for all that would have come in the meantime.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// How often due requests are let go. The timers of the runtime have a resolution of a millisecond, too coarse
/// for what is measured here, so a thread keeps the time.
const STEP: Duration = Duration::from_micros(200);

/// Shared by all connections of a load.
#[derive(Clone)]
pub(crate) enum Pace {
    Closed { end: Instant },
    Open(Arc<Schedule>),
}

pub(crate) struct Schedule {
    begin: Instant,
    per_second: f64,
    taken: AtomicU64,
    due: Semaphore,
}

impl Pace {
    pub(crate) fn new(rate: Option<f64>, begin: Instant, end: Instant) -> Self {
        let Some(per_second) = rate else { return Self::Closed { end } };
        let schedule = Arc::new(Schedule { begin, per_second, taken: AtomicU64::new(0), due: Semaphore::new(0) });
        let of_thread = schedule.clone();
        std::thread::spawn(move || of_thread.keep(end));
        Self::Open(schedule)
    }

    /// Waits for the next turn: when it was meant to start. None when the load is over.
    pub(crate) async fn next(&self) -> Option<Instant> {
        match self {
            Self::Closed { end } => Some(Instant::now()).filter(|now| now < end),
            Self::Open(schedule) => {
                schedule.due.acquire().await.ok()?.forget();
                let turn = schedule.taken.fetch_add(1, Ordering::Relaxed);
                Some(schedule.begin + Duration::from_secs_f64(turn as f64 / schedule.per_second))
            }
        }
    }
}

impl Schedule {
    /// Lets requests go as they become due, until the end.
    fn keep(&self, end: Instant) {
        let mut released = 0;
        loop {
            let now = Instant::now().min(end);
            let due = ((now - self.begin).as_secs_f64() * self.per_second) as u64;
            self.due.add_permits((due - released) as usize);
            released = due;
            if now == end {
                break;
            }
            std::thread::sleep(STEP);
        }
        // What is due and not yet taken is still done, and counts as late as it is.
        while self.taken.load(Ordering::Relaxed) < released && Instant::now() < end + Duration::from_secs(5) {
            std::thread::sleep(STEP);
        }
        self.due.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn at_a_rate_every_turn_has_its_own_intended_start_and_none_is_left_out() {
        let begin = Instant::now();
        let pace = Pace::new(Some(2_000.0), begin, begin + Duration::from_millis(100));
        let mut starts = Vec::new();
        while let Some(start) = pace.next().await {
            starts.push(start - begin);
            // A stall: what becomes due meanwhile keeps its own start.
            if starts.len() == 10 {
                std::thread::sleep(Duration::from_millis(30));
            }
        }
        assert_eq!(starts.len(), 200);
        for (turn, start) in starts.iter().enumerate() {
            assert_eq!(start.as_micros(), turn as u128 * 500);
        }
    }

    #[tokio::test]
    async fn without_a_rate_the_next_turn_is_now_until_the_end() {
        let begin = Instant::now();
        assert!(Pace::new(None, begin, begin + Duration::from_secs(60)).next().await.is_some());
        assert!(Pace::new(None, begin, begin).next().await.is_none());
    }
}
