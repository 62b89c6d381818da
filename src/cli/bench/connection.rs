//! One HTTP/1.1 connection, as lean as it can be: it shares the machine with the server that it measures.
//!
//! It sends bytes that were prepared elsewhere, and of an answer it understands the status, the length and the
//! chunked coding, nothing more. A body is handed on piece by piece and never kept here.

use std::io;
use std::net::{IpAddr, SocketAddr};

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// The longest head of an answer that is understood.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// A connection that is kept alive.
pub(crate) struct Connection {
    socket: TcpStream,
    buffer: Vec<u8>,
    /// What was received and not yet used: `buffer[start..end]`.
    start: usize,
    end: usize,
    /// The head of the last answer, its lines as they came.
    head: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body_bytes: u64,
}

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
}

impl Connection {
    /// Connects, with a buffer of this size for what is received.
    pub(crate) async fn open(to: SocketAddr, buffer_bytes: usize) -> io::Result<Self> {
        Self::over(TcpStream::connect(to).await?, buffer_bytes)
    }

    /// As [`Self::open`], from one of the machine's own addresses.
    pub(crate) async fn open_from(from: IpAddr, to: SocketAddr, buffer_bytes: usize) -> io::Result<Self> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.bind(SocketAddr::new(from, 0))?;
        Self::over(socket.connect(to).await?, buffer_bytes)
    }

    fn over(socket: TcpStream, buffer_bytes: usize) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        Ok(Self { socket, buffer: vec![0; buffer_bytes], start: 0, end: 0, head: Vec::new() })
    }

    /// Sends a request and drops the body of its answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.send(request).await?;
        self.receive(|_| {}).await
    }

    /// Sends a request and puts the body of its answer into `body`, in place of what is there.
    pub(crate) async fn fetch(&mut self, request: &[u8], body: &mut Vec<u8>) -> io::Result<Answer> {
        self.send(request).await?;
        body.clear();
        self.receive(|piece| body.extend_from_slice(piece)).await
    }

    pub(crate) async fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.socket.write_all(request).await
    }

    /// Reads one answer whole.
    pub(crate) async fn receive(&mut self, mut take: impl FnMut(&[u8])) -> io::Result<Answer> {
        let status = self.read_head().await?;
        let body_bytes = match framing(&self.head, status)? {
            Framing::Length(bytes) => {
                self.read_body(bytes, &mut take).await?;
                bytes
            }
            Framing::Chunked => self.read_chunks(&mut take).await?,
        };
        Ok(Answer { status, body_bytes })
    }

    /// Reads the head of an answer whose body goes on and on, and gives its status.
    pub(crate) async fn receive_head(&mut self) -> io::Result<u16> {
        self.read_head().await
    }

    /// Reads one chunk of such a body, and gives its length; 0 at the end.
    pub(crate) async fn receive_chunk(&mut self, mut take: impl FnMut(&[u8])) -> io::Result<u64> {
        self.read_chunk(&mut take).await
    }

    /// Takes so many bytes of what is there, whatever they mean.
    pub(crate) async fn take(&mut self, bytes: usize) -> io::Result<()> {
        self.read_body(bytes as u64, &mut |_| {}).await
    }

    /// The value of a header of the last answer; of several the first.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        headers(&self.head).find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The target of the link with this relation in the last answer's `Link` headers.
    pub(crate) fn link(&self, relation: &str) -> Option<&str> {
        let wanted = format!("rel=\"{relation}\"");
        headers(&self.head).filter(|(name, _)| name.eq_ignore_ascii_case("link")).find_map(|(_, value)| {
            let (before, _) = value.split_once(&wanted)?;
            before.rsplit_once('<')?.1.split_once('>').map(|(target, _)| target)
        })
    }

    /// Makes room and receives more.
    async fn fill(&mut self) -> io::Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.buffer.len() {
            self.buffer.resize((self.buffer.len() * 2).min(HEAD_BYTES_MAX), 0);
        }
        if self.end == self.buffer.len() {
            return Err(io::Error::other("the head of an answer is too long"));
        }
        match self.socket.read(&mut self.buffer[self.end..]).await? {
            0 => Err(io::Error::other("the server closed the connection")),
            bytes => {
                self.end += bytes;
                Ok(())
            }
        }
    }

    async fn read_head(&mut self) -> io::Result<u16> {
        loop {
            let received = &self.buffer[self.start..self.end];
            if let Some(end) = memmem::find(received, b"\r\n\r\n") {
                self.head.clear();
                self.head.extend_from_slice(&received[..end]);
                self.start += end + 4;
                let status = self.head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
                return status
                    .filter(|_| self.head.starts_with(b"HTTP/1.1 "))
                    .and_then(|digits| digits.parse().ok())
                    .ok_or_else(|| io::Error::other("what came back is not HTTP/1.1"));
            }
            self.fill().await?;
        }
    }

    async fn read_body(&mut self, bytes: u64, take: &mut impl FnMut(&[u8])) -> io::Result<()> {
        let mut missing = bytes;
        while missing > 0 {
            if self.start == self.end {
                self.fill().await?;
            }
            let here = missing.min((self.end - self.start) as u64);
            let end = self.start + here as usize;
            take(&self.buffer[self.start..end]);
            self.start = end;
            missing -= here;
        }
        Ok(())
    }

    async fn read_chunks(&mut self, take: &mut impl FnMut(&[u8])) -> io::Result<u64> {
        let mut bytes = 0;
        loop {
            match self.read_chunk(take).await? {
                0 => return Ok(bytes),
                size => bytes += size,
            }
        }
    }

    async fn read_chunk(&mut self, take: &mut impl FnMut(&[u8])) -> io::Result<u64> {
        let line = self.read_line().await?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| io::Error::other("a chunk without its size"))?;
        if size == 0 {
            while !self.read_line().await?.is_empty() {}
        } else {
            self.read_body(size, take).await?;
            self.read_line().await?;
        }
        Ok(size)
    }

    async fn read_line(&mut self) -> io::Result<String> {
        loop {
            let received = &self.buffer[self.start..self.end];
            if let Some(end) = memmem::find(received, b"\r\n") {
                let line = String::from_utf8_lossy(&received[..end]).into_owned();
                self.start += end + 2;
                return Ok(line);
            }
            self.fill().await?;
        }
    }
}

fn headers(head: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let lines = std::str::from_utf8(head).unwrap_or_default().split("\r\n").skip(1);
    lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim()))
}

fn framing(head: &[u8], status: u16) -> io::Result<Framing> {
    if matches!(status, 204 | 304) {
        return Ok(Framing::Length(0));
    }
    for (name, value) in headers(head) {
        if name.eq_ignore_ascii_case("content-length") {
            return value.parse().map(Framing::Length).map_err(|_| io::Error::other("Content-Length is no number"));
        }
        if name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked") {
            return Ok(Framing::Chunked);
        }
    }
    Err(io::Error::other("an answer that does not say where it ends"))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    /// Answers each connection with these bytes, a few at a time.
    fn server(answer: &'static [u8], piece: usize) -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it is bound");
        std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().expect("one comes");
            let mut request = [0; 1024];
            let _ = socket.read(&mut request).expect("it asks");
            for piece in answer.chunks(piece) {
                socket.write_all(piece).expect("it listens");
            }
        });
        address
    }

    async fn check_answers(answer: &'static [u8], expected: &[(u16, &str)]) {
        for piece in [1, 7, 4096] {
            let mut connection = Connection::open(server(answer, piece), 64).await.expect("connects");
            connection.send(b"GET / HTTP/1.1\r\n\r\n").await.expect("sends");
            for (status, body) in expected {
                let mut received = Vec::new();
                let answer = connection.receive(|piece| received.extend_from_slice(piece)).await.expect("answers");
                assert_eq!((answer.status, answer.body_bytes), (*status, body.len() as u64));
                assert_eq!(String::from_utf8(received).expect("text"), *body);
            }
        }
    }

    #[tokio::test]
    async fn answers_are_read_whole_however_they_arrive() {
        check_answers(
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n\
              HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n\
              HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            &[(200, "hello"), (304, ""), (201, "abcde"), (200, "")],
        )
        .await;
    }

    #[tokio::test]
    async fn a_cut_or_senseless_answer_is_an_error() {
        for answer in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"[..],
            b"HTTP/1.1 200 OK\r\n\r\nhello",
            b"ICY 200 OK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Le",
        ] {
            let mut connection = Connection::open(server(answer, 4096), 64).await.expect("connects");
            assert!(connection.exchange(b"GET / HTTP/1.1\r\n\r\n").await.is_err());
        }
    }

    #[tokio::test]
    async fn links_are_found_by_their_relation() {
        let answer =
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nLink: <http://h/1>; rel=\"self\", <http://h/2>; rel=\"next\"\r\n\
                       Link: <http://h/3>; rel=\"previous\"\r\nETag: \"x\"\r\n\r\n";
        let mut connection = Connection::open(server(answer, 4096), 64).await.expect("connects");
        connection.exchange(b"GET / HTTP/1.1\r\n\r\n").await.expect("answers");
        assert_eq!(connection.link("next"), Some("http://h/2"));
        assert_eq!(connection.link("previous"), Some("http://h/3"));
        assert_eq!(connection.link("last"), None);
        assert_eq!(connection.header("etag"), Some("\"x\""));
    }
}
