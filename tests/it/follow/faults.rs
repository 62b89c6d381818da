//! Whatever goes wrong between a follower and its server: the events come all the same, each once and in order.

use std::sync::Mutex;
use std::time::Duration;

use everfeed::client::{Follower, Prefer};

use super::{append, next, number};
use crate::support::TestServer;
use crate::support::faults::{Fault, Faults};

/// One answer in three goes wrong, by this seed.
pub(crate) fn chaos(seed: u64) -> impl Fn(&str, bool) -> Fault {
    println!("seed {seed}");
    let random = Mutex::new(fastrand::Rng::with_seed(seed));
    move |_, past_caches| {
        let mut random = random.lock().expect("nobody panics with it");
        match random.u8(0..27) {
            0 => Fault::Late(Duration::from_millis(random.u64(0..40))),
            1 => Fault::Status([500, 502, 503, 504, 429, 408][random.usize(0..6)]),
            2 => Fault::Overloaded { seconds: 0 },
            3 => Fault::HangUp,
            4 | 5 => Fault::Break(random.usize(0..1000)),
            6 => Fault::Shorten(random.usize(1..1000)),
            // Only caches do this.
            7 if !past_caches => Fault::ShortenToALine(random.usize(0..1000)),
            8 if !past_caches => Fault::Again,
            _ => Fault::Nothing,
        }
    }
}

async fn check(form: Prefer, seed: u64) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    append(&server, "numbers", 0..1730);
    let proxy = Faults::before(server.address, chaos(seed));
    // The server says in its links where it can be reached: here, through the proxy.
    let url = format!("http://{}/streams/numbers", proxy.address);
    let mut follower = Follower::of(&url).form(form).start().expect("it starts");
    for end in [1730, 1731, 1740, 1800, 1950, 2300] {
        let at = server.events();
        if at < end {
            append(&server, "numbers", at..end);
        }
        let from = if end == 1730 { 0 } else { at };
        for expected in from..end {
            assert_eq!(number(&next(&mut follower).await), expected, "seed {seed}");
        }
    }
    let faults = proxy.seen().iter().filter(|(_, fault)| *fault != Fault::Nothing).count();
    assert!(faults > 3, "something went wrong: {faults}");
}

#[tokio::test]
async fn lines_come_through_a_network_that_loses_cuts_delays_and_repeats() {
    check(Prefer::Lines, 1).await;
    check(Prefer::Lines, fastrand::u64(..)).await;
}

#[tokio::test]
async fn atom_comes_through_it_as_well() {
    check(Prefer::Atom, 2).await;
}

#[tokio::test]
async fn eventstore_json_comes_through_it_as_well() {
    check(Prefer::EventStore, 3).await;
}
