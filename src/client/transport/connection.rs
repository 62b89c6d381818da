//! Connections to servers that are sent events, with the same trust and the same words as those that are followed.

use std::time::Duration;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use reqwest::{Client, ClientBuilder, Response, Url};

use super::{CONNECT_TIME_MAX, head, tls};
use crate::client::{Credentials, FollowError, Tls};

/// Connections to the server of this URL. Redirections are answers like others: to follow one would make a GET of a POST,
/// and its 200 would look as if the events had been taken.
///
/// Whoever sends them says whom to trust, and tells the server who it is.
pub(crate) fn open(url: &str, tls: &Tls, credentials: &Credentials) -> Result<Client, FollowError> {
    let usage = |why: &dyn std::fmt::Display| FollowError::Usage(format!("{url}: {why}"));
    let parsed = Url::parse(url).map_err(|error| usage(&error))?;
    let tls = tls::config(tls, parsed.scheme() == "https")?;
    let authorization = super::authorization(credentials)?.map(|value| (AUTHORIZATION, value));
    let builder = builder(tls).default_headers(authorization.into_iter().collect());
    builder.build().map_err(|error| usage(&cause(&error)))
}

/// Connections to a server on this machine, whoever vouches for it: nothing is sent there that is a secret, and its
/// certificate is made out for the names that others know it by.
pub(crate) fn open_to_this_machine(own: Option<&[u8]>) -> Result<Client, FollowError> {
    builder(tls::trusting_anybody(own)?).build().map_err(|error| FollowError::Usage(cause(&error)))
}

fn builder(tls: rustls::ClientConfig) -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(CONNECT_TIME_MAX)
        .redirect(reqwest::redirect::Policy::none())
        .tcp_nodelay(true)
        .user_agent(concat!("everfeed/", env!("CARGO_PKG_VERSION")))
}

/// When the server wants to be asked again.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    head::retry_after(headers)
}

/// What the server says was wrong.
pub(crate) async fn said(answer: Response) -> String {
    super::said(answer).await
}

/// Why there is no answer.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    super::cause(error)
}
