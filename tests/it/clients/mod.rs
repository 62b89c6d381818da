//! Clients that others wrote, run as processes: they know nothing of this server, and find what they expect.
//! `tests/run` installs them.

mod atompub;
mod cloudevents;
mod feedparser;
mod geteventstore;
mod jsonlines;
mod prometheus;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::TestServer;

/// A script beside this file with the client that it drives.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Client {
    /// `Atompub::Client` with `XML::Atom`, for Perl.
    Atompub,
    /// `geteventstore-promise`, for Node.
    Geteventstore,
    /// The CloudEvents SDK for Python.
    Cloudevents,
    /// `feedparser`, for Python.
    Feedparser,
    /// `jsonlines`, for Python.
    Jsonlines,
    /// `prometheus_client`, for Python.
    Prometheus,
    /// `openapi-spec-validator`, for Python.
    Openapi,
}

impl Client {
    fn command(self) -> Command {
        let (program, script) = match self {
            Self::Atompub => (PathBuf::from("perl"), "atompub.pl"),
            Self::Geteventstore => (PathBuf::from("node"), "geteventstore.js"),
            Self::Cloudevents => (installed("python/bin/python"), "cloudevents_sdk.py"),
            Self::Feedparser => (installed("python/bin/python"), "feedparser_reads.py"),
            Self::Jsonlines => (installed("python/bin/python"), "jsonlines_copies.py"),
            Self::Prometheus => (installed("python/bin/python"), "prometheus_reads.py"),
            Self::Openapi => (installed("python/bin/python"), "openapi_valid.py"),
        };
        // A client that never comes to an end has failed too.
        let mut command = Command::new("timeout");
        command.arg("60").arg(program);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients").join(script));
        command.env("NODE_PATH", installed("node/node_modules")).env("no_proxy", "127.0.0.1");
        // What a newer Node thinks of older packages, or Perl of the locale here, is no complaint about the server.
        command.env("NODE_NO_WARNINGS", "1").env("LC_ALL", "C.UTF-8");
        command
    }

    /// Gives the calls to the client, and returns what each of them answered.
    #[track_caller]
    pub(crate) fn run(self, server: &TestServer, calls: &Value) -> Vec<Value> {
        let mut command = self.command();
        command.arg(format!("http://{}", server.address));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("every system has `timeout`");
        // All scripts read their input to the end before they write.
        child.stdin.take().expect("it is piped").write_all(calls.to_string().as_bytes()).expect("it is read");
        let output = child.wait_with_output().expect("it ends");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{self:?} failed (`tests/run` installs it): {}\n{errors}", output.status);
        assert_eq!(errors, "", "{self:?} has something to complain of");
        serde_json::from_slice(&output.stdout).expect("one JSON array")
    }
}

/// Where `tests/run` puts what comes from npm and PyPI: beside the tests' own temporary directory.
fn installed(path: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients").join(path)
}

/// A server of its own for each test, and the data that it forgets at the end.
struct Place {
    server: TestServer,
    _data: tempfile::TempDir,
}

impl Place {
    fn start() -> Self {
        let data = tempfile::tempdir().expect("a directory");
        Self { server: TestServer::start(data.path(), &[]), _data: data }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address)
    }

    #[track_caller]
    fn append(&self, path: &str, media_type: &str, event_type: &str, data: &[u8]) {
        let headers = [("Content-Type", media_type), ("ES-EventType", event_type)];
        let reply = self.server.post(path, &headers, data);
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
}
