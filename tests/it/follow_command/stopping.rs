//! Being told to stop, and going on after it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{follow, number, server_with, text};
use crate::follow::url;

/// Tells it to stop; its exit code, and what it said.
fn stop(mut follower: Child, signal: Signal) -> (Option<i32>, String) {
    kill_process(Pid::from_child(&follower), signal).expect("it runs");
    let code = follower.wait().expect("it ends").code();
    let mut errors = String::new();
    follower.stderr.take().expect("it is piped").read_to_string(&mut errors).expect("text");
    (code, errors)
}

#[test]
fn a_signal_ends_it_with_its_checkpoint_written_and_it_goes_on_from_there() {
    let dir = tempfile::tempdir().unwrap();
    let server = server_with(&dir.path().join("data"), 3);
    let checkpoint = dir.path().join("checkpoint");
    let mut next = 0;
    for (signal, live) in [(Signal::TERM, "long-poll"), (Signal::INT, "sse"), (Signal::TERM, "poll")] {
        let mut follower = follow(&server, &["--checkpoint", text(&checkpoint), "--live", live, "--every", "1s"]);
        let mut printed = BufReader::new(follower.stdout.take().unwrap()).lines();
        // Those that are there, and then one that comes later.
        for n in next..next + 3 {
            assert_eq!(number(&printed.next().unwrap().unwrap()), n, "{live}");
        }
        next += 3;
        crate::follow::append(&server, "orders", next..next + 1);
        assert_eq!(number(&printed.next().unwrap().unwrap()), next, "{live}");
        next += 1;
        assert_eq!(stop(follower, signal), (Some(0), String::new()), "{live}");
        assert!(printed.next().is_none(), "nothing more was printed");
        crate::follow::append(&server, "orders", next..next + 3);
    }
}

#[test]
fn whoever_has_read_enough_ends_it_without_a_word() {
    let dir = tempfile::tempdir().unwrap();
    let server = server_with(&dir.path().join("data"), 500);
    let piped = format!("{} follow {} --quiet | head -n 2", env!("CARGO_BIN_EXE_everfeed"), url(&server, "orders"));
    // It waits at the end of the feed, and finds nobody there with the next event.
    let mut reader =
        Command::new("sh").args(["-c", &piped]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut next = 500;
    while reader.try_wait().unwrap().is_none() && next < 2_000 {
        crate::follow::append(&server, "orders", next..next + 1);
        std::thread::sleep(std::time::Duration::from_millis(20));
        next += 1;
    }
    let output = reader.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().map(number).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_place_that_may_get_events_twice_says_so_and_where_it_is_is_said_now_and_then() {
    let dir = tempfile::tempdir().unwrap();
    let server = server_with(&dir.path().join("data"), 3);
    let checkpoint = dir.path().join("checkpoint");
    let feed = url(&server, "orders");
    let said = |arguments: &[&str]| {
        let run = crate::support::everfeed(&[&["follow", &feed, "--until-end"], arguments].concat()).run();
        assert_eq!(run.code, 0, "{}", run.errors);
        run.errors
    };
    let with_checkpoint = said(&["--checkpoint", text(&checkpoint)]);
    assert!(with_checkpoint.contains("may come twice"), "{with_checkpoint}");
    assert!(with_checkpoint.contains("3 events, the last of "), "{with_checkpoint}");
    let exact = said(&["--to", &format!("file:{}", text(&dir.path().join("file")))]);
    assert!(!exact.contains("twice") && exact.contains("caught up"), "{exact}");
}
