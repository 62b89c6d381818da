//! nginx as a server of files: what any feed on the web may be.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use super::PATIENCE;

/// A directory that is served. Ended when dropped.
pub(crate) struct Files {
    child: Child,
    pub(crate) address: SocketAddr,
    directory: TempDir,
}

impl Files {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name).display().to_string();
        fs::create_dir(directory.path().join("files")).expect("it is new");
        let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        let user = if geteuid().is_root() { "user root;" } else { "" };
        let text = format!(
            "daemon off; pid {pid}; {user} events {{}} http {{ access_log off; types {{ application/atom+xml atom; }} \
             server {{ listen {address}; root {files}; }} }}",
            pid = at("pid"),
            files = at("files"),
        );
        fs::write(directory.path().join("nginx.conf"), text).expect("the directory can be written to");
        let mut command = Command::new("nginx");
        command.args(["-e", &at("log"), "-p", &at(""), "-c", &at("nginx.conf")]);
        let child = command.stdin(Stdio::null()).spawn().expect("nginx is installed: `tests/run` installs it first");
        let mut files = Self { child, address, directory };
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = files.child.try_wait().expect("it is ours").is_some();
            assert!(!ended && started.elapsed() < PATIENCE, "nginx did not start");
            thread::sleep(Duration::from_millis(20));
        }
        files
    }

    /// Puts a file there, whole or not at all.
    pub(crate) fn put(&self, name: &str, text: &str) {
        let files = self.directory.path().join("files");
        fs::write(files.join("new"), text).expect("the directory can be written to");
        fs::rename(Path::new(&files).join("new"), files.join(name)).expect("it is there");
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}
