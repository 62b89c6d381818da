//! The peer that replay is measured against: nginx, serving the very same bytes as static files.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
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
}

impl Nginx {
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
        // The port is free a moment later again, and then nginx's.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let configuration = root.join("nginx.conf");
        fs::write(&configuration, configure(&root, address, open_file_cache))?;
        let child = Command::new("nginx")
            .arg("-e")
            .arg(root.join("error.log"))
            .arg("-c")
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| io::Error::other(format!("nginx cannot be started: {error}")))?;
        let nginx = Self { child, address };
        for _ in 0..100 {
            if TcpStream::connect(address).is_ok() {
                return Ok(nginx);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = fs::read_to_string(root.join("error.log")).unwrap_or_default();
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
