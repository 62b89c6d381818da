//! Our own lines of JSON: from the beginning, from checkpoints, and live.

use everfeed::client::{Follower, Start};

use super::{append, assert_quiet, next, number, rest, url};
use crate::support::TestServer;

#[tokio::test]
async fn every_event_comes_once_and_in_order_first_what_was_there_and_then_what_happens() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    append(&server, "numbers", 0..1050);
    let mut follower = Follower::of(&url(&server, "numbers")).start().expect("it starts");
    for expected in 0..1050 {
        let event = next(&mut follower).await;
        assert_eq!((number(&event), event.number, &*event.event_type), (expected, Some(expected), "counted"));
    }
    assert_quiet(&mut follower).await;
    assert!(follower.is_caught_up());
    for first in [1050, 1051, 1061, 1150, 1200, 1299] {
        let end = [1051, 1061, 1150, 1200, 1299, 1500]
            [[1050, 1051, 1061, 1150, 1200, 1299].binary_search(&first).expect("it is there")];
        append(&server, "numbers", first..end);
        for expected in first..end {
            assert_eq!(number(&next(&mut follower).await), expected);
        }
        assert_eq!(follower.lag().events, Some(0));
    }
}

#[tokio::test]
async fn a_follower_goes_on_after_any_event() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    append(&server, "numbers", 0..230);
    let url = url(&server, "numbers");
    let all = rest(Follower::of(&url).ends_at_the_end().start().expect("it starts")).await;
    assert_eq!(all.iter().map(number).collect::<Vec<_>>(), (0..230).collect::<Vec<_>>());
    append(&server, "numbers", 230..250);
    for event in &all {
        let after = Start::After(event.checkpoint());
        let following = rest(Follower::of(&url).from(after).ends_at_the_end().start().expect("it starts")).await;
        assert_eq!(following.iter().map(number).collect::<Vec<_>>(), (number(event) + 1..250).collect::<Vec<_>>());
    }
}
