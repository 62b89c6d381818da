//! TLS, as clients that others wrote meet it: versions, protocols, certificates of both sides, and what replaces them.

mod commands;
mod exposure;
mod reload;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::support::authority::Authority;
use crate::support::{PATIENCE, TestServer, exchange};

/// A server with a certificate of this authority, and these settings beside.
fn start(data: &Path, authority: &Authority, settings: &[(&str, &str)]) -> TestServer {
    let (certificate, key) = authority.server();
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let with = [("tls.certificate", certificate.as_str()), ("tls.key", &key)];
    TestServer::start_with(data, &[&with, settings].concat())
}

/// What curl says of a request to the server: whether it was done, and the answer's status, version, and body.
fn curl(server: &TestServer, authority: &Authority, arguments: &[&str], path: &str) -> Result<String, String> {
    let url = format!("https://localhost:{}{path}", server.address.port());
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "30", "--write-out", "%{http_code} HTTP/%{http_version} "]);
    command.arg("--cacert").arg(authority.certificate()).args(arguments).arg(url);
    let done = command.output().expect("curl is installed: `tests/run` installs it first");
    match done.status.success() {
        true => Ok(String::from_utf8(done.stdout).expect("text")),
        false => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
    }
}

#[test]
fn pages_are_read_over_both_versions_of_http_and_their_links_are_secure() {
    let (data, authority) = (tempfile::tempdir().expect("a directory"), Authority::new());
    let server = start(data.path(), &authority, &[]);
    let append = ["--header", "Content-Type: text/plain", "--data", "hello", "--output", "/dev/null"];
    assert_eq!(curl(&server, &authority, &append, "/streams/s").as_deref(), Ok("201 HTTP/2 "));
    for (version, said) in [("--http1.1", "200 HTTP/1.1 "), ("--http2", "200 HTTP/2 ")] {
        let read = curl(&server, &authority, &[version], "/streams/s").expect("it answers");
        assert!(read.ends_with(said), "{read}");
        let link = format!("href=\"https://localhost:{}/streams/s?format=atom\"", server.address.port());
        assert!(read.contains(&link), "{read}");
    }
    // Nobody whom the system trusts vouches for it.
    let url = format!("https://localhost:{}/ping", server.address.port());
    let wary = Command::new("curl").args(["--silent", "--max-time", "30", &url]).output().expect("curl runs");
    assert_eq!(wary.status.code(), Some(60), "the certificate cannot be verified");
    server.assert_no_panic();
    assert_eq!(server.stop(), Some(0));
}

/// Whether openssl comes to terms with the server, and all that it says.
fn openssl(server: &TestServer, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &server.address.to_string()]).args(arguments);
    let done = command.stdin(Stdio::null()).output().expect("openssl is installed: `tests/run` installs it first");
    let said = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn only_versions_that_are_thought_safe_are_spoken_and_the_protocol_is_agreed_on() {
    let (data, authority) = (tempfile::tempdir().expect("a directory"), Authority::new());
    let server = start(data.path(), &authority, &[]);
    // Whoever wants to speak an old version has to ask openssl for its old ciphers as well.
    for (version, is_spoken) in [("-tls1", false), ("-tls1_1", false), ("-tls1_2", true), ("-tls1_3", true)] {
        let (done, said) = openssl(&server, &[version, "-cipher", "DEFAULT:@SECLEVEL=0"]);
        assert_eq!(done, is_spoken, "{version}: {said}");
    }
    for (offered, agreed) in [("h2,http/1.1", "h2"), ("http/1.1", "http/1.1"), ("h2", "h2")] {
        let (_, said) = openssl(&server, &["-alpn", offered]);
        assert!(said.contains(&format!("ALPN protocol: {agreed}\n")), "{offered}: {said}");
    }
    let (done, _) = openssl(&server, &["-alpn", "imap"]);
    assert!(!done, "there is nothing to agree on");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn clients_show_certificates_that_an_authority_vouches_for_or_are_refused() {
    let (data, authority) = (tempfile::tempdir().expect("a directory"), Authority::new());
    let trusted = authority.certificate().display().to_string();
    let settings = [("tls.client_ca", trusted.as_str()), ("tls.client_required", "true")];
    let server = start(data.path(), &authority, &settings);
    let show = |(certificate, key): (std::path::PathBuf, std::path::PathBuf)| {
        ["--cert".to_string(), certificate.display().to_string(), "--key".into(), key.display().to_string()]
    };
    let ask = |arguments: &[String]| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        curl(&server, &authority, &arguments, "/ping")
    };
    assert!(ask(&show(authority.client("ann"))).is_ok_and(|said| said.ends_with("200 HTTP/2 ")));
    assert!(ask(&[]).is_err(), "one is required");
    let stranger = Authority::new();
    assert!(ask(&show(stranger.client("ann"))).is_err(), "another authority vouches for it");
    server.assert_no_panic();
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn who_speaks_plain_http_is_told_and_who_says_nothing_is_cut_off() {
    let (data, authority) = (tempfile::tempdir().expect("a directory"), Authority::new());
    let server = start(data.path(), &authority, &[("timeouts.head", "1s"), ("limits.handshakes", "2")]);
    let told = exchange(server.address, b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("an answer");
    assert_eq!(told.status, 400);
    assert!(told.json()["detail"].as_str().is_some_and(|detail| detail.contains("https://")), "{told:?}");
    // Some that say nothing, and one that breaks off in the middle of its first words.
    let started = Instant::now();
    let mut silent: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(server.address).expect("it listens")).collect();
    silent[1].write_all(&[22, 3, 1, 2, 0]).expect("it reads");
    for socket in &mut silent {
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
        assert!(matches!(socket.read(&mut [0; 64]), Ok(0) | Err(_)), "it is closed");
        assert!(started.elapsed() < PATIENCE);
    }
    let read = curl(&server, &authority, &[], "/ping").expect("there is a place again");
    assert!(read.ends_with("200 HTTP/2 "), "{read}");
    assert_eq!(server.stop(), Some(0));
}

/// The place among the handshakes was taken before the first byte, and then a second one for the handshake itself: as many
/// connections that said nothing as there are places shut everybody out, and with one place nobody ever came in.
#[test]
fn those_who_say_nothing_keep_nobody_out() {
    let (data, authority) = (tempfile::tempdir().expect("a directory"), Authority::new());
    for handshakes in [1, 16] {
        let server = start(data.path(), &authority, &[("limits.handshakes", &handshakes.to_string())]);
        let silent = || TcpStream::connect(server.address).expect("it listens");
        let _silent: Vec<TcpStream> = (0..handshakes).map(|_| silent()).collect();
        for _ in 0..2 {
            let read = curl(&server, &authority, &[], "/ping").expect("there is a place for who speaks");
            assert!(read.ends_with("200 HTTP/2 "), "{read}");
        }
        assert_eq!(server.stop(), Some(0));
    }
}

#[test]
fn a_certificate_for_trying_out_is_made_and_lies_where_curl_finds_it() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start(data.path(), &["--tls-self-signed"]);
    let certificate = data.path().join("self-signed.crt");
    let url = format!("https://localhost:{}/ping", server.address.port());
    let mut command = Command::new("curl");
    let done = command.args(["--silent", "--max-time", "30", "--cacert"]).arg(&certificate).arg(url).output();
    let done = done.expect("curl is installed: `tests/run` installs it first");
    assert!(String::from_utf8_lossy(&done.stdout).contains("Ping"), "{done:?}");
    let log = server.log().join("\n");
    assert!(log.contains("curl --cacert") && log.contains("sha256"), "{log}");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn browsers_are_told_to_come_over_tls_alone_where_that_is_wanted() {
    let (data, authority) = (tempfile::tempdir().expect("a directory"), Authority::new());
    let head = ["--head"];
    let server = start(data.path(), &authority, &[]);
    assert!(curl(&server, &authority, &head, "/ping").is_ok_and(|head| !head.contains("strict-transport-security")));
    drop(server);
    let server = start(data.path(), &authority, &[("tls.hsts", "24h")]);
    let said = curl(&server, &authority, &head, "/ping").expect("it answers");
    assert!(said.contains("strict-transport-security: max-age=86400\r\n"), "{said}");
}
