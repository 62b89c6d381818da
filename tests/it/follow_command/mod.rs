//! `everfeed follow`: every place that events go to, what is in it when following was killed, and how it ends.

mod beginning;
mod kill;
mod offered;
mod refused;
mod stopping;

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::follow::{append, url};
use crate::support::{Run, TestServer, everfeed};

/// A server with so many events, `{"n":0}` and so on, of type `counted`, in the stream `orders`.
pub(crate) fn server_with(data: &Path, events: u64) -> TestServer {
    let server = TestServer::start(data, &[]);
    append(&server, "orders", 0..events);
    server
}

/// Follows `orders` to its end.
pub(crate) fn follow_to_the_end(server: &TestServer, arguments: &[&str]) -> Run {
    let feed = url(server, "orders");
    let mut all = vec!["follow", &feed, "--until-end", "--quiet"];
    all.extend(arguments);
    everfeed(&all).run()
}

/// Follows `orders` until it is told to stop.
pub(crate) fn follow(server: &TestServer, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_everfeed"))
        .args(["follow", &url(server, "orders"), "--quiet"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary is there")
}

/// What the events in these lines say, in their order.
#[track_caller]
pub(crate) fn numbers(lines: &str) -> Vec<u64> {
    assert!(lines.is_empty() || lines.ends_with('\n'), "the last line is whole");
    lines.lines().map(number).collect()
}

#[track_caller]
pub(crate) fn number(line: &str) -> u64 {
    let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    line["data"]["n"].as_u64().expect("a number")
}

#[track_caller]
pub(crate) fn check_done(run: &Run) {
    assert_eq!((run.code, run.errors.as_str()), (0, ""));
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
