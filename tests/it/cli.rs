//! The commands, through the binary: what they print, where, and with which exit code they end.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use everfeed::event::{Content, EventId, EventType, ExpectedVersion, MediaType, NewEvent, StreamName, Timestamp};
use everfeed::store::{Append, Options, Store};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{TestServer, everfeed};

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn lines(output: &str) -> Vec<Value> {
    output.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// A store with three orders, closed in order.
fn make_store(data: &Path) {
    let (store, _) = Store::open(&Options::new(data), Uuid::from_u128(1), Timestamp::from_micros(1)).unwrap();
    let event = |id: u128| NewEvent {
        id: EventId::new(Uuid::from_u128(id)).unwrap(),
        id_is_fresh: false,
        event_type: EventType::parse("OrderPlaced").unwrap(),
        content: Content {
            media_type: MediaType::json(),
            data: format!("{{\"order\":{id}}}").into(),
            metadata: None,
            trace_parent: None,
        },
    };
    let append = Append {
        stream: StreamName::parse("orders").unwrap(),
        events: (1..=3).map(event).collect(),
        expected: ExpectedVersion::NoStream,
        ids_alone: false,
        now: Timestamp::from_micros(2),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.append(append)).unwrap();
    store.close();
}

#[test]
fn help_goes_to_standard_output_and_a_usage_error_is_exit_2() {
    let help = everfeed(&["--help"]).run();
    assert_eq!((help.code, help.errors.as_str()), (0, ""));
    for part in [
        "serve",
        "append",
        "read",
        "follow",
        "verify",
        "repair",
        "scavenge",
        "config",
        "healthcheck",
        "10  the data are damaged",
    ] {
        assert!(help.output.contains(part), "{part}");
    }
    let unknown = everfeed(&["--no-such-flag"]).run();
    assert_eq!((unknown.code, unknown.output.as_str()), (2, ""));
    assert!(unknown.errors.contains("--no-such-flag"));
}

#[test]
fn serve_is_what_happens_without_a_command() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_everfeed"));
    command.args(["--listen", "127.0.0.1:0", "--data", path(dir.path())]);
    let server = TestServer::spawn(command).unwrap_or_else(|log| panic!("{log:#?}"));
    assert_eq!(server.get("/ping", &[]).status, 200);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn what_is_appended_is_read_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::start(dir.path(), &[]);
    let at = format!("http://{}", server.address);
    let input: String = (0..250).map(|n| format!("{{\"n\": {n}}}\n")).collect();
    let appended =
        everfeed(&["append", "orders", "--lines", "--type", "OrderPlaced", "--server", &at]).input(&input).run();
    assert_eq!(appended.code, 0, "{}", appended.errors);
    let location = format!("{at}/streams/orders/0");
    assert_eq!(
        lines(&appended.output),
        [json!({ "location": location, "last": 249, "position": 249, "repeat": false })]
    );

    let read = everfeed(&["read", "orders", "--server", &at]).run();
    assert_eq!((read.code, read.errors.as_str()), (0, ""));
    let events = lines(&read.output);
    assert_eq!(events.len(), 250);
    for (event, n) in events.iter().zip(0..) {
        assert_eq!((&event["number"], &event["data"]["n"]), (&json!(n), &json!(n)));
        assert_eq!(event["type"], "OrderPlaced");
    }
    let part = everfeed(&["read", &format!("{at}/streams/%24all"), "--from", "198", "--count", "3"]).run();
    assert_eq!(lines(&part.output), events[198..201]);
}

#[test]
fn data_is_printed_as_it_was_sent_but_on_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::start(dir.path(), &[]);
    let at = format!("http://{}", server.address);
    let file = dir.path().join("event.json");
    fs::write(&file, "{\n  \"amount\": 1.50,\n  \"big\": 123456789012345678901234567890\n}").unwrap();
    let appended = everfeed(&["append", "orders", path(&file), "--type", "Paid", "--server", &at]).run();
    assert_eq!(appended.code, 0, "{}", appended.errors);
    let read = everfeed(&["read", "orders", "--server", &at]).run();
    assert_eq!(read.output.lines().count(), 1);
    assert!(
        read.output.contains(r#""data":{  "amount": 1.50,  "big": 123456789012345678901234567890}"#),
        "{}",
        read.output
    );
}

#[test]
fn the_same_command_again_appends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::start(dir.path(), &[]);
    let at = format!("http://{}", server.address);
    let id = "7f2c54a0-0000-4000-8000-000000000001";
    let append = || {
        let arguments = ["append", "orders", "--lines", "--id", id, "--expect", "no-stream", "--server", &at];
        let run = everfeed(&arguments).input(&"{}\n".repeat(2500)).run();
        assert_eq!(run.code, 0, "{}", run.errors);
        lines(&run.output)
    };
    let (first, again) = (append(), append());
    assert_eq!(first.len(), 3, "batches of a thousand");
    for (first, again) in first.iter().zip(&again) {
        assert_eq!((&first["location"], &first["last"]), (&again["location"], &again["last"]));
        assert_eq!((&first["repeat"], &again["repeat"]), (&json!(false), &json!(true)));
    }
}

/// Reads one request with a short body, and returns its headers.
fn read_request(connection: &TcpStream) -> Vec<String> {
    let mut reader = BufReader::new(connection);
    let headers: Vec<String> =
        reader.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
    let length = headers.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    reader.read_exact(&mut vec![0; length]).unwrap();
    headers
}

#[test]
fn a_broken_connection_is_tried_again_with_the_same_id() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let id = |headers: &[String]| headers.iter().find(|line| line.starts_with("es-eventid: ")).unwrap().clone();
        let (broken, _) = listener.accept().unwrap();
        let first = id(&read_request(&broken));
        drop(broken);
        let (mut whole, _) = listener.accept().unwrap();
        let second = id(&read_request(&whole));
        let receipt = "location: /streams/orders/0\r\nes-currentversion: 0\r\nes-position: 0\r\ncontent-length: 0";
        write!(whole, "HTTP/1.1 201 Created\r\n{receipt}\r\n\r\n").unwrap();
        (first, second)
    });
    let run = everfeed(&["append", "orders", "--server", &at]).input("{}").run();
    assert_eq!((run.code, run.errors.as_str()), (0, ""));
    let (first, second) = server.join().unwrap();
    assert_eq!(first, second);
}

#[test]
fn what_was_wrong_is_said_in_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::start(dir.path(), &[]);
    let at = format!("http://{}", server.address);
    for (arguments, input, said) in [
        (&["append", "orders", "--expect", "5", "--server", &at][..], "{}", "version 5 was expected"),
        (&["append", "orders", "--server", &at], "{\"cut", "(400)"),
        (&["append", "orders", "--lines", "--server", &at], "{}\n\nnonsense\n", "line 3 is not JSON"),
        (&["read", "orders", "--server", &at], "", "/streams/orders: 404: "),
        (&["read", "orders", "--server", "http://127.0.0.1:1"], "", "http://127.0.0.1:1/streams/orders: "),
    ] {
        let run = everfeed(arguments).input(input).run();
        assert_eq!((run.code, run.output.as_str()), (1, ""), "{arguments:?}");
        assert!(run.errors.contains(said), "{arguments:?}: {}", run.errors);
    }
    for (arguments, said) in [
        (&["append", "a/../b", "--server", &at][..], "is no stream"),
        (&["append", "orders", "/nowhere/event.json", "--server", &at], "/nowhere/event.json"),
        (&["append", "orders", "--expect=-3", "--server", &at], "no-stream"),
        (&["read", "orders", "--server", "127.0.0.1"], "--server 127.0.0.1"),
    ] {
        let run = everfeed(arguments).run();
        assert_eq!((run.code, run.output.as_str()), (2, ""), "{arguments:?}");
        assert!(run.errors.contains(said), "{arguments:?}: {}", run.errors);
    }
}

#[test]
fn a_follower_sees_what_comes_later() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::start(dir.path(), &[]);
    let at = format!("http://{}", server.address);
    let mut follower = Command::new(env!("CARGO_BIN_EXE_everfeed"))
        .args(["read", "orders", "--follow", "--count", "3", "--server", &at])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = BufReader::new(follower.stdout.take().unwrap()).lines();
    // The first comes to a stream that is not there yet, the others to one whose end has been reached.
    for n in 0..3 {
        let run =
            everfeed(&["append", "orders", "--type", "T", "--server", &at]).input(&format!("{{\"n\":{n}}}")).run();
        assert_eq!(run.code, 0, "{}", run.errors);
        let event: Value = serde_json::from_str(&printed.next().unwrap().unwrap()).unwrap();
        assert_eq!((&event["number"], &event["data"]["n"]), (&json!(n), &json!(n)));
    }
    assert!(follower.wait().unwrap().success());
}

#[test]
fn a_follower_outlives_a_restart_of_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::start(dir.path(), &[]);
    let listen = server.address.to_string();
    let at = format!("http://{listen}");
    let append = |n: u32| {
        let run = everfeed(&["append", "orders", "--server", &at]).input(&n.to_string()).run();
        assert_eq!(run.code, 0, "{}", run.errors);
    };
    append(0);
    let mut follower = Command::new(env!("CARGO_BIN_EXE_everfeed"))
        .args(["read", "orders", "--follow", "--count", "2", "--server", &at])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = BufReader::new(follower.stdout.take().unwrap()).lines();
    assert!(printed.next().unwrap().unwrap().contains("\"data\":0"));
    server.kill();
    let mut command = Command::new(env!("CARGO_BIN_EXE_everfeed"));
    command.args(["--listen", &listen, "--data", path(dir.path())]);
    let _server = TestServer::spawn(command).unwrap_or_else(|log| panic!("{log:#?}"));
    append(1);
    assert!(printed.next().unwrap().unwrap().contains("\"data\":1"));
    assert!(follower.wait().unwrap().success());
}

#[test]
fn the_health_check_is_0_only_where_a_server_takes_appends() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::start(dir.path(), &[]);
    let listen = format!("0.0.0.0:{}", server.address.port());
    assert_eq!(everfeed(&["healthcheck"]).set("EVERFEED_LISTEN", &listen).run().code, 0);
    drop(server);
    assert_eq!(everfeed(&["healthcheck"]).set("EVERFEED_LISTEN", &listen).run().code, 1);
    let server = TestServer::start(dir.path(), &["--read-only"]);
    let url = format!("http://{}/health/ready", server.address);
    assert_eq!(everfeed(&["healthcheck", "--url", &url]).run().code, 1);
}

#[test]
fn verify_and_repair_tell_of_a_store_what_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let (data, rebuilt) = (dir.path().join("data"), dir.path().join("rebuilt"));
    make_store(&data);
    let verified = everfeed(&["verify", "--data", path(&data)]).run();
    assert_eq!(verified.code, 0, "{}{}", verified.output, verified.errors);
    assert!(verified.output.starts_with("3 events in 0 chunks and 1 groups"), "{}", verified.output);

    let repaired = everfeed(&["repair", "--data", path(&data), "--into", path(&rebuilt)]).run();
    assert_eq!(repaired.code, 0, "{}", repaired.errors);
    assert!(repaired.output.starts_with("3 events, 0 of them lost"), "{}", repaired.output);
    assert_eq!(everfeed(&["verify", "--data", path(&rebuilt)]).run().code, 0);

    let again = everfeed(&["repair", "--data", path(&data), "--into", path(&rebuilt)]).run();
    assert_eq!(again.code, 2);
    assert!(again.errors.contains("is not empty"), "{}", again.errors);
    assert_eq!(everfeed(&["verify", "--data", "/nowhere"]).run().code, 2);
}

#[test]
fn damage_is_exit_10_and_names_the_command_that_rebuilds() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("it's data");
    make_store(&data);
    fs::write(data.join("everfeed"), "nonsense\n").unwrap();
    let served =
        everfeed(&["serve", "--listen", "127.0.0.1:0", "--data", path(&data), "--set", "log.format=text"]).run();
    assert_eq!((served.code, served.output.as_str()), (10, ""));
    let quoted = path(&data).replace('\'', r"'\''");
    let advice = format!("everfeed repair --data '{quoted}' --into '{quoted}.repaired'");
    assert!(served.errors.contains(&advice), "{}", served.errors);
    let verified = everfeed(&["verify", "--data", path(&data)]).run();
    assert_eq!(verified.code, 10);
    assert!(verified.errors.contains("the store is damaged"), "{}", verified.errors);
}

#[test]
fn a_directory_in_use_is_exit_11_and_names_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::start(dir.path(), &[]);
    for command in ["serve", "verify"] {
        let run = everfeed(&[command, "--listen", "127.0.0.1:0", "--data", path(dir.path())]).run();
        assert_eq!(run.code, 11);
        assert!(run.errors.contains(&format!("in use by process {}", server.pid())), "{}", run.errors);
    }
}

#[test]
fn a_newer_format_is_exit_13() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("everfeed"), "everfeed format 99\nsomething else\n").unwrap();
    for command in ["serve", "verify"] {
        let run = everfeed(&[command, "--listen", "127.0.0.1:0", "--data", path(dir.path())]).run();
        assert_eq!(run.code, 13, "{}", run.errors);
        assert!(run.errors.contains("format 99"), "{}", run.errors);
    }
}
