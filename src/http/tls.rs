//! TLS: from a connection to one that nobody can read or change on its way, and to whom its certificate says is there.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::problem::{Kind, Problem};
use super::reply::Reply;

/// What the first byte of a TLS connection is: the record that carries a handshake (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

/// How long a connection without TLS may take to be told that it wants some.
const REFUSAL_TIME_MAX: Duration = Duration::from_secs(1);

/// How connections are secured. Certificates can be replaced while it goes on.
#[derive(Debug)]
pub struct Tls {
    config: ArcSwap<ServerConfig>,
    handshakes: Semaphore,
}

/// A secured connection.
pub(super) struct Secured {
    pub(super) socket: TlsStream<TcpStream>,
    /// The user that the client's certificate names, which an authority of ours vouches for.
    pub(super) user: Option<Arc<str>>,
}

impl Tls {
    /// With this configuration, and no more than so many handshakes at once.
    #[must_use]
    pub fn new(config: ServerConfig, handshakes_max: usize) -> Self {
        Self { config: ArcSwap::from_pointee(config), handshakes: Semaphore::new(handshakes_max) }
    }

    /// From now on new connections are secured by this configuration.
    pub fn replace(&self, config: ServerConfig) {
        self.config.store(Arc::new(config));
    }

    /// Secures a connection, within the time that it may take.
    ///
    /// # Errors
    /// When it speaks no TLS, none that both sides know, or shows a certificate that nobody vouches for; when it takes too
    /// long, with the time that it waits for its turn when many others are at it.
    pub(super) async fn accept(&self, socket: TcpStream, time_max: Duration) -> io::Result<Secured> {
        let secure = async {
            let mut first = [0];
            if socket.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
                // Whoever goes away sooner does not need it.
                let _ = timeout(REFUSAL_TIME_MAX, refuse(socket)).await;
                return Err(io::Error::other("it speaks no TLS"));
            }
            // Those who say nothing take no place from those who do.
            let _place = self.handshakes.acquire().await.map_err(io::Error::other)?;
            TlsAcceptor::from(self.config.load_full()).accept(socket).await
        };
        let socket = timeout(time_max, secure).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let user = socket.get_ref().1.peer_certificates().and_then(|chain| chain.first()).and_then(|own| user(own));
        Ok(Secured { socket, user })
    }
}

/// The common name of a certificate's subject (RFC 5280 §4.1.2.6), as EventStore's clients have it.
fn user(certificate: &[u8]) -> Option<Arc<str>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let mut names = certificate.subject().iter_common_name();
    let name = names.next()?.as_str().ok()?;
    // Two names would leave it to chance who it is.
    names.next().is_none().then(|| name.into())
}

/// Says in plain words, to whoever speaks plain HTTP, what this port wants.
async fn refuse(mut socket: TcpStream) -> io::Result<()> {
    let problem = Problem::new(Kind::MalformedRequest, "this port speaks TLS: ask with https:// instead of http://");
    socket.write_all(&Reply::problem(problem, None, None).into_bytes()).await?;
    socket.shutdown().await?;
    // What is left unread would reset the connection, and take the answer with it.
    let mut scratch = [0; 1_024];
    while tokio::io::AsyncReadExt::read(&mut socket, &mut scratch).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_names_its_user_once_or_not_at_all() {
        let certificate = |names: &[&str]| {
            let mut parameters = rcgen::CertificateParams::default();
            parameters.distinguished_name = rcgen::DistinguishedName::new();
            for name in names {
                parameters.distinguished_name.push(rcgen::DnType::CommonName, *name);
            }
            let key = rcgen::KeyPair::generate().expect("a key");
            parameters.self_signed(&key).expect("a certificate").der().to_vec()
        };
        assert_eq!(user(&certificate(&["ann"])).as_deref(), Some("ann"));
        assert_eq!(user(&certificate(&[])), None);
        assert_eq!(user(b"no certificate"), None);
    }
}
