//! Every form of our feeds comes to the same events, in streams and in those that the server keeps by reference.

use everfeed::client::{Event, Follower, Live, Prefer, Start};

use super::{append, assert_quiet, next, number, rest, url};
use crate::support::TestServer;
use crate::support::faults::{Fault, Faults};

const FORMS: [Prefer; 3] = [Prefer::Lines, Prefer::Atom, Prefer::EventStore];

/// What a form may not change.
fn essence(event: &Event) -> (String, Option<u64>, Option<u64>, String, Vec<u8>, Option<String>) {
    let stream = event.stream.to_string();
    let data = event.data().expect("it is there").to_vec();
    let media_type = event.media_type().map(str::to_string);
    (stream, event.number, event.place, event.event_type.to_string(), data, media_type)
}

#[tokio::test]
async fn all_forms_of_a_stream_and_of_derived_ones_come_to_the_same_events() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    for part in 0..3 {
        append(&server, "counters-1", part * 60..part * 60 + 60);
        append(&server, "counters-2", part * 60..part * 60 + 60);
    }
    // Larger than what an Atom feed holds itself, and neither JSON nor text.
    let large: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let headers = [("Content-Type", "image/png"), ("ES-EventType", "pictured")];
    assert_eq!(server.post("/streams/counters-1", &headers, &large).status, 201);
    for (stream, events) in [("counters-1", 181), ("%24all", 361), ("%24ce-counters", 361)] {
        let url = url(&server, stream);
        let of = |form| Follower::of(&url).form(form).ends_at_the_end();
        let lines = rest(of(Prefer::Lines).start().expect("it starts")).await;
        assert_eq!(lines.len(), events, "{stream}");
        assert_eq!(lines[events - 1].data().expect("it is there"), &large);
        let places: Vec<Option<u64>> = lines.iter().map(|event| event.place).collect();
        assert_eq!(places, (0..events as u64).map(Some).collect::<Vec<_>>());
        for form in [Prefer::Atom, Prefer::EventStore] {
            let others = rest(of(form).start().expect("it starts")).await;
            assert_eq!(others.len(), events, "{form:?} of {stream}");
            for (one, other) in lines.iter().zip(&others) {
                let (one, mut other) = (essence(one), essence(other));
                if form == Prefer::EventStore {
                    // It says neither positions nor how the data are to be read, but that they are JSON or not.
                    (other.2, other.5) = (one.2, one.5.clone());
                }
                assert_eq!(one, other, "{form:?} of {stream}");
            }
        }
    }
}

#[tokio::test]
async fn following_begins_with_a_time_or_with_what_happens_from_now_on_in_every_form() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    append(&server, "numbers", 0..330);
    let url = url(&server, "numbers");
    let all = rest(Follower::of(&url).ends_at_the_end().start().expect("it starts")).await;
    let mut end = 330;
    for form in FORMS {
        for event in all.iter().step_by(47) {
            let since = Follower::of(&url).form(form).from(Start::Since(event.time)).ends_at_the_end();
            let found = rest(since.start().expect("it starts")).await;
            // Events of one append have one time.
            let first = all.iter().position(|other| other.time == event.time).expect("it is one of them");
            assert_eq!(found.iter().map(number).collect::<Vec<_>>(), (first as u64..end).collect::<Vec<_>>());
        }
        let mut new = Follower::of(&url).form(form).from(Start::New).start().expect("it starts");
        assert_quiet(&mut new).await;
        append(&server, "numbers", end..end + 5);
        for expected in end..end + 5 {
            assert_eq!(number(&next(&mut new).await), expected);
        }
        end += 5;
    }
}

#[tokio::test]
async fn events_are_heard_as_they_happen_and_a_checkpoint_of_them_is_one_like_any_other() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    append(&server, "numbers", 0..150);
    let proxy = Faults::before(server.address, |_, _| Fault::Nothing);
    let url = format!("http://{}/streams/numbers", proxy.address);
    let mut follower = Follower::of(&url).live(Live::Sse).start().expect("it starts");
    for expected in 0..150 {
        assert_eq!(number(&next(&mut follower).await), expected);
    }
    let mut heard = Vec::new();
    let one_by_one = (150..190).map(|first| (first, first + 1));
    for (first, end) in one_by_one.chain([(190, 420), (420, 421)]) {
        append(&server, "numbers", first..end);
        for expected in first..end {
            let event = next(&mut follower).await;
            assert_eq!((number(&event), event.place), (expected, Some(expected)));
            heard.push(event);
        }
    }
    // Forty long polls would have been forty requests.
    let seen = proxy.seen();
    assert!(seen.len() < 30, "{seen:#?}");
    for event in heard.iter().step_by(13) {
        let after = Follower::of(&url).from(Start::After(event.checkpoint())).ends_at_the_end();
        let found = rest(after.start().expect("it starts")).await;
        assert_eq!(found.iter().map(number).collect::<Vec<_>>(), (number(event) + 1..421).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn where_nothing_can_be_heard_long_polls_do() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &[]);
    append(&server, "numbers", 0..150);
    // The feed's own URL is asked past all caches only for its event stream.
    let proxy = Faults::before(server.address, |path, past_caches| match path {
        "/streams/numbers" if past_caches => Fault::Status(406),
        _ => Fault::Nothing,
    });
    let url = format!("http://{}/streams/numbers", proxy.address);
    let mut follower = Follower::of(&url).live(Live::Sse).start().expect("it starts");
    for (first, end) in [(0, 150), (150, 151), (151, 290)] {
        if 0 < first {
            append(&server, "numbers", first..end);
        }
        for expected in first..end {
            assert_eq!(number(&next(&mut follower).await), expected);
        }
    }
    assert!(proxy.seen().iter().any(|(_, fault)| *fault == Fault::Status(406)), "it was tried");
}
