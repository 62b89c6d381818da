//! A small HTTP client for the commands that talk to a server: one request at a time, patient.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;

use crate::address::{BaseUrl, Suffix};
use crate::client::{Credentials, Tls, connection};
use crate::event::{Source, StreamName};

use super::Failure;

/// Where a server is that was started without a word.
pub(super) const SERVER: &str = "http://127.0.0.1:2113";

/// Longer than any long poll.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(90);

/// A page of 4096 events of 4 MiB would be more; nobody reads such pages with this client.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// How often a request is sent that may be repeated, and how long to wait before the second time; it doubles.
const ATTEMPTS_MAX: u32 = 5;
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// Connections to a server.
pub(super) struct Client {
    http: reqwest::Client,
}

/// An answer, whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// RFC 9457, as far as people need it.
#[derive(Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
}

impl Client {
    /// To the server of this URL, as somebody, trusting and showing this.
    pub(super) fn open(url: &str, tls: &Tls, credentials: &Credentials) -> Result<Self, Failure> {
        Ok(Self { http: connection::open(url, tls, credentials)? })
    }

    /// To the server that this very machine runs, whoever vouches for it. To a server that asks for one a certificate of
    /// one's own is shown (PEM).
    pub(super) fn to_this_machine(own: Option<&[u8]>) -> Result<Self, Failure> {
        Ok(Self { http: connection::open_to_this_machine(own)? })
    }

    pub(super) async fn get(&self, url: &str, headers: &[(&str, String)]) -> Result<Answer, Failure> {
        self.send(Method::GET, url, headers, Bytes::new()).await
    }

    /// Sends it again when the connection breaks or the server is overloaded: for requests whose repeats change
    /// nothing, as those of appends with the same ids do not.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, String)],
        body: Bytes,
    ) -> Result<Answer, Failure> {
        let mut wait = RETRY_AFTER;
        let send = || self.send_once(method.clone(), url, headers, body.clone());
        for _ in 1..ATTEMPTS_MAX {
            match send().await {
                Ok(answer) if answer.status != StatusCode::SERVICE_UNAVAILABLE => return Ok(answer),
                Err(Trouble::Final(failure)) => return Err(failure),
                Ok(_) | Err(Trouble::Passing(_)) => tokio::time::sleep(wait).await,
            }
            wait *= 2;
        }
        Ok(send().await?)
    }

    /// Whether an answer that goes on and on says this within the time. `accept` is what is asked for.
    pub(super) async fn first_piece(
        &self,
        url: &str,
        accept: &str,
        wanted: &[u8],
        within: Duration,
    ) -> Result<bool, Failure> {
        let read = async {
            let request = self.http.get(url).header("accept", accept);
            let mut answer = request.send().await.map_err(|error| Trouble::of(url, &error))?;
            if !answer.status().is_success() {
                return Err(Trouble::last(url, format_args!("the server answered {}", answer.status())));
            }
            let mut said = BytesMut::new();
            while let Some(piece) = answer.chunk().await.map_err(|error| Trouble::of(url, &error))? {
                said.extend_from_slice(&piece);
                if memchr::memmem::find(&said, wanted).is_some() {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        match tokio::time::timeout(within, read).await {
            Ok(said) => Ok(said?),
            Err(_) => Ok(false),
        }
    }

    /// What it answers now.
    pub(super) async fn get_once(&self, url: &str) -> Result<Answer, Failure> {
        Ok(self.send_once(Method::GET, url, &[], Bytes::new()).await?)
    }

    async fn send_once(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, String)],
        body: Bytes,
    ) -> Result<Answer, Trouble> {
        let mut request = self.http.request(method, url).body(body).timeout(ANSWER_TIME_MAX);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let mut answer = request.send().await.map_err(|error| Trouble::of(url, &error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut body = BytesMut::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| Trouble::of(url, &error))? {
            if ANSWER_BYTES_MAX < body.len() + piece.len() {
                return Err(Trouble::last(url, "the answer is far too long"));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Answer { status, headers, body: body.freeze() })
    }
}

/// Whether it may help to try again.
enum Trouble {
    Passing(Failure),
    Final(Failure),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Final(failure) | Trouble::Passing(failure) => failure,
        }
    }
}

impl Trouble {
    fn passing(url: &str, why: impl std::fmt::Display) -> Self {
        Self::Passing(Failure::failed(format_args!("{url}: {why}")))
    }

    fn last(url: &str, why: impl std::fmt::Display) -> Self {
        Self::Final(Failure::failed(format_args!("{url}: {why}")))
    }

    /// Where nobody listens, nobody will in a second.
    fn of(url: &str, error: &reqwest::Error) -> Self {
        let why = connection::cause(error);
        let is_final = error.is_connect() || error.is_builder();
        if is_final { Self::last(url, why) } else { Self::passing(url, why) }
    }
}

impl Answer {
    /// What the server says was wrong, as a sentence; none if nothing was.
    pub(super) fn refused(&self) -> Option<String> {
        if self.status.is_success() {
            return None;
        }
        let problem: Option<Problem> = serde_json::from_slice(&self.body).ok();
        let said = problem.map(|problem| [problem.title, problem.detail].into_iter().flatten().collect::<Vec<_>>());
        match said {
            Some(said) if !said.is_empty() => Some(format!("{} ({})", said.join(": "), self.status.as_u16())),
            _ => Some(format!("the server answered {}", self.status)),
        }
    }

    /// The value of a header, if it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The URL of a stream that is given as such, or by its name at a server.
pub(super) fn stream_url(stream: &str, server: &str) -> Result<String, Failure> {
    use super::Exit::Usage;
    if stream.starts_with("http://") || stream.starts_with("https://") {
        return Ok(stream.trim_end_matches('/').to_string());
    }
    let base =
        BaseUrl::parse(server).map_err(|error| Failure::new(Usage, format_args!("--server {server}: {error}")))?;
    let name = StreamName::parse(stream)
        .map_err(|error| Failure::new(Usage, format_args!("{stream:?} is no stream: {error}")))?;
    Ok(base.stream(&Source::named(name), Suffix::None, None))
}

/// A stream's name, as an argument.
pub(super) fn stream_name(text: &str) -> Result<StreamName, String> {
    StreamName::parse(text).map_err(|error| error.to_string())
}

/// Runs one command's conversation with a server.
pub(super) fn block_on(conversation: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(conversation)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: StatusCode, body: &'static str) -> Answer {
        Answer { status, headers: HeaderMap::new(), body: Bytes::from_static(body.as_bytes()) }
    }

    #[test]
    fn a_refusal_is_a_sentence_whatever_the_body_is() {
        let refused = |body| answer(StatusCode::CONFLICT, body).refused();
        assert_eq!(refused(r#"{"title":"Taken","detail":"by 7"}"#), Some("Taken: by 7 (409)".into()));
        for body in ["", "{}", "<html>"] {
            assert_eq!(refused(body), Some("the server answered 409 Conflict".into()));
        }
        assert_eq!(answer(StatusCode::CREATED, "").refused(), None);
    }

    #[test]
    fn a_stream_is_a_name_at_a_server_or_a_url() {
        assert_eq!(stream_url("a b/ü", "http://h:1/"), Ok("http://h:1/streams/a%20b%2F%C3%BC".into()));
        assert_eq!(stream_url("$all", SERVER), Ok("http://127.0.0.1:2113/streams/%24all".into()));
        assert_eq!(stream_url("http://h/streams/a/", SERVER), Ok("http://h/streams/a".into()));
        assert!(stream_url("..", SERVER).is_err() && stream_url("a", "h").is_err());
    }
}
