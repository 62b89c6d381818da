//! A producer: single events, batches, repeats and expectations, one after the other, until the server is gone.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use super::ledger::{Outcome, Receipt, Sent};
use super::{BULK, STREAMS};
use crate::support::{Reply, exchange};
use crate::workload::Random;

pub(crate) struct Producer {
    random: Random,
    /// A stream that only this producer writes to, so it knows its version.
    own: String,
    version: i64,
    pub(crate) sent: Vec<Sent>,
}

impl Producer {
    pub(crate) fn new(own: String, version: i64, seed: u64) -> Self {
        Self { random: Random::new(seed), own, version, sent: Vec::new() }
    }

    /// Appends until the server is killed. No request may fail before `is_dying`.
    pub(crate) fn run(&mut self, to: SocketAddr, is_dying: &AtomicBool) {
        loop {
            let is_alive = match self.random.below(10) {
                0..=2 => {
                    let event = self.shared(1);
                    self.append(to, event)
                }
                3..=5 => {
                    let events = 2 + self.random.below(40);
                    let batch = self.shared(events);
                    self.append(to, batch)
                }
                6 => self.repeat(to),
                7 => self.append_wrongly(to),
                _ => self.append_expecting(to),
            };
            if !is_alive {
                assert!(is_dying.load(Ordering::SeqCst), "a request failed before the server was killed");
                return;
            }
        }
    }

    /// Appends huge events, so that chunks are due.
    pub(crate) fn run_bulk(&mut self, to: SocketAddr, is_dying: &AtomicBool) {
        loop {
            let sent =
                Sent { stream: BULK.into(), ids: vec![self.random.uuid()], expected: None, outcome: Outcome::Unknown };
            if !self.append(to, sent) {
                assert!(is_dying.load(Ordering::SeqCst), "a request failed before the server was killed");
                return;
            }
        }
    }

    fn shared(&mut self, events: u64) -> Sent {
        let stream = (*self.random.pick(&STREAMS)).to_string();
        let ids = (0..events).map(|_| self.random.uuid()).collect();
        Sent { stream, ids, expected: None, outcome: Outcome::Unknown }
    }

    /// Sends it; false when the server is gone.
    fn append(&mut self, to: SocketAddr, mut sent: Sent) -> bool {
        let reply = exchange(to, &sent.request());
        if let Ok(reply) = &reply {
            let receipt = receipt(reply).unwrap_or_else(|| panic!("{reply:?} to {sent:?}"));
            assert!(!receipt.is_repeat, "new events were taken for a repeat: {sent:?}");
            sent.outcome = Outcome::Acknowledged(receipt);
        }
        self.sent.push(sent);
        reply.is_ok()
    }

    /// Sends something again that was acknowledged: it gets the first receipt.
    fn repeat(&mut self, to: SocketAddr) -> bool {
        if self.sent.is_empty() {
            return true;
        }
        let sent = self.random.pick(&self.sent).clone();
        let Outcome::Acknowledged(first) = sent.outcome else { return true };
        let Ok(reply) = exchange(to, &sent.request()) else { return false };
        assert_eq!(receipt(&reply), Some(Receipt { is_repeat: true, ..first }), "{reply:?} to {sent:?}");
        true
    }

    fn append_expecting(&mut self, to: SocketAddr) -> bool {
        let ids: Vec<_> = (0..1 + self.random.below(3)).map(|_| self.random.uuid()).collect();
        let events = ids.len() as i64;
        let sent = Sent { stream: self.own.clone(), ids, expected: Some(self.version), outcome: Outcome::Unknown };
        let is_alive = self.append(to, sent);
        self.version += events;
        is_alive
    }

    /// An expectation that cannot hold: nothing is written.
    fn append_wrongly(&mut self, to: SocketAddr) -> bool {
        let expected = Some(self.version + 1 + self.random.below(5) as i64);
        let mut sent =
            Sent { stream: self.own.clone(), ids: vec![self.random.uuid()], expected, outcome: Outcome::Refused };
        let reply = exchange(to, &sent.request());
        match &reply {
            Ok(reply) => {
                assert_eq!((reply.status, &*reply.reason), (400, "Wrong expected EventNumber"), "{reply:?}");
                let version = self.version.to_string();
                assert_eq!(reply.header("es-currentversion"), Some(&*version), "{reply:?} to {sent:?}");
            }
            // Whatever the fate of the request, it could not have been met.
            Err(_) => sent.outcome = Outcome::Refused,
        }
        self.sent.push(sent);
        reply.is_ok()
    }
}

/// Sends an append whose outcome nobody learned once more: it is found, or appended now.
pub(crate) fn settle(to: SocketAddr, sent: &mut Sent, is_there: bool) {
    let reply = exchange(to, &sent.request()).expect("the server answers");
    let receipt = receipt(&reply).unwrap_or_else(|| panic!("{reply:?} to {sent:?}"));
    assert_eq!(receipt.is_repeat, is_there, "{reply:?} to {sent:?}");
    sent.outcome = Outcome::Acknowledged(receipt);
}

/// What a 201 says.
fn receipt(reply: &Reply) -> Option<Receipt> {
    if reply.status != 201 {
        return None;
    }
    let (_, first) = reply.header("location")?.rsplit_once('/')?;
    Some(Receipt {
        first: first.parse().ok()?,
        last: reply.header("es-currentversion")?.parse().ok()?,
        position: reply.header("es-position")?.parse().ok()?,
        is_repeat: reply.header("everfeed-repeat") == Some("true"),
    })
}
