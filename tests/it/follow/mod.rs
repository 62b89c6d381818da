//! Followers of real servers: what they hand over, and what stops them.

mod archives;
mod caches;
pub(crate) mod faults;
mod forms;
mod history;
mod lines;
mod tls;

use std::time::Duration;

use everfeed::client::{Event, Follower};

use crate::support::{PATIENCE, TestServer};

/// Appends events whose data are these numbers.
pub(crate) fn append(server: &TestServer, stream: &str, numbers: std::ops::Range<u64>) {
    for first in numbers.clone().step_by(100) {
        let lines: String = (first..numbers.end.min(first + 100))
            .map(|number| format!("{{\"eventType\":\"counted\",\"data\":{{\"n\":{number}}}}}\n"))
            .collect();
        let path = format!("/streams/{stream}");
        let reply = server.post(&path, &[("Content-Type", "application/x-ndjson")], lines.as_bytes());
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
}

pub(crate) fn url(server: &TestServer, stream: &str) -> String {
    format!("http://{}/streams/{stream}", server.address)
}

/// What an event of [`append`] says.
pub(crate) fn number(event: &Event) -> u64 {
    event.json::<serde_json::Value>().expect("JSON")["n"].as_u64().expect("a number")
}

/// The next event, which has to come.
pub(crate) async fn next(follower: &mut Follower) -> Event {
    let next = tokio::time::timeout(PATIENCE, follower.next()).await.expect("it comes");
    next.expect("it goes on").expect("nothing is wrong")
}

/// All there is to come of a follower that ends at the end.
pub(crate) async fn rest(mut follower: Follower) -> Vec<Event> {
    let all = async {
        let mut events = Vec::new();
        while let Some(batch) = follower.next_batch(1000).await {
            events.extend(batch.expect("nothing is wrong"));
        }
        events
    };
    tokio::time::timeout(PATIENCE, all).await.expect("it ends")
}

/// That nothing comes for a while: what is not there cannot be waited for.
pub(crate) async fn assert_quiet(follower: &mut Follower) {
    let next = tokio::time::timeout(Duration::from_millis(300), follower.next()).await;
    assert!(next.is_err(), "{next:?}");
}
