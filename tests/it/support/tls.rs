//! nginx before a server, with TLS, HTTP/2 and a password: under a certificate that only an authority of our own vouches
//! for.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use super::PATIENCE;

/// Ended when dropped.
pub(crate) struct Tls {
    child: Child,
    directory: TempDir,
}

/// Where it will listen: the server has to know before it starts.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port")
}

impl Tls {
    /// Lets in `reader` with the password `secret`.
    pub(crate) fn start(address: SocketAddr, origin: SocketAddr) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name).display().to_string();
        certify(directory.path());
        fs::write(at("passwords"), "reader:{PLAIN}secret\n").expect("the directory can be written to");
        let user = if geteuid().is_root() { "user root;" } else { "" };
        let text = format!(
            "daemon off; pid {}; {user} events {{}} http {{ log_format protocol '$server_protocol $status'; \
             access_log {} protocol; server {{ listen {address} ssl http2; ssl_certificate {}; ssl_certificate_key {}; \
             auth_basic all; auth_basic_user_file {}; location / {{ proxy_pass http://{origin}; proxy_buffering off; \
             proxy_set_header Host $http_host; proxy_set_header Authorization ''; }} }} }}",
            at("pid"),
            at("access.log"),
            at("server.pem"),
            at("server.key"),
            at("passwords"),
        );
        fs::write(at("nginx.conf"), text).expect("the directory can be written to");
        let mut command = Command::new("nginx");
        command.args(["-e", &at("log"), "-p", &at(""), "-c", &at("nginx.conf")]);
        let child = command.stdin(Stdio::null()).spawn().expect("nginx is installed: `tests/run` installs it first");
        let mut tls = Self { child, directory };
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = tls.child.try_wait().expect("it is ours").is_some();
            assert!(!ended && started.elapsed() < PATIENCE, "nginx did not start");
            thread::sleep(Duration::from_millis(20));
        }
        tls
    }

    /// The certificate of the authority, as PEM.
    pub(crate) fn authority(&self) -> Vec<u8> {
        fs::read(self.directory.path().join("authority.pem")).expect("it was made")
    }

    /// Protocol and status of each request.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = fs::read_to_string(self.directory.path().join("access.log")).unwrap_or_default();
        log.lines().map(str::to_string).collect()
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

/// An authority, and what it vouches for: `localhost`.
fn certify(directory: &Path) {
    let openssl = |arguments: &str| {
        let mut command = Command::new("openssl");
        let run = command.args(arguments.split(' ')).current_dir(directory).output();
        let run = run.expect("openssl is installed: `tests/run` installs it first");
        assert!(run.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&run.stderr));
    };
    fs::write(directory.join("names"), "subjectAltName=DNS:localhost\n").expect("the directory can be written to");
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {key} -days 2 -subj /CN=Authority -keyout authority.key -out authority.pem"));
    openssl(&format!("req {key} -subj /CN=localhost -keyout server.key -out request"));
    openssl(
        "x509 -req -in request -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile names -out server.pem",
    );
}
