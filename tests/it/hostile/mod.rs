//! What somebody who means harm may send, each with its right answer: nothing else was written, others are answered, and
//! no more memory was taken than the test says.

mod bodies;
mod bombs;
mod browsers;
mod documents;
mod echoes;
mod frames;
mod framing;
mod keys;
mod patience;
mod rates;
mod smuggling;

use crate::support::process::most_memory_of;
use crate::support::{TestServer, check};

pub(crate) const TEXT: (&str, &str) = ("Content-Type", "text/plain");
pub(crate) const HOST: &str = "Host: localhost\r\n";

/// A server with one event in the stream `s`, and how it was before the attack.
pub(crate) struct Attacked {
    pub(crate) server: TestServer,
    memory_bytes: u64,
    _data: tempfile::TempDir,
}

impl Attacked {
    pub(crate) fn new(settings: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let server = TestServer::start_with(data.path(), settings);
        assert_eq!(server.post("/streams/s", &[TEXT], b"x").status, 201);
        assert_eq!(server.get("/streams/s", &[]).status, 200);
        // What it had at most, from now on.
        let _ = std::fs::write(format!("/proc/{}/clear_refs", server.pid()), "5");
        let memory_bytes = most_memory_of(server.pid());
        Self { server, memory_bytes, _data: data }
    }

    /// How much more memory it has had at most than before.
    pub(crate) fn growth_bytes(&self) -> u64 {
        most_memory_of(self.server.pid()).saturating_sub(self.memory_bytes)
    }

    /// Nothing came of it, and it took no more memory than this.
    #[track_caller]
    pub(crate) fn check_unharmed(&self, growth_mib_max: u64) {
        self.check_unharmed_with(1, growth_mib_max);
    }

    /// As [`Self::check_unharmed`], when so many events are there by right.
    #[track_caller]
    pub(crate) fn check_unharmed_with(&self, events: u64, growth_mib_max: u64) {
        let other = self.server.get("/streams/s/0/data", &[]);
        check(&other, "somebody else");
        assert_eq!((other.status, other.text()), (200, "x"));
        assert_eq!(self.server.events(), events, "what was written");
        let growth_mib = self.growth_bytes() >> 20;
        assert!(growth_mib < growth_mib_max, "it took {growth_mib} MiB more");
        self.server.assert_no_panic();
    }
}
