//! A right that is taken while a body is on its way: what was sent is not done any more.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use crate::support::{PATIENCE, TestServer, WithAccess};

/// A request of which the server has the head and a part of the body.
struct Begun {
    socket: TcpStream,
    rest: Vec<u8>,
}

/// Begins a request, and goes on once the server reads its body: it asks for that by 100.
fn begin(server: &WithAccess, user: &str, method: &str, path: &str, body: &str) -> Begun {
    let mut socket = TcpStream::connect(server.address).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let authorization = server.authorization(user).map(|value| format!("Authorization: {value}\r\n"));
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\nConnection: close\r\n\r\n",
        server.address,
        authorization.unwrap_or_default(),
        body.len()
    );
    socket.write_all(head.as_bytes()).expect("sent");
    let mut told = [0; 25];
    socket.read_exact(&mut told).expect("an answer");
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n", "{method} {path}");
    Begun { socket, rest: body.as_bytes().to_vec() }
}

impl Begun {
    /// Sends the body; the status of the answer.
    fn end(mut self) -> u16 {
        self.socket.write_all(&self.rest).expect("sent");
        let mut answer = String::new();
        self.socket.read_to_string(&mut answer).expect("an answer");
        answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer}"))
    }
}

fn start() -> (tempfile::TempDir, WithAccess) {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::start_with_access(data.path(), &[], &[("bob", &[]), ("eve", &["$admins"])]);
    server.set("s", &json!({ "$acl": { "$w": "bob", "$mw": "bob" } }));
    (data, server)
}

#[test]
fn a_right_that_is_taken_while_the_body_comes_writes_nothing_any_more() {
    let (_data, server) = start();
    let event = begin(&server, "bob", "POST", "/streams/s", "{}");
    let settings = begin(&server, "bob", "POST", "/streams/s/metadata", r#"{"$acl":{"$w":"$all"}}"#);
    server.set("s", &json!({ "$acl": { "$w": "admin", "$mw": "admin" } }));
    assert_eq!([event.end(), settings.end()], [403, 403]);
    assert_eq!(server.get_as("admin", "/streams/s", &[]).status, 404, "nothing was written");
    let kept = server.get_as("admin", "/streams/s/metadata", &[("Accept", "application/json")]).json();
    assert_eq!(kept["$acl"]["$w"], "admin");
}

#[test]
fn a_user_who_is_kept_out_while_the_body_comes_is_let_in_no_more() {
    let (_data, server) = start();
    let disable = |user: &str| {
        assert_eq!(server.post_as("admin", &format!("/users/{user}/command/disable"), &[], b"").status, 200);
    };
    let event = begin(&server, "bob", "POST", "/streams/s", "{}");
    let own = json!({ "currentPassword": "bob's own password", "newPassword": "another password" }).to_string();
    let password = begin(&server, "bob", "POST", "/users/bob/command/change-password", &own);
    let new = json!({ "loginName": "mallory", "password": "some password" }).to_string();
    let create = begin(&server, "eve", "POST", "/users", &new);
    let update = begin(&server, "eve", "PUT", "/users/bob", &json!({ "groups": ["$admins"] }).to_string());
    let default = begin(&server, "eve", "POST", "/streams/$settings", "{}");
    disable("bob");
    disable("eve");
    assert_eq!([event.end(), password.end(), create.end(), update.end(), default.end()], [401; 5]);
    assert_eq!(server.get_as("admin", "/streams/s", &[]).status, 404, "nothing was written");
    assert_eq!(server.get_as("admin", "/users/mallory", &[]).status, 404);
    assert_eq!(server.get_as("admin", "/users/bob", &[]).json()["data"]["groups"], json!([]));
    assert_eq!(server.get_as("admin", "/streams/$settings", &[]).status, 404);
}

#[test]
fn an_administrator_who_is_one_no_more_when_the_body_is_there_manages_nobody() {
    let (_data, server) = start();
    let update = begin(&server, "eve", "PUT", "/users/bob", &json!({ "groups": ["$admins"] }).to_string());
    let json = [("Content-Type", "application/json")];
    assert_eq!(server.send_as("admin", "PUT", "/users/eve", &json, br#"{"groups":[]}"#).status, 200);
    assert_eq!(update.end(), 403);
    assert_eq!(server.get_as("admin", "/users/bob", &[]).json()["data"]["groups"], json!([]));
}
