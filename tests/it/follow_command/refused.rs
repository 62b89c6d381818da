//! What cannot be done is said in a sentence, before anything is begun.

use std::fs;

use super::{check_done, follow_to_the_end, server_with, text};
use crate::support::everfeed;

#[test]
fn what_cannot_be_meant_is_refused_with_what_can() {
    let dir = tempfile::tempdir().unwrap();
    let nonsense = dir.path().join("nonsense");
    fs::write(&nonsense, "nonsense").unwrap();
    let file = format!("file:{}", text(&nonsense));
    for (arguments, said) in [
        (&["--to", "kafka:orders"][..], "stdout, file:PATH, sqlite:FILE, exec:COMMAND, or a URL"),
        (&["--from", "yesterday"], "beginning, new, a time as"),
        (&["--select", "number=7"], "type=NAME or stream=NAME is expected"),
        (&["--every", "5"], "a number of s, m, h or d"),
        (&["--batch", "0"], "0 is not in 1..=10000"),
        (&["--exec-each"], "--exec-each goes with --to exec:COMMAND"),
        (&["--park", "parked", "--to", "file:events"], "--park goes with"),
        (&["--checkpoint", "c", "--to", "sqlite:events.db"], "--checkpoint does not go with sqlite:"),
        (&["--checkpoint", text(&nonsense)], "it is no checkpoint"),
        (&["--to", &file], "no checkpoint says how much of that is ours"),
        (&["--to", "sqlite:/nowhere/events.db"], "/nowhere/events.db"),
        (&["--user", "nobody"], "a name and a password with a colon between them"),
        (&["--token", "@/nowhere/token"], "/nowhere/token"),
        (&["--user", "a:b", "--token", "c"], "cannot be used with"),
        (&["--server", "here"], "here is neither a URL nor the name of a profile"),
    ] {
        let run = everfeed(&[&["follow", "orders", "--until-end"], arguments].concat()).run();
        assert_eq!((run.code, run.output.as_str()), (2, ""), "{arguments:?}: {}", run.errors);
        assert!(run.errors.contains(said), "{arguments:?}: {}", run.errors);
    }
    assert_eq!(fs::read_to_string(&nonsense).unwrap(), "nonsense", "it was left as it was");
}

#[test]
fn a_server_that_is_not_there_is_waited_for_no_longer_than_asked() {
    let run =
        everfeed(&["follow", "orders", "--server", "http://127.0.0.1:1", "--give-up-after", "0s", "--quiet"]).run();
    assert_eq!((run.code, run.output.as_str()), (1, ""));
    assert!(run.errors.contains("http://127.0.0.1:1/streams/orders: "), "{}", run.errors);
}

#[test]
fn a_file_that_was_changed_and_a_feed_that_is_another_are_not_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let server = server_with(&dir.path().join("data"), 3);
    let path = dir.path().join("events");
    let file = format!("file:{}", text(&path));
    check_done(&follow_to_the_end(&server, &["--to", &file]));
    let table = format!("sqlite:{}", text(&dir.path().join("db")));
    check_done(&follow_to_the_end(&server, &["--to", &table]));

    let another = crate::follow::url(&server, "another");
    for to in [&file, &table] {
        let run = everfeed(&["follow", &another, "--until-end", "--to", to]).run();
        assert_eq!(run.code, 2, "{}", run.errors);
        assert!(run.errors.contains("/streams/orders, not of http"), "{}", run.errors);
    }
    fs::write(&path, "shorter\n").unwrap();
    let run = follow_to_the_end(&server, &["--to", &file]);
    assert_eq!(run.code, 2);
    assert!(run.errors.contains("it has 8 bytes where its checkpoint says"), "{}", run.errors);
    assert_eq!(fs::read_to_string(&path).unwrap(), "shorter\n", "it was left as it was");
}
