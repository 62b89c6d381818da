//! Connections on which a test says what it likes, byte for byte.

use std::io::Read;
use std::net::TcpStream;

use super::{PATIENCE, TestServer};

pub(crate) fn connect(server: &TestServer) -> TcpStream {
    let socket = TcpStream::connect(server.address).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket
}

/// What comes until the other side closes. A reset says as well as an end that it has.
pub(crate) fn rest(socket: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = socket.read_to_end(&mut bytes);
    bytes
}

/// The same as text.
pub(crate) fn rest_as_text(socket: &mut TcpStream) -> String {
    String::from_utf8_lossy(&rest(socket)).into_owned()
}
