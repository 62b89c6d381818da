//! What the scavenger has done, and is doing.

use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::event::Timestamp;

/// What the scavenger has done since the store was opened, and is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scavenging {
    /// The pass under way.
    pub running: Option<Pass>,
    /// The pass that begins next.
    pub waiting: Option<Uuid>,
    /// The pass that ended last.
    pub last: Option<Pass>,
    /// Chunks that were written anew, by all passes.
    pub chunks_rewritten: u64,
    /// By how much that made files shorter, in bytes.
    pub bytes_given_back: u64,
}

/// One pass over all chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// Which one.
    pub id: Uuid,
    /// When it was asked for.
    pub asked: Timestamp,
    /// How long it took, or has taken so far.
    pub elapsed: Duration,
    /// Chunks that are to be written anew; none before that is known.
    pub chunks: Option<u64>,
    /// Those of them that were looked at.
    pub chunks_done: u64,
    /// Those of them that were written anew. What is damaged stays as it is.
    pub chunks_rewritten: u64,
    /// By how much that made files shorter, in bytes.
    pub bytes_given_back: u64,
    /// What sled's part took before and took then, in bytes, if it was written anew.
    pub sled_bytes: Option<(u64, u64)>,
    /// Why it ended before it was through.
    pub ended_early: Option<String>,
}

/// Keeps the account.
#[derive(Default)]
pub(super) struct Progress {
    running: Option<(Instant, Pass)>,
    last: Option<Pass>,
    chunks_rewritten: u64,
    bytes_given_back: u64,
}

impl Progress {
    pub(super) fn begin(&mut self, id: Uuid, asked: Timestamp) {
        let pass = Pass {
            id,
            asked,
            elapsed: Duration::ZERO,
            chunks: None,
            chunks_done: 0,
            chunks_rewritten: 0,
            bytes_given_back: 0,
            sled_bytes: None,
            ended_early: None,
        };
        self.running = Some((Instant::now(), pass));
    }

    pub(super) fn found(&mut self, chunks: usize) {
        if let Some((_, pass)) = &mut self.running {
            pass.chunks = Some(chunks as u64);
        }
    }

    pub(super) fn rewrote(&mut self, given_back: u64) {
        self.chunks_rewritten += 1;
        self.bytes_given_back += given_back;
        if let Some((_, pass)) = &mut self.running {
            pass.chunks_done += 1;
            pass.chunks_rewritten += 1;
            pass.bytes_given_back += given_back;
        }
    }

    pub(super) fn compacted(&mut self, sled_bytes: (u64, u64)) {
        if let Some((_, pass)) = &mut self.running {
            pass.sled_bytes = Some(sled_bytes);
        }
    }

    pub(super) fn passed_over(&mut self) {
        if let Some((_, pass)) = &mut self.running {
            pass.chunks_done += 1;
        }
    }

    /// The pass is over; returns it.
    pub(super) fn end(&mut self, ended_early: Option<String>) -> Option<Pass> {
        let (started, pass) = self.running.take()?;
        self.last = Some(Pass { elapsed: started.elapsed(), ended_early, ..pass });
        self.last.clone()
    }

    pub(super) fn report(&self, waiting: Option<Uuid>) -> Scavenging {
        let so_far = |(started, pass): &(Instant, Pass)| Pass { elapsed: started.elapsed(), ..pass.clone() };
        Scavenging {
            running: self.running.as_ref().map(so_far),
            waiting,
            last: self.last.clone(),
            chunks_rewritten: self.chunks_rewritten,
            bytes_given_back: self.bytes_given_back,
        }
    }
}
