//! What a connection reads from and writes to, secured or not, and which version of HTTP it begins with.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A connection, whether it is secured or not.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Whether the peer begins to speak HTTP/2, once that can be told. Nothing is read for it.
    fn poll_is_http2(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>>;
}

impl Socket for TcpStream {
    fn poll_is_http2(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut start = [0; 4];
        let mut peeked = ReadBuf::new(&mut start);
        ready!(Pin::new(self).poll_peek(context, &mut peeked))?;
        Poll::Ready(Ok(peeked.filled().starts_with(b"PRI ")))
    }
}

impl Socket for TlsStream<TcpStream> {
    /// Both sides agreed on it in the handshake (RFC 9113 §3.2).
    fn poll_is_http2(&mut self, _: &mut Context<'_>) -> Poll<io::Result<bool>> {
        Poll::Ready(Ok(self.get_ref().1.alpn_protocol() == Some(b"h2")))
    }
}
