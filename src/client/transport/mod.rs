//! One request and its answer, bounded in time and size. What an answer means for the next request is decided elsewhere.

#[cfg(feature = "server")]
pub(crate) mod connection;
mod head;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH};
use http::{Request, StatusCode, header};
use reqwest::{Response, Url};
use serde::Deserialize;
use tokio::time::timeout;

pub(super) use head::{Head, max_age};

use super::FollowError;
use super::cache::Keeping;
use super::options::{Credentials, Following};
use super::retry::Trouble;

const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a server may think before it answers, beside what it was asked to wait.
const HEAD_TIME_MAX: Duration = Duration::from_secs(30);

/// How long nothing may come of a body.
const STALL_MAX: Duration = Duration::from_secs(30);

/// A hundred events of 4 MiB, the default page of the largest events, in base64 and with what stands around them.
const BODY_BYTES_MAX: usize = 640 << 20;

/// What a refusal has to say is said in less.
const PROBLEM_BYTES_MAX: usize = 64 << 10;

const PREFER: HeaderName = HeaderName::from_static("prefer");
const CONSUMER: HeaderName = HeaderName::from_static("everfeed-consumer");
const ES_LONG_POLL: HeaderName = HeaderName::from_static("es-longpoll");

/// Connections to servers, and who we are to them.
pub(super) struct Transport {
    http: reqwest::Client,
    pub(super) authorization: Option<HeaderValue>,
    /// What we call ourselves.
    name: Option<HeaderValue>,
    /// The server that may know who we are.
    home: Url,
}

/// What to ask for.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) url: Url,
    pub(super) accept: HeaderValue,
    /// An answer that a cache holds will not do.
    pub(super) past_caches: bool,
    /// How long the server may hold the request until there is something new.
    pub(super) wait: Option<Duration>,
    /// The entity tag of what is known already.
    pub(super) known: Option<HeaderValue>,
    /// Further headers.
    pub(super) headers: HeaderMap,
}

/// An answer that is no failure.
pub(super) enum Reply {
    /// A page, or something else that was asked for: its head, and the body to come.
    Page(Box<Opened>),
    /// What is known already (304), and what is said of it now.
    Unchanged(HeaderMap),
    /// Nothing is there (404), and why.
    Absent(String),
}

/// The head of an answer. Its body may still be on the way.
pub(super) struct Opened {
    pub(super) head: Head,
    pub(super) headers: HeaderMap,
    /// What a cache of our own would keep of it.
    pub(super) keeping: Option<Keeping>,
    body: Body,
}

enum Body {
    /// On its way.
    Coming(Response),
    /// From a cache of our own.
    Here(Bytes),
}

/// RFC 9457, as far as people need it.
#[derive(Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
}

impl Ask {
    pub(super) fn of(url: Url, accept: HeaderValue) -> Self {
        Self { url, accept, past_caches: false, wait: None, known: None, headers: HeaderMap::new() }
    }

    /// The question by which a cache knows the page; none if nothing that a cache holds will do.
    pub(super) fn of_cache(&self) -> Option<Request<()>> {
        if self.past_caches || self.wait.is_some() || self.known.is_some() {
            return None;
        }
        Request::get(self.url.as_str()).header(ACCEPT, &self.accept).body(()).ok()
    }
}

impl Transport {
    pub(super) fn new(following: &Following, home: &Url) -> Result<Self, FollowError> {
        let tls = tls::config(&following.tls, home.scheme() == "https")?;
        // On the same machine nothing is gained by packing and unpacking.
        let is_near =
            home.host_str().is_some_and(|host| host == "localhost" || host == "[::1]" || host.starts_with("127."));
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(CONNECT_TIME_MAX)
            .tcp_nodelay(true)
            .gzip(!is_near)
            .zstd(!is_near)
            .user_agent(concat!("everfeed/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| FollowError::Usage(cause(&error)))?;
        let name = following.name.as_deref().map(HeaderValue::from_str).transpose();
        let name = name.map_err(|_| FollowError::Usage("the name of a consumer is visible ASCII".into()))?;
        Ok(Self { http, authorization: authorization(&following.credentials)?, name, home: home.clone() })
    }

    /// Asks, and returns as soon as the head of the answer is there.
    pub(super) async fn open(&self, ask: &Ask) -> Result<Reply, Trouble> {
        let mut headers = ask.headers.clone();
        headers.insert(ACCEPT, ask.accept.clone());
        if ask.past_caches {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        if let Some(wait) = ask.wait {
            headers.insert(PREFER, HeaderValue::try_from(format!("wait={}", wait.as_secs())).expect("a number"));
            headers.insert(ES_LONG_POLL, HeaderValue::from(wait.as_secs().max(1)));
        } else if ask.past_caches {
            // Shared caches that ignore `no-cache`, as nginx does, are told by this preference that it is no page for
            // others: the shipped configurations pass such requests by. It asks the server for nothing.
            headers.insert(PREFER, HeaderValue::from_static("wait=0"));
        }
        if let Some(tag) = &ask.known {
            headers.insert(IF_NONE_MATCH, tag.clone());
        }
        if ask.url.origin() == self.home.origin() {
            headers.extend(self.authorization.clone().map(|authorization| (AUTHORIZATION, authorization)));
            headers.extend(self.name.clone().map(|name| (CONSUMER, name)));
        }
        let request = self.http.get(ask.url.clone()).headers(headers).send();
        let time_max = HEAD_TIME_MAX + ask.wait.unwrap_or_default();
        let response = match timeout(time_max, request).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.is_builder() || error.is_redirect() => {
                return Err(Trouble::Final(FollowError::Usage(format!("{}: {}", ask.url, cause(&error)))));
            }
            Ok(Err(error)) => return Err(Trouble::passing(cause(&error))),
            Err(_) => return Err(Trouble::passing(format!("no answer in {} s", time_max.as_secs()))),
        };
        match response.status() {
            StatusCode::OK => {
                let head = Head::read(response.url().clone(), response.headers());
                let headers = response.headers().clone();
                Ok(Reply::Page(Box::new(Opened { head, headers, keeping: None, body: Body::Coming(response) })))
            }
            StatusCode::NOT_MODIFIED => Ok(Reply::Unchanged(response.headers().clone())),
            StatusCode::NOT_FOUND => Ok(Reply::Absent(said(response).await)),
            status => Err(self.refused(ask, status, response).await),
        }
    }

    async fn refused(&self, ask: &Ask, status: StatusCode, response: Response) -> Trouble {
        let url = ask.url.to_string();
        let retry_after = head::retry_after(response.headers());
        let mut why = said(response).await;
        let passes = status.is_server_error()
            || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS);
        if passes {
            return Trouble::Passing { why: format!("{status}: {why}"), retry_after };
        }
        if status == StatusCode::UNAUTHORIZED && self.authorization.is_some() && ask.url.origin() != self.home.origin()
        {
            why.push_str(&format!("; credentials are sent to {} alone", self.home.origin().ascii_serialization()));
        }
        Trouble::Final(match status {
            StatusCode::GONE => FollowError::Gone { url, why },
            _ => FollowError::Refused { url, status: status.as_u16(), why },
        })
    }
}

impl Opened {
    /// A page of our own cache.
    pub(super) fn kept(base: Url, headers: HeaderMap, body: Bytes) -> Self {
        Self { head: Head::read(base, &headers), headers, keeping: None, body: Body::Here(body) }
    }

    /// What its sender says it is.
    pub(super) fn media_type(&self) -> Option<Arc<str>> {
        Some(self.headers.get(header::CONTENT_TYPE)?.to_str().ok()?.into())
    }

    /// The next piece of a body that has no end, when it comes.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, Trouble> {
        match &mut self.body {
            Body::Coming(response) => response.chunk().await.map_err(|error| cut(&error)),
            Body::Here(_) => Ok(None),
        }
    }

    /// All of the body, and never a part of it: hyper knows where it ends, and it is cut if the connection ends before.
    pub(super) async fn body(self) -> Result<Bytes, Trouble> {
        match self.body {
            Body::Coming(mut response) => read(&mut response, BODY_BYTES_MAX).await,
            Body::Here(body) => Ok(body),
        }
    }
}

async fn read(response: &mut Response, bytes_max: usize) -> Result<Bytes, Trouble> {
    // It would be as large the next time.
    let url = response.url().to_string();
    let too_large = || {
        let why = format!("it is larger than the {bytes_max} bytes that are read at most");
        Trouble::Final(FollowError::Unreadable { url: url.clone(), why })
    };
    let length = response.content_length().unwrap_or(0);
    let length = usize::try_from(length).ok().filter(|length| *length <= bytes_max).ok_or_else(too_large)?;
    let mut body = BytesMut::new();
    while let Some(chunk) = chunk(response).await? {
        if body.is_empty() {
            // What came in one piece stays where it is.
            if chunk.len() == length {
                return Ok(chunk);
            }
            body.reserve(length.max(chunk.len()));
        }
        if bytes_max < body.len() + chunk.len() {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

async fn chunk(response: &mut Response) -> Result<Option<Bytes>, Trouble> {
    match timeout(STALL_MAX, response.chunk()).await {
        Ok(chunk) => chunk.map_err(|error| cut(&error)),
        Err(_) => Err(Trouble::passing(format!("nothing more of the answer came in {} s", STALL_MAX.as_secs()))),
    }
}

fn cut(error: &reqwest::Error) -> Trouble {
    Trouble::passing(format!("the answer was cut: {}", cause(error)))
}

/// What the server says was wrong, as far as it says anything.
async fn said(mut response: Response) -> String {
    let status = response.status();
    let reason = || status.canonical_reason().unwrap_or("no reason given").to_string();
    let Ok(body) = read(&mut response, PROBLEM_BYTES_MAX).await else { return reason() };
    let media_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_problem = media_type.is_some_and(|media_type| media_type.starts_with("application/problem+json"));
    let problem: Option<Problem> = is_problem.then(|| serde_json::from_slice(&body).ok()).flatten();
    let said: Vec<String> =
        problem.map(|problem| [problem.title, problem.detail].into_iter().flatten().collect()).unwrap_or_default();
    if said.is_empty() { reason() } else { said.join(": ") }
}

fn authorization(credentials: &Credentials) -> Result<Option<HeaderValue>, FollowError> {
    let value = match credentials {
        Credentials::None => return Ok(None),
        Credentials::Basic { user, .. } if user.contains(':') => {
            return Err(FollowError::Usage("the name of a user has no colon in it".into()));
        }
        Credentials::Basic { user, password } => format!("Basic {}", BASE64.encode(format!("{user}:{password}"))),
        Credentials::Bearer(token) => format!("Bearer {token}"),
    };
    let mut value = HeaderValue::try_from(value)
        .map_err(|_| FollowError::Usage("the token has characters that no header can hold".into()))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// The innermost reason: the outer ones say no more than that a request failed.
fn cause(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.last().map_or_else(|| error.to_string(), ToString::to_string)
}
