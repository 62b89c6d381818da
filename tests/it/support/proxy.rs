//! The real nginx and the real Varnish with the shipped configurations, as processes of a test.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{io, thread};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use super::{PATIENCE, Reply, request};

/// Which proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    Varnish,
}

/// A proxy with its own port and directory. Ended when dropped.
pub(crate) struct Proxy {
    child: Child,
    pub(crate) address: SocketAddr,
    directory: TempDir,
}

impl Proxy {
    /// Starts it before `origin`, and waits until it listens.
    pub(crate) fn start(kind: Kind, origin: SocketAddr) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        // Another program may take the port in between; then the proxy ends, and says so below.
        let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        let child = launch(kind, directory.path(), address, origin);
        let mut proxy = Self { child, address, directory };
        proxy.wait_until_it_listens(kind);
        proxy
    }

    /// Ends it in the midst of whatever it does, and starts it again with what it has kept.
    pub(crate) fn restart(&mut self, kind: Kind, origin: SocketAddr) {
        self.end();
        self.child = launch(kind, self.directory.path(), self.address, origin);
        self.wait_until_it_listens(kind);
    }

    fn wait_until_it_listens(&mut self, kind: Kind) {
        let started = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            let ended = self.child.try_wait().expect("it is ours").is_some();
            assert!(!ended && started.elapsed() < PATIENCE, "{kind:?} did not start: {}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn end(&mut self) {
        // Not SIGKILL: both have children of their own, which they end first.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }

    /// What it has said about itself.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        request(self.address, "GET", path, headers, b"")
    }

    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        request(self.address, "POST", path, headers, body)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.end();
    }
}

fn launch(kind: Kind, directory: &Path, address: SocketAddr, origin: SocketAddr) -> Child {
    let mut command = match kind {
        Kind::Nginx => nginx(directory, address, origin),
        Kind::Varnish => varnish(directory, address, origin),
    };
    let log = File::options().create(true).append(true).open(directory.join("log")).expect("it can be written to");
    let output = log.try_clone().expect("a file");
    command.stdin(Stdio::null()).stdout(output).stderr(log).spawn().unwrap_or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => panic!("{kind:?} is not installed: `tests/run` installs it first"),
        _ => panic!("{kind:?}: {error}"),
    })
}

/// The shipped file with other ports and directories, and nothing else changed.
fn configuration(file: &str, replacements: &[(&str, &str)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(file);
    let mut text = fs::read_to_string(path).expect("it is shipped");
    for (shipped, here) in replacements {
        assert!(text.contains(shipped), "{file} says {shipped}");
        text = text.replace(shipped, here);
    }
    text
}

fn nginx(directory: &Path, address: SocketAddr, origin: SocketAddr) -> Command {
    let at = |name: &str| directory.join(name).display().to_string();
    let text = configuration(
        "nginx.conf",
        &[
            ("127.0.0.1:2113", &origin.to_string()),
            ("listen 8080", &format!("listen {address}")),
            ("localhost:8080", &address.to_string()),
            ("/var/cache/everfeed", &at("cache")),
            ("/var/log/nginx/everfeed.log", &at("access.log")),
        ],
    );
    fs::write(at("nginx.conf"), text).expect("the directory can be written to");
    let mut globals = format!("daemon off; pid {};", at("pid"));
    if geteuid().is_root() {
        // Else its workers would become somebody who may not enter the directory of the test.
        globals.push_str(" user root;");
    }
    let mut command = Command::new("nginx");
    command.args(["-e", "stderr", "-p", &at(""), "-c", &at("nginx.conf"), "-g", &globals]);
    command
}

fn varnish(directory: &Path, address: SocketAddr, origin: SocketAddr) -> Command {
    let at = |name: &str| directory.join(name).display().to_string();
    let text = configuration(
        "varnish.vcl",
        &[
            (".host = \"127.0.0.1\"", &format!(".host = \"{}\"", origin.ip())),
            (".port = \"2113\"", &format!(".port = \"{}\"", origin.port())),
            ("localhost:8080", &address.to_string()),
        ],
    );
    fs::write(at("varnish.vcl"), text).expect("the directory can be written to");
    let mut command = Command::new("varnishd");
    command.args(["-F", "-j", "none", "-n", &at("work"), "-a", &address.to_string(), "-T", "none"]);
    command.args(["-s", "malloc,128m", "-f", &at("varnish.vcl")]);
    command
}
