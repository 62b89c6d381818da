//! Where an event stream begins and ends: streams that are not there yet, that are truncated, that are deleted, and a server
//! that stops.

use serde_json::Value;

use crate::support::listener::Listener;
use crate::support::{TestServer, request};

use super::{append, ids, listen, refusal, start};

fn delete(server: &TestServer, stream: &str, headers: &[(&str, &str)]) {
    let reply = request(server.address, "DELETE", &format!("/streams/{stream}"), headers, b"");
    assert_eq!(reply.status, 204, "{reply:?}");
}

#[test]
fn a_stream_that_is_not_there_yet_is_waited_for() {
    let (_data, server) = start(&[]);
    let mut from_now_on = listen(&server, "/streams/s", &[]);
    let mut from_the_first = listen(&server, "/streams/s?last-event-id=-1", &[]);
    append(&server, "s", 2);
    assert_eq!(ids(&from_now_on.take(2)), [0, 1]);
    assert_eq!(ids(&from_the_first.take(2)), [0, 1]);
}

#[test]
fn a_deletion_ends_it_and_a_new_life_can_be_waited_for() {
    let (_data, server) = start(&[]);
    append(&server, "s", 2);
    let mut listener = listen(&server, "/streams/s?last-event-id=0", &[]);
    assert_eq!(ids(&listener.take(1)), [1]);
    let mut all = listen(&server, "/streams/%24all", &[]);
    delete(&server, "s", &[]);
    assert_eq!(listener.next(), None, "it ended in order");
    let settings: Value = serde_json::from_str(&all.next().expect("the deletion").data).expect("JSON");
    assert_eq!(settings["stream"], "$$s", "for `$all` it is an event like any other");

    let mut again = listen(&server, "/streams/s", &[("Last-Event-ID", "0")]);
    append(&server, "s", 1);
    assert_eq!(ids(&again.take(1)), [2], "what was deleted is not told, and numbers go on");

    delete(&server, "s", &[("ES-HardDelete", "true")]);
    assert_eq!(again.next(), None);
    assert_eq!(refusal(&server, "/streams/s", &[]), (410, "stream-deleted".to_string()));
}

#[test]
fn what_is_truncated_is_passed_over_and_told_in_all_as_rows_without_content() {
    let (_data, server) = start(&[]);
    append(&server, "s", 5);
    let settings = [("Content-Type", "application/json")];
    assert_eq!(server.post("/streams/s/metadata", &settings, br#"{"$tb":3}"#).status, 201);
    let mut listener = listen(&server, "/streams/s?last-event-id=-1", &[]);
    append(&server, "s", 1);
    assert_eq!(ids(&listener.take(3)), [3, 4, 5]);

    let mut all = listen(&server, "/streams/%24all?last-event-id=-1", &[]);
    let messages = all.take(7);
    assert_eq!(ids(&messages), (0..7).collect::<Vec<_>>());
    let removed: Vec<bool> = messages
        .iter()
        .map(|message| serde_json::from_str::<Value>(&message.data).expect("JSON")["removed"] == true)
        .collect();
    assert_eq!(removed, [true, true, true, false, false, false, false]);

    // While somebody listens the ids jump, and never go back.
    assert_eq!(server.post("/streams/s/metadata", &settings, br#"{"$tb":9}"#).status, 201);
    for _ in 0..5 {
        append(&server, "s", 1);
    }
    assert_eq!(ids(&listener.take(2)), [9, 10]);
}

#[test]
fn a_server_that_stops_ends_it_in_order() {
    let (_data, server) = start(&[]);
    append(&server, "s", 1);
    let paths = ["/streams/s", "/streams/none", "/streams/%24all?last-event-id=-1", "/streams/%24ce-x"];
    let mut listeners: Vec<Listener> = paths.iter().map(|path| listen(&server, path, &[])).collect();
    assert_eq!(ids(&listeners[2].take(1)), [0]);
    server.wait_for_listeners(4);
    server.terminate();
    for (path, listener) in paths.iter().zip(&mut listeners) {
        assert_eq!(listener.next(), None, "{path}");
    }
    assert_eq!(server.wait(), Some(0));
}
