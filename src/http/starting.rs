//! Whoever comes while the store is still being opened, which may take seconds, is told so: the server lives, and is not
//! ready yet.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::problem::Problem;
use super::reply::Reply;
use super::tls::Tls;

/// As long a connection may take to ask and to hear it. Whoever comes again may find the server ready.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(1);

/// As many may be told at once; others wait until the server listens.
const CONNECTIONS_MAX: usize = 64;

/// Tells everybody who comes, for as long as it is polled.
pub async fn starting(listener: &TcpListener, tls: Option<Arc<Tls>>) -> Infallible {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = places.clone().acquire_owned().await.expect("nobody closes it");
        let Ok((socket, _)) = listener.accept().await else {
            tokio::time::sleep(CONNECTION_TIME_MAX).await;
            continue;
        };
        let tls = tls.clone();
        tokio::spawn(async move {
            let _place = place;
            // Whoever goes away sooner does not need it.
            let _ = timeout(CONNECTION_TIME_MAX, tell(socket, tls)).await;
        });
    }
}

async fn tell(socket: TcpStream, tls: Option<Arc<Tls>>) {
    match tls {
        None => converse(socket).await,
        Some(tls) => {
            if let Ok(secured) = tls.accept(socket, CONNECTION_TIME_MAX).await {
                converse(secured.socket).await;
            }
        }
    }
}

async fn converse(socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let answer = async |request: Request<Incoming>| {
        let reply = match request.uri().path() {
            "/health/live" => Reply::json(StatusCode::OK, &json!({ "live": true, "state": "starting" })),
            "/health/ready" => {
                let ready = json!({ "ready": false, "read_only": true, "reason": REASON, "state": "starting" });
                Reply::json(StatusCode::SERVICE_UNAVAILABLE, &ready)
            }
            _ => Reply::problem(Problem::starting(REASON), None, None),
        };
        let is_http1 = request.version() <= Version::HTTP_11;
        let reply = if is_http1 { reply.header(CONNECTION, HeaderValue::from_static("close")) } else { reply };
        Ok::<_, Infallible>(reply.into_response(None, None, None))
    };
    let builder = Builder::new(TokioExecutor::new());
    if let Err(error) = builder.serve_connection(TokioIo::new(socket), service_fn(answer)).await {
        tracing::debug!(%error, "somebody who came too early could not be told");
    }
}

const REASON: &str = "the store is being opened";
