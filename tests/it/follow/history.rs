//! One history, or none: epochs, other logs, truncation and deletion.

use everfeed::client::{Event, FollowError, Follower, Start};

use super::{append, next, number, rest, url};
use crate::support::faults::{Fault, Faults};
use crate::support::{PATIENCE, TestServer};

/// What ends it.
async fn error(follower: &mut Follower) -> FollowError {
    let failed = async {
        loop {
            match follower.next().await.expect("it does not end without a word") {
                Ok(_) => (),
                Err(error) => return error,
            }
        }
    };
    tokio::time::timeout(PATIENCE, failed).await.expect("it fails")
}

async fn all(url: &str) -> Vec<Event> {
    rest(Follower::of(url).ends_at_the_end().start().expect("it starts")).await
}

fn after(event: &Event, url: &str) -> Follower {
    Follower::of(url).from(Start::After(event.checkpoint())).start().expect("it starts")
}

fn log_of(server: &TestServer, path: &str) -> String {
    server.get(path, &[]).header("everfeed-log").expect("it says so").to_string()
}

#[tokio::test]
async fn a_new_epoch_of_the_same_history_goes_on_and_of_another_one_does_not() {
    let (data, other_data) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let (server, other) = (TestServer::start(data.path(), &[]), TestServer::start(other_data.path(), &[]));
    append(&server, "numbers", 0..250);
    append(&other, "numbers", 0..350);
    let proxy = Faults::before(server.address, |_, _| Fault::Nothing);
    let url = format!("http://{}/streams/numbers", proxy.address);
    let mut follower = Follower::of(&url).start().expect("it starts");
    for expected in 0..250 {
        assert_eq!(number(&next(&mut follower).await), expected);
    }
    let log = log_of(&server, "/streams/numbers");
    let (id, epoch) = log.split_once("; epoch=").expect("both");
    let epoch: u32 = epoch.parse().expect("a number");
    proxy.say("everfeed-log", &format!("{id}; epoch={}", epoch + 1));
    append(&server, "numbers", 250..260);
    let mut last = None;
    for expected in 250..260 {
        let event = next(&mut follower).await;
        assert_eq!(number(&event), expected);
        last = Some(event);
    }
    // As if the same log had been restored from a backup that lacks what was read, and had gone on from there.
    proxy.say("everfeed-log", &format!("{id}; epoch={}", epoch + 2));
    proxy.turn_to(other.address);
    append(&server, "numbers", 260..261);
    let failed = error(&mut follower).await;
    assert!(
        matches!(&failed, FollowError::AnotherHistory { log: Some(log), .. } if log.epoch == epoch + 2),
        "{failed}"
    );
    assert!(failed.to_string().contains(&format!("is in epoch {}", epoch + 2)), "{failed}");
    let failed = error(&mut after(&last.expect("an event"), &url)).await;
    assert!(matches!(failed, FollowError::AnotherHistory { .. }), "{failed}");
}

#[tokio::test]
async fn another_log_at_the_same_url_is_not_mixed_with_the_first() {
    let (data, other_data) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let (server, other) = (TestServer::start(data.path(), &[]), TestServer::start(other_data.path(), &[]));
    append(&server, "numbers", 0..150);
    append(&other, "numbers", 0..300);
    let proxy = Faults::before(server.address, |_, _| Fault::Nothing);
    let url = format!("http://{}/streams/numbers", proxy.address);
    let mut follower = Follower::of(&url).start().expect("it starts");
    let mut last = next(&mut follower).await;
    while number(&last) < 149 {
        last = next(&mut follower).await;
    }
    proxy.turn_to(other.address);
    append(&server, "numbers", 150..151);
    let failed = error(&mut follower).await;
    assert!(matches!(failed, FollowError::AnotherLog { .. }), "{failed}");
    let failed = error(&mut after(&last, &url)).await;
    assert!(matches!(failed, FollowError::AnotherLog { .. }), "{failed}");
}

#[tokio::test]
async fn a_checkpoint_goes_with_its_feed_when_that_moves() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    append(&server, "numbers", 0..150);
    append(&server, "others", 0..150);
    let events = all(&url(&server, "numbers")).await;
    let proxy = Faults::before(server.address, |_, _| Fault::Nothing);
    let mut follower = after(&events[120], &format!("http://{}/streams/numbers", proxy.address));
    assert_eq!(number(&next(&mut follower).await), 121);
    // Another stream has other events.
    let failed = error(&mut after(&events[120], &url(&server, "others"))).await;
    assert!(matches!(failed, FollowError::AnotherHistory { .. }), "{failed}");
}

#[tokio::test]
async fn what_was_truncated_before_it_was_read_is_missed_loudly() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    append(&server, "numbers", 0..450);
    let url = url(&server, "numbers");
    let events = all(&url).await;
    let truncate = |before: u64| {
        let settings = format!(
            "[{{\"eventId\":\"00000000-0000-4000-8000-{before:012}\",\"eventType\":\"$metadata\",\
             \"data\":{{\"$tb\":{before}}}}}]"
        );
        let headers = [("Content-Type", "application/vnd.eventstore.events+json")];
        let reply = server.post("/streams/numbers/metadata", &headers, settings.as_bytes());
        assert_eq!(reply.status, 201, "{}", reply.text());
    };
    truncate(220);
    // Whoever has read all that is gone misses nothing, although the page of the checkpoint is empty now.
    for event in &events[219..230] {
        let expected = number(event) + 1;
        assert_eq!(number(&next(&mut after(event, &url)).await), expected);
    }
    for last in [0, 99, 100, 218] {
        let failed = error(&mut after(&events[last], &url)).await;
        let FollowError::Truncated { expected, found, .. } = failed else { panic!("{failed}") };
        assert_eq!((expected, found), (last as u64 + 1, 220));
        let start = Start::After(events[last].checkpoint());
        let mut follower = Follower::of(&url).from(start).skips_truncated().start().expect("it starts");
        assert_eq!(number(&next(&mut follower).await), 220);
    }
    // From the beginning means: from the first that is there.
    assert_eq!(all(&url).await.iter().map(number).collect::<Vec<_>>(), (220..450).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stream_is_waited_for_and_one_that_was_deleted_for_ever_is_gone() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    let url = url(&server, "numbers");
    let mut ends = Follower::of(&url).ends_at_the_end().start().expect("it starts");
    assert!(matches!(error(&mut ends).await, FollowError::Refused { status: 404, .. }));
    let mut follower = Follower::of(&url).start().expect("it starts");
    let mut from_now_on = Follower::of(&url).from(Start::New).start().expect("it starts");
    super::assert_quiet(&mut follower).await;
    super::assert_quiet(&mut from_now_on).await;
    append(&server, "numbers", 0..3);
    for expected in 0..3 {
        assert_eq!(number(&next(&mut follower).await), expected);
        assert_eq!(number(&next(&mut from_now_on).await), expected);
    }
    // A soft deletion ends nothing: the next life goes on with the next number.
    let delete = |headers| crate::support::request(server.address, "DELETE", "/streams/numbers", headers, b"");
    assert_eq!(delete(&[]).status, 204);
    append(&server, "numbers", 3..5);
    for expected in 3..5 {
        assert_eq!(number(&next(&mut follower).await), expected);
    }
    assert_eq!(delete(&[("ES-HardDelete", "true")]).status, 204);
    assert!(matches!(error(&mut follower).await, FollowError::Gone { .. }));
}

#[tokio::test]
async fn a_follower_outlives_its_server_and_can_be_told_for_how_long() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    append(&server, "numbers", 0..150);
    let proxy = Faults::before(server.address, |_, _| Fault::Nothing);
    let url = format!("http://{}/streams/numbers", proxy.address);
    let mut patient = Follower::of(&url).start().expect("it starts");
    let mut impatient =
        Follower::of(&url).gives_up_after(std::time::Duration::from_millis(300)).start().expect("it starts");
    for expected in 0..150 {
        assert_eq!(number(&next(&mut patient).await), expected);
        assert_eq!(number(&next(&mut impatient).await), expected);
    }
    server.kill();
    let failed = error(&mut impatient).await;
    assert!(matches!(failed, FollowError::Unreachable { .. }), "{failed}");
    let server = TestServer::start(data.path(), &[]);
    proxy.turn_to(server.address);
    append(&server, "numbers", 150..260);
    for expected in 150..260 {
        assert_eq!(number(&next(&mut patient).await), expected);
    }
}
