//! Where following begins, which events are handed on, and what their lines say.

use serde_json::{Value, json};

use super::{check_done, follow_to_the_end, number, numbers, server_with, text};
use crate::support::everfeed;

#[test]
fn a_line_says_all_there_is_to_know_of_an_event() {
    let dir = tempfile::tempdir().unwrap();
    let server = server_with(&dir.path().join("data"), 1);
    let id = "7f2c54a0-0000-4000-8000-000000000001";
    for (media_type, body) in [("application/json", "{\n\"n\": 1}"), ("text/plain", "two\nlines"), ("image/x", "\u{1}")]
    {
        let headers = [("Content-Type", media_type), ("ES-EventType", "Made"), ("Idempotency-Key", media_type)];
        assert_eq!(server.post("/streams/orders", &headers, body.as_bytes()).status, 201);
    }
    let lines = [("Content-Type", "application/x-ndjson")];
    let line = json!({ "id": id, "type": "Made", "data": { "n": 4 }, "metadata": { "by": "us" } }).to_string();
    assert_eq!(server.post("/streams/orders", &lines, line.as_bytes()).status, 201);

    let run = follow_to_the_end(&server, &[]);
    check_done(&run);
    let printed: Vec<&str> = run.output.lines().collect();
    assert!(printed[1].contains(r#""data":{"n": 1}"#), "{}", printed[1]);
    let events: Vec<Value> = printed.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[2]["data"], "two\nlines");
    assert_eq!((&events[3]["dataBase64"], &events[3]["mediaType"]), (&json!("AQ=="), &json!("image/x")));
    let mut last = events[4].clone();
    let time = last.as_object_mut().unwrap().remove("time").expect("a time");
    assert!(time.as_str().is_some_and(|time| time.len() == 27 && time.ends_with('Z')), "{time}");
    let expected = json!({
        "stream": "orders", "number": 4, "position": 4, "id": id, "type": "Made", "mediaType": "application/json",
        "metadata": { "by": "us" }, "data": { "n": 4 },
    });
    assert_eq!(last, expected);
}

#[test]
fn a_stream_is_named_at_a_server_and_a_derived_one_says_the_places() {
    let dir = tempfile::tempdir().unwrap();
    let server = server_with(&dir.path().join("data"), 3);
    crate::follow::append(&server, "order-1", 0..2);
    let at = format!("http://{}", server.address);
    let run = everfeed(&["follow", "$ce-order", "--server", &at, "--until-end", "--quiet"]).run();
    check_done(&run);
    let lines: Vec<Value> = run.output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let places = lines.iter().map(|line| (line["stream"].clone(), line["number"].clone(), line["position"].clone()));
    assert_eq!(
        places.collect::<Vec<_>>(),
        [(json!("order-1"), json!(0), json!(3)), (json!("order-1"), json!(1), json!(4))]
    );
}

#[test]
fn what_is_selected_is_handed_on_and_all_of_it_counts_as_seen() {
    let dir = tempfile::tempdir().unwrap();
    let server = server_with(&dir.path().join("data"), 150);
    let headers = [("Content-Type", "application/json"), ("ES-EventType", "Other")];
    assert_eq!(server.post("/streams/orders", &headers, b"{\"n\":150}").status, 201);
    crate::follow::append(&server, "orders", 151..160);
    let checkpoint = dir.path().join("checkpoint");
    let follow = |select: &[&str]| {
        let run = follow_to_the_end(&server, &[&["--checkpoint", text(&checkpoint)], select].concat());
        check_done(&run);
        numbers(&run.output)
    };
    let none: Vec<u64> = Vec::new();
    assert_eq!(follow(&["--select", "type=Oth*", "--select", "stream=orders"]), [150]);
    assert_eq!(follow(&[]), none, "the others were seen");
    crate::follow::append(&server, "orders", 160..162);
    assert_eq!(follow(&["--select", "type=Other"]), none);
    assert_eq!(follow(&[]), none);
}

#[test]
fn it_begins_at_the_beginning_at_a_time_or_with_what_is_new_unless_a_checkpoint_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let server = server_with(&dir.path().join("data"), 5);
    let time = {
        let line = follow_to_the_end(&server, &[]).output.lines().nth(4).unwrap().to_string();
        let line: Value = serde_json::from_str(&line).unwrap();
        line["time"].as_str().unwrap().to_string()
    };
    // Times of one append are one; those of the next are later.
    crate::follow::append(&server, "orders", 5..8);
    let all: Vec<u64> = (0..8).collect();
    for (from, expected) in
        [("beginning", &all[..]), (&time, &all), ("1h", &all), ("0s", &[]), ("new", &[]), ("2999-01-01T00:00:00Z", &[])]
    {
        let run = follow_to_the_end(&server, &["--from", from]);
        check_done(&run);
        assert_eq!(numbers(&run.output), expected, "{from}");
    }
    let checkpoint = dir.path().join("checkpoint");
    let with_checkpoint = ["--checkpoint", text(&checkpoint), "--from", "beginning"];
    assert_eq!(numbers(&follow_to_the_end(&server, &with_checkpoint).output), all);
    crate::follow::append(&server, "orders", 8..9);
    let run = follow_to_the_end(&server, &with_checkpoint);
    assert_eq!(run.output.lines().map(number).collect::<Vec<_>>(), [8], "the checkpoint says where");
}
