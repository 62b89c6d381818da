//! nginx: the peer that replay is measured against, serving the very same bytes as static files, and the cache that
//! consumers follow through.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A page as it came from the server: where it is, and its bytes plain and compressed.
pub(crate) struct Page {
    pub(crate) path: String,
    pub(crate) plain: Vec<u8>,
    pub(crate) gzip: Vec<u8>,
}

/// nginx as a process of its own. Killed when dropped.
pub(crate) struct Nginx {
    child: Child,
    pub(crate) address: SocketAddr,
    root: PathBuf,
}

/// What it writes a line for each request into.
const ACCESS_LOG: &str = "access.log";

/// How many requests there were for something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    pub(crate) all: u64,
    /// Those that its cache could not answer.
    pub(crate) passed_on: u64,
}

impl Requests {
    /// Those of a log of the shipped format for pages that end before this number.
    fn for_complete_pages(log: &str, events: u64) -> Self {
        let complete = |line: &&str| {
            let number = |text: &str| text.chars().map_while(|c| c.to_digit(10)).fold(0, |n, c| n * 10 + u64::from(c));
            let page = line.split_once("/forward/");
            page.is_some_and(|(before, count)| {
                let first = before.rsplit('/').next().map_or(0, number);
                first + number(count) <= events
            })
        };
        let complete: Vec<&str> = log.lines().filter(complete).collect();
        let passed_on = complete.iter().filter(|line| !line.contains("cache=HIT")).count();
        Self { all: complete.len() as u64, passed_on: passed_on as u64 }
    }
}

/// An address of this machine that nobody listens on. It is free a moment later again, and then nginx's.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

impl Nginx {
    /// Nothing that was asked for so far counts.
    pub(crate) fn forget_requests(&self) -> io::Result<()> {
        // nginx appends, so it goes on at the beginning.
        fs::File::options().write(true).truncate(true).open(self.root.join(ACCESS_LOG)).map(drop)
    }

    /// The requests for pages that end before this number.
    pub(crate) fn requests_for_complete_pages(&self, events: u64) -> io::Result<Requests> {
        Ok(Requests::for_complete_pages(&fs::read_to_string(self.root.join(ACCESS_LOG))?, events))
    }

    /// Writes the pages as files into `directory`, and serves them.
    pub(crate) fn start(directory: &Path, pages: &[Page], open_file_cache: bool) -> io::Result<Self> {
        let root = fs::canonicalize(directory)?;
        for page in pages {
            let file = root.join("pages").join(page.path.trim_start_matches('/'));
            fs::create_dir_all(file.parent().unwrap_or(&root))?;
            fs::write(&file, &page.plain)?;
            let mut compressed = file.into_os_string();
            compressed.push(".gz");
            fs::write(compressed, &page.gzip)?;
        }
        let address = free_address()?;
        let configuration = configure(&root, address, open_file_cache);
        Self::spawn(root, address, &configuration, "")
    }

    /// Starts it as a cache before a server, with the shipped configuration; the server's `public_url` is to be this
    /// address.
    pub(crate) fn before(directory: &Path, address: SocketAddr, origin: SocketAddr) -> io::Result<Self> {
        let root = fs::canonicalize(directory)?;
        let at = |name: &str| root.join(name).display().to_string();
        let mut configuration = include_str!("../../../config/nginx.conf").to_string();
        for (shipped, here) in [
            ("127.0.0.1:2113", origin.to_string()),
            ("listen 8080", format!("listen {address}")),
            ("localhost:8080", address.to_string()),
            ("/var/cache/everfeed", at("cache")),
            ("/var/log/nginx/everfeed.log", at(ACCESS_LOG)),
        ] {
            configuration = configuration.replace(shipped, &here);
        }
        let user = if rustix::process::getuid().is_root() { " user root;" } else { "" };
        let globals = format!("daemon off; pid {};{user}", at("nginx.pid"));
        Self::spawn(root, address, &configuration, &globals)
    }

    fn spawn(root: PathBuf, address: SocketAddr, configuration: &str, globals: &str) -> io::Result<Self> {
        let file = root.join("nginx.conf");
        fs::write(&file, configuration)?;
        let child = Command::new("nginx")
            .arg("-e")
            .arg(root.join("error.log"))
            .arg("-p")
            .arg(&root)
            .arg("-c")
            .arg(&file)
            .args(["-g", globals])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| io::Error::other(format!("nginx cannot be started: {error}")))?;
        let nginx = Self { child, address, root };
        for _ in 0..100 {
            if TcpStream::connect(address).is_ok() {
                return Ok(nginx);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = fs::read_to_string(nginx.root.join("error.log")).unwrap_or_default();
        Err(io::Error::other(format!("nginx did not start:\n{log}")))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // On SIGTERM the master ends its workers; if it were killed they would stay.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

/// Static files as nginx serves them best: from the page cache, without a log, over connections that stay.
fn configure(root: &Path, address: SocketAddr, open_file_cache: bool) -> String {
    let root = root.display();
    // Workers of a master that root started would be somebody who may not read the files.
    let user = if rustix::process::getuid().is_root() { "user root;" } else { "" };
    let cache = if open_file_cache { "open_file_cache max=10000 inactive=1h; open_file_cache_valid 1h;" } else { "" };
    format!(
        r#"{user}
daemon off;
worker_processes 2;
pid "{root}/nginx.pid";
error_log "{root}/error.log";
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    gzip_static on;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    types {{ application/atom+xml atom; }}
    client_body_temp_path "{root}/body"; proxy_temp_path "{root}/proxy"; fastcgi_temp_path "{root}/fastcgi";
    uwsgi_temp_path "{root}/uwsgi"; scgi_temp_path "{root}/scgi";
    {cache}
    server {{ listen {address}; root "{root}/pages"; }}
}}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_the_cache_answered_are_told_from_those_that_it_passed_on() {
        let log = r#"127.0.0.1 [t] "GET /streams/a HTTP/1.1" 200 9 cache=MISS time=0
127.0.0.1 [t] "GET /streams/a/0/forward/100.ndjson HTTP/1.1" 200 9 cache=HIT time=0
127.0.0.1 [t] "GET /streams/a/100/forward/100.ndjson HTTP/1.1" 200 9 cache=EXPIRED time=0
127.0.0.1 [t] "GET /streams/a/200/forward/100.ndjson HTTP/1.1" 200 9 cache=MISS time=0
"#;
        assert_eq!(Requests::for_complete_pages(log, 250), Requests { all: 2, passed_on: 1 });
        assert_eq!(Requests::for_complete_pages(log, 300), Requests { all: 3, passed_on: 2 });
    }
}
