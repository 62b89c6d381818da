//! Export and import through the binary: a log comes back as it was, and whatever was cut, altered or interrupted ends
//! in the same log or in a sentence that says where.

mod appended;
mod eventstore;
mod history;
mod interrupted;
mod recorded;
mod refused;
mod round_trip;

use std::path::Path;

use crate::support::{Run, TestServer, everfeed};

/// `everfeed export` of a server, to a file.
fn export(server: &TestServer, file: &Path, more: &[&str]) -> Run {
    let url = format!("http://{}", server.address);
    let file = file.to_str().expect("a path in UTF-8");
    everfeed(&[&["export", file, "--server", &url], more].concat()).run()
}

/// `everfeed import` of a file, into a directory.
fn import(file: &Path, data: &Path, more: &[&str]) -> Run {
    let [file, data] = [file, data].map(|path| path.to_str().expect("a path in UTF-8"));
    everfeed(&[&["import", file, "--data", data], more].concat()).run()
}

#[track_caller]
fn check_done(run: &Run) {
    assert_eq!((run.code, run.output.as_str()), (0, ""), "{}", run.errors);
}

/// The lines of an export that are rows.
fn rows(export: &str) -> Vec<&str> {
    export.lines().filter(|line| line.starts_with("{\"stream\":")).collect()
}
