//! What is measured: a server of our own in a process of its own, or one that runs elsewhere.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use super::machine::{self, Usage};

/// How long a server may take to open its store and listen.
const PATIENCE: Duration = Duration::from_secs(300);
/// As many of its last lines are shown when it fails.
const LINES_KEPT: usize = 20;

/// Which server to measure.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Measure the server at this URL instead of starting one
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    pub(crate) url: Option<String>,
    /// Start the server over this directory, and keep it [default: a new one, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Where new directories are made: on the disk to be measured
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) scratch: PathBuf,
}

/// A directory that is removed when dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(within: &Path) -> io::Result<Self> {
        for number in 0.. {
            let path = within.join(format!("everfeed-bench-{}-{number}", std::process::id()));
            match std::fs::create_dir_all(within).and_then(|()| std::fs::create_dir(&path)) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|()| Self(path)),
            }
        }
        unreachable!("the loop above has no other end")
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left where the user said that it may be.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Where the load goes.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// For the `Host` header.
    pub(crate) host: String,
    /// Values of `Authorization`, of which each connection sends one; none to a server that is open.
    pub(crate) callers: Vec<String>,
    /// None when it runs elsewhere.
    pub(crate) server: Option<Server>,
    /// Dropped after the server that uses it.
    _scratch: Option<Scratch>,
}

impl Target {
    /// Finds or starts what the options say.
    pub(crate) fn new(options: &Options, settings: &[(&str, String)]) -> io::Result<Self> {
        if let Some(url) = &options.url {
            let host = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/').to_string());
            let host = host.ok_or_else(|| io::Error::other(format!("{url} does not begin with http://")))?;
            let with_port = if host.contains(':') { host.clone() } else { format!("{host}:80") };
            let address = with_port.to_socket_addrs()?.next();
            let address = address.ok_or_else(|| io::Error::other(format!("{host} has no address")))?;
            return Ok(Self { address, host, callers: Vec::new(), server: None, _scratch: None });
        }
        let scratch = if options.data.is_none() { Some(Scratch::new(&options.scratch)?) } else { None };
        let data = options.data.clone().or_else(|| scratch.as_ref().map(|scratch| scratch.path().join("data")));
        let server = Server::start(&data.expect("one of both is there"), settings)?;
        Ok(Self { _scratch: scratch, ..Self::of(server) })
    }

    /// A server of our own.
    pub(crate) fn of(server: Server) -> Self {
        let (address, host) = (server.address, server.address.to_string());
        Self { address, host, callers: Vec::new(), server: Some(server), _scratch: None }
    }

    /// What the server has used so far, if it is ours.
    pub(crate) fn usage(&self) -> io::Result<Option<Usage>> {
        self.server.as_ref().map(Server::usage).transpose()
    }

    /// The headers that every request of this connection has: for whom it is, and from whom.
    pub(crate) fn lines(&self, connection: usize) -> String {
        let host = &self.host;
        match self.callers.get(connection % self.callers.len().max(1)) {
            Some(caller) => format!("Host: {host}\r\nAuthorization: {caller}\r\n"),
            None => format!("Host: {host}\r\n"),
        }
    }

    /// The bytes of a GET, on the first connection.
    pub(crate) fn get(&self, path: &str, headers: &str) -> Vec<u8> {
        self.get_on(0, path, headers)
    }

    /// The bytes of a GET on this connection.
    pub(crate) fn get_on(&self, connection: usize, path: &str, headers: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\n{}{headers}\r\n", self.lines(connection)).into_bytes()
    }
}

/// A server process. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) data: PathBuf,
    /// From the start of the process until it listened.
    pub(crate) start_time: Duration,
}

impl Server {
    /// Starts `everfeed serve` over `data` on a free port and waits until it listens. `settings` are variables
    /// of its environment.
    pub(crate) fn start(data: &Path, settings: &[(&str, String)]) -> io::Result<Self> {
        Self::run(Command::new(std::env::current_exe()?).arg("serve"), data, settings)
    }

    /// The same with `everfeed mirror` of another server.
    pub(crate) fn mirror(url: &str, data: &Path) -> io::Result<Self> {
        Self::run(Command::new(std::env::current_exe()?).args(["mirror", url]), data, &[])
    }

    fn run(command: &mut Command, data: &Path, settings: &[(&str, String)]) -> io::Result<Self> {
        let started = Instant::now();
        let mut child = command
            .arg("--data")
            .arg(data)
            .args(["--listen", "127.0.0.1:0"])
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = Arc::new(Mutex::new(VecDeque::new()));
        let (listening, told) = channel();
        let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let kept = log.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(address) = listening_address(&line) {
                    // Nobody may be waiting any more.
                    let _ = listening.send(address);
                }
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == LINES_KEPT {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        });
        let Ok(address) = told.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            let _ = child.wait();
            let log = log.lock().unwrap_or_else(PoisonError::into_inner);
            let log: Vec<&str> = log.iter().map(String::as_str).collect();
            return Err(io::Error::other(format!("the server did not start:\n{}", log.join("\n"))));
        };
        Ok(Self { child, address, data: data.to_path_buf(), start_time: started.elapsed() })
    }

    pub(crate) fn usage(&self) -> io::Result<Usage> {
        machine::usage(self.child.id())
    }

    /// SIGTERM, and waits until it has closed its store.
    pub(crate) fn stop(mut self) -> io::Result<()> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("the server ended with {status}"))) }
    }

    /// kill −9.
    pub(crate) fn kill(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already if it was stopped or killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listening_address(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    (line["message"] == "listening").then(|| line["address"].as_str()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_tells_the_address_is_recognised() {
        let line = r#"{"level":"INFO","message":"listening","address":"127.0.0.1:40123"}"#;
        assert_eq!(listening_address(line), "127.0.0.1:40123".parse().ok());
        assert_eq!(listening_address(r#"{"message":"opened","address":"127.0.0.1:40123"}"#), None);
        assert_eq!(listening_address("listening"), None);
    }

    #[test]
    fn a_scratch_directory_is_gone_when_it_is_dropped() {
        let within = tempfile::tempdir().expect("a directory");
        let (one, two) = (Scratch::new(within.path()).expect("made"), Scratch::new(within.path()).expect("made"));
        std::fs::write(one.path().join("file"), "x").expect("it is written");
        assert_ne!(one.path(), two.path());
        drop((one, two));
        assert_eq!(std::fs::read_dir(within.path()).expect("it is there").count(), 0);
    }
}
