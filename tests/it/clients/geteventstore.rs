//! `geteventstore-promise`, a client of EventStore's HTTP API for Node: its calls, and what it makes of the answers.

use serde_json::{Value, json};

use super::{Client, Place};

/// What each of the calls came to: its `value`, or its `error` with the status behind it.
#[track_caller]
fn answers(place: &Place, calls: &Value) -> Vec<Value> {
    let answers = Client::Geteventstore.run(&place.server, calls);
    assert_eq!(answers.len(), calls.as_array().expect("an array").len());
    answers
}

/// What the calls returned, each of which must have gone well.
#[track_caller]
fn values(place: &Place, calls: &Value) -> Vec<Value> {
    let value = |answer: &Value| answer.get("value").unwrap_or_else(|| panic!("{answer}")).clone();
    answers(place, calls).iter().map(value).collect()
}

fn id(number: usize) -> String {
    format!("0190c6a4-7b1e-7f5e-9a52-{number:012x}")
}

fn events(count: usize) -> Value {
    let event = |n| json!({"eventId": id(n), "eventType": format!("t{}", n % 2), "data": {"n": n}});
    (0..count).map(event).collect()
}

/// The `n` of every event's data, in the order they came.
fn data(events: &Value) -> Vec<u64> {
    let events = events.as_array().unwrap_or_else(|| panic!("no events: {events}"));
    events.iter().map(|event| event["data"]["n"].as_u64().expect("a number")).collect()
}

/// The stream and number of every event, in the order they came.
fn places(events: &Value) -> Vec<(&str, u64)> {
    let events = events.as_array().unwrap_or_else(|| panic!("no events: {events}"));
    let places = events.iter().map(|event| event["streamId"].as_str().zip(event["eventNumber"].as_u64()));
    places.map(|place| place.expect("a name and a number")).collect()
}

#[test]
fn it_reads_back_what_it_wrote() {
    let place = Place::start();
    let values = values(
        &place,
        &json!([
            ["ping"],
            ["writeEvent", "orders", "OrderPlaced", {"n": 100, "name": "Zoë 🦀"}, {"by": "shop"}],
            ["writeEvents", "orders", events(3)],
            ["readEventsForward", "orders"],
            ["readEventsBackward", "orders"],
            ["getEvents", "orders", 1, 2, "forward"],
            ["getEventsByType", "orders", ["t1", "OrderPlaced"]],
        ]),
    );
    assert_eq!(values[0]["text"], "Ping request successfully handled");
    let forward = &values[3];
    assert_eq!((&forward["streamId"], &forward["readDirection"]), (&json!("orders"), &json!("forward")));
    assert_eq!((&forward["isEndOfStream"], &forward["nextEventNumber"]), (&json!(true), &json!(0)));
    assert_eq!(data(&forward["events"]), [100, 0, 1, 2]);

    let first = &forward["events"][0];
    assert_eq!(first["eventType"], "OrderPlaced");
    assert_eq!(first["data"], json!({"n": 100, "name": "Zoë 🦀"}));
    assert_eq!((&first["isJson"], &first["isMetaData"]), (&json!(true), &json!(true)));
    let metadata: Value = serde_json::from_str(first["metaData"].as_str().expect("text")).expect("JSON");
    assert_eq!(metadata, json!({"by": "shop"}));
    assert_eq!(first["created"], first["updated"]);
    for (n, event) in forward["events"].as_array().expect("an array")[1..].iter().enumerate() {
        assert_eq!((&event["eventId"], &event["eventType"]), (&json!(id(n)), &json!(format!("t{}", n % 2))));
        assert_eq!((&event["streamId"], &event["eventNumber"]), (&json!("orders"), &json!(n + 1)));
    }

    assert_eq!(data(&values[4]["events"]), [2, 1, 0, 100]);
    assert_eq!(values[4]["events"][3], *first, "the same event from either side");
    assert_eq!(data(&values[5]), [0, 1]);
    assert_eq!(data(&values[6]), [100, 1]);
}

#[test]
fn it_walks_a_long_stream_both_ways_in_steps_of_its_own() {
    let place = Place::start();
    let count = 250;
    let mut calls = vec![json!(["writeEvents", "s", events(count)]), json!(["getAllStreamEvents", "s", 60])];
    // Steps that are on nobody's grid, and past either end.
    calls.extend((0..count).step_by(37).map(|from| json!(["readEventsForward", "s", from, 37])));
    let turn = calls.len();
    calls.extend((0..count).rev().step_by(41).map(|from| json!(["readEventsBackward", "s", from, 41])));
    let values = values(&place, &Value::from(calls));

    let oldest_first: Vec<u64> = (0..count as u64).collect();
    let newest_first: Vec<u64> = (0..count as u64).rev().collect();
    assert_eq!(data(&values[1]), oldest_first);
    for (walk, expected) in [(&values[2..turn], oldest_first), (&values[turn..], newest_first)] {
        assert_eq!(walk.iter().flat_map(|page| data(&page["events"])).collect::<Vec<_>>(), expected);
        // Where each page sends the client is where the next one begins.
        for pages in walk.windows(2) {
            assert_eq!(pages[0]["isEndOfStream"], false);
            assert_eq!(pages[0]["nextEventNumber"], pages[1]["fromEventNumber"]);
        }
    }
    assert_eq!(values[turn - 1]["isEndOfStream"], true);
}

#[test]
fn what_it_expects_is_held_and_what_it_repeats_is_written_once() {
    let place = Place::start();
    let answers = answers(
        &place,
        &json!([
            ["writeEvents", "s", events(2), {"expectedVersion": -1}],
            ["writeEvents", "s", events(2), {"expectedVersion": -1}],
            ["writeEvents", "s", events(2)],
            ["writeEvent", "s", "t", {"n": 2}, null, {"expectedVersion": 1}],
            ["writeEvent", "s", "t", {"n": 3}, null, {"expectedVersion": 1}],
            ["readEventsForward", "s"],
        ]),
    );
    for written in &answers[..4] {
        assert!(written.get("value").is_some(), "{written}");
    }
    assert_eq!((&answers[4]["status"], &answers[4]["statusText"]), (&json!(400), &json!("Wrong expected EventNumber")));
    assert_eq!(answers[4]["headers"]["es-currentversion"], "2");
    assert_eq!(data(&answers[5]["value"]["events"]), [0, 1, 2]);
}

#[test]
fn it_reads_the_whole_log() {
    let place = Place::start();
    let values = values(
        &place,
        &json!([
            ["writeEvents", "a", events(3)],
            ["writeEvents", "b%2F2", events(2)],
            ["readEventsForward", "$all", 0, 100],
            ["readEventsBackward", "$all", "head", 100],
            ["readEventsForward", "$all", 2, 2],
        ]),
    );
    let mut expected = [("a", 0), ("a", 1), ("a", 2), ("b/2", 0), ("b/2", 1)];
    assert_eq!(places(&values[2]["events"]), expected);
    assert_eq!(places(&values[4]["events"]), expected[2..4]);
    expected.reverse();
    assert_eq!(places(&values[3]["events"]), expected);
}

#[test]
fn it_reads_categories_and_types_like_any_stream() {
    let place = Place::start();
    let values = values(
        &place,
        &json!([
            ["writeEvents", "order-1", events(3)],
            ["writeEvents", "customer-1", events(2)],
            ["writeEvents", "order-2", events(2)],
            ["getAllStreamEvents", "$ce-order", 2],
            ["readEventsBackward", "$ce-order", "head", 2],
            ["getAllStreamEvents", "$et-t1"],
            ["getAllStreamEvents", "$streams"],
            ["checkStreamExists", "$ce-nothing"],
        ]),
    );
    let orders = [("order-1", 0), ("order-1", 1), ("order-1", 2), ("order-2", 0), ("order-2", 1)];
    assert_eq!(places(&values[3]), orders);
    assert_eq!(places(&values[4]["events"]), [orders[4], orders[3]]);
    assert_eq!(places(&values[5]), [("order-1", 1), ("customer-1", 1), ("order-2", 1)]);
    assert_eq!(places(&values[6]), [("order-1", 0), ("customer-1", 0), ("order-2", 0)]);
    assert_eq!(values[7], false);
    // Beside its own number each event has its place in the stream that was read.
    for (place, event) in values[3].as_array().expect("an array").iter().enumerate() {
        assert_eq!((&event["positionStreamId"], &event["positionEventNumber"]), (&json!("$ce-order"), &json!(place)));
    }
}

#[test]
fn it_is_told_what_does_not_exist() {
    let place = Place::start();
    let answers = answers(
        &place,
        &json!([
            ["checkStreamExists", "s"],
            ["readEventsForward", "s"],
            ["writeEvents", "s", events(1)],
            ["checkStreamExists", "s"],
        ]),
    );
    assert_eq!(answers[0]["value"], false);
    assert_eq!((&answers[1]["status"], &answers[1]["statusText"]), (&json!(404), &json!("Not Found")));
    assert_eq!(answers[3]["value"], true);
}

#[test]
fn it_deletes_a_stream_until_it_is_written_again_and_for_ever() {
    let place = Place::start();
    let answers = answers(
        &place,
        &json!([
            ["writeEvents", "s", events(2)],
            ["deleteStream", "s"],
            ["checkStreamExists", "s"],
            ["readEventsForward", "s"],
            ["deleteStream", "s"],
            ["writeEvent", "s", "t", {"n": 2}],
            ["readEventsBackward", "s", "head", 10],
            ["getAllStreamEvents", "s"],
            ["deleteStream", "s", true],
            ["checkStreamExists", "s"],
            ["writeEvent", "s", "t", {"n": 3}],
        ]),
    );
    for done in [1, 8] {
        assert_eq!(answers[done]["value"], "", "{}", answers[done]);
    }
    assert_eq!((&answers[2]["value"], &answers[3]["status"]), (&json!(false), &json!(404)));
    assert_eq!(answers[4]["error"], "Stream does not exist");
    // The new life goes on counting where the old one ended, and shows nothing of it.
    assert_eq!(data(&answers[6]["value"]["events"]), [2]);
    assert_eq!(answers[6]["value"]["events"][0]["eventNumber"], 2);
    assert_eq!(data(&answers[7]["value"]), [2]);
    for (gone, reason) in [(9, "Deleted"), (10, "Stream deleted")] {
        assert_eq!((&answers[gone]["status"], &answers[gone]["statusText"]), (&json!(410), &json!(reason)));
    }
}

#[test]
fn links_that_it_wrote_are_resolved_as_it_asks() {
    let place = Place::start();
    let values = values(
        &place,
        &json!([
            ["writeEvents", "s", events(3)],
            ["writeEvent", "best", "$>", "2@s"],
            ["writeEvent", "best", "$>", "0@s"],
            ["readEventsForward", "best", 0, 10],
            ["readEventsBackward", "best", "head", 10, true],
            ["readEventsForward", "best", 0, 10, false, "rich"],
        ]),
    );
    assert_eq!(places(&values[3]["events"]), [("s", 2), ("s", 0)]);
    assert_eq!(data(&values[3]["events"]), [2, 0]);
    for (place, event) in values[3]["events"].as_array().expect("an array").iter().enumerate() {
        assert_eq!((&event["positionStreamId"], &event["positionEventNumber"]), (&json!("best"), &json!(place)));
        assert_eq!((&event["eventType"], &event["isLinkMetaData"]), (&json!("t0"), &json!(false)));
    }
    assert_eq!(data(&values[4]["events"]), [0, 2]);
    let unresolved = &values[5]["events"];
    assert_eq!(places(unresolved), [("best", 0), ("best", 1)]);
    assert_eq!((&unresolved[0]["eventType"], &unresolved[1]["summary"]), (&json!("$>"), &json!("$>")));
}
