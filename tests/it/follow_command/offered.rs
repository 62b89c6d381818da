//! Places that may refuse: commands and servers.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread;

use serde_json::Value;

use super::{check_done, follow_to_the_end, number, numbers, server_with, text};
use crate::support::{TestServer, everfeed};

#[test]
fn a_command_is_given_lines_until_it_has_taken_all() {
    let dir = tempfile::tempdir().unwrap();
    let server = server_with(&dir.path().join("data"), 250);
    let (out, runs) = (dir.path().join("out"), dir.path().join("runs"));
    let command = format!("exec:echo run >> {}; cat >> {}", text(&runs), text(&out));
    check_done(&follow_to_the_end(&server, &["--to", &command, "--batch", "100"]));
    assert_eq!(numbers(&fs::read_to_string(&out).unwrap()), (0..250).collect::<Vec<_>>());
    assert!(fs::read_to_string(&runs).unwrap().lines().count() < 250, "many at once");
}

#[test]
fn a_command_for_each_event_is_told_of_it_by_its_environment() {
    let dir = tempfile::tempdir().unwrap();
    let server = server_with(&dir.path().join("data"), 3);
    let out = dir.path().join("out");
    let said = "$EVERFEED_STREAM $EVERFEED_NUMBER $EVERFEED_TYPE $EVERFEED_MEDIA_TYPE ${#EVERFEED_ID} $(cat)";
    let command = format!("exec:echo \"{said}\" >> {}", text(&out));
    check_done(&follow_to_the_end(&server, &["--to", &command, "--exec-each"]));
    let expected: String = (0..3).map(|n| format!("orders {n} counted application/json 36 {{\"n\":{n}}}\n")).collect();
    assert_eq!(fs::read_to_string(&out).unwrap(), expected);
}

#[test]
fn a_command_that_fails_is_run_again_and_the_event_that_fails_for_good_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let server = server_with(&dir.path().join("data"), 10);
    let at = |name: &str| text(&dir.path().join(name)).to_string();
    // Takes no seventh event, and fails the first time it is run whatever it is given.
    let command = format!(
        "exec:in=$(cat); test -e {0} || {{ touch {0}; exit 1; }}; ! echo \"$in\" | grep -q '\"n\":7' && echo \"$in\" >> {1}",
        at("begun"),
        at("out"),
    );
    let arguments = ["--to", &command, "--attempts", "2", "--checkpoint", &at("checkpoint")];
    let run = follow_to_the_end(&server, &arguments);
    assert_eq!(run.code, 1);
    assert!(run.errors.contains("at 7 was refused: the command ended with exit status: 1"), "{}", run.errors);
    assert_eq!(numbers(&fs::read_to_string(at("out")).unwrap()), (0..7).collect::<Vec<_>>());
    // It comes first when it is started again, and is put aside if that is wanted.
    let run = follow_to_the_end(&server, &[&arguments[..], &["--park", &at("parked")]].concat());
    assert_eq!(run.code, 0, "{}", run.errors);
    assert!(run.errors.contains("at 7 was parked"), "{}", run.errors);
    assert_eq!(numbers(&fs::read_to_string(at("out")).unwrap()), [0, 1, 2, 3, 4, 5, 6, 8, 9]);
    let parked: Value = serde_json::from_str(&fs::read_to_string(at("parked")).unwrap()).unwrap();
    assert_eq!(parked["event"]["data"]["n"], 7);
    assert_eq!(parked["reason"], "the command ended with exit status: 1");
}

#[test]
fn another_server_has_each_event_once_however_often_it_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let server = server_with(&dir.path().join("data"), 230);
    for (media_type, body) in [("application/json", "{\n\"n\": 230}"), ("text/plain", "text\n"), ("image/x", "\u{1}")] {
        let headers = [("Content-Type", media_type), ("ES-EventType", "Made")];
        assert_eq!(server.post("/streams/orders", &headers, body.as_bytes()).status, 201);
    }
    let other = TestServer::start(&dir.path().join("other"), &[]);
    let to = format!("http://{}/streams/copy", other.address);
    for _ in 0..2 {
        check_done(&follow_to_the_end(&server, &["--to", &to]));
        assert_eq!(other.events(), 233, "repeats are recognised");
    }
    // Ids, types, media types and the very bytes are the same.
    for n in [0, 100, 229, 230, 231, 232] {
        let data = |server: &TestServer, stream: &str| server.get(&format!("/streams/{stream}/{n}/data"), &[]);
        let (here, there) = (data(&server, "orders"), data(&other, "copy"));
        assert_eq!((here.header("content-type"), &here.body), (there.header("content-type"), &there.body), "{n}");
    }
}

#[test]
fn an_event_that_a_server_refuses_ends_it_or_is_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    let server = server_with(&dir.path().join("data"), 0);
    let other = TestServer::start(&dir.path().join("other"), &[]);
    let id = "7f2c54a0-0000-4000-8000-000000000001";
    let post = |server: &TestServer, stream: &str, data: &str| {
        let headers = [("Content-Type", "application/json"), ("ES-EventType", "counted"), ("ES-EventId", id)];
        assert_eq!(server.post(&format!("/streams/{stream}"), &headers, data.as_bytes()).status, 201);
    };
    crate::follow::append(&server, "orders", 0..2);
    post(&server, "orders", "{\"n\":2}");
    crate::follow::append(&server, "orders", 3..5);
    // The other server has the id already, for something else.
    post(&other, "copy", "{\"n\":77}");
    let to = format!("http://{}/streams/copy", other.address);
    let run = follow_to_the_end(&server, &["--to", &to]);
    assert_eq!(run.code, 1);
    assert!(
        run.errors.contains(&format!("event {id} at 2 was refused")) && run.errors.contains("409"),
        "{}",
        run.errors
    );
    let parked = dir.path().join("parked");
    let run = follow_to_the_end(&server, &["--to", &to, "--park", text(&parked)]);
    assert_eq!(run.code, 0, "{}", run.errors);
    let copied = everfeed(&["read", &to]).run();
    assert_eq!(copied.output.lines().map(number).collect::<Vec<_>>(), [77, 0, 1, 3, 4]);
    let parked: Value = serde_json::from_str(&fs::read_to_string(&parked).unwrap()).unwrap();
    assert_eq!((&parked["event"]["id"], &parked["event"]["data"]["n"]), (&id.into(), &2.into()));
}

/// Answers one request after the other with these statuses, each on a connection of its own, and gives back the
/// requests' heads in lower case, and bodies.
fn listener(statuses: &'static [&'static str]) -> (String, thread::JoinHandle<Vec<(String, String)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let serving = thread::spawn(move || {
        statuses
            .iter()
            .map(|status| {
                let (mut connection, _) = listener.accept().expect("a connection");
                let mut reader = BufReader::new(connection.try_clone().expect("a socket"));
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    reader.read_line(&mut head).expect("a head");
                }
                head.make_ascii_lowercase();
                let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
                let length = length.and_then(|length| length.parse().ok()).expect("a length");
                let mut body = vec![0; length];
                reader.read_exact(&mut body).expect("a body");
                write!(connection, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    .expect("it is sent");
                (head, String::from_utf8(body).expect("text"))
            })
            .collect()
    });
    (url, serving)
}

#[test]
fn any_server_gets_each_event_with_its_own_media_type_and_again_until_it_can_take_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = server_with(&dir.path().join("data"), 1);
    let headers = [("Content-Type", "text/plain"), ("ES-EventType", "Note")];
    assert_eq!(server.post("/streams/orders", &headers, b"hello").status, 201);
    let (url, serving) = listener(&["503 Busy", "200 OK", "204 No Content"]);
    let run = follow_to_the_end(&server, &["--to", &url]);
    assert_eq!(run.code, 0, "{}", run.errors);
    assert!(run.errors.contains("503") && run.errors.contains("events are taken again"), "{}", run.errors);
    let requests = serving.join().unwrap();
    let [(busy, _), (first, json), (second, text)] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!(busy, first, "the same again");
    assert_eq!((json.as_str(), text.as_str()), ("{\"n\":0}", "hello"));
    for said in ["post /hook ", "content-type: application/json\r\n", "es-eventtype: counted\r\n"] {
        assert!(first.contains(said), "{said}: {first}");
    }
    let value = |name: &str| second.split(name).nth(1).and_then(|rest| rest.lines().next()).unwrap_or_default();
    assert!(second.contains("content-type: text/plain\r\n"), "{second}");
    assert_eq!(value("es-eventid: ").len(), 36, "{second}");
    assert_eq!(value("es-eventid: "), value("idempotency-key: "));
}
