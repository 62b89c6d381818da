//! What all tests share: the real server as a process, and a client that shows what was on the wire.

mod access;
pub(crate) mod authority;
mod check;
pub(crate) mod contract;
pub(crate) mod faults;
pub(crate) mod faulty_disk;
pub(crate) mod chunks;
pub(crate) mod confined;
pub(crate) mod files;
pub(crate) mod link;
pub(crate) mod listener;
mod run;
pub(crate) mod store;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod relay;
pub(crate) mod socket;
pub(crate) mod tls;
mod wait;
pub(crate) mod traces;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use access::{WithAccess, basic, password_of};
pub(crate) use check::check;
pub(crate) use contract::contract;
pub(crate) use run::{Run, everfeed};
pub(crate) use wait::wait_until;

/// How long a test waits for what must come, before it says that it did not.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A server process with its own data directory and port. Killed when dropped.
pub(crate) struct TestServer {
    child: Child,
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

impl TestServer {
    /// Starts `everfeed serve` over `data` on a free port and waits until it listens.
    pub(crate) fn start(data: &Path, arguments: &[&str]) -> Self {
        let command = Self::command(data, arguments);
        Self::spawn(command).unwrap_or_else(|log| panic!("the server did not start: {log:#?}"))
    }

    /// `everfeed serve` over `data` on a free port.
    pub(crate) fn command(data: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_everfeed"));
        command.arg("serve").arg("--data").arg(data).args(["--listen", "127.0.0.1:0"]).args(arguments);
        command
    }

    /// Starts it with these settings in its environment, named as in a file: `limits.head`.
    pub(crate) fn start_with(data: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = Self::command(data, &[]);
        for (name, value) in settings {
            command.env(format!("EVERFEED_{}", name.to_ascii_uppercase().replace('.', "__")), value);
        }
        Self::spawn(command).unwrap_or_else(|log| panic!("the server did not start: {log:#?}"))
    }

    /// Starts the command; gives back the log if it ends before it listens. Tests set more of its environment.
    pub(crate) fn spawn(mut command: Command) -> Result<Self, Vec<String>> {
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary is there");
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let (told, tell) = (std::sync::mpsc::channel(), log.clone());
        let (sender, receiver) = told;
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // One line tells where it listens: {"level":"INFO", … "message":"listening","address":"127.0.0.1:40123"}
                if let Ok(parsed) = serde_json::from_str::<serde_json::Value>(&line)
                    && parsed["message"] == "listening"
                {
                    let address = parsed["address"].as_str().and_then(|address| address.parse::<SocketAddr>().ok());
                    let _ = sender.send(address.expect("an address"));
                }
                tell.lock().expect("nobody panics here").push(line);
            }
        });
        match receiver.recv_timeout(PATIENCE) {
            Ok(address) => Ok(Self { child, address, log }),
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(log.lock().expect("nobody panics here").clone())
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().expect("nobody panics here").clone()
    }

    /// kill −9.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// SIGTERM; waits for the end and returns the exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        self.child.wait().expect("it ends").code()
    }

    /// Tells it to stop, and does not wait.
    pub(crate) fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    }

    /// Waits for the end and returns the exit code.
    pub(crate) fn wait(mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }

    /// Waits until so many readers have an event stream.
    #[track_caller]
    pub(crate) fn wait_for_listeners(&self, count: usize) {
        let (started, wanted) = (Instant::now(), format!("\neverfeed_listeners {count}\n"));
        loop {
            let metrics = self.get("/metrics", &[]);
            if metrics.text().contains(&wanted) {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{count} listen: {}", metrics.text());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// How many events the log holds.
    pub(crate) fn events(&self) -> u64 {
        self.get("/info", &[]).json()["events"].as_u64().expect("a number")
    }

    /// Nothing that a client does may make it panic.
    #[track_caller]
    pub(crate) fn assert_no_panic(&self) {
        let panics: Vec<String> = self.log().into_iter().filter(|line| line.contains("panic")).collect();
        assert!(panics.is_empty(), "{panics:#?}");
    }

    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send("GET", path, headers, b"")
    }

    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.send("POST", path, headers, body)
    }

    /// Whatever a test asks for, the answer is one that the contract tells of.
    #[track_caller]
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let reply = request(self.address, method, path, headers, body);
        contract().check(method, path, &reply);
        reply
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer, as it was on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) reason: String,
    /// Names in lower case, in the order sent.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The value of a header; none if it was not sent.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is UTF-8")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// One request on a connection of its own, over HTTP/1.1.
pub(crate) fn request(to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str(&format!("Host: {to}\r\n"));
    }
    if !body.is_empty() || method == "POST" {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut raw = head.into_bytes();
    raw.extend_from_slice(body);
    exchange(to, &raw).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

/// Sends these bytes as they are, and reads one answer until the connection closes or the answer is complete.
pub(crate) fn exchange(to: SocketAddr, raw: &[u8]) -> std::io::Result<Reply> {
    let mut socket = TcpStream::connect(to)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    // A server that refuses early may close before all is written; what it answered still counts.
    let _ = socket.write_all(raw);
    let is_head = raw.starts_with(b"HEAD ");
    let mut received = Vec::new();
    let mut buffer = [0; 64 << 10];
    let started = Instant::now();
    loop {
        if let Some(reply) = parse(&received, false, is_head) {
            return Ok(reply);
        }
        match socket.read(&mut buffer) {
            Ok(0) => {
                return parse(&received, true, is_head).ok_or_else(|| {
                    std::io::Error::other(format!("no whole answer: {:?}", String::from_utf8_lossy(&received)))
                });
            }
            Ok(bytes) => received.extend_from_slice(&buffer[..bytes]),
            Err(error) if received.is_empty() || started.elapsed() > PATIENCE => return Err(error),
            Err(_) => {
                return parse(&received, true, is_head).ok_or_else(|| std::io::Error::other("no whole answer"));
            }
        }
    }
}

fn parse(received: &[u8], at_end: bool, is_head: bool) -> Option<Reply> {
    let split = received.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&received[..split]).ok()?;
    let mut lines = head.split("\r\n");
    let mut status = lines.next()?.splitn(3, ' ').skip(1);
    let (code, reason) = (status.next()?.parse().ok()?, status.next().unwrap_or_default().to_string());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_string()))
        .collect();
    let header = |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let rest = &received[split + 4..];
    let body = if is_head || code == 304 || code == 204 {
        Vec::new()
    } else if header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        dechunk(rest)?
    } else if let Some(length) = header("content-length").and_then(|length| length.parse::<usize>().ok()) {
        rest.get(..length)?.to_vec()
    } else if at_end {
        rest.to_vec()
    } else {
        return None;
    };
    Some(Reply { status: code, reason, headers, body })
}

/// None until the last chunk is there.
fn dechunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..line]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = &rest[line + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}
